"""Everything that a running bridge says fits docs/reference/asyncapi.yaml."""

from tests.asyncapi import ASYNCAPI, fault, validator
from tests.broker.bench import DEVICE, ON_MOSQUITTO, Bench

from lab2mqtt import wire

pytestmark = ON_MOSQUITTO


def test_what_a_bridge_says_fits(bench: Bench) -> None:
    """Moves, refusals, holds, stops and their history."""
    bench.call("reserve", {"holder": "anna", "seconds": 60})
    taken = bench.call("reserve", {"holder": "ben", "seconds": 60, "reason": "the next one"})
    validator("reservation").validate(taken["result"])
    assert bench.call("activate_hotel", {"hotel": "B"})["error_code"] == wire.RESERVED
    bench.call("release", {"holder": "ben"})
    bench.call("set_maintenance", {"on": True, "reason": "grease"})
    bench.call("set_maintenance", {"on": False})
    assert bench.call("activate_hotel", {"hotel": "Z"})["error_code"] == wire.INVALID_PARAMETERS
    assert bench.call("activate_hotel", {"hotel": "B"}, request_id="once")["status"] == "success"
    since = bench.seen.mark()
    bench.send("activate_hotel", {"hotel": "B"}, request_id="once")
    bench.result("once", since=since)
    moving = bench.start_long_move()
    bench.call("emergency_stop", {"reason": "to see"})
    assert bench.result(moving)["error_code"] == wire.EMERGENCY_STOPPED
    bench.call("reset_emergency_stop")
    bench.engage()
    bench.wait_for(bench.topic("state"), lambda state: state["stop_confirmed"])
    bench.release()
    history = bench.call("get_history")
    assert history["result"]["commands"]
    validator("history").validate(history["result"])
    bench.seen.barrier()
    heard = [one for one in bench.seen.heard() if not one.topic.startswith("observer/")]
    faults = {why for one in heard if (why := fault(one.topic, one.payload))}
    assert not faults
    assert {one.topic.rpartition("/")[2] for one in heard if DEVICE in one.topic} >= {
        "description", "state", "status", "command", "result", "progress", "event", "config"
    }  # fmt: skip
    told = {one.json["event_type"] for one in heard if one.topic == bench.topic("event")}
    assert told >= ASYNCAPI["channels"]["event"]["messages"].keys() - {"own_event", "reservation_ended"}
