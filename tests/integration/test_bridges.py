"""Bridges come, die, are updated and go, and their entities with them."""

import time
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import WebSocketGenerator
from tests.integration.conftest import StartBridge
from tests.integration.shown import shows
from tests.integration.speaker import Speaker
from tests.integration.waiting import until

ONLINE = "binary_sensor.pi_online"
STARTED = "sensor.pi_started"
DONE = "sensor.pi_commands_done"
STATUS = "lab2mqtt/bridge/pi/status"


def bridge_device(hass: HomeAssistant, entry: MockConfigEntry, name: str = "pi") -> dr.DeviceEntry | None:
    """The device of a bridge in the registry."""
    found = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    return next((device for device in found if device.name == name), None)


async def health(speaker: Speaker, bridge_id: str = "pi", **told: Any) -> None:  # noqa: ANN401
    """Say a heartbeat."""
    await speaker.say(f"lab2mqtt/bridge/{bridge_id}/health", told)


@pytest.mark.usefixtures("lab_entry")
async def test_a_real_bridge(hass: HomeAssistant, start_bridge: StartBridge) -> None:
    """It tells how it is; once it is dead, nothing of that is true any more."""
    before = time.time()
    bridge = await start_bridge({"resort": {"model": "plate_resort", "simulated": True}}, "pi")
    await shows(hass, ONLINE, "on")
    await shows(hass, DONE, "0")
    started = dt_util.parse_datetime(hass.states.get(STARTED).state)
    assert started
    assert before - 2 < started.timestamp() < time.time() + 2
    await shows(hass, "sensor.pi_commands_waiting", "0")
    await bridge.kill()
    await shows(hass, ONLINE, "off")
    await shows(hass, DONE, "unavailable")


async def test_a_heartbeat(hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker) -> None:
    """Each number is shown; those that are seldom asked for only to whoever wants them."""
    await speaker.bridge("pi", version="0.1.0")
    await health(
        speaker,
        timestamp=1_763_690_812,
        uptime_s=812,
        queued={"ot2": 3, "arm": 1},
        commands_done=7,
        commands_failed=2,
        messages_dropped=0,
        reconnects=4,
        rss_bytes=50 * 2**20,
    )
    await shows(hass, "sensor.pi_commands_waiting", "4")
    await shows(hass, DONE, "7", state_class="total_increasing", unit_of_measurement="commands")
    await shows(hass, "sensor.pi_commands_failed", "2")
    await shows(hass, STARTED, "2025-11-21T01:53:20+00:00", device_class="timestamp")
    registry = er.async_get(hass)
    hidden = ("memory", "messages_dropped", "reconnects")
    for key in hidden:
        assert registry.async_get(f"sensor.pi_{key}").disabled_by is er.RegistryEntryDisabler.INTEGRATION
        registry.async_update_entity(f"sensor.pi_{key}", disabled_by=None)
    assert await hass.config_entries.async_reload(lab_entry.entry_id)
    await shows(hass, "sensor.pi_memory", "50.0", unit_of_measurement="MiB", state_class="measurement")
    await shows(hass, "sensor.pi_messages_dropped", "0")
    await shows(hass, "sensor.pi_reconnects", "4")


@pytest.mark.usefixtures("lab_entry")
async def test_the_start_stands_still(hass: HomeAssistant, speaker: Speaker) -> None:
    """Whole seconds that are subtracted differ by one; a new start differs by more."""
    await speaker.bridge("pi")
    for timestamp, uptime, done, started in (
        (1_763_690_812, 812, 1, "2025-11-21T01:53:20+00:00"),
        (1_763_690_842, 841, 2, "2025-11-21T01:53:20+00:00"),
        (1_763_690_872, 873, 3, "2025-11-21T01:53:20+00:00"),
        (1_763_690_902, 12, 4, "2025-11-21T02:08:10+00:00"),
    ):
        await health(speaker, timestamp=timestamp, uptime_s=uptime, commands_done=done)
        await shows(hass, DONE, str(done))
        assert hass.states.get(STARTED).state == started


