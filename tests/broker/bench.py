"""A bench: a simulated servo, the bridge that runs it, and an observer; each real and each killable."""

import json
from pathlib import Path
import time
from typing import Any
import uuid

import pytest
from tests.broker.brokers import Broker
from tests.broker.observer import Observer, retained, until
from tests.broker.program import Program, Said, run
import yaml

from lab2mqtt.simulators.plate_resort import control

DEVICE = "plate-resort"
SPEED = 150  # 206 °/s
SLOW = 50  # 69 °/s: as a resort is delivered, and for tests that do much while it moves
LAB_STOP = "lab2mqtt/emergency_stop"
READY_WITHIN = 15.0  # s
MOVE_WITHIN = 15.0  # s

# For what lies behind the bridge, and is the same whatever the broker.
ON_MOSQUITTO = pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)
ONE_BROKER = pytest.mark.parametrize("broker", ["amqtt"], indirect=True)


class Servo:
    """The simulated servo: it goes on whatever becomes of its bridge."""

    def __init__(self, folder: Path) -> None:
        self.link = folder / "servo"
        self.journal = folder / "servo.journal"
        self._program = Program(
            ["--link", str(self.link), "--journal", str(self.journal)],
            folder / "servo.log",
            "lab2mqtt.simulators.plate_resort",
        )

    def start(self) -> None:
        """Start it; returns once its terminal is there."""
        self._program.start()
        until(self.link.exists, "the servo's terminal is there", within=READY_WITHIN)

    def stop(self) -> None:
        """End it."""
        self._program.terminate()

    def truth(self) -> dict[str, Any]:
        """What it really does."""
        return control(self.link, status=True)

    def goals(self) -> int:
        """How many goals were written since it was started first."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return sum(json.loads(line)["what"] == "goal" for line in lines)

    def fault(self, name: str, *, on: bool = True) -> None:
        """Switch a fault."""
        control(self.link, fault=name, on=on)

    def until_moving(self) -> dict[str, Any]:
        """Wait until it turns well."""
        until(lambda: abs(self.truth()["velocity"]) > 20, "the servo turns")
        return self.truth()

    def until_still(self, within: float = 5.0) -> dict[str, Any]:
        """Wait until it stands."""
        until(lambda: not self.truth()["moving"], "the servo stands", within=within)
        return self.truth()


class Bench:
    """One lab of one device. What the bridge keeps between its runs stays in the bench's folder."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        name = f"bench-{uuid.uuid4().hex[:6]}"
        self.name = self.base = name
        self.discovery = f"{name}-hub"
        self.birth = f"{self.discovery}/status"
        self.bridge_status = f"{name}/bridge/{name}/status"
        self.health = f"{name}/bridge/{name}/health"
        self.base_stop = f"{name}/emergency_stop"
        self.config = folder / "bench.yaml"
        self.servo = Servo(folder)
        self.bridge = Program(["run", str(self.config)], folder / "bridge.log")
        self.configure()
        self.servo.start()
        self._seen: Observer | None = None
        self.aim = 0.0  # of the last long move

    def configure(self, **more: dict[str, Any]) -> None:
        """Write the configuration: the servo, and more devices."""
        device = {
            "model": "plate_resort",
            "simulated": True,
            "settings": {"device": str(self.servo.link), "default_speed": SPEED},
        }
        told = {
            "bridge": self.name,
            "broker": {"port": self.broker.port},
            "base": self.base,
            "discovery": self.discovery,
            "state": "kept",
            "devices": {DEVICE: device, **more},
        }
        self.config.write_text(yaml.safe_dump(told))

    # The processes.

    @property
    def seen(self) -> Observer:
        """The observer; it was there before the bridge."""
        if self._seen is None:
            self._seen = Observer(self.broker.port, f"{self.base}/#", f"{self.discovery}/#", LAB_STOP)
        return self._seen

    def observe_anew(self) -> Observer:
        """An observer that has just come."""
        if self._seen:
            self._seen.close()
            self._seen = None
        return self.seen

    def ready(self) -> "Bench":
        """Bring everything back to work, whatever the last test left."""
        if self.broker.pid is None:
            self.broker.start()
        self.observe_anew()
        for fault in self.servo.truth()["faults"]:
            self.servo.fault(fault, on=False)
        if self.bridge.pid is None:
            self.bridge.start()
        self.until_online()
        self.release()
        self.send("cancel")
        self.until_ready()
        self.call("set_speed", {"speed": SPEED})
        return self

    def restart_bridge(self) -> None:
        """Kill the bridge, and start it again; returns when its device is ready."""
        self.bridge.kill()
        since = self.seen.mark()
        self.bridge.start()
        self.until_online(since)
        self.until_ready(since)

    def until_online(self, since: int = 0) -> None:
        """Wait until the running bridge is online."""
        self.wait_for(self.bridge_status, lambda told: told and told["status"] == "online", since)

    def until_ready(self, since: int = 0) -> None:
        """Wait until the device can be used: what it said last is what counts."""

        def ready() -> bool:
            states = self.seen.heard(self.topic("state"), since)
            online = self.seen.last(self.topic("status"))
            return bool(
                states and states[-1].json["readiness"] == "ready" and online and online["status"] == "online"
            )

        until(ready, f"{DEVICE} is ready", within=READY_WITHIN, more=self.bridge.said)

    def wait_for(self, topic: str, test: Any, since: int = 0) -> None:  # noqa: ANN401
        """Wait until the last word on a topic passes a test."""

        def passes() -> bool:
            found = self.seen.heard(topic, since)
            return bool(found) and bool(test(found[-1].json))

        until(passes, f"{topic} says it", within=READY_WITHIN, more=self.bridge.said)

    def release(self) -> None:
        """Release every stop."""
        for topic in (LAB_STOP, self.base_stop):
            stop = self.seen.last(topic)
            if stop and stop["engaged"]:
                self.seen.publish(topic, {"engaged": False, "stop_id": stop["stop_id"]}, retain=True)
        self.call("reset_emergency_stop")
        self.wait_for(self.topic("state"), lambda state: state and not state["emergency_stop"])
        for topic in (LAB_STOP, self.base_stop):
            self.seen.publish(topic, "", retain=True)
        self.seen.barrier()

    def close(self) -> None:
        """End everything, and leave nothing on the broker."""
        if self.bridge.pid:
            self.bridge.terminate()
        if self.broker.pid:
            seen = self.observe_anew()
            for topic in self.kept():
                seen.publish(topic, "", retain=True)
            seen.barrier()
        self.servo.stop()
        if self._seen:
            self._seen.close()

    # Talking.

    def topic(self, kind: str, device: str = DEVICE) -> str:
        """A topic of the device."""
        return f"{self.base}/{device}/{kind}"

    def announcement(self, device: str = DEVICE) -> str:
        """The topic on which Home Assistant is told of a device."""
        return f"{self.discovery}/device/{self.base}_{device}/config"

    def kept(self) -> dict[str, bytes]:
        """All that the broker keeps of this bench."""
        return retained(self.broker.port, f"{self.base}/#", f"{self.discovery}/#")

    def send(self, task: str, parameters: dict[str, Any] | None = None, **more: Any) -> str:  # noqa: ANN401
        """Send a command; gives its request id."""
        request_id: str = more.setdefault("request_id", uuid.uuid4().hex)
        self.send_raw({"task": task, "parameters": parameters or {}, **more})
        return request_id

    def send_raw(self, payload: Any, *, retain: bool = False) -> float:  # noqa: ANN401 - JSON or rubbish
        """Send anything on the command topic."""
        return self.seen.publish(self.topic("command"), payload, retain=retain)

    def result(self, request_id: str, within: float = MOVE_WITHIN, since: int = 0) -> dict[str, Any]:
        """The result of a command."""
        heard = self.seen.wait(
            self.topic("result"),
            lambda told: told["request_id"] == request_id,
            within=within,
            since=since,
        )
        found: dict[str, Any] = heard.json
        return found

    def results(self, request_id: str) -> list[dict[str, Any]]:
        """All results of a command, once everything that was sent before is through."""
        self.call("get_hotels")
        told = [heard.json for heard in self.seen.heard(self.topic("result"))]
        return [one for one in told if one["request_id"] == request_id]

    def events(self, request_id: str) -> list[str]:
        """The types of event that were told of a command."""
        told = [heard.json for heard in self.seen.heard(self.topic("event"))]
        return [one["event_type"] for one in told if one.get("request_id") == request_id]

    def call(self, task: str, parameters: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        """Send a command and wait for its result."""
        return self.result(self.send(task, parameters, **more))

    def start_long_move(self, **more: Any) -> str:  # noqa: ANN401
        """Send the servo on a way of half a turn and more, and wait until it turns; gives the request id."""
        self.servo.until_still()  # from the test before
        self.aim = 355.0 if self.servo.truth()["position"] < 180 else 5.0
        request_id = self.send("move_to_angle", {"angle": self.aim}, **more)
        self.servo.until_moving()
        return request_id

    def engage(self, stop_id: str = "", topic: str = LAB_STOP) -> float:
        """Stop the lab; gives the moment before."""
        stop = {"engaged": True, "stop_id": stop_id or uuid.uuid4().hex, "by": "the test", "reason": "to see"}
        return self.seen.publish(topic, stop | {"timestamp": int(time.time())}, retain=True)

    def run(self, *arguments: str) -> Said:
        """Run a command that talks to this lab."""
        return run(arguments[0], "--config", str(self.config), *arguments[1:])
