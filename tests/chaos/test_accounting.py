"""The account finds what it is there to find; no process is needed to see that."""

from collections.abc import Sequence
from typing import Any

import pytest
from tests.chaos.accounting import settle
from tests.chaos.book import Command, Heard
from tests.chaos.faults import Forgotten
from tests.chaos.mqtt_framing import Framer, duplicate, packet_id
from tests.chaos.plan import plan
from tests.chaos.stops import Stop

SUCCESS = {"request_id": "1", "task": "move_to_angle", "status": "success", "result": {"angle_deg": 90}}
EXPIRED = {
    "request_id": "1",
    "task": "move_to_angle",
    "status": "error",
    "error_code": "expired",
    "error": "late",
}
ARMED = {"at": 10.0, "what": "armed", "position": 0}
GOAL = {"at": 10.01, "what": "goal", "position": 0, "goal": 1024, "turning": False}
STILL = {"at": 10.9, "what": "still", "position": 1024}
AGAIN = {"at": 11.01, "what": "goal", "position": 1024, "goal": 1024, "turning": False}
PUBLISH = bytes([0x32, 7, 0, 1, ord("a"), 0x12, 0x34, ord("h"), ord("i")])


def _wrong(
    lines: list[dict[str, Any]],
    answers: list[dict[str, Any]],
    stop: Stop | None = None,
    ledger: dict[str, Any] | None = None,
    forgotten: Sequence[Forgotten] = (),
) -> str:
    """What is wrong with one command that was sent to 90° at 9 s, in words; empty when nothing is."""
    payload = {"task": "move_to_angle", "parameters": {"angle": 90}, "request_id": "1"}
    command = Command("a", payload, 1024, [9.0], [Heard(11.0, answer) for answer in answers])
    event = {"event_type": "emergency_stopped", "stop_id": "s", "by": "me", "confirmed": True}
    kept = {"1": ledger or dict(answers[0])} if answers else {}
    stops = [stop] if stop else []
    account = settle([command], {"a": lines}, stops, [("a", Heard(9.5, event))], {"a": kept}, forgotten)
    return "; ".join(map(str, account.wrong))


def test_a_move_that_was_asked_for_is_right() -> None:
    """Also if its goal was written twice, its answer came twice, and a stop was released before."""
    lines = [ARMED, GOAL, {**GOAL, "at": 10.06, "position": 2, "turning": True}, STILL]
    stop = Stop("s", "", "lab2mqtt/emergency_stop", 9.1, released_at=9.9)
    assert not _wrong(lines, [SUCCESS, {**SUCCESS, "replayed": True}], stop)


def test_a_refusal_without_a_move_is_right() -> None:
    """And a bridge that starts may hold the servo where it stands."""
    assert not _wrong([ARMED, {**GOAL, "at": 10.4, "goal": 0}], [EXPIRED])


@pytest.mark.parametrize(
    ("lines", "answers", "words"),
    [
        ([ARMED, GOAL, STILL, {**ARMED, "at": 11.0}, AGAIN], [SUCCESS], "ran 2 times"),
        ([ARMED, GOAL], [SUCCESS, EXPIRED], "and then"),
        ([ARMED, {**GOAL, "at": 11.5}], [SUCCESS], "after its answer"),
        ([ARMED, GOAL], [EXPIRED], "moved although answered"),
        ([], [SUCCESS], "done without a motion"),
        ([ARMED, GOAL], [], "without a final answer"),
        ([ARMED, GOAL], [SUCCESS, {**SUCCESS, "timestamp": 2}], "and then"),
        ([ARMED, GOAL, STILL, {**AGAIN, "goal": 3}], [SUCCESS], "outside of any move"),
        ([ARMED, {**GOAL, "goal": 7, "position": 90}], [EXPIRED], "nobody commanded"),
        ([{**GOAL, "what": "torque_on"}], [EXPIRED], "outside of any move"),
        ([{**ARMED, "at": 8.0}, {**GOAL, "at": 8.01}], [SUCCESS], "before it was sent"),
    ],
)
def test_what_is_wrong_is_found(
    lines: list[dict[str, Any]], answers: list[dict[str, Any]], words: str
) -> None:
    """Each in its own words."""
    assert words in _wrong(lines, answers)


@pytest.mark.parametrize("mark", ["s", "me"])
def test_a_move_after_a_proven_stop_is_found(mark: str) -> None:
    """The lab's and a device's own."""
    device, topic = ("a", "") if mark == "me" else ("", "lab2mqtt/emergency_stop")
    assert "before the release" in _wrong([ARMED, GOAL], [SUCCESS], Stop(mark, device, topic, 9.1))


def test_another_outcome_in_the_ledger_is_found() -> None:
    """The ledger and the client must have been told the same."""
    assert "in the ledger" in _wrong([ARMED, GOAL], [SUCCESS], ledger={**SUCCESS, "status": "error"})


def test_what_could_not_be_written_may_be_forgotten_but_not_done_twice() -> None:
    """A bridge that is killed while its disk is full cannot know later what it said."""
    forgotten = [Forgotten(frozenset("a"), 10.5, 11.5)]
    assert not _wrong([ARMED, {**GOAL, "at": 12.0}], [EXPIRED], forgotten=forgotten)
    assert "moved although answered" in _wrong([ARMED, GOAL], [EXPIRED], forgotten=forgotten)
    lines = [ARMED, GOAL, STILL, {**ARMED, "at": 11.0}, AGAIN]
    assert "ran 2 times" in _wrong(lines, [SUCCESS], forgotten=forgotten)


def test_a_seed_tells_what_is_broken() -> None:
    """The same seed the same, in the same order; another one something else."""
    names = (["x"], ["x", "y"], ["a", "b"])
    assert plan("1", 20, *names) == plan("1", 20, *names)
    assert plan("1", 20, *names) != plan("2", 20, *names)
    assert sum(action.kind.startswith("kill") for action in plan("3", 20, *names)) == 20


def test_packets_are_cut_and_repeated() -> None:
    """However the bytes come; a repeat has the mark of one, or an id of its own."""
    framer = Framer()
    packets = [packet for at in range(len(PUBLISH)) for packet in framer.feed(PUBLISH[at : at + 1])]
    assert packets == [PUBLISH]
    assert packet_id(PUBLISH) == 0x1234
    assert duplicate(PUBLISH) == bytes([0x3A]) + PUBLISH[1:]
    assert packet_id(duplicate(PUBLISH, 40_000)) == 40_000
