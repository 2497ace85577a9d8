"""What a maintainer needs to know of a lab, without what is nobody's business."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceEntry

from . import wire
from .const import DOMAIN
from .device import Bridge, Device
from .lab import Lab, LabConfigEntry
from .private import without_private


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: LabConfigEntry) -> dict[str, Any]:
    """All of a lab."""
    lab = entry.runtime_data
    return _told(lab, [*lab.bridges.values()], [*lab.devices.values()])


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: LabConfigEntry, device: DeviceEntry
) -> dict[str, Any]:
    """All of a lab, or one of its bridges and the devices that it speaks for."""
    lab = entry.runtime_data
    for bridge in lab.bridges.values():
        if (DOMAIN, f"{entry.entry_id}_{bridge.bridge_id}") in device.identifiers:
            own = [one for one in lab.devices.values() if one.bridge == bridge.bridge_id]
            return _told(lab, [bridge], own)
    return await async_get_config_entry_diagnostics(hass, entry)


def _told(lab: Lab, bridges: list[Bridge], devices: list[Device]) -> dict[str, Any]:
    stop = lab.stop
    told: dict[str, Any] = {
        "base": lab.base,
        "options": dict(lab.entry.options),
        "protocol": wire.PROTOCOL,
        "broker_linked": lab.connected,
        "stop": {
            "word": lab.stop_word,
            "stop_id": stop.stop_id if stop else None,
            "by": stop.by if stop else None,
            "reason": stop.reason if stop else None,
            "timestamp": stop.timestamp if stop else None,
            "unconfirmed": [device.device_id for device in lab.unconfirmed],
        },
        "bridges": {bridge.bridge_id: _bridge(bridge) for bridge in bridges},
        "devices": {device.device_id: _device(lab, device) for device in devices},
        "unreadable": lab.unreadable,
    }
    return without_private(told)


def _bridge(bridge: Bridge) -> dict[str, Any]:
    return {
        "online": bridge.online,
        "heard": bridge.heard,
        "status": bridge.status,
        "health": bridge.health,
    }


def _device(lab: Lab, device: Device) -> dict[str, Any]:
    return {
        "status": device.status,
        "bridge_online": device.bridge_online,
        "readiness": device.readiness,
        "announced": device.registry_id(lab.hass) is not None,
        "description": device.description,
        "state": device.state,
        "progress": device.progress,
    }
