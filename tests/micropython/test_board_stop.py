"""The emergency stop of a board: past everything, latched over a reset, hard to release by accident."""

from collections.abc import Iterator
import contextlib
import json
from typing import Any

import pytest
from tests.broker.observer import Observer, retained
from tests.micropython.arms import Arm, arm, shared_arm

__all__ = ["arm", "shared_arm"]

STOP = {"engaged": True, "stop_id": "s-1", "by": "panel", "reason": "smoke"}


def engage(arm: Arm, **more: Any) -> None:  # noqa: ANN401 - JSON
    """Stop the lab."""
    arm.seen.publish(f"{arm.board.base}/emergency_stop", {**STOP, **more}, retain=True)


def release(arm: Arm, stop_id: str = "s-1") -> None:
    """Release the lab's stop."""
    told = {"engaged": False, "stop_id": stop_id}
    arm.seen.publish(f"{arm.board.base}/emergency_stop", told, retain=True)


def stopped(told: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether a state is one of a stopped board."""
    return bool(told["emergency_stop"] and told["readiness"] == "emergency_stopped")


@contextlib.contextmanager
def switched_off(arm: Arm) -> Iterator[None]:
    """The board off, and on again."""
    arm.board.stop()
    arm.board.file("boots.json").unlink()  # so many short boots would bring it into safe mode
    try:
        yield
    finally:
        since = arm.seen.mark()
        arm.board.start()
        arm.board.until_online(arm.seen, since)


def test_its_own_stop_ends_all_and_stays(arm: Arm) -> None:
    """What runs, what waits; moves are refused until the reset, reads and settings are not."""
    since = arm.seen.mark()
    runs, waits = arm.send("sweep"), arm.send("choose", {"well": "A1"})
    arm.progress(waits, "accepted")
    told = arm.ask("emergency_stop", {"reason": "arm caught a plate"}, issued_by="bench")
    assert told["result"] == {"stop_id": told["result"]["stop_id"], "confirmed": True}
    for request_id in (runs, waits):
        ended = arm.result(request_id)
        assert ended["error_code"] == "emergency_stopped"
        assert ended["error"] == "emergency stop engaged by bench (arm caught a plate)"
    proof = arm.event("emergency_stopped", since=since)
    assert proof == {
        "event_type": "emergency_stopped",
        "stop_id": told["result"]["stop_id"],
        "by": "bench",
        "reason": "arm caught a plate",
        "received_at": pytest.approx(arm.now(), abs=2),
        "stopped_at": pytest.approx(arm.now(), abs=2),
        "confirmed": True,
        "timestamp": pytest.approx(arm.now(), abs=2),
    }
    state = arm.state(lambda told: stopped(told) and told["task"] is None, since=since)
    assert state["stop_confirmed"] is True
    assert state["readiness_reasons"] == ["emergency stop engaged by bench (arm caught a plate)"]
    moves = arm.moves()
    text = arm.refused("emergency_stopped", "turn", {"angle": 1})
    assert text == "emergency stop engaged by bench (arm caught a plate); reset it first"
    assert arm.ask("look", {"size": 1})["status"] == "success"
    assert arm.ask("choose", {"well": "A1"})["status"] == "success"
    assert arm.moves() == moves
    reset = arm.ask("reset_emergency_stop")["result"]
    assert reset == {
        "released": told["result"]["stop_id"],
        "readiness": "ready",
        "needs_homing": [],
        "look_at": "",
    }
    assert arm.ask("turn", {"angle": 1})["status"] == "success"


@pytest.mark.parametrize(
    "command",
    [
        {"task": "emergency_stop", "parameters": {"reason": 5, "more": []}},
        {"task": "emergency_stop", "parameters": [], "request_id": "x" * 65},
        {"task": "emergency_stop", "expires_at": 1},
    ],
    ids=["wrong parameters", "malformed", "expired"],
)
def test_it_is_easy_to_stop(arm: Arm, command: dict[str, Any]) -> None:
    """The rest of the command does not matter."""
    since = arm.seen.mark()
    arm.send("sweep")
    arm.seen.publish(arm.board.topic("command"), command)
    arm.event("emergency_stopped", since=since)
    arm.state(stopped, since=since)


def test_the_lab_is_stopped_and_released_by_its_id_alone(arm: Arm) -> None:
    """A wrong release and a cleared topic release nothing, and the stop is put back."""
    since = arm.seen.mark()
    runs = arm.send("sweep")
    arm.progress(runs, "running")
    engage(arm)
    assert arm.result(runs)["error_code"] == "emergency_stopped"
    assert arm.event("emergency_stopped", since=since)["stop_id"] == "s-1"
    text = arm.refused("emergency_stopped", "reset_emergency_stop")
    assert text == "emergency stop engaged by panel (smoke); release the lab's stop first"
    topic = f"{arm.board.base}/emergency_stop"
    for wrong in ({"engaged": False, "stop_id": "other"}, {"engaged": False}, {"engaged": 0}, ""):
        before = arm.seen.mark()
        payload = wrong if wrong == "" else json.dumps(wrong)
        arm.seen.publish(topic, payload, retain=True)
        arm.seen.wait(topic, lambda told: bool(told) and told["engaged"] is True, since=before)
        assert stopped(arm.seen.last(arm.board.topic("state")))
    before = arm.seen.mark()
    release(arm)
    assert arm.event("emergency_stop_reset", since=before)["stop_id"] == "s-1"
    arm.state(lambda told: told["readiness"] == "ready", since=before)


def test_a_stop_too_long_to_be_read_stops(arm: Arm) -> None:
    """It is released by a stop that can be read, and its release."""
    since = arm.seen.mark()
    engage(arm, reason="x" * 6000)
    proof = arm.event("emergency_stopped", since=since)
    assert (proof["stop_id"], proof["confirmed"]) == ("unread", True)
    arm.refused("emergency_stopped", "turn", {"angle": 9})
    engage(arm)
    arm.event("emergency_stopped", since=since)
    before = arm.seen.mark()
    release(arm)
    arm.state(lambda told: told["readiness"] == "ready", since=before)


def test_a_stop_of_another_id_takes_the_place_of_the_first(arm: Arm) -> None:
    """From then on only its own id releases it."""
    since = arm.seen.mark()
    engage(arm)
    engage(arm, stop_id="s-2")
    arm.seen.wait(arm.board.topic("event"), lambda told: told.get("stop_id") == "s-2", since=since)
    release(arm, "s-1")
    topic = f"{arm.board.base}/emergency_stop"
    before = arm.seen.mark()
    arm.seen.wait(topic, lambda told: told["engaged"] and told["stop_id"] == "s-2", since=since)
    release(arm, "s-2")
    arm.event("emergency_stop_reset", since=before)
    arm.state(lambda told: told["readiness"] == "ready", since=before)


def test_both_latches_outlive_a_reset(arm: Arm) -> None:
    """Motion needs both released; a broker that has forgotten the stop is told again."""
    since = arm.seen.mark()
    own = arm.ask("emergency_stop")["result"]["stop_id"]
    engage(arm, stop_id="s-9")
    arm.seen.wait(arm.board.topic("event"), lambda told: told.get("stop_id") == "s-9", since=since)
    topic = f"{arm.board.base}/emergency_stop"
    with switched_off(arm):
        arm.seen.publish(topic, "", retain=True)
        arm.seen.barrier()
        since = arm.seen.mark()
    arm.seen.wait(topic, lambda told: bool(told) and told["stop_id"] == "s-9", since=since)
    assert json.loads(retained(arm.board.port, topic)[topic])["engaged"] is True
    arm.refused("emergency_stopped", "turn", {"angle": 1})
    release(arm, "s-9")
    arm.event("emergency_stop_reset", since=since)
    arm.refused("emergency_stopped", "turn", {"angle": 1})
    assert arm.ask("reset_emergency_stop")["result"]["released"] == own
    assert arm.ask("turn", {"angle": 1})["status"] == "success"


def test_a_retained_stop_is_known_before_any_command(arm: Arm) -> None:
    """It was engaged while the board was off; the broker delivers a command in the same moment."""
    moves = arm.moves()
    topic = f"{arm.board.base}/emergency_stop"
    with switched_off(arm):
        engage(arm, stop_id="s-3")
        arm.seen.barrier()
        since = arm.seen.mark()
    arm.state(stopped, since=since, within=15)
    arm.refused("emergency_stopped", "turn", {"angle": 1})
    assert arm.moves() == moves
    arm.seen.publish(topic, {"engaged": False, "stop_id": "s-3"}, retain=True)
    arm.state(lambda told: told["readiness"] == "ready", since=since)


@pytest.mark.parametrize("kept", ["{", '{"lab": {}}', "[]"])
def test_a_record_that_cannot_be_read_counts_as_a_stop(arm: Arm, kept: str) -> None:
    """Whoever resets it has looked at the board."""
    with switched_off(arm):
        arm.board.file("latch.json").write_text(kept)
        since = arm.seen.mark()
    state = arm.state(stopped, since=since)
    assert state["readiness_reasons"] == ["emergency stop engaged by board (/latch.json cannot be read)"]
    assert arm.ask("reset_emergency_stop")["result"]["released"] == "unreadable"


def test_what_does_not_stop_is_told_and_tried_again(arm: Arm) -> None:
    """Until it has."""
    since = arm.seen.mark()
    arm.board.world(arm_stuck=True)
    try:
        told = arm.ask("emergency_stop")
        assert told["result"]["confirmed"] is False
        proof = arm.event("emergency_stopped", since=since)
        assert (proof["confirmed"], proof["stopped_at"]) == (False, None)
        assert proof["error"] == "arm: OSError: the arm does not stop"
        arm.state(lambda told: told["stop_confirmed"] is False, since=since)
    finally:
        arm.board.world(arm_stuck=False)
    arm.seen.wait(arm.board.topic("event"), lambda told: told.get("confirmed") is True, since=since)
    arm.state(lambda told: told["stop_confirmed"] is True, since=since)


def test_a_flood_of_stops_is_survived(arm: Arm) -> None:
    """All of them are stops; the last is the one to release, and the flash is spared."""
    since = arm.seen.mark()
    for number in range(60):
        engage(arm, stop_id=f"flood-{number}")
    arm.seen.wait(
        arm.board.topic("event"), lambda told: told.get("stop_id") == "flood-59", since=since, within=15
    )
    assert arm.ask("look", {"size": 1})["status"] == "success"
    release(arm, "flood-59")
    arm.state(lambda told: told["readiness"] == "ready", since=since, within=10)


def test_the_lab_wide_topic_stops_a_board_of_another_base(arm: Arm) -> None:
    """Every board obeys its own base's topic, and the lab's."""
    # The simulator sets the stop topic to the base's; this board is told the usual one as well.
    assert arm.board.kept("config.json")["stop_topic"] == "lab2mqtt/emergency_stop"
    with Observer(arm.board.port, "lab2mqtt/emergency_stop") as everybody:
        since = arm.seen.mark()
        everybody.publish("lab2mqtt/emergency_stop", {"engaged": True, "stop_id": "all"}, retain=True)
        try:
            arm.state(stopped, since=since)
        finally:
            everybody.publish("lab2mqtt/emergency_stop", {"engaged": False, "stop_id": "all"}, retain=True)
            arm.state(lambda told: told["readiness"] == "ready", since=since)
            everybody.publish("lab2mqtt/emergency_stop", "", retain=True)
            everybody.barrier()
