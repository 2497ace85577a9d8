"""The colour cell's first dialect, over both brokers, by what the cell really did."""

from collections.abc import Callable, Iterator
from typing import Any
import uuid

import pytest
from tests.broker.brokers import Broker
from tests.broker.observer import retained, until
from tests.broker.old_cell import BROKEN_WELL, OWN_SERIAL, SLOW_WELL
from tests.broker.old_lab import OldLab

CELL = "cell"
IN_PLACE, CHARGING, ERROR = ({"sensor_status": word} for word in ("in_place", "charging", "error"))


class Sender:
    """A program that knows nothing but the older dialect."""

    def __init__(self, lab: OldLab, serial: str) -> None:
        self.lab = lab
        self.commands, self.answers = f"command/ot2/{serial}/pipette", f"status/ot2/{serial}/complete"

    def send(self, payload: object, *, retain: bool = False) -> int:
        """Send anything, as they do with QoS 2; gives the place in the record before, once it went round."""
        since = self.lab.seen.mark()
        self.lab.seen.publish(self.commands, payload, qos=2, retain=retain)
        self.lab.seen.wait(self.commands, since=since)
        return since

    def mix(self, well: str, experiment: str, **more: Any) -> int:  # noqa: ANN401 - what a test likes
        """Ask for a mix."""
        command = {"R": 100, "Y": 50, "B": 80, "well": well, **more}
        return self.send({"command": command, "experiment_id": experiment, "session_id": "s-1"})

    def sensor(self, word: str, experiment: str) -> int:
        """Say how it went with the sensor, by which it is put back."""
        command = {"sensor_status": word}
        return self.send({"command": command, "experiment_id": experiment, "session_id": "s-1"})

    def answer(self, experiment: str, since: int) -> dict[str, Any]:
        """The answer of an experiment."""
        heard = self.lab.seen.wait(
            self.answers, lambda told: told["experiment_id"] == experiment, since=since, within=10
        )
        found: dict[str, Any] = heard.json
        return found

    def told(self, experiment: str) -> list[dict[str, Any]]:
        """All answers of an experiment, once everything that was sent before is through."""
        self.lab.call(CELL, "go_on")
        self.lab.seen.barrier()
        told = [heard.json for heard in self.lab.seen.heard(self.answers)]
        return [one for one in told if one["experiment_id"] == experiment]

    def mixed(self, experiment: str) -> list[str]:
        """The wells that the cell of this process was asked to mix in for an experiment."""
        self.lab.call(CELL, "go_on")
        mixed = self.state("mixed")
        return [one["well"] for one in mixed if one["experiment_id"] == experiment]

    def state(self, key: str) -> Any:  # noqa: ANN401 - a value of the state
        """What the cell says of itself."""
        return self.lab.seen.last(self.lab.topic(CELL, "state"))[key]

    def until_mixing(self, experiment: str) -> None:
        """Wait until a mix runs."""

        def mixes() -> bool:
            return any(one["experiment_id"] == experiment for one in self.state("mixed") or ())

        until(mixes, "it mixes")


@pytest.fixture
def sender(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Sender]]:
    """A lab with one cell, which is commanded in its dialect; started with these settings."""
    made: list[OldLab] = []

    def make(**settings: Any) -> Sender:  # noqa: ANN401
        lab = OldLab(broker, tmp_path_factory.mktemp("old"))
        made.append(lab)
        serial = settings.setdefault("serial", f"OT2{uuid.uuid4().hex[:8]}")
        lab.add("bench-pi", cell={"older_dialect": True, **settings})
        return Sender(lab, serial or OWN_SERIAL)

    yield make
    for lab in made:
        lab.close()


