"""A person mixes paint on the OT-2's page, by clicks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.broker.cell import Cell
from tests.e2e.browser import Browser
from tests.hub.lab import shows

from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.process import HomeAssistant

pytestmark = pytest.mark.timeout(180)

WITHOUT_SIDEBAR = (256, 0, 1024, 1150)


@pytest.fixture
def cell(hub_broker: Mosquitto, tmp_path: Path) -> Iterator[Cell]:
    """A simulated robot, and its bridge."""
    made = Cell(hub_broker.port, tmp_path, speed=2.0)
    made.start()
    try:
        yield made
    finally:
        made.close()


def test_a_person_fills_in_a_colour_and_presses_mix(
    hub: HomeAssistant, cell: Cell, tall: Browser, results: Path
) -> None:
    """The steps go by, paint is in the well, and the same well is refused after that.

    It ends in the picture of the README: ``script/test e2e``, then copy test-results/ot2.png to docs/images.
    """
    hub.wait_for("sensor.ot2_readiness", shows("ready"), timeout=30)
    tall.open(hub.show_device("lab2mqtt_ot2", "Wet lab"))
    tall.wait_for_text("OT-2 (simulated)")
    for label, volume in (("Mix red", "100"), ("Mix yellow", "50"), ("Mix blue", "80")):
        tall.fill(label, volume)
    tall.choose("Mix well", "B2")
    hub.wait_for("select.ot2_mix_color_well", shows("B2"))
    hub.wait_for("number.ot2_mix_color_b", shows("80.0"))
    tall.press("Mix")
    hub.wait_for("sensor.ot2_readiness", shows("busy"))
    hub.wait_for("sensor.ot2_step", lambda now: "1/B2" in now["state"], timeout=20)
    tall.picture(results / "ot2.png", clip=WITHOUT_SIDEBAR)
    hub.wait_for("sensor.ot2_wells_used", shows("1"), timeout=30)
    hub.wait_for("sensor.ot2_last_result", shows("succeeded"), timeout=30)
    assert sum(cell.truth()["wells"]["1/B2"].values()) == pytest.approx(230)
    used = hub.state("sensor.ot2_wells_used")
    assert used
    assert used["attributes"]["plate"]["1/B2"]["contents"] == "red 100, yellow 50, blue 80"

    tall.press("Mix")
    refused = hub.wait_for(
        "event.ot2_happening", lambda now: now["attributes"]["event_type"] == "task_failed"
    )
    assert "well B2 is used" in refused["attributes"]["error"]
    hub.wait_for("sensor.ot2_last_error", lambda now: now["state"].startswith("well B2 is used"))
    tall.wait_for_text("well B2 is used")
    assert tall.complaints == []
