"""Every entity of a lab, as Home Assistant shows and registers it; the same in each supported version."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion
from tests.integration.shown import shows
from tests.integration.speaker import Speaker

AT = 1_763_690_812


async def test_every_entity(
    hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker, snapshot: SnapshotAssertion
) -> None:
    """Names, classes, categories, and the states of a lab where nothing happened yet but one failure."""
    registry = er.async_get(hass)
    await speaker.device()
    await speaker.bridge("pi", version="0.1.0")
    await speaker.say(
        "lab2mqtt/bridge/pi/health",
        {
            "timestamp": AT,
            "uptime_s": 812,
            "queued": {"ot2": 3},
            "commands_done": 7,
            "commands_failed": 2,
            "messages_dropped": 0,
            "reconnects": 1,
            "rss_bytes": 2**25,
            "ledger": "ok",
        },
    )
    await speaker.say(
        "lab2mqtt/gadget/event",
        {
            "event_type": "task_failed",
            "timestamp": AT,
            "task": "wave",
            "request_id": "1",
            "error": "Anna has it",
            "error_code": "reserved",
        },
        retain=False,
    )
    await shows(hass, "sensor.lab_last_failure", "Gadget: wave: reserved")
    await shows(hass, "sensor.pi_commands_done", "7")
    found = er.async_entries_for_config_entry(registry, lab_entry.entry_id)
    for entity in found:
        if entity.disabled_by:
            registry.async_update_entity(entity.entity_id, disabled_by=None)
    assert await hass.config_entries.async_reload(lab_entry.entry_id)
    await shows(hass, "sensor.pi_memory", "32.0")
    await hass.async_block_till_done()
    told = {
        entity.entity_id: _told(hass, lab_entry, entity, hidden=bool(entity.disabled_by)) for entity in found
    }
    assert {key: told[key] for key in sorted(told)} == snapshot


async def test_devices(
    hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker, snapshot: SnapshotAssertion
) -> None:
    """The lab and its bridges."""
    await speaker.bridge("pi", version="0.1.0")
    await shows(hass, "binary_sensor.pi_online", "on")
    keys = ("name", "manufacturer", "model", "sw_version", "hw_version", "entry_type", "disabled_by")
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), lab_entry.entry_id)
    told = [{key: getattr(device, key) for key in keys} for device in devices]
    assert sorted(told, key=lambda one: str(one["name"])) == snapshot


def _told(
    hass: HomeAssistant, entry: MockConfigEntry, entity: er.RegistryEntry, *, hidden: bool
) -> dict[str, Any]:
    state = hass.states.get(entity.entity_id)
    assert state, entity.entity_id
    # The moment of an event is now.
    shown = "a moment" if entity.domain == "event" and state.state != "unknown" else state.state
    return {
        "state": shown,
        "attributes": {str(key): _plain(state.attributes[key]) for key in sorted(state.attributes)},
        "unique_id": entity.unique_id.replace(entry.entry_id, "ENTRY"),
        "translation_key": entity.translation_key,
        "original_name": entity.original_name,
        "category": entity.entity_category and entity.entity_category.value,
        "hidden_at_first": hidden,
    }


def _plain(value: object) -> object:
    """Without Home Assistant's own types, which differ by version."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return value
