"""A description → the retained message by which Home Assistant makes the device and its entities."""

from collections.abc import Mapping
from typing import Any

from lab2mqtt import wire
from lab2mqtt.discovery.platforms import PLATFORMS, Topics, trigger

ORIGIN = "lab2mqtt"


def announce(
    description: Mapping[str, Any],
    *,
    base: str = wire.DEFAULT_BASE,
    version: str = "",
    gone: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Make the device message.

    Args:
        description: The device's description.
        base: The base topic.
        version: Of the software that announces.
        gone: Components that were announced once, with their platforms: Home Assistant removes one only when
            it is told its platform and nothing else. Those that live still are left alone.

    Returns:
        The payload for ``wire.discovery_topic``. A pure function: the same description, the same message.
    """
    device_id = description["device_id"]
    node = f"{base}_{device_id}".replace("/", "_")
    topics = Topics(*(wire.device_topic(base, device_id, kind) for kind in ("state", "command", "event")))
    bridge = {
        "topic": wire.bridge_topic(base, description["bridge"], "status"),
        "value_template": "{{ value_json.status }}",
    }
    reachable = {
        "topic": wire.device_topic(base, device_id, "status"),
        "value_template": "{{ value_json.status }}",
    }
    components: dict[str, dict[str, Any]] = {}
    for key, entity in description["entities"].items():
        platform = entity["platform"]
        object_id = f"{device_id}_{key}".replace("-", "_")
        component = {
            "platform": platform,
            "unique_id": f"{node}_{key}",
            # Both, because 2025.4 knows only the first and 2026.4 and later only the second.
            "object_id": object_id,
            "default_entity_id": f"{platform}.{object_id}",
            "name": entity["name"],
            "availability": [bridge] if entity.get("availability") == "bridge" else [bridge, reachable],
            "availability_mode": "all",
        }
        names = {"icon": "icon", "category": "entity_category", "device_class": "device_class"}
        component |= {theirs: entity[ours] for ours, theirs in names.items() if ours in entity}
        if entity.get("enabled") is False:
            component["enabled_by_default"] = False
        component |= PLATFORMS[platform](key, entity, topics)
        components[key] = component
        for event_type in entity.get("event_types", ()):
            components[f"on_{event_type}"] = trigger(event_type, topics)
    for key, platform in (gone or {}).items():
        components.setdefault(key, {"platform": platform})
    return {
        "device": _device(description, node),
        "origin": {"name": ORIGIN, **({"sw_version": version} if version else {})},
        "components": components,
    }


def components_of(payload: Mapping[str, Any]) -> dict[str, str]:
    """The components of a device message that live, with their platforms."""
    return {key: one["platform"] for key, one in payload["components"].items() if len(one) > 1}


def _device(description: Mapping[str, Any], node: str) -> dict[str, Any]:
    names = {
        "manufacturer": "manufacturer",
        "model": "model",
        "serial": "serial_number",
        "sw_version": "sw_version",
        "hw_version": "hw_version",
        "area": "suggested_area",
    }
    name = description["name"]
    if description.get("simulated") and "simulated" not in name.lower():
        name += " (simulated)"
    told = {theirs: description[ours] for ours, theirs in names.items() if ours in description}
    return {"identifiers": [node], "name": name, **told}
