"""A board as the bridge and its clients see one: a link of its own, a will, a description, a few tasks."""

import json
import threading
import time
from typing import Any, Self

from paho.mqtt import client as paho
from tests.broker.observer import CONNECT_WITHIN

from lab2mqtt import wire
from lab2mqtt.hub.ports import LOOPBACK
from lab2mqtt.paho_loop import end_loop

TASKS: dict[str, Any] = {
    "set_lamp": {
        "description": "Switch the lamp.",
        "effect": "set",
        "timeout": 5,
        "parameters": {"on": {"type": "boolean"}},
        "required": ["on"],
    },
    "emergency_stop": {
        "description": "Stop.",
        "effect": "stop",
        "timeout": 5,
        "parameters": {},
        "required": [],
    },
    "get_device_status": {"description": "Tell.", "effect": "read", "timeout": 5},
}
ENTITIES: dict[str, Any] = {
    "lamp": {"platform": "switch", "name": "Lamp", "task": "set_lamp", "parameter": "on"},
    "temperature": {
        "platform": "sensor",
        "name": "Temperature",
        "unit": "°C",
        "device_class": "temperature",
        "state_class": "measurement",
    },
    "readiness": {
        "platform": "sensor",
        "name": "Readiness",
        "options": list(wire.READINESS),
        "attributes": ["readiness_reasons"],
        "availability": "bridge",
    },
    "stop": {"platform": "button", "name": "Stop now", "task": "emergency_stop", "availability": "bridge"},
    "happening": {
        "platform": "event",
        "name": "Event",
        "event_types": ["task_succeeded", "emergency_stopped"],
    },
}

SILENT = 2.0  # s without an answer, after which another link is made


class PlayedBoard:
    """One board. ``switch_off`` ends its link so that its will speaks."""

    def __init__(
        self,
        port: int,
        base: str,
        device_id: str = "pico-1",
        stop_topic: str = "",
        **changed: Any,  # noqa: ANN401 - anything of a description
    ) -> None:
        self.device_id = device_id
        self.base = base
        self.description: dict[str, Any] = {
            "protocol": wire.PROTOCOL,
            "device_id": device_id,
            "name": "Pico",
            "kind": "lab_sensor",
            "model": "Pico W",
            "manufacturer": "Raspberry Pi",
            "sw_version": "0.1.0",
            "bridge": None,
            "at_most_once": "until_reset",
            "entities": ENTITIES,
            "tasks": TASKS,
            **changed,
        }
        self.lamp = False
        self.stopped = False
        self.commands: list[dict[str, Any]] = []
        self._stop_topics = [f"{base}/emergency_stop", *([stop_topic] if stop_topic else [])]
        self._port = port
        self._client: paho.Client | None = None

    def topic(self, kind: str) -> str:
        """One of its topics."""
        return wire.device_topic(self.base, self.device_id, kind)

    def start(self) -> Self:
        """Connect, and say everything; as a board, again where the broker is silent, as amqtt may be."""
        deadline = time.monotonic() + CONNECT_WITHIN
        while not self._connect():
            assert time.monotonic() < deadline
        self.describe()
        self._say("status", self._status(wire.ONLINE), retain=True)
        self.say_state()
        return self

    def _connect(self) -> bool:
        """Connect and subscribe; gives whether the broker has answered all that."""
        ready = threading.Event()
        client = self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        client.will_set(self.topic("status"), self._status(wire.OFFLINE), 1, retain=True)
        client.on_message = self._on_message
        topics = [self.topic("command"), *reversed(self._stop_topics)]

        def subscribe(*_: object) -> None:
            """One after the other, as a board does: of several at once amqtt now and then answers one."""
            if topics:
                client.subscribe(topics.pop(), 1)
            else:
                ready.set()

        client.on_connect = client.on_subscribe = subscribe
        client.connect(LOOPBACK, self._port)
        client.loop_start()
        if ready.wait(SILENT):
            return True
        client.disconnect()
        end_loop(client)
        return False

    def describe(self, **changed: Any) -> None:  # noqa: ANN401
        """Say what it is, with something changed."""
        self.description |= changed
        self._say("description", json.dumps(self.description), retain=True)

    def say_state(self) -> None:
        """Say what it measures: less than its description tells."""
        readiness = "emergency_stopped" if self.stopped else "ready"
        state = {
            "readiness": readiness,
            "lamp": self.lamp,
            "temperature": 21.5,
            "updated_at": int(time.time()),
        }
        self._say("state", json.dumps(state), retain=True)

    def switch_off(self) -> None:
        """Lose the link: the will speaks."""
        assert self._client
        sock = self._client.socket()
        end_loop(self._client)
        assert sock
        sock.close()
        self._client = None

    def close(self) -> None:
        """Let go."""
        if self._client:
            end_loop(self._client)
            self._client.disconnect()

    def _status(self, word: str) -> str:
        return wire.encode(wire.status(self.device_id, word, int(time.time()), None, list(TASKS)))

    def _say(self, kind: str, payload: str, *, retain: bool = False) -> None:
        assert self._client
        self._client.publish(self.topic(kind), payload, 1, retain)

    def _on_message(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        del client, userdata
        now = int(time.time())
        if message.topic in self._stop_topics:
            stop = wire.read_stop(message.payload) if message.payload else {"engaged": False}
            if stop["engaged"] and not self.stopped:
                self.stopped = True
                told = {"stop_id": stop["stop_id"], "received_at": now, "stopped_at": now, "confirmed": True}
                self._say("event", wire.encode(wire.event("emergency_stopped", now, **told)))
                self.say_state()
            return
        command = wire.read_command(message.payload)
        self.commands.append(command)
        task = command["task"]
        result: object = None
        if task == "set_lamp":
            self.lamp = command["parameters"]["on"]
        elif task == "emergency_stop":
            self.stopped = True
        elif task == "get_device_status":
            result = {"device_id": self.device_id, "platform": "micropython"}
        else:
            told = wire.failure(command["request_id"], task, wire.UNKNOWN_TASK, f"no task {task!r}", now)
            self._say("result", wire.encode(told))
            return
        self.say_state()
        self._say("result", wire.encode(wire.success(command["request_id"], task, result, now)))
