"""Commands over the wire: each one is answered exactly once, and nothing is done twice or by accident."""

import json
import time

import pytest
from tests.broker.bench import Bench
from tests.broker.observer import until

HOTELS = {"A": 19.0, "B": 109.0, "C": 199.0, "D": 289.0}


def test_a_hotel_is_reached_by_measurement(bench: Bench) -> None:
    """Within 0.5° by the servo's own truth, and the state that it caused is there before the result."""
    bench.call("move_to_angle", {"angle": 200.0})
    request_id = bench.send("activate_hotel", {"hotel": "B"})
    result = bench.result(request_id)
    assert result["status"] == "success", result
    assert abs(bench.servo.truth()["position"] - HOTELS["B"]) < 0.5
    assert abs(result["result"]["angle_deg"] - HOTELS["B"]) < 0.5

    said = bench.seen.heard(since=0)
    at = next(n for n, one in enumerate(said) if one.json == result)
    states = [one.json for one in said[:at] if one.topic == bench.topic("state")]
    assert states[-1]["active_hotel"] == "B"
    assert abs(states[-1]["position"] - HOTELS["B"]) < 0.5
    assert states[-1]["readiness"] == "ready"


def test_an_unknown_hotel_is_refused_and_nothing_moves(bench: Bench) -> None:
    """The error names what there is; the servo was not told anything."""
    before = bench.servo.truth()
    result = bench.call("activate_hotel", {"hotel": "Z"})
    assert result["error_code"] == "invalid_parameters"
    assert "'Z'" in result["error"]
    assert "A, B, C, D" in result["error"]
    after = bench.servo.truth()
    assert [after[key] for key in ("position", "goal", "torque")] == [
        before[key] for key in ("position", "goal", "torque")
    ]


@pytest.mark.parametrize("value", [3, True, None, "a", ["A"], {"hotel": "A"}])
def test_a_hotel_of_the_wrong_kind_is_refused(bench: Bench, value: object) -> None:
    """Nothing is read as something else."""
    goal = bench.servo.truth()["goal"]
    assert bench.call("activate_hotel", {"hotel": value})["error_code"] == "invalid_parameters"
    assert bench.servo.truth()["goal"] == goal


def test_the_same_id_moves_once_and_answers_twice(bench: Bench) -> None:
    """A client that lost the result asks again; the carousel, which has moved on since, stays where it is."""
    first = bench.call("activate_hotel", {"hotel": "B"}, request_id="once")
    bench.call("activate_hotel", {"hotel": "C"})
    since = bench.seen.mark()
    bench.send("activate_hotel", {"hotel": "B"}, request_id="once")
    again = bench.result("once", since=since)
    assert again == first | {"replayed": True}
    assert abs(bench.servo.truth()["position"] - HOTELS["C"]) < 0.5
    assert bench.events("once") == ["task_succeeded"]
    assert len(bench.results("once")) == 2


def test_the_same_id_twice_at_once_gets_one_answer(bench: Bench) -> None:
    """The first run answers both."""
    request_id = bench.start_long_move(request_id=f"at-once-{bench.name}")
    bench.send("move_to_angle", {"angle": bench.aim}, request_id=request_id)
    assert bench.result(request_id)["status"] == "success"
    assert len(bench.results(request_id)) == 1
    assert bench.events(request_id) == ["task_succeeded"]


def test_the_same_id_with_other_content_is_a_conflict(bench: Bench) -> None:
    """And its own result stays what it was."""
    first = bench.call("get_hotels", request_id="mine")
    since = bench.seen.mark()
    bench.send("activate_hotel", {"hotel": "D"}, request_id="mine")
    assert bench.result("mine", since=since)["error_code"] == "conflict"
    since = bench.seen.mark()
    bench.send("get_hotels", request_id="mine")
    assert bench.result("mine", since=since) == first | {"replayed": True}


