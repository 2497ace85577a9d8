"""Commands to a board: each is answered once, and moves only what is certainly wanted, once, now."""

import json
import time
from typing import Any

import pytest
from tests.broker.observer import retained, until
from tests.micropython.arms import Arm, arm, shared_arm

__all__ = ["arm", "shared_arm"]


def test_the_state_is_known_before_the_result(arm: Arm) -> None:
    """Who hears success can trust the state."""
    since = arm.seen.mark()
    assert arm.ask("turn", {"angle": 30}) == {
        "request_id": arm.results(arm.seen.last(arm.board.topic("result"))["request_id"])[0]["request_id"],
        "task": "turn",
        "status": "success",
        "result": {"angle": 30},
        "timestamp": pytest.approx(arm.now(), abs=2),
    }
    heard = arm.seen.heard(since=since)
    topics = [one.topic.split("/")[-1] for one in heard]
    place = topics.index("result")
    states = [one.json for one in heard[:place] if one.topic == arm.board.topic("state")]
    assert states[-1]["angle"] == 30
    assert states[-1]["task"] is None


def test_a_retained_command_moves_nothing_and_is_cleared(arm: Arm) -> None:
    """It would run again on each new link."""
    moves = arm.moves()
    command = {"request_id": f"kept-{moves}-{time.time()}", "task": "turn", "parameters": {"angle": 1}}
    arm.seen.publish(arm.board.topic("command"), command, retain=True)
    arm.seen.barrier()
    # To who listens already it is not retained: only a new link counts.
    arm.result(command["request_id"])
    arm.board.power_cycle()
    since = arm.seen.mark()
    arm.board.until_online(arm.seen, since, within=20)
    told = arm.result(command["request_id"], since=since)
    assert told["error_code"] == "retained_command"
    assert arm.moves() == moves + 1
    until(lambda: not retained(arm.board.port, arm.board.topic("command")), "the command is cleared")


def test_a_repeat_gets_the_stored_result_and_moves_nothing(arm: Arm) -> None:
    """A client that lost a result sends the same command again."""
    first = arm.ask("turn", {"angle": 10})
    moves = arm.moves()
    since = arm.seen.mark()
    arm.send("turn", {"angle": 10.0}, request_id=first["request_id"])
    assert arm.result(first["request_id"], since=since) == {**first, "replayed": True}
    since = arm.seen.mark()
    arm.send("turn", {"angle": 11}, request_id=first["request_id"])
    told = arm.result(first["request_id"], since=since)
    assert told["error_code"] == "conflict"
    assert "another task or other parameters" in told["error"]
    assert arm.moves() == moves


def test_a_repeat_of_what_runs_is_dropped(arm: Arm) -> None:
    """The first one will answer."""
    request_id = arm.send("sweep", {"seconds": 0.5})
    arm.send("sweep", {"seconds": 0.5}, request_id=request_id)
    assert arm.result(request_id)["status"] == "success"
    arm.ask("look", {"size": 1})
    assert len(arm.results(request_id)) == 1


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"expires_at": -5}, "expired", "expired: good until"),
        ({"expires_at": 400}, "expired", "one of the clocks is wrong"),
        ({"timestamp": -3600}, "interrupted", "sent before this board was reset"),
        # "expired" would say that it was not done; who knows.
        ({"timestamp": -3600, "expires_at": -5}, "interrupted", "sent before this board was reset"),
    ],
    ids=["late", "ahead", "before the reset", "late, and before the reset"],
)
def test_what_comes_too_late_moves_nothing(arm: Arm, more: dict[str, int], code: str, words: str) -> None:
    """Maybe a client kept it while it was disconnected, and by now somebody has a hand in the machine."""
    moves = arm.moves()
    since = arm.seen.mark()
    told = {key: arm.now() + seconds for key, seconds in more.items()}
    assert words in arm.refused(code, "turn", {"angle": 1}, **told)
    assert arm.event("task_failed", since=since)["error_code"] == code
    assert arm.moves() == moves


