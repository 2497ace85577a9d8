"""A description → the retained messages by which Home Assistant makes the device, its parts and entities."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from lab2mqtt import wire
from lab2mqtt.discovery.platforms import PLATFORMS, Topics, trigger

ORIGIN = "lab2mqtt"

# What the description tells of a device, or of a part of it → what Home Assistant calls that.
_ABOUT = {
    "manufacturer": "manufacturer",
    "model": "model",
    "serial": "serial_number",
    "sw_version": "sw_version",
    "hw_version": "hw_version",
}


def announce(
    description: Mapping[str, Any],
    *,
    base: str = wire.DEFAULT_BASE,
    version: str = "",
    gone: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, dict[str, Any]]:
    """Make one message for the device and one for each of its parts, which are devices of their own.

    Args:
        description: The device's description. One without ``parts`` does not know them, as before the
            instrument has answered: then nothing is said of any part.
        base: The base topic.
        version: Of the software that announces.
        gone: Components that were announced once, with their platforms, by part ("" is the device): Home
            Assistant removes one only when it is told its platform and nothing else. Those that live still
            are left alone.

    Returns:
        The payloads for ``wire.discovery_topic`` by part, that of the device first. A part that is no more
        has one too, which removes its components, and by that itself. A pure function: the same
        description, the same messages.
    """
    gone = gone or {}
    node = f"{base}_{description['device_id']}".replace("/", "_")
    devices = {"": _device(description, node)}
    if "parts" in description:
        parts = dict.fromkeys((*description["parts"], *gone))
        devices |= {part: _part(description, part, node) for part in parts if part}
    messages: dict[str, dict[str, Any]] = {}
    for part, device in devices.items():
        components = _components(description, part, base, node)
        for key, platform in gone.get(part, {}).items():
            components.setdefault(key, {"platform": platform})
        if components:
            origin = {"name": ORIGIN, **({"sw_version": version} if version else {})}
            messages[part] = {"device": device, "origin": origin, "components": components}
    return messages


def components_of(payload: Mapping[str, Any]) -> dict[str, str]:
    """The components of a message that live, with their platforms."""
    return {key: one["platform"] for key, one in payload["components"].items() if len(one) > 1}


def _components(description: Mapping[str, Any], part: str, base: str, node: str) -> dict[str, dict[str, Any]]:
    """The entities of the device itself or of one of its parts, and their triggers."""
    device_id = description["device_id"]
    state, command, event = (
        wire.device_topic(base, device_id, kind) for kind in ("state", "command", "event")
    )
    topics = Topics(state, command, event, partial(wire.picture_topic, base, device_id))
    bridge = description.get("bridge")
    # A device with a link of its own is there when it says so; no bridge keeps anything of it available.
    through = [_online(wire.bridge_topic(base, bridge, "status"))] if bridge else []
    reached = [*through, _online(wire.device_topic(base, device_id, "status"))]
    components: dict[str, dict[str, Any]] = {}
    for key, told in description["entities"].items():
        if told.get("part", "") != part:
            continue
        # The state of a device that is not ours may lack a key: the hub would log an error each time.
        entity = told if bridge else {**told, "sure": False}
        platform = entity["platform"]
        object_id = f"{device_id}_{key}".replace("-", "_")
        component = {
            "platform": platform,
            "unique_id": f"{node}_{key}",
            # Both, because 2025.4 knows only the first and 2026.4 and later only the second.
            "object_id": object_id,
            "default_entity_id": f"{platform}.{object_id}",
            "name": entity["name"],
            "availability": through if bridge and entity.get("availability") == "bridge" else reached,
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
    return components


def _online(topic: str) -> dict[str, str]:
    return {"topic": topic, "value_template": "{{ value_json.status }}"}


def _device(description: Mapping[str, Any], node: str) -> dict[str, Any]:
    return {
        "identifiers": [node],
        "name": _named(description, description["name"]),
        **_told(description, description),
    }


def _part(description: Mapping[str, Any], part: str, node: str) -> dict[str, Any]:
    about = description["parts"].get(part, {})
    return {
        "identifiers": [f"{node}_{part}"],
        "name": _named(description, f"{description['name']} {about.get('name', part)}"),
        "via_device": node,
        **_told(about, description),
    }


def _named(description: Mapping[str, Any], name: str) -> str:
    simulated = description.get("simulated") and "simulated" not in name.lower()
    return f"{name} (simulated)" if simulated else name


def _told(about: Mapping[str, Any], description: Mapping[str, Any]) -> dict[str, Any]:
    told = {theirs: about[ours] for ours, theirs in _ABOUT.items() if ours in about}
    return told | ({"suggested_area": description["area"]} if "area" in description else {})
