"""A Home Assistant of the test kit with a real broker, its MQTT entry, our entry, and real bridges."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
import os
from pathlib import Path
from typing import Any

# Before the kit looks for it: else an empty folder of the kit's own is the one that is found.
import custom_components  # noqa: F401
from homeassistant.components.mqtt.const import CONFIG_ENTRY_MINOR_VERSION, CONFIG_ENTRY_VERSION
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import pytest_socket

ROOT = Path(__file__).parents[2]
os.environ.setdefault("LAB2MQTT_PYTHON", str(ROOT / ".venv" / "bin" / "python"))

from tests.integration.lab_bridge import RESORT, LabBridge, Resort  # noqa: E402
from tests.integration.our_blueprints import show_to  # noqa: E402
from tests.integration.speaker import Speaker  # noqa: E402
from tests.integration.waiting import meanwhile  # noqa: E402
from tests.integration.wet_cell import WetCell  # noqa: E402

from lab2mqtt.hub import child, micropython, mosquitto  # noqa: E402
from lab2mqtt.hub.errors import HubError  # noqa: E402
from lab2mqtt.hub.mosquitto import Mosquitto  # noqa: E402
from lab2mqtt.hub.ports import LOOPBACK  # noqa: E402

StartBridge = Callable[..., Awaitable[LabBridge]]


@pytest.fixture(scope="session", autouse=True)
def _starter() -> None:
    """The thread that starts our programs lives as long as we do; the kit counts the threads of each test."""
    child._STARTER.submit(int).result()


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Simulated boards are found by their ids there, and the other kit has the same at the same time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _our_integration(enable_custom_integrations: None) -> None:
    """Home Assistant loads what is not its own."""


@pytest.fixture
def broker(socket_enabled: None) -> Iterator[Mosquitto]:
    """A mosquitto of the test's own. A test may stop and start it."""
    del socket_enabled
    # As the kit has it, and Unix sockets: by those one talks to the simulators.
    pytest_socket.socket_allow_hosts([LOOPBACK], allow_unix_socket=True)
    try:
        program = mosquitto.find_or_unpack(print)
    except HubError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    with Mosquitto(program) as running:
        yield running


@pytest.fixture
async def mqtt_entry(
    hass: HomeAssistant, broker: Mosquitto, mock_hass_config: None
) -> AsyncIterator[MockConfigEntry]:
    """Home Assistant's own MQTT integration, linked to the broker."""
    del mock_hass_config  # the entry reads configuration.yaml, and here is none
    entry = MockConfigEntry(
        domain="mqtt",
        data={"broker": broker.address.host, "port": broker.port, "protocol": "5"},
        version=CONFIG_ENTRY_VERSION,
        minor_version=CONFIG_ENTRY_MINOR_VERSION,
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    yield entry
    # Before the broker ends, which would be logged as an error. Ours goes first: it unsubscribes.
    for each in hass.config_entries.async_entries("lab2mqtt"):
        if each.state is ConfigEntryState.LOADED:
            await hass.config_entries.async_unload(each.entry_id)
    if entry.state is ConfigEntryState.LOADED:
        await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()


@pytest.fixture
async def lab_entry(hass: HomeAssistant, mqtt_entry: MockConfigEntry) -> MockConfigEntry:
    """Our entry of the base ``lab2mqtt``, set up; its lab is ``lab_entry.runtime_data``."""
    del mqtt_entry
    entry = MockConfigEntry(
        domain="lab2mqtt",
        title="Lab",
        unique_id="lab2mqtt",
        data={"base": "lab2mqtt"},
        options={"task_actions": True},
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


@pytest.fixture
async def speaker(broker: Mosquitto) -> AsyncIterator[Speaker]:
    """Plays devices and bridges as a real bridge never would."""
    async with Speaker(broker.port) as speaking:
        yield speaking


@pytest.fixture
async def resort(broker: Mosquitto, tmp_path: Path) -> AsyncIterator[Resort]:
    """A simulated plate resort, ready, and the real bridge that speaks for it."""
    running = Resort(broker.port, tmp_path / "resort")
    try:
        await running.start()
        yield running
    finally:
        await running.close()


@pytest.fixture
async def start_bridge(broker: Mosquitto, tmp_path: Path) -> AsyncIterator[StartBridge]:
    """Starts more real bridges, each with the devices of its configuration and, after them, its name."""
    async with AsyncExitStack() as stack:

        async def start(devices: dict[str, Any], bridge: str = "bench", **more: object) -> LabBridge:
            made = LabBridge(broker.port, tmp_path / bridge, devices, bridge, **more)
            stack.push_async_callback(made.stop)
            await made.start()
            return made

        yield start


@pytest.fixture
def boards() -> None:
    """What simulated boards run on."""
    try:
        micropython.find_or_unpack(print)
    except HubError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))


@pytest.fixture
async def cell(
    hass: HomeAssistant, lab_entry: MockConfigEntry, broker: Mosquitto, boards: None, tmp_path: Path
) -> AsyncIterator[WetCell]:
    """A robot, a hotel and a colour sensor, ready, as our integration knows them, and our blueprints."""
    del boards
    await show_to(hass, tmp_path)
    made = WetCell(broker.port, tmp_path / "cell")
    try:
        await made.start()
        await made.until_known(hass, lab_entry.runtime_data)
        yield made
    finally:
        await made.close()


@pytest.fixture
async def ready(lab_entry: MockConfigEntry, resort: Resort) -> Resort:
    """The resort, ready, as our integration knows it."""
    known = lab_entry.runtime_data.devices
    await meanwhile(
        lambda: RESORT in known and known[RESORT].readiness == "ready",
        "the resort is ready",
        within=10,
        more=resort.said,
    )
    return resort