def test_what_expires_in_the_queue_moves_nothing(arm: Arm) -> None:
    """It is looked at once more when its turn comes."""
    runs = arm.send("sweep", {"seconds": 2.5})
    waits = arm.send("turn", {"angle": 1}, expires_at=arm.now() + 1)
    assert arm.result(runs)["status"] == "success"
    moves = arm.moves()
    assert arm.result(waits)["error_code"] == "expired"
    assert arm.moves() == moves


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[1, 2]",
        b'{"task": "turn", "parameters": {"angle": 1}',
        b'{"task": "turn", "parameters": {"angle": NaN}}',
        b'{"task": "turn", "parameters": {"angle": 1, "angle": 2}}',
        b'{"task": "turn", "parameters": {"angle": 1}, "request_id": "\xff"}',
        b'{"task": "turn", "parameters": ' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"task": "turn", "parameters": {"angle": 1}, "more": "' + b"x" * 4500 + b'"}',
        b'{"task": "turn", "parameters": {"angle": 1}, "more": "' + b"x" * 300_000 + b'"}',
    ],
    ids=["empty", "half", "list", "open", "NaN", "twice", "UTF-8", "deep", "long", "300 KB"],
)
def test_what_cannot_be_read_moves_nothing_and_breaks_nothing(arm: Arm, payload: bytes) -> None:
    """There is nobody to answer; it is counted."""
    moves, starts = arm.moves(), arm.board.truth()["starts"]
    since = arm.seen.mark()
    before = arm.seen.last(arm.board.topic("state"))["messages_dropped"]
    arm.seen.publish(arm.board.topic("command"), payload)
    assert arm.ask("look", {"size": 1})["status"] == "success"
    arm.ask("choose", {"well": "A1"})  # it says the state
    assert arm.moves() == moves
    assert arm.board.truth()["starts"] == starts
    assert not [
        one for one in arm.seen.heard(arm.board.topic("status"), since) if one.json["status"] == "offline"
    ]
    dropped = arm.seen.last(arm.board.topic("state"))["messages_dropped"]
    assert dropped == before + (1 if payload else 0)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ({"task": "turn", "parameters": [1]}, "parameters (a list) is not an object"),
        ({"task": 5, "parameters": {}}, "task 5 is not a text"),
        ({"task": "turn", "parameters": {"angle": 1}, "timeout": 0}, "timeout 0 is not more than 0 seconds"),
        ({"task": "turn", "parameters": {"angle": 1}, "expires_at": "soon"}, 'expires_at "soon" is not'),
    ],
)
def test_what_is_malformed_is_answered_where_its_id_can_be_read(
    arm: Arm, command: dict[str, Any], words: str
) -> None:
    """Its sender learns what was wrong, and may use the id again."""
    moves, since = arm.moves(), arm.seen.mark()
    arm.seen.publish(arm.board.topic("command"), {"request_id": "bad", **command})
    told = arm.result("bad", since=since)
    assert told["error_code"] == "malformed"
    assert words in told["error"]
    assert arm.moves() == moves


@pytest.mark.parametrize(
    ("task", "parameters", "words"),
    [
        ("turn", {}, "angle is missing: a number, 0 to 180 °"),
        ("turn", {"angle": 181}, "angle 181 is out of range: a number, 0 to 180 °"),
        ("turn", {"angle": "90"}, "angle '90' is not a number, 0 to 180 °"),
        ("turn", {"angle": True}, "angle true is not a number, 0 to 180 °"),
        ("turn", {"angle": 1, "speed": 2}, "turn has no 'speed': it takes angle"),
        ("look", {"size": 1.5}, "size 1.5 is not a whole number, 0 or more"),
        ("choose", {"well": "C3"}, "well 'C3' is not one of A1, B2"),
        (
            "choose",
            {"well": "A1", "note": "long"},
            "note 'long' has 4 characters: a text of 0 to 3 characters",
        ),
        ("cancel", {"id": 1}, "cancel has no 'id': it takes request_id"),
        (
            "reserve",
            {"holder": "", "seconds": 1},
            "holder '' has 0 characters: a text of 1 to 128 characters",
        ),
    ],
)
def test_wrong_parameters_are_told(arm: Arm, task: str, parameters: dict[str, Any], words: str) -> None:
    """What was wrong, and what would be right."""
    moves = arm.moves()
    assert arm.refused("invalid_parameters", task, parameters) == words
    assert arm.moves() == moves


def test_an_unknown_task_is_told(arm: Arm) -> None:
    """With those that there are."""
    text = arm.refused("unknown_task", "fly")
    assert text.startswith("no task 'fly'; there are anything, block, cancel, choose, emergency_stop, fail, ")