def test_a_refusal_is_final_for_its_id(bench: Bench) -> None:
    """Else a queue that empties would let a command through that its sender has given up."""
    bench.call("activate_hotel", {"hotel": "Z"}, request_id="refused")
    since = bench.seen.mark()
    bench.send("activate_hotel", {"hotel": "Z"}, request_id="refused")
    assert bench.result("refused", since=since)["replayed"] is True


def test_a_command_without_an_id_is_given_one(bench: Bench) -> None:
    """Only the task is required; the answer says which id it got."""
    since = bench.seen.mark()
    bench.send_raw({"task": "find_plate", "parameters": {"plate": "none"}})
    told = bench.seen.wait(
        bench.topic("result"), lambda result: result["task"] == "find_plate", since=since
    ).json
    assert 1 <= len(told["request_id"]) <= 64


def test_a_command_left_retained_while_the_bridge_was_away(bench: Bench) -> None:
    """It is refused, cleared on the broker, and moves nothing."""
    before = bench.servo.until_still()
    bench.bridge.terminate()
    command = {"task": "activate_hotel", "parameters": {"hotel": "D"}, "request_id": f"left-{bench.name}"}
    since = bench.seen.mark()
    bench.send_raw(command, retain=True)
    bench.seen.wait(bench.topic("command"), since=since)
    bench.bridge.start()
    result = bench.result(command["request_id"], since=since)
    assert result["error_code"] == "retained_command"
    bench.seen.wait(bench.topic("command"), lambda told: told is None, since=since)
    bench.until_ready(since)
    assert bench.topic("command") not in bench.kept()
    assert bench.servo.truth()["goal"] == before["goal"]
    assert bench.servo.truth()["position"] == before["position"]


def test_a_command_that_expired_is_refused_with_both_clocks(bench: Bench) -> None:
    """The sender's and ours, so that a wrong clock is seen."""
    goal = bench.servo.truth()["goal"]
    expires_at = int(time.time()) - 2
    result = bench.call("activate_hotel", {"hotel": "D"}, expires_at=expires_at)
    assert result["error_code"] == "expired"
    assert str(expires_at) in result["error"]
    assert str(int(time.time()))[:8] in result["error"].replace(str(expires_at), "")
    assert bench.servo.truth()["goal"] == goal


def test_a_command_from_a_clock_far_ahead_is_refused(bench: Bench) -> None:
    """It would be good for ever."""
    result = bench.call("activate_hotel", {"hotel": "D"}, expires_at=int(time.time()) + 320)
    assert result["error_code"] == "expired"
    assert bench.call("get_hotels", expires_at=int(time.time()) + 280)["status"] == "success"


def test_a_command_that_expires_while_it_waits_is_refused(bench: Bench) -> None:
    """It is looked at again when its turn comes."""
    running = bench.start_long_move()
    waiting = bench.send("activate_hotel", {"hotel": "B"}, expires_at=time.time() + 0.3)
    assert bench.result(running)["status"] == "success"
    assert bench.result(waiting)["error_code"] == "expired"


@pytest.mark.parametrize(
    "broken",
    [
        {"task": 5},
        {"parameters": {}},
        {"task": "go_home", "parameters": []},
        {"task": "go_home", "timeout": -1},
        {"task": "go_home", "timeout": "soon"},
        {"task": "go_home", "expires_at": True},
        {"task": "go_home", "issued_by": 7},
    ],
    ids=json.dumps,
)
def test_a_malformed_command_with_an_id_is_answered(bench: Bench, broken: dict[str, object]) -> None:
    """Whoever can be told is told."""
    bench.send_raw({"request_id": (name := f"broken-{json.dumps(broken)}"), **broken})
    assert bench.result(name)["error_code"] == "malformed"


