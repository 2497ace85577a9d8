"""Real Home Assistants, the oldest and the newest that we support, each with a broker of its own."""

from collections.abc import Callable, Iterator
import json
import os
from pathlib import Path
import subprocess
from typing import Any

import pytest
from tests.hub.lab import Lab

from lab2mqtt.hub import environments, mosquitto
from lab2mqtt.hub.errors import HubError
from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.process import HomeAssistant

SCHEMA_SCRIPT = Path(__file__).with_name("homeassistant_schema.py")


def _missing(error: HubError) -> None:
    """Skip what this machine has no parts for; in CI that is a failure."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))


@pytest.fixture(scope="session", params=["2025.4.4", "2026.11.0"])
def hub_environment(request: pytest.FixtureRequest) -> Path:
    """The environment of each supported Home Assistant in turn."""
    try:
        return environments.install(request.param, print)
    except HubError as error:
        _missing(error)
        raise


@pytest.fixture(scope="session")
def hub_broker(hub_environment: Path) -> Iterator[Mosquitto]:
    """The hub's broker. Whoever stops it starts it again."""
    del hub_environment  # each has its own
    try:
        program = mosquitto.find_or_unpack(print)
    except HubError as error:
        _missing(error)
        raise
    # With persistence, so that a restart is one of the broker and not of all that was ever announced.
    with Mosquitto(program, persistence=True) as broker:
        yield broker


@pytest.fixture(scope="session")
def hub(
    hub_environment: Path, hub_broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HomeAssistant]:
    """A running Home Assistant, shared by the tests of its version. Whoever stops it starts it again."""
    with HomeAssistant(hub_environment, tmp_path_factory.mktemp("hub"), hub_broker.address) as running:
        yield running


@pytest.fixture(scope="session")
def discovery_problems(hub_environment: Path) -> Callable[[dict[str, Any]], list[dict[str, str]]]:
    """What this Home Assistant's schemas find wrong with discovery messages, given by topic."""

    def ask(messages: dict[str, Any]) -> list[dict[str, str]]:
        listed = [{"topic": topic, "payload": payload} for topic, payload in messages.items()]
        answer = subprocess.run(
            [str(hub_environment / "bin" / "python"), str(SCHEMA_SCRIPT)],
            input=json.dumps(listed),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        found: list[dict[str, str]] = json.loads(answer.stdout)
        return found

    return ask


@pytest.fixture(scope="session")
def shared_lab(
    hub: HomeAssistant, hub_broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """The lab of all tests of a version; its bridge starts after the hub."""
    del hub
    made = Lab(hub_broker, tmp_path_factory.mktemp("lab"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def lab(hub: HomeAssistant, shared_lab: Lab) -> Iterator[Lab]:
    """A lab that is ready, as the hub sees it. The hub must not complain about us while a test runs."""
    shared_lab.ready(hub)
    yield shared_lab
    found = shared_lab.complaints(hub)
    assert not found, "\n".join(found)
