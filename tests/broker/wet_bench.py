"""A wet bench: the colour cell on a broker, and an observer of everything that is said."""

from pathlib import Path
import time
from typing import Any, Self
import uuid

from tests.broker.brokers import Broker
from tests.broker.cell import DEVICE, Cell
from tests.broker.observer import Heard, Observer, retained, until

LAB_STOP = "lab2mqtt/emergency_stop"
FILTERS = ("lab2mqtt/#", "homeassistant/#")
SPEED = 40.0  # a mix in little more than a second
WITHIN = 15.0  # s
MIX = {"R": 100, "Y": 50, "B": 80, "well": "B2"}
MIXED = {"3/B1": 100.0, "3/B2": 50.0, "3/B3": 80.0}
LONG = {"R": 100, "Y": 100, "B": 100, "well": "D6"}
MEASURE = "move_sensor_to_measurement_position"


class WetBench:
    """One robot, its bridge, and what is said. What the bridge keeps stays in the folder."""

    def __init__(self, broker: Broker, folder: Path, speed: float = SPEED, **settings: object) -> None:
        self.broker = broker
        if broker.pid is None:
            broker.start()
        self.cell = Cell(broker.port, folder, speed, **settings)
        self.bridge, self.robot = self.cell.bridge, self.cell.robot
        self.seen = Observer(broker.port, *FILTERS)
        self.began = 0.0  # of the test, in the robot's seconds

    def __enter__(self) -> Self:
        """Start it; returns once the robot can be used."""
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()

    def start(self) -> None:
        """Start it; returns once the robot can be used."""
        self.cell.start()
        self.until_ready()

    def ready(self) -> "WetBench":
        """Bring everything back to work, whatever the last test left, with new tips, plate and vials."""
        if self.bridge.pid is None:
            self.bridge.start()
        for fault in self.truth()["faults"]:
            self.truth(fault=fault, on=False)
        until(lambda: self.truth()["phase"] == "ready", "the robot has started", within=WITHIN)
        self.until_state(lambda state: state["readiness"] not in ("unreachable", "starting"))
        self.release()
        self.call("release", {"holder": self.state["reserved_by"] or "nobody"})
        self.call("set_maintenance", {"on": False})
        self.call("cancel")
        if self.state["run_status"]:
            self.until_state(lambda state: state["task"] is None)
            self.call("stop", {"throw_away": True})
        self.until_state(lambda state: not state["run_status"])
        self.truth(new_tips=True, new_plate=True, full_vials=True)
        for task in ("reset_tips", "reset_plate", "reset_vial", "reset_sensor"):
            self.done(task)
        if self.state["readiness"] == "needs_homing":
            self.done("home")
        self.until_ready()
        self.began = self.truth()["at"]
        return self

    def release(self) -> None:
        """Release every stop, and leave none on the broker."""
        stop = self.seen.last(LAB_STOP)
        if stop and stop["engaged"]:
            self.seen.publish(LAB_STOP, {"engaged": False, "stop_id": stop["stop_id"]}, retain=True)
        self.seen.publish(LAB_STOP, "", retain=True)
        self.done("reset_emergency_stop")
        self.until_state(lambda state: not state["emergency_stop"])

    def close(self) -> None:
        """End everything, and leave nothing on the broker."""
        self.cell.close()
        for topic in retained(self.broker.port, *FILTERS):
            self.seen.publish(topic, "", retain=True)
        self.seen.barrier()
        self.seen.close()

    # The robot.

    def truth(self, **asked: object) -> dict[str, Any]:
        """What is so in the robot, once it was asked something."""
        return self.cell.truth(**asked)

    def moved(self, *what: str, since: float | None = None) -> list[dict[str, Any]]:
        """What moved since it was ready, or since a second of the robot's time; or some of it."""
        journal: list[dict[str, Any]] = self.truth(journal=self.began if since is None else since)["journal"]
        return [each for each in journal if not what or each["what"] in what]

    def until_moved(self, what: str) -> None:
        """Wait until the robot has truly done something."""
        until(lambda: self.moved(what), f"it has done {what}", within=WITHIN)

    def start_mixing(self) -> str:
        """Begin a long mix, and wait until paint is in a tip; gives the request id."""
        request_id = self.send("mix_color", LONG)
        self.until_moved("aspirate")
        return request_id

    # Talking.

    def topic(self, kind: str, device: str = DEVICE) -> str:
        """A topic of a device."""
        return f"lab2mqtt/{device}/{kind}"

    def send(
        self,
        task: str,
        parameters: dict[str, Any] | None = None,
        device: str = DEVICE,
        **more: Any,  # noqa: ANN401 - JSON
    ) -> str:
        """Send a command; gives its request id."""
        request_id: str = more.setdefault("request_id", uuid.uuid4().hex)
        command = {"task": task, "parameters": parameters or {}, **more}
        self.seen.publish(self.topic("command", device), command)
        return request_id

    def result(self, request_id: str, within: float = WITHIN, device: str = DEVICE) -> dict[str, Any]:
        """The result of a command."""
        heard = self.seen.wait(
            self.topic("result", device), lambda told: told["request_id"] == request_id, within=within
        )
        found: dict[str, Any] = heard.json
        return found

    def call(
        self,
        task: str,
        parameters: dict[str, Any] | None = None,
        device: str = DEVICE,
        **more: Any,  # noqa: ANN401 - JSON
    ) -> dict[str, Any]:
        """Send a command and wait for its result."""
        return self.result(self.send(task, parameters, device, **more), device=device)

    def done(self, task: str, parameters: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        """What a command that succeeds gives."""
        answer = self.call(task, parameters)
        assert answer["status"] == "success", answer
        return answer["result"]

    def results(self, request_id: str) -> list[dict[str, Any]]:
        """All results of a command, once everything that was sent before is through."""
        self.done("get_deck")
        told = [heard.json for heard in self.seen.heard(self.topic("result"))]
        return [one for one in told if one["request_id"] == request_id]

    def progress(self, request_id: str) -> list[dict[str, Any]]:
        """How far a command was, message by message."""
        told = [heard.json for heard in self.seen.heard(self.topic("progress"))]
        return [one for one in told if one["request_id"] == request_id]

    @property
    def state(self) -> dict[str, Any]:
        """What the robot's bridge said of it last."""
        said: dict[str, Any] = self.seen.last(self.topic("state"))
        return said

    def until_state(self, test: Any, since: int = 0) -> dict[str, Any]:  # noqa: ANN401
        """Wait until the last word of the state passes a test; gives it."""

        def passes() -> bool:
            heard = self.seen.heard(self.topic("state"), since)
            return bool(heard and heard[-1].json and test(heard[-1].json))

        until(passes, "the state is so", within=WITHIN, more=lambda: f"{self.state}\n{self.bridge.said()}")
        return self.state

    def until_ready(self, since: int = 0) -> None:
        """Wait until the robot can be used."""
        self.until_state(lambda state: state["readiness"] == "ready", since)

    def engage(self, stop_id: str) -> float:
        """Stop the lab; gives the moment before."""
        stop = {"engaged": True, "stop_id": stop_id, "by": "the test", "reason": "to see"}
        return self.seen.publish(LAB_STOP, stop | {"timestamp": int(time.time())}, retain=True)

    def event(self, event_type: str, since: int) -> Heard:
        """An event of the robot."""
        return self.seen.wait(
            self.topic("event"), lambda told: told["event_type"] == event_type, since=since, within=WITHIN
        )
