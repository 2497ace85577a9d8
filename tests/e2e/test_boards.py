"""A person looks at three boards in the demo's Home Assistant, and moves a servo there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.broker.observer import until
from tests.e2e import running_demo
from tests.e2e.browser import Browser, browser
from tests.e2e.running_demo import Demo
from tests.hub.lab import near, number

from lab2mqtt.hub import pages
from lab2mqtt.hub.api import Api
from lab2mqtt.hub.process import HomeAssistant

pytestmark = pytest.mark.timeout(180)

WITHOUT_SIDEBAR = (256, 56, 1024, 530)
SERVO = "number.lab_sensor_servo_target"
CARDS = {
    "Lab sensor": (
        "sensor.lab_sensor_temperature",
        "sensor.lab_sensor_humidity",
        "sensor.lab_sensor_voltage_26",
        "light.lab_sensor_led",
        SERVO,
        "sensor.lab_sensor_readiness",
    ),
    "Colour sensor": (
        *(f"sensor.color_sensor_f{channel}" for channel in range(1, 9)),
        "sensor.color_sensor_clear",
    ),
    "Fan": (
        "number.fan_fan_speed",
        "sensor.fan_fan_rpm",
        "binary_sensor.fan_fan_stalled",
        "sensor.fan_readiness",
    ),
}


@pytest.fixture
def demo(hub: HomeAssistant, tmp_path: Path) -> Iterator[Demo]:
    """The demo as everybody starts it; the parts that it needs are there."""
    assert hub.pid
    with running_demo.running(tmp_path) as made:
        yield made


@pytest.fixture
def tab(demo: Demo) -> Iterator[Browser]:
    """A browser at its pages."""
    with browser(demo.api.url, size=(1280, 1120)) as opened:
        yield opened


def test_three_boards_show_readings_and_a_servo_moves(demo: Demo, tab: Browser, results: Path) -> None:
    """By a slider on the board's page; nothing comes out at the pin before.

    It ends in the picture of the docs: ``script/test e2e``, then copy test-results/boards.png to docs/images.
    """
    for entity in ("sensor.lab_sensor_temperature", "sensor.color_sensor_clear", "number.fan_fan_speed"):
        demo.api.wait_for(entity, lambda now: number(now) == number(now))  # a number
    assert demo.pulses() == []

    tab.open(demo.page("Lab sensor"))
    tab.wait_for_text("Raspberry Pi Pico W (simulated)")
    tab.slide("Servo", 0.75)
    now = demo.api.wait_for(SERVO, lambda now: 120 < number(now) < 150)
    angle = number(now)
    until(demo.pulses, "pulses come out at the servo's pin")
    assert demo.pulses()[-1]["freq"] == 50
    assert demo.pulses()[-1]["duty_ns"] == pytest.approx((1000 + angle / 180 * 1000) * 1000, abs=1000)

    tab.open(demo.page("Fan"))
    tab.slide("Fan speed", 0.6)
    demo.api.wait_for("sensor.fan_fan_rpm", near(1800, 300))

    demo.api.wait_for("sensor.lab_sensor_readiness", lambda now: now["state"] == "ready")
    cards = [_card(demo.api, name, entities) for name, entities in CARDS.items()]
    tab.open(pages.save_dashboard(demo.api, "lab-boards", "Boards", cards))
    tab.wait_for_text("Colour sensor")
    tab.wait_for_text("415 nm")
    tab.picture(results / "boards.png", clip=WITHOUT_SIDEBAR)
    assert tab.complaints == []


def _card(api: Api, name: str, entities: tuple[str, ...]) -> dict[str, Any]:
    """A card of one board, whose rows leave out the name of the board."""
    title = f"{name} (simulated)"
    rows = []
    for entity in entities:
        state = api.state(entity)
        assert state, entity
        rows.append(
            {"entity": entity, "name": state["attributes"]["friendly_name"].removeprefix(title).strip()}
        )
    return {"type": "entities", "title": title, "show_header_toggle": False, "entities": rows}
