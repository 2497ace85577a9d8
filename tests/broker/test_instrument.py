"""The instrument behind the bridge: lost and back by itself; and a bridge that dies over it."""

import json
import time

import pytest
from tests.broker.bench import ONE_BROKER, SLOW, Bench
from tests.broker.observer import until

STILL_WITHIN = 0.5  # s


@ONE_BROKER
@pytest.mark.parametrize("fault", ["unplugged", "silent", "garbled"])
def test_an_instrument_that_is_lost_comes_back_by_itself(bench: Bench, fault: str) -> None:
    """Offline, its commands answered meanwhile, its values unknown; then online again, and right."""
    bench.call("activate_hotel", {"hotel": "C"})
    since = bench.seen.mark()
    bench.servo.fault(fault)
    bench.seen.wait(bench.topic("status"), lambda told: told["status"] == "offline", since=since, within=10)
    lost = bench.seen.wait(
        bench.topic("state"), lambda state: state["readiness"] == "unreachable", since=since
    ).json
    assert lost["readiness_reasons"]
    assert lost["connected"] is False
    assert lost["position"] is None
    assert bench.call("activate_hotel", {"hotel": "A"})["error_code"] == "device_unavailable"
    assert bench.call("get_position")["error_code"] == "device_unavailable"
    assert json.loads(bench.kept()[bench.bridge_status])["status"] == "online"

    back = bench.seen.mark()
    bench.servo.fault(fault, on=False)
    bench.seen.wait(bench.topic("status"), lambda told: told["status"] == "online", since=back, within=10)
    bench.until_ready(back)
    assert bench.seen.last(bench.topic("state"))["active_hotel"] == "C"
    assert bench.call("activate_hotel", {"hotel": "B"})["status"] == "success"


@ONE_BROKER
@pytest.mark.parametrize("fault", ["unplugged", "silent", "garbled"])
def test_a_move_whose_instrument_is_lost_is_answered(bench: Bench, fault: str) -> None:
    """With an error; back again, the servo stands and does not go on by itself."""
    running = bench.start_long_move()
    bench.servo.fault(fault)
    result = bench.result(running)
    assert result["status"] == "error"
    assert result["error_code"] in ("device_unavailable", "device_error")
    # Also a servo that still hears us, but is not heard.
    stood = bench.servo.until_still()
    assert abs(stood["position"] - bench.aim) > 5
    since = bench.seen.mark()
    bench.servo.fault(fault, on=False)
    bench.seen.wait(bench.topic("state"), lambda state: state["readiness"] == "ready", since=since, within=10)
    assert bench.servo.truth()["position"] == pytest.approx(stood["position"], abs=0.5)


def test_what_waits_behind_a_lost_instrument_is_answered(bench: Bench) -> None:
    """Every command gets its one answer."""
    bench.start_long_move()
    waiting = [bench.send("activate_hotel", {"hotel": hotel}) for hotel in "ABC"]
    bench.servo.fault("unplugged")
    assert {bench.result(one)["status"] for one in waiting} == {"error"}


def test_a_servo_stands_soon_after_its_bridge_was_killed(bench: Bench) -> None:
    """By its own watchdog; a new bridge tells the right values, and nothing moves by itself."""
    took = []
    for _ in range(2):
        bench.call("set_speed", {"speed": SLOW})
        bench.start_long_move()
        # At full speed it has the most to lose.
        until(lambda: abs(bench.servo.truth()["velocity"]) > 60, "it turns at full speed")
        bench.bridge.kill()
        killed = last = time.monotonic()
        while time.monotonic() - killed < 2 * STILL_WITHIN:
            if bench.servo.truth()["moving"]:
                last = time.monotonic()
            time.sleep(0.002)
        took.append(last - killed)
        stood = bench.servo.truth()
        assert not stood["moving"]
        since = bench.seen.mark()
        bench.bridge.start()
        bench.until_ready(since)
        state = bench.seen.last(bench.topic("state"))
        assert state["position"] == pytest.approx(stood["position"], abs=0.5)
        assert state["moving"] is False
        now = bench.servo.truth()
        assert now["position"] == pytest.approx(stood["position"], abs=0.1)
        assert not now["moving"]
    print(f"\nkill to standstill: {', '.join(f'{one:.2f} s' for one in took)}")  # noqa: T201 - a figure
    assert max(took) < STILL_WITHIN


def test_a_bridge_that_comes_back_at_once_stops_what_nobody_watches(bench: Bench) -> None:
    """Its polling would feed the watchdog: the move of its dead predecessor must end all the same."""
    bench.start_long_move()
    bench.bridge.kill()
    killed = time.monotonic()
    since = bench.seen.mark()
    bench.bridge.start()
    until(lambda: not bench.servo.truth()["moving"], "it stands", within=2)
    assert time.monotonic() - killed < 1
    bench.until_ready(since)
    truth = bench.servo.truth()
    assert not truth["moving"]
    assert abs(truth["position"] - bench.aim) > 5


def test_everything_killed_and_brought_back(bench: Bench) -> None:
    """Bridge and broker in either order, during a move: right values again, and nothing moved by itself."""
    for first, second in ((bench.bridge, bench.broker), (bench.broker, bench.bridge)):
        bench.start_long_move()
        first.kill()
        second.kill()
        stood = bench.servo.until_still(1)
        second.start()
        first.start()
        bench.observe_anew()
        bench.until_online()
        bench.until_ready()
        state = bench.seen.last(bench.topic("state"))
        assert state["position"] == pytest.approx(stood["position"], abs=0.5)
        assert bench.servo.truth()["position"] == pytest.approx(stood["position"], abs=0.1)
