"""lab2mqtt: what MQTT discovery cannot give a lab. Answers, errors, a run queue, repairs, cards."""

from functools import partial
from typing import Final

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.typing import ConfigType

from .actions import Actions
from .bookings import forget_bookings
from .const import DOMAIN, PLATFORMS
from .issues import Issues
from .lab import Lab, LabConfigEntry
from .loaded import lab_loaded
from .orders import ORDERS, Orders
from .resources import async_register_cards, async_unregister_cards
from .run_actions import RunActions, holder_in
from .runs import forget_runs
from .sentences import SENTENCES, Sentences
from .task_actions import TaskActions
from .task_events import TaskEvents
from .websocket import async_setup_websocket

CONFIG_SCHEMA: Final = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Offer the actions, also while no lab is set up."""
    actions = hass.data[DOMAIN] = Actions(hass, partial(holder_in, hass))
    actions.register()
    RunActions(hass, actions.issuers).register()
    hass.data[ORDERS] = Orders(hass)
    hass.data[SENTENCES] = Sentences(hass)
    await async_setup_websocket(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: LabConfigEntry) -> bool:
    """Set a lab up: listen to it, then show it."""
    await async_register_cards(hass)  # first: without a broker they say that they cannot stop
    if not await mqtt.async_wait_for_mqtt_client(hass):
        raise ConfigEntryNotReady(translation_domain=DOMAIN, translation_key="mqtt_not_ready")
    lab = entry.runtime_data = Lab(hass, entry)
    entry.async_on_unload(lab.close)
    await lab.words.load(hass)
    entry.async_on_unload(await TaskEvents(hass, lab).start())  # before what waits until all is subscribed to
    await lab.start()
    await lab.runs.load()
    await lab.bookings.load()
    entry.async_on_unload(TaskActions(hass, lab, hass.data[DOMAIN]).start())
    entry.async_on_unload(Issues(hass, lab).start())
    entry.async_on_unload(hass.data[SENTENCES].add(lab))
    entry.async_on_unload(partial(hass.data[ORDERS].forget, lab))
    entry.async_on_unload(entry.add_update_listener(partial(_reload, before=_settings(entry))))
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    lab_loaded(hass, lab)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: LabConfigEntry) -> bool:
    """Take the entities away; what was said to end with the entry does so."""
    if not await hass.config_entries.async_unload_platforms(entry, PLATFORMS):
        return False
    lab = entry.runtime_data
    lab.queue.close()
    await lab.runs.close()
    await lab.bookings.close()
    return True


async def async_remove_entry(hass: HomeAssistant, entry: LabConfigEntry) -> None:
    """Forget its runs and bookings; with the last lab, the cards go, too."""
    await forget_runs(hass, entry.entry_id)
    await forget_bookings(hass, entry.entry_id)
    if not hass.config_entries.async_entries(DOMAIN):
        await async_unregister_cards(hass)


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: LabConfigEntry, device: DeviceEntry
) -> bool:
    """Let somebody delete a bridge that the broker knows no more."""
    bridges = entry.runtime_data.bridges.values()
    known = {f"{entry.entry_id}_{bridge.bridge_id}" for bridge in bridges if bridge.status}
    return not any((DOMAIN, name) in device.identifiers for name in (entry.entry_id, *known))


def _settings(entry: LabConfigEntry) -> tuple[object, ...]:
    return entry.title, dict(entry.data), dict(entry.options)


async def _reload(hass: HomeAssistant, entry: LabConfigEntry, before: tuple[object, ...]) -> None:
    # Home Assistant also notes in the entry each bridge that it discovers; no command is to end by that.
    if _settings(entry) != before:
        await hass.config_entries.async_reload(entry.entry_id)
