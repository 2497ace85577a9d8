"""A person turns the plate resort on its page, by clicks."""

from collections.abc import Iterator
from pathlib import Path
import re

import pytest
from tests.broker.observer import until
from tests.e2e.browser import Browser
from tests.hub.lab import AREA, IDENTIFIER, MOVING, POSITION, SELECT, Lab, near, shows

from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.process import HomeAssistant

pytestmark = pytest.mark.timeout(120)

WITHOUT_SIDEBAR = (256, 0, 1024, 1080)


@pytest.fixture
def lab(hub: HomeAssistant, hub_broker: Mosquitto, tmp_path: Path) -> Iterator[Lab]:
    """A simulated plate resort, ready, as the hub sees it."""
    made = Lab(hub_broker, tmp_path)
    try:
        yield made.ready(hub)
    finally:
        made.close()


def test_a_person_picks_a_hotel_and_watches_the_carousel_turn(
    hub: HomeAssistant, lab: Lab, person: Browser, results: Path
) -> None:
    """Nobody asks who they are, and the page shows what the servo does.

    It ends in the picture of the README: ``script/test e2e``, then copy test-results/plate-resort.png to
    docs/images.
    """
    person.open(hub.show_device(IDENTIFIER, AREA))
    person.wait_for_text("Plate resort (simulated)")

    person.choose("Active hotel", "B")

    until(lambda: lab.servo.truth()["moving"], "the servo turns")
    hub.wait_for(SELECT, shows("B"))
    assert abs(lab.servo.truth()["position"] - 109) <= 0.5
    hub.wait_for(POSITION, near(109))
    hub.wait_for(MOVING, shows("off"))
    person.wait_for_chosen("Active hotel", "B")
    position = re.compile(r"^10[89]\.\d°$", re.MULTILINE)
    until(lambda: position.search(person.text()), "the page shows the position", every=0.2, more=person.text)
    person.picture(results / "plate-resort.png", clip=WITHOUT_SIDEBAR)
    assert person.complaints == []
