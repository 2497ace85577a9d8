"""Every error code of the protocol, provoked from outside, over a real broker."""

from collections.abc import Callable
import sqlite3
from typing import Any

import pytest
from tests.broker.bench import DEVICE, SLOW, Bench
import yaml

from lab2mqtt import wire

Result = dict[str, Any]
Provoke = Callable[[Bench], Result]


def malformed(bench: Bench) -> Result:
    """A task that is no text, with an id that can be answered."""
    bench.send_raw({"request_id": "no-task", "task": 5})
    return bench.result("no-task")


def conflict(bench: Bench) -> Result:
    """One id for two commands."""
    request_id = bench.send("get_hotels")
    bench.result(request_id)
    since = bench.seen.mark()
    bench.send("get_position", request_id=request_id)
    return bench.result(request_id, since=since)


def unknown_task(bench: Bench) -> Result:
    """A task that the device does not have."""
    return bench.call("make_coffee")


def invalid_parameters(bench: Bench) -> Result:
    """A hotel that there is not."""
    return bench.call("activate_hotel", {"hotel": "Z"})


def retained_command(bench: Bench) -> Result:
    """Left on the broker while the bridge was away."""
    bench.bridge.kill()
    bench.send_raw(
        {"request_id": "left", "task": "activate_hotel", "parameters": {"hotel": "B"}}, retain=True
    )
    bench.seen.barrier()
    bench.bridge.start()
    return bench.result("left")


def expired(bench: Bench) -> Result:
    """Good until five seconds after the epoch."""
    return bench.call("activate_hotel", {"hotel": "B"}, expires_at=5)


def busy(bench: Bench) -> Result:
    """More commands than wait in the queue."""
    running = bench.start_long_move()
    for _ in range(16):
        bench.send("set_speed", {"speed": SLOW})
    refused = bench.call("set_speed", {"speed": SLOW})
    bench.call("emergency_stop")
    bench.result(running)
    return refused


def reserved(bench: Bench) -> Result:
    """Somebody else has it."""
    assert bench.call("reserve", {"holder": "loop-7", "seconds": 60})["status"] == "success"
    refused = bench.call("activate_hotel", {"hotel": "B"})
    assert "loop-7" in refused["error"]
    bench.call("release", {"holder": "loop-7"})
    return refused


def interlocked(bench: Bench) -> Result:
    """Forbidden while a door is open that has never said whether it is."""
    told = yaml.safe_load(bench.config.read_text())
    rule = {"forbid": "motion", "while": {"device": "door", "key": "open", "is": True}}
    told["devices"][DEVICE]["interlocks"] = [rule]
    bench.config.write_text(yaml.safe_dump(told))
    bench.bridge.terminate()
    since = bench.seen.mark()
    bench.bridge.start()
    bench.wait_for(bench.topic("state"), lambda state: state["readiness"] == "interlocked", since)
    refused = bench.call("activate_hotel", {"hotel": "B"})
    assert "door" in refused["error"]
    bench.configure()
    bench.bridge.terminate()
    return refused


def maintenance(bench: Bench) -> Result:
    """Somebody works on it."""
    bench.call("set_maintenance", {"on": True, "reason": "belt"}, issued_by="a technician")
    refused = bench.call("activate_hotel", {"hotel": "B"})
    assert "a technician" in refused["error"]
    bench.call("set_maintenance", {"on": False})
    return refused


def emergency_stopped(bench: Bench) -> Result:
    """After its stop, before its reset."""
    bench.call("emergency_stop")
    return bench.call("activate_hotel", {"hotel": "B"})


def device_unavailable(bench: Bench) -> Result:
    """The servo does not answer."""
    since = bench.seen.mark()
    bench.servo.fault("silent")
    bench.wait_for(bench.topic("status"), lambda told: told["status"] == "offline", since)
    return bench.call("activate_hotel", {"hotel": "B"})


def device_error(bench: Bench) -> Result:
    """Something holds the carousel."""
    bench.servo.fault("stalled")
    return bench.call("activate_hotel", {"hotel": "B" if bench.servo.truth()["position"] < 60 else "A"})


def timeout(bench: Bench) -> Result:
    """Less time than the way takes."""
    bench.servo.until_still()
    far = 355.0 if bench.servo.truth()["position"] < 180 else 5.0
    return bench.call("move_to_angle", {"angle": far}, timeout=0.2)


def cancelled(bench: Bench) -> Result:
    """Somebody ends it on its way."""
    running = bench.start_long_move()
    bench.call("cancel")
    return bench.result(running)


def interrupted(bench: Bench) -> Result:
    """The bridge is killed on its way, and comes back."""
    running = bench.start_long_move()
    bench.bridge.kill()
    bench.bridge.start()
    return bench.result(running)


def not_allowed(bench: Bench) -> Result:
    """No record can be kept: another program holds the ledger."""
    other = sqlite3.connect(bench.folder / "kept" / "ledger.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    refused = bench.call("activate_hotel", {"hotel": "B"})
    assert bench.call("get_position")["status"] == "success"
    other.execute("ROLLBACK")
    other.close()
    return refused


PROVOKE: dict[str, Provoke] = {
    wire.MALFORMED: malformed,
    wire.CONFLICT: conflict,
    wire.UNKNOWN_TASK: unknown_task,
    wire.INVALID_PARAMETERS: invalid_parameters,
    wire.RETAINED_COMMAND: retained_command,
    wire.EXPIRED: expired,
    wire.BUSY: busy,
    wire.RESERVED: reserved,
    wire.INTERLOCKED: interlocked,
    wire.MAINTENANCE: maintenance,
    wire.EMERGENCY_STOPPED: emergency_stopped,
    wire.DEVICE_UNAVAILABLE: device_unavailable,
    wire.DEVICE_ERROR: device_error,
    wire.TIMEOUT: timeout,
    wire.CANCELLED: cancelled,
    wire.INTERRUPTED: interrupted,
    wire.NOT_ALLOWED: not_allowed,
}

# Of those that may have moved it: that they did not is no promise.
MOVED = {wire.DEVICE_ERROR, wire.TIMEOUT, wire.CANCELLED, wire.INTERRUPTED, wire.BUSY}


@pytest.mark.parametrize("code", wire.ERROR_CODES)
def test_every_error_code_is_provoked(bench: Bench, code: str) -> None:
    """The answer has the code and a text; what was refused has moved nothing."""
    before = bench.servo.until_still()["position"]
    result = PROVOKE[code](bench)
    assert (result["status"], result["error_code"]) == ("error", code)
    assert len(result["error"]) > 10
    if code not in MOVED:
        assert bench.servo.truth()["position"] == pytest.approx(before, abs=0.5)
