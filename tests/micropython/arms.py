"""The board with the arm, which a module's tests share on each broker."""

from collections.abc import Iterator
from pathlib import Path
import time
from typing import Any
import uuid

import pytest
from tests.broker.brokers import Broker
from tests.broker.observer import Observer
from tests.micropython.rig import Board

NODE = Path(__file__).parent / "arm"


class Arm:
    """The board and somebody who hears all that it says."""

    def __init__(self, board: Board, seen: Observer) -> None:
        self.board = board
        self.seen = seen

    def send(self, task: str, parameters: Any = None, **more: Any) -> str:  # noqa: ANN401 - JSON
        """Send a command; gives its id."""
        request_id = more.pop("request_id", uuid.uuid4().hex[:12])
        command = {"request_id": request_id, "task": task, "parameters": parameters or {}, **more}
        self.seen.publish(self.board.topic("command"), command)
        return str(request_id)

    def result(self, request_id: str, *, since: int = 0, within: float = 10.0) -> Any:  # noqa: ANN401 - JSON
        """The result of a command."""
        topic = self.board.topic("result")
        return self.seen.wait(
            topic, lambda told: told.get("request_id") == request_id, since=since, within=within
        ).json

    def results(self, request_id: str) -> list[Any]:
        """All results that there were of a command."""
        told = [one.json for one in self.seen.heard(self.board.topic("result"))]
        return [one for one in told if one["request_id"] == request_id]

    def ask(self, task: str, parameters: Any = None, **more: Any) -> Any:  # noqa: ANN401 - JSON
        """Send a command; gives its result."""
        since = self.seen.mark()
        return self.result(self.send(task, parameters, **more), since=since)

    def refused(self, code: str, task: str, parameters: Any = None, **more: Any) -> str:  # noqa: ANN401 - JSON
        """Send a command that is refused; gives the words."""
        told = self.ask(task, parameters, **more)
        assert told.get("error_code") == code, told
        return str(told["error"])

    def progress(self, request_id: str, status: str, within: float = 5.0) -> Any:  # noqa: ANN401 - JSON
        """Wait for progress of a command."""
        return self.seen.wait(
            self.board.topic("progress"),
            lambda told: told["request_id"] == request_id and told["status"] == status,
            within=within,
        ).json

    def state(self, test: Any, *, since: int = 0, within: float = 5.0) -> Any:  # noqa: ANN401 - JSON
        """Wait for a state."""
        return self.seen.wait(self.board.topic("state"), test, since=since, within=within).json

    def event(self, event_type: str, *, since: int = 0, within: float = 5.0) -> Any:  # noqa: ANN401 - JSON
        """Wait for an event."""
        return self.seen.wait(
            self.board.topic("event"),
            lambda told: told["event_type"] == event_type,
            since=since,
            within=within,
        ).json

    def moves(self) -> int:
        """How often the arm has moved."""
        return self.noted("arm")

    def noted(self, what: str) -> int:
        """How often something stands in the journal."""
        return sum(line["output"] == what for line in self.board.journal())

    def at_rest(self) -> None:
        """End all that the last test left."""
        self.state(bool)
        if self.seen.last(self.board.topic("state"))["task"]:
            self.ask("cancel")
        self.state(lambda told: told["task"] is None)
        topic = f"{self.board.base}/emergency_stop"
        last = self.seen.last(topic)
        if last and last["engaged"]:
            self.seen.publish(topic, {"engaged": False, "stop_id": last["stop_id"]}, retain=True)
        self.ask("set_maintenance", {"on": False})
        self.ask("reserve", {"holder": "test", "seconds": 1, "reason": "clean"})
        self.ask("release", {"holder": "test"})
        assert self.ask("reset_emergency_stop")["status"] == "success"

    @staticmethod
    def now() -> int:
        """Seconds since 1970."""
        return int(time.time())


@pytest.fixture(scope="module")
def shared_arm(broker: Broker, micropython: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arm]:
    """A board that runs for all tests of a module."""
    base = f"bench-{uuid.uuid4().hex[:6]}"
    folder = tmp_path_factory.mktemp("arm")
    board = Board(
        micropython,
        folder,
        broker,
        NODE,
        device_id="arm",
        config={"base": base, "stop_topic": "lab2mqtt/emergency_stop"},
        heap="300k",
    )
    with board, Observer(broker.port, f"{base}/#") as seen:
        yield Arm(board, seen)


@pytest.fixture
def arm(shared_arm: Arm) -> Arm:
    """It, at rest."""
    shared_arm.at_rest()
    return shared_arm
