"""Our config entry comes, goes, and leaves nothing behind."""

import asyncio

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from tests.broker.observer import retained
from tests.integration.lab_bridge import Resort
from tests.integration.speaker import Speaker
from tests.integration.waiting import until

from lab2mqtt.hub.mosquitto import Mosquitto


async def test_set_up_unload_remove(
    hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker, broker: Mosquitto
) -> None:
    """Removed it leaves nothing: no device, entity, state or action of a task, and nothing on the broker."""
    await speaker.bridge("bench")
    await speaker.device(tasks={"wave": {"description": "Waves.", "effect": "move"}}, bridge="bench")
    await until(hass, lambda: hass.services.has_service("lab2mqtt", "gadget_wave"), "the task is an action")
    devices, entities = dr.async_get(hass), er.async_get(hass)
    assert dr.async_entries_for_config_entry(devices, lab_entry.entry_id)
    ours = [each.entity_id for each in er.async_entries_for_config_entry(entities, lab_entry.entry_id)]
    assert ours
    assert lab_entry.state is ConfigEntryState.LOADED

    assert await hass.config_entries.async_unload(lab_entry.entry_id)
    assert lab_entry.state is ConfigEntryState.NOT_LOADED
    assert not hass.services.has_service("lab2mqtt", "gadget_wave")

    assert await hass.config_entries.async_remove(lab_entry.entry_id)
    await hass.async_block_till_done()
    assert hass.config_entries.async_entries("lab2mqtt") == []
    assert dr.async_entries_for_config_entry(devices, lab_entry.entry_id) == []
    assert er.async_entries_for_config_entry(entities, lab_entry.entry_id) == []
    assert [entity_id for entity_id in ours if hass.states.get(entity_id)] == []
    kept = await asyncio.to_thread(retained, broker.port, "#")
    assert {topic.split("/")[1] for topic in kept if topic.startswith("lab2mqtt/")} == {"bridge", "gadget"}


async def test_a_real_bridge_is_in_the_lab(
    hass: HomeAssistant, lab_entry: MockConfigEntry, resort: Resort
) -> None:
    """The device and its bridge are known, with what they say of themselves."""
    lab = lab_entry.runtime_data
    device = await until(
        hass,
        lambda: (found := lab.devices.get("plate-resort")) and found.readiness == "ready" and found,
        "the resort is ready",
        more=resort.said,
    )
    assert device.name == "Plate resort"
    assert device.moves
    assert lab.bridges[resort.name].online
    await until(hass, lambda: device.registry_id(hass), "MQTT has the device")


@pytest.mark.usefixtures("resort")
async def test_reload(hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
    """A reload finds the devices again."""
    assert await hass.config_entries.async_reload(lab_entry.entry_id)
    lab = lab_entry.runtime_data
    await until(hass, lambda: "plate-resort" in lab.devices, "the device is known again")