def test_what_cannot_be_answered_is_dropped_and_counted(bench: Bench) -> None:
    """The bridge lives on, and its health tells how many there were; nobody ever gets an answer to them."""
    rubbish = [
        b"\x00\xff\xfe",
        b"not json",
        b"[1, 2]",
        b'{"task": "go_home", "request_id": 5}',
        b'{"task": "go_home", "request_id": ""}',
        b'{"task": "go_home", "x": NaN}',
        b'{"task": "go_home", "x": 1e999}',
        b'{"task": "go_home", "task": "go_home"}',
        b"[" * 50_000,
        b'{"a":' * 5_000,
        b'{"task": "' + b"x" * 65_536,
        bytes(range(256)) * 4,
    ]
    goal = bench.servo.truth()["goal"]
    before = _dropped(bench)
    since = bench.seen.mark()
    for one in rubbish:
        bench.send_raw(one)
    bench.send_raw(b"")  # how a retained command is cleared: not worth counting
    assert bench.call("get_hotels")["status"] == "success"
    assert len(bench.seen.heard(bench.topic("result"), since)) == 1
    assert bench.servo.truth()["goal"] == goal
    assert _dropped(bench) - before == len(rubbish)


def _dropped(bench: Bench) -> int:
    """How many messages were dropped so far: health is said on every connection, so give it a new one."""
    bench.broker.stop()
    bench.broker.start()
    seen = bench.observe_anew()
    bench.until_online()
    dropped: int = seen.wait(bench.health).json["messages_dropped"]
    return dropped


def test_the_largest_command_is_taken_and_one_byte_more_is_dropped(bench: Bench) -> None:
    """64 KiB."""
    start = b'{"task": "get_hotels", "request_id": "%s", "padding": "'
    for name, more in (("just", 0), ("over", 1)):
        head = start.replace(b"%s", f"{name}-{bench.name}".encode())
        bench.send_raw(head + b"x" * (65_536 + more - len(head) - 2) + b'"}')
    assert bench.result(f"just-{bench.name}")["status"] == "success"
    assert bench.results(f"over-{bench.name}") == []


def test_a_flood_is_answered_one_by_one(bench: Bench) -> None:
    """500 commands behind a move: each gets exactly one answer, and the move ends as it would have."""
    bench.call("set_speed", {"speed": 100})
    running = bench.start_long_move()
    since = bench.seen.mark()
    flood = [bench.send("set_speed", {"speed": 100}) for _ in range(500)]
    wanted = set(flood)

    def answered() -> bool:
        told = bench.seen.heard(bench.topic("result"), since)
        return len({one.json["request_id"] for one in told} & wanted) == len(wanted)

    until(answered, "all are answered", within=30, every=0.1)
    assert bench.result(running)["status"] == "success"
    bench.results(running)
    told = [one.json for one in bench.seen.heard(bench.topic("result"), since)]
    told = [one for one in told if one["request_id"] in wanted]
    assert sorted(one["request_id"] for one in told) == sorted(flood)
    outcomes = {one.get("error_code", "done") for one in told}
    assert outcomes == {"done", "busy"}


def test_reads_run_beside_a_move(bench: Bench) -> None:
    """They do not wait for it, and it does not wait for them."""
    running = bench.start_long_move()
    position = bench.call("get_position")
    health = bench.call("health")
    assert position["result"]["moving"] is True
    assert health["status"] == "success"
    assert bench.servo.truth()["moving"]
    assert bench.result(running)["status"] == "success"


def test_what_waits_is_done_in_order(bench: Bench) -> None:
    """First come, first served."""
    bench.start_long_move()
    since = bench.seen.mark()
    sent = [
        bench.send("move_to_angle", {"angle": abs(bench.aim - 10)}),
        bench.send("set_speed", {"speed": 100}),
        bench.send("move_to_angle", {"angle": abs(bench.aim - 20)}),
        bench.send("set_speed", {"speed": 150}),
    ]
    waits = bench.seen.wait(
        bench.topic("progress"), lambda told: told["request_id"] == sent[2], since=since
    ).json
    assert waits["status"] == "accepted"
    bench.result(sent[-1], since=since)
    told = [one.json for one in bench.seen.heard(bench.topic("result"), since)]
    assert [one["request_id"] for one in told if one["request_id"] in sent] == sent
    assert {one["status"] for one in told} == {"success"}
    assert abs(bench.servo.truth()["position"] - abs(bench.aim - 20)) < 0.5


