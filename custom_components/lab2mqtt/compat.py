"""What differs between the supported versions of Home Assistant."""

from collections.abc import Awaitable, Callable
from typing import Any

from homeassistant.components.mqtt.const import DOMAIN as MQTT
from homeassistant.core import CALLBACK_TYPE, HomeAssistant
from homeassistant.helpers import device_registry as dr

type OnSentence = Callable[[Any, Any], Awaitable[str | None]]
"""Called with what was said and how it was recognised; gives the answer."""


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


def register_sentences(hass: HomeAssistant, sentences: list[str], answer: OnSentence) -> CALLBACK_TYPE:
    """Have Assist call something when one of some sentences is said, in any language. Returns what ends that.

    The conversation integration must be set up.
    """
    from homeassistant.components.conversation import agent_manager  # noqa: PLC0415 - it needs packages of its own

    manager: Any = agent_manager.get_agent_manager(hass)
    if not hasattr(manager, "register_trigger"):  # until 2025.9 the agent itself took them
        manager = agent_manager.async_get_agent(hass)
    end: CALLBACK_TYPE = manager.register_trigger(sentences, answer)
    return end
