"""A device of the older dialect, written as people write one: paho, three topics, and nothing of ours."""

from collections.abc import Callable
import json
import queue
import socket
import threading
import time
from typing import Any, Self

from paho.mqtt import client as paho

from lab2mqtt.hub.ports import LOOPBACK
from lab2mqtt.paho_loop import end_loop

CONNECT_WITHIN = 10.0  # s

READS = {"read_sensor", "get_device_status"}


class OldBoard:
    """One device. It does its tasks one after the other, in the order in which they come.

    Attributes:
        did: Every command that it did, in order: what moved, and how often.
        asked: Every command that came.
    """

    def __init__(
        self,
        port: int,
        device_id: str,
        tasks: dict[str, Callable[..., Any]] | None = None,
        *,
        prefix: str = "ot2",
        tells_tasks: bool = False,
        has_status: bool = True,
    ) -> None:
        self.device_id = device_id
        self.did: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[dict[str, Any]] = []
        self.go = threading.Event()
        self.lamp = False
        self._port = port
        self._topic = f"{prefix}/{device_id}"
        self._tells_tasks = tells_tasks
        self._tasks = {"read_sensor": self._read_sensor, "control_led": self._control_led} | (tasks or {})
        if has_status:
            self._tasks["get_device_status"] = self._status
        self._began = time.monotonic()
        self._work: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._subscribed = threading.Event()
        self._client: paho.Client | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Come up; returns once it listens and has said that it is online."""
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=f"old-{self.device_id}")
        client.will_set(f"{self._topic}/status", json.dumps({"status": "offline"}), 0, retain=True)
        client.on_connect = lambda client, *_: client.subscribe(f"{self._topic}/command", 1)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = self._heard
        self._subscribed.clear()
        client.connect(LOOPBACK, self._port)
        client.loop_start()
        self._client = client
        assert self._subscribed.wait(CONNECT_WITHIN)
        self._thread = threading.Thread(target=self._do_all)
        self._thread.start()
        self.say_online()
        return self

    def say_online(self) -> None:
        """As the smallest do: not retained."""
        told: dict[str, Any] = {"status": "online"}
        if self._tells_tasks:
            told |= {
                "device_id": self.device_id,
                "timestamp": time.time(),
                "data": {"tasks": list(self._tasks)},
            }
        self.say("status", json.dumps(told))

    def learn(self, **tasks: Callable[..., Any]) -> None:
        """Have more tasks, as after an update."""
        self._tasks |= tasks

    def say(self, kind: str, payload: str | bytes, *, retain: bool = False) -> None:
        """Say anything on one of its topics."""
        assert self._client
        self._client.publish(f"{self._topic}/{kind}", payload, 1, retain).wait_for_publish(CONNECT_WITHIN)

    def die(self) -> None:
        """End as a power cut does: the broker says its will."""
        assert self._client
        self._end()
        sock = self._client.socket()
        assert sock
        sock.shutdown(socket.SHUT_RDWR)
        end_loop(self._client)

    def stop(self) -> None:
        """End."""
        if self._thread:
            assert self._client
            self._end()
            self._client.disconnect()
            end_loop(self._client)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _end(self) -> None:
        self.go.set()
        self._work.put(None)
        if self._thread:
            self._thread.join()
            self._thread = None

    def _heard(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        del client, userdata
        command = json.loads(message.payload)
        self.asked.append(command)
        self._work.put(command)

    def _do_all(self) -> None:
        while command := self._work.get():
            name, parameters = command["task"], command.get("parameters", {})
            told = {
                "request_id": command.get("request_id", "unknown"),
                "task": name,
                "timestamp": time.time(),
            }
            try:
                result = self._task(name)(**parameters)
                if name not in READS:
                    self.did.append((name, parameters))
                told |= {"status": "success", "result": result}
            except Exception as error:  # noqa: BLE001 - as they do
                told |= {"status": "error", "error": str(error)}
            self.say("result", json.dumps(told))

    def _task(self, name: str) -> Callable[..., Any]:
        if name not in self._tasks:
            raise ValueError(f"Task '{name}' not found")
        return self._tasks[name]

    # Its tasks

    def _read_sensor(self, sensor_pin: int) -> dict[str, Any]:
        return {"sensor_pin": sensor_pin, "raw_value": 32768, "voltage": 1.65, "timestamp": time.time()}

    def _control_led(self, pin: int, state: bool) -> str:  # noqa: FBT001
        self.lamp = state
        return f"LED on pin {pin} {'ON' if state else 'OFF'}"

    def _status(self) -> dict[str, Any]:
        return {
            "device_id": self.device_id,
            "free_memory": 123456,
            "platform": "micropython",
            "tasks_available": list(self._tasks),
            "uptime_ms": int(1000 * (time.monotonic() - self._began)),
        }
