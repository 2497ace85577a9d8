"""Reservation and maintenance of a board."""

import pytest
from tests.broker.observer import until
from tests.micropython.arms import Arm, arm, shared_arm

__all__ = ["arm", "shared_arm"]


def test_a_reservation_keeps_others_away(arm: Arm) -> None:
    """Its holder's commands pass, and everybody's reads and stops."""
    since = arm.seen.mark()
    taken = arm.ask("reserve", {"holder": "anna", "seconds": 60, "reason": "titration"})["result"]
    assert taken == {"holder": "anna", "until": pytest.approx(arm.now() + 60, abs=2)}
    state = arm.state(lambda told: told["readiness"] == "reserved", since=since)
    assert (state["reserved_by"], state["reservation_reason"]) == ("anna", "titration")
    assert state["reserved_until"] == pytest.approx(taken["until"], abs=1)
    moves = arm.moves()
    text = arm.refused("reserved", "turn", {"angle": 1})
    assert text.startswith("reserved by 'anna' until 20")
    assert text.endswith(" +0000 (titration)")
    assert arm.moves() == moves
    assert arm.ask("look", {"size": 1})["status"] == "success"
    assert arm.ask("turn", {"angle": 1}, reservation="anna")["status"] == "success"
    assert "; a reason takes it over" in arm.refused("reserved", "reserve", {"holder": "ben", "seconds": 9})
    assert arm.ask("reserve", {"holder": "anna", "seconds": 90})["result"]["renewed"] is True
    arm.refused("reserved", "release", {"holder": "ben"})
    taken = arm.ask("reserve", {"holder": "ben", "seconds": 60, "reason": "leak"}, issued_by="panel")[
        "result"
    ]
    assert taken["taken_from"] == "anna"
    event = arm.event("reservation_taken_over", since=since)
    assert {key: event[key] for key in ("holder", "taken_from", "reason", "by")} == {
        "holder": "ben",
        "taken_from": "anna",
        "reason": "leak",
        "by": "panel",
    }
    assert arm.ask("release", {"holder": "ben"})["result"] == {"released": "ben"}
    assert arm.ask("release", {"holder": "ben"})["result"] == {"released": None}
    assert arm.ask("turn", {"angle": 1})["status"] == "success"


def test_a_reservation_ends_by_itself(arm: Arm) -> None:
    """And that is told."""
    since = arm.seen.mark()
    arm.ask("reserve", {"holder": "anna", "seconds": 1})
    assert arm.event("reservation_ended", since=since)["holder"] == "anna"
    arm.state(lambda told: told["reserved_by"] is None and told["readiness"] == "ready", since=since)


def test_what_waits_is_looked_at_once_more(arm: Arm) -> None:
    """Somebody took the board meanwhile."""
    runs = arm.send("sweep", {"seconds": 1})
    waits = arm.send("turn", {"angle": 1})
    arm.progress(waits, "accepted")
    arm.ask("reserve", {"holder": "anna", "seconds": 60})
    assert arm.result(runs)["status"] == "success"
    assert arm.result(waits)["error_code"] == "reserved"


def test_maintenance_refuses_new_work(arm: Arm) -> None:
    """Whatever the effect; it comes before a reservation."""
    since = arm.seen.mark()
    told = arm.ask("set_maintenance", {"on": True, "reason": "new tip"}, issued_by="anna")["result"]
    assert told == {"maintenance": True, "by": "anna"}
    state = arm.state(lambda told: told["readiness"] == "maintenance", since=since)
    assert (state["maintenance"], state["maintenance_by"]) == (True, "anna")
    text = arm.refused("maintenance", "choose", {"well": "A1"})
    assert text.startswith("in maintenance by anna since 20")
    assert text.endswith("(new tip)")
    arm.ask("set_maintenance", {"on": False})
    assert arm.ask("choose", {"well": "A1"})["status"] == "success"


def test_both_outlive_a_reset(arm: Arm) -> None:
    """Whoever works on the board may be the one who pulled its plug."""
    arm.ask("reserve", {"holder": "anna", "seconds": 600})
    arm.ask("set_maintenance", {"on": True, "reason": "new tip"}, issued_by="anna")
    since = arm.seen.mark()
    arm.board.power_cycle()
    arm.board.until_online(arm.seen, since)
    state = arm.state(lambda told: told["readiness"] == "maintenance" and told["reserved_until"], since=since)
    assert state["reserved_by"] == "anna"
    assert state["reserved_until"] == pytest.approx(arm.now() + 600, abs=5)
    assert len(state["readiness_reasons"]) == 2


def test_a_record_that_cannot_be_read_counts_as_maintenance(arm: Arm) -> None:
    """Whoever ends it has looked at the board."""
    until(lambda: arm.board.kept("holds.json") is not None, "the record is there")
    arm.board.file("holds.json").write_text('{"reservation": ')
    since = arm.seen.mark()
    arm.board.power_cycle()
    arm.board.until_online(arm.seen, since)
    state = arm.state(lambda told: told["readiness"] == "maintenance", since=since)
    assert state["readiness_reasons"] == ["in maintenance by board (/holds.json cannot be read)"]
