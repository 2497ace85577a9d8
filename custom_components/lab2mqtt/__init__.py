"""lab2mqtt: what MQTT discovery cannot give a lab. Answers, errors, a run queue, repairs, cards."""

from typing import Final

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.typing import ConfigType

from .actions import Actions
from .const import DOMAIN, PLATFORMS
from .lab import Lab, LabConfigEntry
from .resources import async_register_cards, async_unregister_cards
from .task_actions import TaskActions
from .task_events import TaskEvents
from .websocket import async_setup_websocket

CONFIG_SCHEMA: Final = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Offer the actions, also while no lab is set up."""
    actions = hass.data[DOMAIN] = Actions(hass, lambda _device, _context: None)
    actions.register()
    await async_setup_websocket(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: LabConfigEntry) -> bool:
    """Set a lab up: listen to it, then show it."""
    await async_register_cards(hass)  # first: without a broker they say that they cannot stop
    if not await mqtt.async_wait_for_mqtt_client(hass):
        raise ConfigEntryNotReady(translation_domain=DOMAIN, translation_key="mqtt_not_ready")
    lab = entry.runtime_data = Lab(hass, entry)
    entry.async_on_unload(lab.close)
    await lab.start()
    entry.async_on_unload(TaskActions(hass, lab, hass.data[DOMAIN]).start())
    entry.async_on_unload(await TaskEvents(hass, lab).start())
    entry.async_on_unload(entry.add_update_listener(_reload))
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: LabConfigEntry) -> bool:
    """Take the entities away; what was said to end with the entry does so."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: LabConfigEntry) -> None:
    """With the last lab, the cards go, too."""
    if not hass.config_entries.async_entries(DOMAIN):
        await async_unregister_cards(hass)


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: LabConfigEntry, device: DeviceEntry
) -> bool:
    """Let somebody delete a bridge that the broker knows no more."""
    bridges = entry.runtime_data.bridges.values()
    known = {f"{entry.entry_id}_{bridge.bridge_id}" for bridge in bridges if bridge.status}
    return not any((DOMAIN, name) in device.identifiers for name in (entry.entry_id, *known))


async def _reload(hass: HomeAssistant, entry: LabConfigEntry) -> None:
    await hass.config_entries.async_reload(entry.entry_id)