def test_a_mix_and_the_way_back_are_answered_in_the_words_of_the_dialect(
    sender: Callable[..., Sender],
) -> None:
    """And the task gets the ids; after a timeout of the sensor it homes, too."""
    old = sender()
    since = old.mix("B2", "e-1")
    assert old.answer("e-1", since) == {"status": IN_PLACE, "experiment_id": "e-1", "session_id": "s-1"}
    assert old.mixed("e-1") == ["B2"]
    assert old.state("mixed")[0]["session_id"] == "s-1"

    since = old.sensor("read", "e-1")
    assert old.answer("e-1", since) == {"status": CHARGING, "experiment_id": "e-1", "session_id": "s-1"}
    assert (old.state("returned"), old.state("homed")) == (1, 0)
    since = old.sensor("sensor_timeout", "e-1")
    assert old.answer("e-1", since)["status"] == CHARGING
    assert (old.state("returned"), old.state("homed")) == (2, 1)

    commands = {heard.json["task"] for heard in old.lab.seen.heard(old.lab.topic(CELL, "result"))}
    assert {"mix_and_measure", "move_sensor_back", "home"} <= commands


def test_a_failure_is_answered_too(sender: Callable[..., Sender]) -> None:
    """With the keys that the sender looks for, no status that it waits for, and why."""
    old = sender()
    since = old.mix(BROKEN_WELL, "e-1")
    assert old.answer("e-1", since) == {
        "status": ERROR,
        "experiment_id": "e-1",
        "session_id": "s-1",
        "error": "mix_and_measure: the tip fell off",
        "error_code": "device_error",
    }
    wrong = old.answer("e-2", old.mix("B2", "e-2", R="much"))
    assert (wrong["status"], wrong["error_code"]) == (ERROR, "invalid_parameters")
    assert "R" in wrong["error"]
    unknown = old.answer("e-3", old.mix("B2", "e-3", G=1))
    assert (unknown["status"], unknown["error_code"]) == (ERROR, "malformed")
    assert old.mixed("e-2") == old.mixed("e-3") == []

    old.lab.call(CELL, "jam")
    for _ in range(2):
        halfway = old.answer("e-5", old.sensor("sensor_timeout", "e-5"))
        assert (halfway["status"], halfway["error"]) == (ERROR, "home: the gantry is jammed")
    assert old.state("returned") == 1

    old.lab.call(CELL, "reserve", holder="Ada", seconds=60)
    assert old.answer("e-4", old.mix("B2", "e-4"))["error_code"] == "reserved"


def test_what_comes_again_is_answered_again_and_not_done_again(sender: Callable[..., Sender]) -> None:
    """While it runs, after it has ended, and after the bridge was killed; another message is another one."""
    old = sender()
    since = old.mix(SLOW_WELL, "e-1")
    old.until_mixing("e-1")
    old.mix(SLOW_WELL, "e-1", R=100.0)  # the same number
    old.lab.call(CELL, "go_on")
    done = old.answer("e-1", since)
    assert done["status"] == IN_PLACE
    assert old.told("e-1") == [done]
    assert old.mixed("e-1") == [SLOW_WELL]

    since = old.mix(SLOW_WELL, "e-1")
    assert old.answer("e-1", since)["status"] == IN_PLACE
    since = old.sensor("sensor_timeout", "e-1")
    old.answer("e-1", since)
    since = old.sensor("sensor_timeout", "e-1")
    assert old.answer("e-1", since)["status"] == CHARGING
    assert old.mixed("e-1") == [SLOW_WELL]
    assert (old.state("returned"), old.state("homed")) == (1, 1)

    bridge = old.lab.bridges["bench-pi"]
    bridge.kill()
    mark = old.lab.seen.mark()
    bridge.start()
    old.lab.until_online("bench-pi", mark)
    since = old.mix(SLOW_WELL, "e-1")
    assert old.answer("e-1", since)["status"] == IN_PLACE
    assert old.mixed("e-1") == []
    since = old.mix("B3", "e-1")
    assert old.answer("e-1", since)["status"] == IN_PLACE
    assert old.mixed("e-1") == ["B3"]