@pytest.mark.usefixtures("lab_entry")
async def test_an_odd_heartbeat(
    hass: HomeAssistant, speaker: Speaker, caplog: pytest.LogCaptureFixture
) -> None:
    """What a number cannot be is unknown, and nothing is logged."""
    await speaker.bridge("pi")
    await health(
        speaker,
        timestamp=10**14,
        uptime_s=0,
        queued=["ot2"],
        commands_done=int("9" * 300),
        commands_failed=True,
        ledger=["?"],
        rivals=7,
    )
    for key in ("started", "commands_waiting", "commands_done", "commands_failed"):
        await shows(hass, f"sensor.pi_{key}", "unknown")
    await health(speaker, timestamp="now", queued={"ot2": "many"}, commands_done=-1, commands_failed=None)
    await shows(hass, "sensor.pi_commands_waiting", "0")
    await shows(hass, DONE, "unknown")
    await shows(hass, "binary_sensor.lab_problem", "off")
    logged = [one for one in caplog.records if one.levelname in ("WARNING", "ERROR") and "pi_" in one.message]
    assert logged == []


@pytest.mark.usefixtures("lab_entry")
async def test_a_bridge_that_needs_somebody(hass: HomeAssistant, speaker: Speaker) -> None:
    """One that cannot write down what it does, that shares a device with another, or that is offline."""
    problem = "binary_sensor.lab_problem"
    await speaker.bridge("pi")
    await health(speaker, ledger="ok", rivals={})
    await shows(hass, problem, "off")
    await health(speaker, ledger="no space left on device")
    await shows(hass, problem, "on", bridges=["pi"])
    await health(speaker, ledger="ok", rivals={"ot2": "other"})
    await shows(hass, problem, "on", bridges=["pi"])
    await health(speaker, ledger="ok")
    await shows(hass, problem, "off", bridges=[])
    await speaker.bridge("pi", "offline")
    await shows(hass, problem, "on", bridges=["pi"])


async def test_a_bridge_that_is_cleared(
    hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker
) -> None:
    """It leaves the registry, comes again as it was, and others stay."""
    await speaker.bridge("pi", version="0.1.0")
    await speaker.bridge("bench")
    await health(speaker, commands_done=1)
    await shows(hass, DONE, "1")
    assert bridge_device(hass, lab_entry).sw_version == "0.1.0"
    await speaker.bridge("pi", version="0.2.0")
    await until(
        hass, lambda: bridge_device(hass, lab_entry).sw_version == "0.2.0", "the new version is known"
    )
    await speaker.say(STATUS, b"")
    await until(hass, lambda: bridge_device(hass, lab_entry) is None, "the bridge is gone")
    assert hass.states.get(ONLINE) is None
    assert er.async_get(hass).async_get(DONE) is None
    # What the broker still has of it makes no bridge.
    await health(speaker, commands_done=2)
    await shows(hass, "binary_sensor.bench_online", "on")
    assert await hass.config_entries.async_reload(lab_entry.entry_id)
    await shows(hass, "binary_sensor.bench_online", "on")
    assert bridge_device(hass, lab_entry) is None
    await speaker.bridge("pi", version="0.2.0")
    await shows(hass, ONLINE, "on")
    await shows(hass, DONE, "2")


async def test_a_bridge_is_deleted_by_hand(
    hass: HomeAssistant,
    lab_entry: MockConfigEntry,
    speaker: Speaker,
    hass_ws_client: WebSocketGenerator,
) -> None:
    """One that was cleared while Home Assistant was away, and no other, nor the lab itself."""
    assert await async_setup_component(hass, "config", {})
    await speaker.bridge("pi")
    await speaker.bridge("bench")
    await shows(hass, ONLINE, "on")
    await shows(hass, "binary_sensor.bench_online", "on")
    assert await hass.config_entries.async_unload(lab_entry.entry_id)
    await speaker.say(STATUS, b"")
    assert await hass.config_entries.async_setup(lab_entry.entry_id)
    await hass.async_block_till_done()
    assert hass.states.get(ONLINE).state == "unavailable"
    client = await hass_ws_client(hass)
    for name, done in (("bench", False), ("Lab", False), ("pi", True)):
        device = bridge_device(hass, lab_entry, name)
        assert device
        await client.send_json_auto_id(
            {
                "type": "config/device_registry/remove_config_entry",
                "device_id": device.id,
                "config_entry_id": lab_entry.entry_id,
            }
        )
        answer = await client.receive_json()
        assert answer["success"] is done, answer
    assert bridge_device(hass, lab_entry) is None