def test_what_json_calls_the_same_is_taken(arm: Arm) -> None:
    """3.0 is a whole number; what is not given has its default; what is not declared is passed on."""
    assert arm.ask("look", {"size": 3.0})["result"] == {"text": "xxx"}
    assert arm.ask("choose", {"well": "B2"})["result"] == {"well": "B2", "note": ""}
    given = {"a": 1, "b": [None, {"c": "é"}]}
    assert arm.ask("anything", given)["result"] == given


def test_tasks_wait_in_their_order(arm: Arm) -> None:
    """One runs, four wait, one more is too many; each says how far it is."""
    since = arm.seen.mark()
    ids = [arm.send("sweep", {"seconds": 0.3}) for _ in range(5)]
    assert "4 commands are waiting already" in arm.refused("busy", "turn", {"angle": 1})
    assert arm.progress(ids[0], "running")["task"] == "sweep"
    assert arm.progress(ids[2], "accepted")["message"] == "number 2 in the queue"
    assert 0 <= arm.progress(ids[0], "progress")["percent"] <= 100
    for request_id in ids:
        assert arm.result(request_id)["status"] == "success"
    done = [one.json["request_id"] for one in arm.seen.heard(arm.board.topic("result"), since)]
    assert [one for one in done if one in ids] == ids
    succeeded = [
        one.json["request_id"]
        for one in arm.seen.heard(arm.board.topic("event"), since)
        if one.json["event_type"] == "task_succeeded"
    ]
    assert succeeded == ids


def test_reads_run_beside_what_moves(arm: Arm) -> None:
    """They change nothing; too many of them are refused."""
    runs = arm.send("sweep", {"seconds": 3})
    arm.progress(runs, "running")
    assert arm.ask("look", {"size": 1})["status"] == "success"
    staring = [arm.send("stare") for _ in range(4)]
    assert arm.refused("busy", "look", {"size": 1}) == "4 reads are under way already"
    for request_id in staring:
        assert arm.result(request_id)["status"] == "success"
    assert not arm.results(runs)
    arm.ask("cancel")


def test_cancel_ends_what_runs_and_what_waits(arm: Arm) -> None:
    """What runs stands then."""
    runs, waits = arm.send("sweep"), arm.send("turn", {"angle": 1})
    arm.progress(waits, "accepted")
    assert arm.ask("cancel", {"request_id": waits})["result"] == {"cancelled": waits}
    stops = arm.noted("stop")
    assert arm.ask("cancel")["result"] == {"cancelled": runs}
    told = arm.result(runs)
    assert (told["error_code"], told["error"]) == ("cancelled", "sweep was cancelled")
    assert arm.result(waits)["error"] == "cancelled while it waited"
    assert arm.noted("stop") == stops + 1
    moves = arm.moves()
    assert arm.refused("invalid_parameters", "cancel") == "nothing runs"
    assert "no command 'x' runs or waits" in arm.refused("invalid_parameters", "cancel", {"request_id": "x"})
    assert arm.ask("look", {"size": 1})["status"] == "success"
    assert arm.moves() == moves


def test_what_is_not_done_in_time_is_ended(arm: Arm) -> None:
    """The limit of a command counts from its receipt, also while it waits."""
    stops = arm.noted("stop")
    began = time.monotonic()
    runs = arm.send("sweep", {"seconds": 10}, timeout=1)
    waits = arm.send("turn", {"angle": 1}, timeout=0.5)
    told = arm.result(waits)
    assert (told["error_code"], told["error"]) == ("timeout", "turn did not come to its turn within 0.5 s")
    told = arm.result(runs)
    assert (told["error_code"], told["error"]) == ("timeout", "sweep was not done within 1 s")
    assert 0.9 < time.monotonic() - began < 2
    assert arm.noted("stop") == stops + 1
    assert arm.refused("timeout", "stare", timeout=0.3) == "stare was not done within 0.3 s"


def test_a_task_that_does_not_end_is_given_up_and_nothing_else_starts(arm: Arm) -> None:
    """It holds what it holds; who asked has an answer all the same."""
    began = time.monotonic()
    runs = arm.send("hang", {"seconds": 5}, timeout=0.5)
    waits = arm.send("turn", {"angle": 7})
    assert arm.result(runs)["error_code"] == "timeout"
    assert 2.4 < time.monotonic() - began < 4
    moves = arm.moves()
    assert arm.ask("look", {"size": 1})["status"] == "success"
    assert arm.moves() == moves
    assert arm.result(waits)["status"] == "success"
    assert time.monotonic() - began > 4.5
    assert arm.noted("deaf")