def test_what_a_crash_cut_off_is_answered_when_it_comes_again(sender: Callable[..., Sender]) -> None:
    """And not done: nobody knows how far it came."""
    old = sender()
    old.mix(SLOW_WELL, "e-1")
    old.until_mixing("e-1")
    bridge = old.lab.bridges["bench-pi"]
    bridge.kill()
    mark = old.lab.seen.mark()
    bridge.start()
    old.lab.until_online("bench-pi", mark)
    since = old.mix(SLOW_WELL, "e-1")
    assert old.answer("e-1", since)["error_code"] == "interrupted"
    assert old.mixed("e-1") == []


def test_who_waits_is_answered_when_the_bridge_ends_and_when_it_is_stopped(
    sender: Callable[..., Sender],
) -> None:
    """The fault of the first program was to leave them waiting for ever."""
    old = sender()
    since = old.mix(SLOW_WELL, "e-1")
    old.until_mixing("e-1")
    old.mix("B2", "e-2")
    old.lab.send(CELL, "emergency_stop")
    assert old.answer("e-1", since)["error_code"] == "emergency_stopped"
    assert old.answer("e-2", since)["error_code"] == "emergency_stopped"
    since = old.sensor("sensor_timeout", "e-1")
    assert old.answer("e-1", since)["error_code"] == "emergency_stopped"
    assert (old.state("returned"), old.state("homed")) == (0, 0)
    old.lab.call(CELL, "reset_emergency_stop")

    since = old.mix(SLOW_WELL, "e-3")
    old.until_mixing("e-3")
    old.lab.bridges["bench-pi"].terminate()
    assert old.answer("e-3", since)["error_code"] == "interrupted"


def test_a_retained_message_is_refused_and_cleared(sender: Callable[..., Sender]) -> None:
    """It would come again on every link. Sent as it should be, the same one is done."""
    old = sender()
    bridge = old.lab.bridges["bench-pi"]
    bridge.terminate()
    since = old.send(
        {"command": {"R": 1, "Y": 1, "B": 1, "well": "B2"}, "experiment_id": "e-1", "session_id": "s-1"},
        retain=True,
    )
    bridge.start()
    refused = old.answer("e-1", since)
    assert (refused["status"], refused["error_code"]) == (ERROR, "retained_command")
    until(lambda: not retained(old.lab.broker.port, old.commands), "it is cleared")
    assert old.mixed("e-1") == []
    since = old.mix("B2", "e-1", R=1, Y=1, B=1)
    assert old.answer("e-1", since)["status"] == IN_PLACE


def test_a_message_that_nobody_can_be_answered_for_is_dropped_and_told(
    sender: Callable[..., Sender],
) -> None:
    """In the log, as a command without an id. What is too long is none."""
    old = sender()
    old.send({"command": {"sensor_status": "read"}, "session_id": "s-1"})
    old.lab.bridges["bench-pi"].until_said("experiment_id is missing")
    old.send("rubbish")
    old.mix("B" * 5000, "e-1")
    assert old.told("e-1") == []
    assert old.state("mixed") == []
    assert old.answer("e-2", old.mix("B2", "e-2"))["status"] == IN_PLACE


def test_the_robot_itself_tells_its_serial_number(sender: Callable[..., Sender]) -> None:
    """Where the settings do not; and on the next link the topic is heard again."""
    old = sender(serial="")
    assert old.commands == f"command/ot2/{OWN_SERIAL}/pipette"
    old.lab.bridges["bench-pi"].until_said(old.commands)
    old.lab.seen.barrier()
    assert old.answer("e-1", old.mix("B2", "e-1"))["status"] == IN_PLACE
    old.lab.lose_broker()
    assert old.answer("e-2", old.mix("B2", "e-2"))["status"] == IN_PLACE
    assert old.mixed("e-1") == old.mixed("e-2") == ["B2"]


def test_it_is_off_unless_it_is_switched_on(sender: Callable[..., Sender]) -> None:
    """Who does not know of it does not have it."""
    old = sender(older_dialect=False)
    old.mix("B2", "e-1")
    assert old.told("e-1") == []
    assert old.state("mixed") == []
