"""Our config entry comes, goes, and leaves nothing behind."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from tests.integration.lab_bridge import Resort
from tests.integration.waiting import until


async def test_set_up_unload_remove(hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
    """Nothing of it is left once it is removed: no device, no entity, no action of a task."""
    assert lab_entry.state is ConfigEntryState.LOADED
    assert await hass.config_entries.async_unload(lab_entry.entry_id)
    assert lab_entry.state is ConfigEntryState.NOT_LOADED
    assert await hass.config_entries.async_remove(lab_entry.entry_id)
    await hass.async_block_till_done()
    assert hass.config_entries.async_entries("lab2mqtt") == []
    assert dr.async_entries_for_config_entry(dr.async_get(hass), lab_entry.entry_id) == []
    assert er.async_entries_for_config_entry(er.async_get(hass), lab_entry.entry_id) == []


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