def test_results_become_valid_json(arm: Arm) -> None:
    """What JSON does not have is replaced; what is too long, or no data at all, is an error that says so."""
    assert arm.ask("odd")["result"] == {
        "nan": None,
        "bytes": "01ff",
        "set": [1],
        "tuple": [1, 2],
        "3": "three",
        "text": 'a"\\é',
    }
    told = arm.refused("device_error", "look", {"size": 6000})
    assert told.startswith("look was done, but what it returned has 6")
    assert told.endswith("bytes; at most 4096 are allowed")
    told = arm.refused("device_error", "fail", {"how": "object"})
    assert told.startswith("fail was done, but returned what JSON cannot hold: result.bad is a object")


def test_what_fails_is_told_by_who_must_act(arm: Arm) -> None:
    """What does not answer, and what is a fault of the program."""
    assert arm.refused("device_unavailable", "fail", {"how": "device"}) == "nothing answers on I2C"
    assert arm.refused("device_error", "fail", {"how": "bug"}) == "KeyError: bug"


def test_long_answers_do_not_use_up_the_memory(arm: Arm) -> None:
    """Sixteen ids are remembered; of long answers fewer."""
    ids = [arm.send("look", {"size": 3800}, request_id=f"long-{number}") for number in range(3)]
    assert all(arm.result(request_id)["status"] == "success" for request_id in ids)
    first = arm.ask("turn", {"angle": 5})
    moves = arm.moves()
    for _ in range(14):
        assert arm.ask("look", {"size": 3800})["status"] == "success"
    since = arm.seen.mark()
    arm.send("turn", {"angle": 5}, request_id=first["request_id"])
    assert arm.result(first["request_id"], since=since) == {**first, "replayed": True}
    assert arm.moves() == moves
    assert (
        json.loads(retained(arm.board.port, arm.board.topic("status"))[arm.board.topic("status")])["status"]
        == "online"
    )


def test_refusals_and_reads_do_not_push_out_what_was_done(arm: Arm) -> None:
    """Somebody who asks every second, or sends a flood, makes nobody's repeat a second motion."""
    first = arm.ask("turn", {"angle": 5})
    moves = arm.moves()
    for _ in range(10):
        assert arm.ask("look", {"size": 1})["status"] == "success"
        arm.refused("invalid_parameters", "turn", {"angle": 1000})
    since = arm.seen.mark()
    arm.send("turn", {"angle": 5}, request_id=first["request_id"])
    assert arm.result(first["request_id"], since=since) == {**first, "replayed": True}
    assert arm.moves() == moves


def test_what_was_done_long_ago_is_not_done_again(arm: Arm) -> None:
    """Its answer is not known any more, but that it was done is: for 64 commands more."""
    first = arm.ask("turn", {"angle": 5})
    for _ in range(60):
        assert arm.ask("turn", {"angle": 6})["status"] == "success"
    moves = arm.moves()
    since = arm.seen.mark()
    arm.send("turn", {"angle": 5}, request_id=first["request_id"])
    told = arm.result(first["request_id"], since=since)
    assert (told["error_code"], told["error"]) == (
        "device_error",
        "it has ended, and is not done again; its answer is not kept any more",
    )
    assert arm.moves() == moves


def test_a_flood_is_answered_or_not_looked_at(arm: Arm) -> None:
    """What was done is answered; of the rest nothing is known, and it may be sent again."""
    before = arm.seen.last(arm.board.topic("state"))["messages_dropped"]
    moves, since = arm.moves(), arm.seen.mark()
    ids = [arm.send("turn", {"angle": 5}) for _ in range(300)]
    arm.send("emergency_stop")
    arm.state(lambda told: told["emergency_stop"] and told["task"] is None, since=since)
    assert arm.ask("reset_emergency_stop")["status"] == "success"
    arm.ask("choose", {"well": "A1"})
    results = {request_id: arm.results(request_id) for request_id in ids}
    assert all(len(each) <= 1 for each in results.values())
    done = sum(each[0]["status"] == "success" for each in results.values() if each)
    assert arm.moves() - moves == done
    dropped = arm.seen.last(arm.board.topic("state"))["messages_dropped"] - before
    assert sum(not each for each in results.values()) <= dropped
    unheard = next((request_id for request_id, each in results.items() if not each), None)
    if unheard:
        assert arm.ask("turn", {"angle": 5}, request_id=unheard)["status"] == "success"
