"""The ledger: what became of a command is known whatever became of the bridge."""

from collections.abc import Iterator
import contextlib
import sqlite3
import time
from typing import Any

import pytest
from tests.broker.bench import ONE_BROKER, Bench
from tests.broker.observer import until

STOPPED_WITHIN = 0.1  # s, from the publish to a servo without torque; some ms on an idle machine


def angle_away(bench: Bench) -> float:
    """Somewhere else than where it stands, not far."""
    return 40.0 if bench.servo.until_still()["position"] > 60 else 90.0


def said(bench: Bench, request_id: str, since: int = 0) -> list[dict[str, Any]]:
    """All results of a command that were heard since."""
    return [
        one.json
        for one in bench.seen.heard(bench.topic("result"), since)
        if one.json["request_id"] == request_id
    ]


@contextlib.contextmanager
def locked(bench: Bench) -> Iterator[None]:
    """Another program holds the ledger, as a backup that hangs does."""
    other = sqlite3.connect(bench.folder / "kept" / "ledger.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def history(bench: Bench, **parameters: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """What the device's history says, newest first."""
    found: list[dict[str, Any]] = bench.call("get_history", parameters)["result"]["commands"]
    return found


def test_a_command_is_known_after_a_kill(bench: Bench) -> None:
    """The same id gives the same result, and the servo stays where it is; other content is a conflict."""
    angle = angle_away(bench)
    request_id = bench.send("move_to_angle", {"angle": angle})
    first = bench.result(request_id)
    assert first["status"] == "success"
    bench.call("move_to_angle", {"angle": angle + 20})
    bench.restart_bridge()
    stands = bench.servo.until_still()["position"]
    since = bench.seen.mark()
    bench.send("move_to_angle", {"angle": angle}, request_id=request_id)
    assert bench.result(request_id, since=since) == first | {"replayed": True}
    since = bench.seen.mark()
    bench.send("move_to_angle", {"angle": angle + 1}, request_id=request_id)
    assert bench.result(request_id, since=since)["error_code"] == "conflict"
    assert bench.servo.truth()["position"] == pytest.approx(stands, abs=0.2)


def test_what_a_kill_cut_off_is_interrupted_and_never_run_again(bench: Bench) -> None:
    """The one that ran and those that waited; each is told by itself, and told again when asked."""
    running = bench.start_long_move()
    waiting = [bench.send("move_to_angle", {"angle": 200 + number}) for number in range(3)]
    bench.seen.wait(bench.topic("progress"), lambda told: told["request_id"] == waiting[-1])
    bench.bridge.kill()
    since = bench.seen.mark()
    bench.bridge.start()
    for request_id in (running, *waiting):
        assert bench.result(request_id, since=since)["error_code"] == "interrupted"
    bench.until_ready(since)
    stands = bench.servo.until_still()["position"]
    again = bench.seen.mark()
    bench.send("move_to_angle", {"angle": bench.aim}, request_id=running)
    assert bench.result(running, since=again) == said(bench, running, since)[0] | {"replayed": True}
    assert bench.servo.truth()["position"] == pytest.approx(stands, abs=0.2)


def test_after_a_crash_the_last_results_are_said_again_and_after_an_orderly_end_not(bench: Bench) -> None:
    """Nobody knows which of them were heard; after an orderly end everybody does."""
    request_id = bench.send("set_speed", {"speed": 140})
    first = bench.result(request_id)
    since = bench.seen.mark()
    bench.restart_bridge()
    assert said(bench, request_id, since) == [first | {"replayed": True}]
    assert bench.bridge.terminate().code == 0
    since = bench.seen.mark()
    bench.bridge.start()
    bench.until_ready(since)
    bench.call("get_hotels")
    assert said(bench, request_id, since) == []


def test_the_history_tells_who_what_when_and_what_changed(bench: Bench) -> None:
    """Across a restart as well, refusals included."""
    angle = angle_away(bench)
    began = time.time()
    request_id = bench.send("move_to_angle", {"angle": angle}, issued_by="a script", timestamp=int(began))
    bench.result(request_id)
    refused = bench.send("move_to_angle", {"angle": 1000})
    bench.result(refused)
    bench.restart_bridge()
    by_id = {one["request_id"]: one for one in history(bench, since=began - 1)}
    done = by_id[request_id]
    assert done["issued_by"] == "a script"
    assert done["parameters"] == {"angle": angle}
    assert done["status"] == "success"
    assert done["result"]["result"] == "reached"
    assert done["timeline"][0]["status"] == "running"
    assert done["changed"]["position"][1] == pytest.approx(angle, abs=0.5)
    assert began - 1 < done["received_at"] <= done["started_at"] < done["ended_at"] < time.time()
    assert (by_id[refused]["status"], by_id[refused]["error_code"]) == ("error", "invalid_parameters")
    assert "started_at" not in by_id[refused]


@ONE_BROKER
def test_while_the_ledger_is_held_nothing_moves_and_reads_and_stops_go_on(bench: Bench) -> None:
    """It is told in health and readiness, and passes by itself."""
    since = bench.seen.mark()
    with locked(bench):
        first = bench.call("move_to_angle", {"angle": angle_away(bench)})
        assert first["error_code"] == "not_allowed"
        assert "ledger.sqlite is locked by another process" in first["error"]
        bench.wait_for(bench.topic("state"), lambda state: state["readiness"] == "fault", since)
        bench.wait_for(bench.health, lambda told: "locked" in told["ledger"], since)
        assert bench.call("get_position")["status"] == "success"
        bench.call("emergency_stop")
        assert not bench.servo.truth()["torque"]
        bench.call("reset_emergency_stop")
    bench.until_ready(bench.seen.mark() - 1)
    bench.wait_for(bench.health, lambda told: told["ledger"] == "ok", since)
    assert bench.call("move_to_angle", {"angle": angle_away(bench)})["status"] == "success"
    # What was answered meanwhile is in it by now.
    codes = [one.get("error_code") for one in history(bench, request_id=first["request_id"])]
    assert codes == ["not_allowed"]


@ONE_BROKER
def test_a_stop_does_not_wait_for_the_ledger(bench: Bench) -> None:
    """It is stopped first, and recorded after."""
    running = bench.start_long_move()
    with locked(bench):
        began = time.monotonic()
        bench.engage()
        until(lambda: not bench.servo.truth()["torque"], "the torque is off")
        assert time.monotonic() - began < STOPPED_WITHIN
        assert bench.result(running)["error_code"] == "emergency_stopped"
    bench.release()
    bench.until_ready(bench.seen.mark() - 1)
    until(
        lambda: [one["error_code"] for one in history(bench, request_id=running)] == ["emergency_stopped"],
        "the ledger knows it",
    )


@ONE_BROKER
def test_where_the_past_cannot_be_read_nothing_is_said_of_it(bench: Bench) -> None:
    """Else a command that a predecessor ran would be answered as if nothing had been done."""
    angle = angle_away(bench)
    request_id = bench.send("move_to_angle", {"angle": angle})
    first = bench.result(request_id)
    bench.bridge.terminate()
    ledger = bench.folder / "kept" / "ledger.sqlite"
    aside = ledger.rename(ledger.with_name("aside"))
    ledger.mkdir()
    since = bench.seen.mark()
    bench.bridge.start()
    bench.wait_for(bench.topic("state"), lambda state: state["readiness"] == "fault", since)
    bench.send("move_to_angle", {"angle": angle}, request_id=request_id)
    unknown = bench.result(request_id, since=since)
    assert unknown["error_code"] == "interrupted"
    assert "whether it was done before is not known" in unknown["error"]
    assert "ledger.sqlite" in unknown["error"]
    assert bench.call("get_position")["status"] == "success"
    ledger.rmdir()
    aside.rename(ledger)
    bench.wait_for(bench.health, lambda told: told["ledger"] == "ok", since)
    since = bench.seen.mark()
    bench.send("move_to_angle", {"angle": angle}, request_id=request_id)
    assert bench.result(request_id, since=since) == unknown | {"replayed": True}
    bench.restart_bridge()
    since = bench.seen.mark()
    bench.send("move_to_angle", {"angle": angle}, request_id=request_id)
    assert bench.result(request_id, since=since) == first | {"replayed": True}


@ONE_BROKER
def test_what_was_said_of_an_unknown_past_stays_said(bench: Bench) -> None:
    """Also of a command that the predecessor left open: it gets no second text once the file can be read."""
    running = bench.start_long_move()
    bench.bridge.kill()
    ledger = bench.folder / "kept" / "ledger.sqlite"
    kept = [ledger.with_name(f"{ledger.name}{more}") for more in ("", "-wal", "-shm")]
    for file in kept:
        file.rename(file.with_name(f"aside-{file.name}"))
    ledger.mkdir()
    since = bench.seen.mark()
    bench.bridge.start()
    bench.wait_for(bench.topic("state"), lambda state: state["readiness"] == "fault", since)
    bench.send("move_to_angle", {"angle": bench.aim}, request_id=running)
    unknown = bench.result(running, since=since)
    assert "whether it was done before is not known" in unknown["error"]
    ledger.rmdir()
    for file in kept:
        file.with_name(f"aside-{file.name}").rename(file)
    bench.wait_for(bench.health, lambda told: told["ledger"] == "ok", since)
    bench.restart_bridge()
    again = bench.seen.mark()
    bench.send("move_to_angle", {"angle": bench.aim}, request_id=running)
    assert bench.result(running, since=again) == unknown | {"replayed": True}
    told = {one["error"] for one in said(bench, running)}
    assert told == {unknown["error"]}
