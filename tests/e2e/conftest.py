"""The newest Home Assistant with its broker, and a browser that looks at it."""

from collections.abc import Iterator
import os
from pathlib import Path

import pytest
from tests.e2e.browser import Browser, browser, find_chromium

from lab2mqtt.hub import environments, mosquitto
from lab2mqtt.hub.errors import HubError, NotAvailable
from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.process import HomeAssistant

RESULTS = Path(__file__).parents[2] / "test-results"


def _missing(error: HubError) -> None:
    """Skip what this machine has no parts for; in CI that is a failure."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))


@pytest.fixture(scope="session")
def hub_broker() -> Iterator[Mosquitto]:
    """The hub's broker."""
    try:
        program = mosquitto.find_or_unpack(print)
    except HubError as error:
        _missing(error)
        raise
    with Mosquitto(program) as broker:
        yield broker


@pytest.fixture(scope="session")
def hub(hub_broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeAssistant]:
    """A running Home Assistant whose page opens without a login, as in the demo."""
    try:
        if not find_chromium():
            raise NotAvailable("no Chromium on PATH; on Debian: apt-get install chromium")
        venv = environments.install(environments.NEWEST.version, print)
    except HubError as error:
        _missing(error)
        raise
    folder = tmp_path_factory.mktemp("hub")
    with HomeAssistant(venv, folder, hub_broker.address, open_door=True) as running:
        yield running


@pytest.fixture
def person(hub: HomeAssistant) -> Iterator[Browser]:
    """A fresh browser of somebody whom the hub does not know yet; high enough for a device's page."""
    with browser(hub.url, size=(1280, 1120)) as tab:
        yield tab


@pytest.fixture
def tall(hub: HomeAssistant) -> Iterator[Browser]:
    """The same, high enough for a device with many entities."""
    with browser(hub.url, size=(1280, 1600)) as tab:
        yield tab


@pytest.fixture
def results() -> Path:
    """Where pictures go; not under version control."""
    RESULTS.mkdir(exist_ok=True)
    return RESULTS
