"""What differs between the supported versions of Home Assistant."""

from homeassistant.components.mqtt.const import DOMAIN as MQTT
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr


def mqtt_device_id(hass: HomeAssistant, identifier: str) -> str | None:
    """The registry's id of a device that came by MQTT discovery; None while there is none."""
    return device_id(hass, MQTT, identifier)


def device_id(hass: HomeAssistant, domain: str, identifier: str) -> str | None:
    """The registry's id of a device of an integration; None while there is none."""
    registry = dr.async_get(hass)
    for entry in hass.config_entries.async_entries(domain):
        # Since 2026.8 a device belongs to one config entry.
        if by_identifier := getattr(registry, "async_get_device_by_identifier", None):
            device = by_identifier((domain, identifier), entry.entry_id)
        else:
            device = registry.async_get_device(identifiers={(domain, identifier)})
        if device:
            return str(device.id)
    return None
