"""Whatever is killed comes back by itself: every entity available, every value right, nothing moved."""

from collections.abc import Callable, Iterator
import time

import pytest
from tests.broker.observer import until
from tests.hub.lab import (
    BACK_WITHIN,
    DEVICE,
    ENTITIES,
    MOVING,
    POSITION,
    READINESS,
    SELECT,
    TARGET,
    WITHOUT_SERVO,
    Lab,
    available,
    choose,
    near,
    shows,
)

from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.process import HomeAssistant

pytestmark = pytest.mark.timeout(150)

# What a hub may rightly complain about when its broker is away.
ABOUT_THE_LINK = ("connect", "Connection", "keepalive", "Keep alive", "socket")


@pytest.fixture(autouse=True)
def only_the_link_is_missed(hub: HomeAssistant, lab: Lab) -> Iterator[None]:
    """The hub may say that its broker was away, and nothing else of us."""
    yield
    found = [line for line in lab.complaints(hub) if not any(words in line for words in ABOUT_THE_LINK)]
    assert not found, "\n".join(found)


@pytest.fixture
def at_b(hub: HomeAssistant, lab: Lab) -> Lab:
    """A carousel that stands at hotel B, so that the right values are not those of a fresh start."""
    since = lab.seen.mark()
    choose(hub, "B")
    lab.seen.wait(f"lab2mqtt/{DEVICE}/result", lambda told: told["task"] == "activate_hotel", since=since)
    hub.wait_for(SELECT, shows("B"))
    hub.wait_for(READINESS, shows("ready"))
    return lab


class Stay:
    """The servo, from now on: it must not move, whoever comes and goes."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._before = lab.servo.truth()

    def check(self) -> None:
        """It stood still, and wants nothing else; one step of its encoder is 0.09°."""
        now = self._lab.servo.truth()
        for key in ("position", "goal"):
            assert now[key] == pytest.approx(self._before[key], abs=0.1)
        assert now["torque"] == self._before["torque"]


def _back(hub: HomeAssistant, lab: Lab, what: str, began: float) -> None:
    """Wait until all is as it was, and tell how long that took."""
    lab.until_available(hub)
    for entity, test in (
        (SELECT, shows("B")),
        (POSITION, near(109)),
        (TARGET, near(109)),
        (MOVING, shows("off")),
        (READINESS, shows("ready")),
        ("binary_sensor.plate_resort_connected", shows("on")),
        ("binary_sensor.plate_resort_emergency_stop", shows("off")),
        ("number.plate_resort_speed", near(100)),
    ):
        hub.wait_for(entity, test, timeout=max(0.0, began + BACK_WITHIN - time.monotonic()))
    print(f"{what}: all back after {time.monotonic() - began:.1f} s")  # noqa: T201 - the measured figure


def test_a_killed_bridge_is_seen_at_once(hub: HomeAssistant, at_b: Lab) -> None:
    """By its will. Brought back, it tells everything anew."""
    stay = Stay(at_b)
    began = time.monotonic()
    at_b.bridge.kill()
    until(lambda: not available(at_b.entities(hub)), "no entity is available", within=3)
    print(f"bridge killed: unavailable after {time.monotonic() - began:.2f} s")  # noqa: T201
    began = time.monotonic()
    at_b.bridge.start()
    _back(hub, at_b, "bridge killed", began)
    stay.check()


def test_an_ended_bridge_is_seen_too(hub: HomeAssistant, at_b: Lab) -> None:
    """It says so itself, for the broker publishes no will of one that takes leave."""
    stay = Stay(at_b)
    at_b.bridge.terminate()
    until(lambda: not available(at_b.entities(hub)), "no entity is available", within=3)
    began = time.monotonic()
    at_b.bridge.start()
    _back(hub, at_b, "bridge ended", began)
    stay.check()


def test_an_unplugged_servo_takes_only_its_own_entities_along(hub: HomeAssistant, at_b: Lab) -> None:
    """What the bridge itself knows stays: that there is no connection, and why; and one can still stop."""
    stay = Stay(at_b)
    at_b.servo.fault("unplugged")
    until(
        lambda: available(at_b.entities(hub)) == WITHOUT_SERVO,
        "only the bridge's own entities are available",
        within=10,
        more=lambda: str(available(at_b.entities(hub)) ^ WITHOUT_SERVO),
    )
    hub.wait_for("binary_sensor.plate_resort_connected", shows("off"))
    unreachable = hub.wait_for(READINESS, shows("unreachable"))
    assert unreachable["attributes"]["readiness_reasons"]
    began = time.monotonic()
    at_b.servo.fault("unplugged", on=False)
    _back(hub, at_b, "servo unplugged", began)
    stay.check()


def test_a_restarted_hub_knows_everything_again(hub: HomeAssistant, at_b: Lab) -> None:
    """From what is retained, and from what the bridge says at its birth."""
    stay = Stay(at_b)
    hub.stop()
    began = time.monotonic()
    hub.start()
    _back(hub, at_b, "hub restarted", began)
    stay.check()


@pytest.mark.parametrize("how", [Mosquitto.stop, Mosquitto.kill], ids=["remembers", "comes-back-empty"])
def test_a_broker_that_comes_back(hub: HomeAssistant, at_b: Lab, how: Callable[[Mosquitto], None]) -> None:
    """Ended in order it keeps what was retained; killed, it has nothing, and the bridge says it all anew."""
    stay = Stay(at_b)
    _end_broker(at_b, how)
    until(lambda: not available(at_b.entities(hub)), "no entity is available", within=5)
    began = time.monotonic()
    at_b.broker.start()
    at_b.observe_anew()
    _back(hub, at_b, f"broker: {how.__name__}", began)
    assert f"homeassistant/device/lab2mqtt_{DEVICE}/config" in at_b.retained()
    stay.check()


@pytest.mark.parametrize(
    "order",
    [("bridge", "broker", "hub"), ("broker", "hub", "bridge"), ("hub", "bridge", "broker")],
    ids="-".join,
)
def test_everything_killed_comes_back_in_any_order(
    hub: HomeAssistant, at_b: Lab, order: tuple[str, ...]
) -> None:
    """A power cut; what comes back first waits for the rest."""
    stay = Stay(at_b)
    kill = {
        "bridge": at_b.bridge.kill,
        "broker": lambda: _end_broker(at_b, Mosquitto.kill),
        "hub": hub.kill,
    }
    for part in order:
        kill[part]()
    start = {"bridge": at_b.bridge.start, "broker": at_b.broker.start, "hub": hub.start}
    began = time.monotonic()
    for part in order:
        began = time.monotonic()
        start[part]()
    at_b.observe_anew()
    _back(hub, at_b, f"killed and started {', '.join(order)}", began)
    assert available(at_b.entities(hub)) == ENTITIES.keys()
    stay.check()


def _end_broker(lab: Lab, how: Callable[[Mosquitto], None]) -> None:
    lab.stop_observing()
    how(lab.broker)
