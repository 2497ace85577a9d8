"""What the page of the system's health tells of all labs."""

from typing import Any

from homeassistant.components import mqtt
from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.core import HomeAssistant, callback

from .targets import labs


@callback
def async_register(hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Offer it."""
    register.async_register_info(_info)


async def _info(hass: HomeAssistant) -> dict[str, Any]:
    found = labs(hass)
    bridges = [bridge for lab in found for bridge in lab.bridges.values() if bridge.status]
    devices = [device for lab in found for device in lab.devices.values() if device.description]
    protocols = sorted({str(device.description.get("protocol", "?")) for device in devices})
    return {
        "broker_linked": mqtt.is_connected(hass),
        "labs": len(found),
        "bridges_online": f"{sum(bridge.online for bridge in bridges)}/{len(bridges)}",
        "devices_reachable": f"{sum(device.reachable for device in devices)}/{len(devices)}",
        "protocols": ", ".join(protocols) or "none",
    }
