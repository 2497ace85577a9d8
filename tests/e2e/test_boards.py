"""A person looks at three boards in the demo's Home Assistant, and moves a servo there."""

from collections.abc import Callable, Iterator
import json
import os
from pathlib import Path
import re
import signal
from typing import Any

import pytest
from tests.broker.observer import until
from tests.broker.program import Program
from tests.e2e.browser import Browser, browser
from tests.hub.lab import near, number

from lab2mqtt.hub import micropython, pages
from lab2mqtt.hub.api import Api
from lab2mqtt.hub.errors import HubError
from lab2mqtt.hub.owner import log_in
from lab2mqtt.hub.ports import free_port
from lab2mqtt.hub.process import HomeAssistant

pytestmark = pytest.mark.timeout(180)

UP_WITHIN = 60.0  # s; everything that it needs is installed
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


class Demo(Program):
    """A demo that runs, its Home Assistant, and what its boards truly do."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "lab"
        self.api = Api(free_port())
        ports = ["--broker-port", str(free_port()), "--hub-port", str(self.api.port)]
        home = {"XDG_STATE_HOME": str(folder / "home")}
        super().__init__(["demo", *ports, "--state", str(self.state)], folder / "demo.log", environment=home)

    def start(self) -> None:
        """Start it; returns once it says that it is up."""
        super().start()
        self.until_said("Ctrl-C ends everything", within=UP_WITHIN)
        log_in(self.api, self.state / "home-assistant", _is_there)

    def page(self, name: str) -> str:
        """The page of a device, as it told."""
        found = re.search(rf"(http\S+)  {name}$", self.said(), re.MULTILINE)
        assert found, self.said()
        return found[1]

    def pulses(self) -> list[dict[str, Any]]:
        """All that came out at the servo's pin since the start."""
        journal = self.state / "boards" / "lab-sensor" / "sim" / "journal.jsonl"
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        return [line for line in lines if line["output"] == "pin_15" and line["duty_ns"]]


@pytest.fixture
def demo(hub: HomeAssistant, tmp_path: Path) -> Iterator[Demo]:
    """The demo as everybody starts it; the parts that it needs are there."""
    assert hub.pid
    try:
        micropython.find_or_unpack(print)
    except HubError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    made = Demo(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.api.disconnect()
        made.terminate(signal.SIGINT)


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


def _is_there(what: str, test: Callable[[], bool]) -> None:
    """The demo has made the owner."""
    assert test(), what


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