def test_one_more_than_the_queue_holds_is_busy(bench: Bench) -> None:
    """Sixteen wait."""
    running = bench.start_long_move()
    waiting = [bench.send("set_speed", {"speed": 100}) for _ in range(16)]
    assert bench.call("set_speed", {"speed": 100})["error_code"] == "busy"
    bench.send("cancel", {"request_id": running})
    assert {bench.result(one)["status"] for one in waiting} == {"success"}


def test_cancel_ends_the_running_task_where_it_is(bench: Bench) -> None:
    """It stands still with torque; what waits behind it goes on."""
    running = bench.start_long_move()
    waiting = bench.send("get_position")
    cancelled = bench.call("cancel")
    assert cancelled["result"] == {"cancelled": running}
    assert bench.result(running)["error_code"] == "cancelled"
    truth = bench.servo.until_still()
    assert truth["torque"] is True
    assert abs(truth["position"] - truth["goal"]) < 2
    assert abs(truth["position"] - bench.aim) > 5
    assert bench.result(waiting)["status"] == "success"
    bench.until_ready()


def test_cancel_takes_out_one_that_waits(bench: Bench) -> None:
    """The running one is not touched."""
    running = bench.start_long_move()
    waiting = bench.send("activate_hotel", {"hotel": "B"})
    assert bench.call("cancel", {"request_id": waiting})["status"] == "success"
    assert bench.result(waiting)["error_code"] == "cancelled"
    assert bench.result(running)["status"] == "success"
    assert bench.call("cancel")["status"] == "error"
    assert bench.call("cancel", {"request_id": "nobody"})["status"] == "error"


def test_pause_holds_and_resume_goes_on(bench: Bench) -> None:
    """Paused, it stands with torque for as long as it takes; resumed, it arrives where it was to go."""
    running = bench.start_long_move(timeout=4)
    since = bench.seen.mark()
    assert bench.call("pause")["result"] == {"paused": True, "request_id": running}
    held = bench.servo.until_still()
    assert held["torque"] is True
    bench.seen.wait(bench.topic("state"), lambda state: state["readiness"] == "paused", since=since)
    assert bench.call("pause")["status"] == "success"
    assert bench.servo.truth()["position"] == pytest.approx(held["position"], abs=0.5)
    assert bench.call("resume")["result"] == {"paused": False, "request_id": running}
    assert bench.result(running)["status"] == "success"
    assert bench.servo.truth()["position"] == pytest.approx(bench.aim, abs=0.5)
    assert bench.call("pause")["status"] == "error"


def test_a_paused_task_can_be_cancelled(bench: Bench) -> None:
    """It does not start to move again for it."""
    running = bench.start_long_move()
    bench.call("pause")
    held = bench.servo.until_still()
    bench.call("cancel")
    assert bench.result(running)["error_code"] == "cancelled"
    bench.until_ready()
    assert bench.servo.truth()["position"] == pytest.approx(held["position"], abs=0.5)


def test_a_task_that_runs_out_of_time_is_brought_to_rest_first(bench: Bench) -> None:
    """The answer goes out once the motion has ended."""
    request_id = bench.start_long_move(timeout=0.4)
    result = bench.result(request_id)
    truth = bench.servo.truth()
    assert result["error_code"] == "timeout"
    assert not truth["moving"] or abs(truth["velocity"]) < 5
    assert truth["torque"] is True
    assert abs(truth["position"] - bench.aim) > 5


def test_an_unknown_task_is_told_the_nearest(bench: Bench) -> None:
    """A typo is answered."""
    result = bench.call("activate_hotle", {"hotel": "A"})
    assert result["error_code"] == "unknown_task"
    assert "activate_hotel" in result["error"]
