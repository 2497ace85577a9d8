"""One lab as the cards are told of it, and what was told last."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from homeassistant.components.mqtt.const import DOMAIN as MQTT
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import area_registry as ar, device_registry as dr, entity_registry as er
from homeassistant.util.event_type import EventType

from .device import Bridge, Device
from .lab import Lab

type Message = dict[str, Any]

_NAMES = ("kind", "entry_id", "device_id")
_REGISTRIES: tuple[EventType[Any], ...] = (
    ar.EVENT_AREA_REGISTRY_UPDATED,
    dr.EVENT_DEVICE_REGISTRY_UPDATED,
    er.EVENT_ENTITY_REGISTRY_UPDATED,
)


@dataclass(frozen=True)
class Place:
    """A device in Home Assistant.

    Attributes:
        registry_id: Its id in the device registry; None until it was announced.
        name: The name that a person gave it.
        area: The name of its area.
        entity_ids: The ids of its entities, by their key in the description.
    """

    registry_id: str | None = None
    name: str | None = None
    area: str | None = None
    entity_ids: dict[str, str] = field(default_factory=dict)


class Followed:
    """A lab, and what was told of it last.

    Attributes:
        said: The last message, whole, by device id; that of the lab itself under the empty one.
    """

    def __init__(self, hass: HomeAssistant, lab: Lab, changed: Callable[[], None]) -> None:
        """Listen to the lab; ``changed`` is called when there may be something to tell."""
        self.said: dict[str, Message] = {}
        self._hass = hass
        self._lab = lab
        self._places: dict[str, Place] = {}
        self._after_stop: dict[str, Message] = {}
        self._remove = [
            lab.on_change(changed),
            lab.on_event(self._event),
            lab.on_devices(self._places.clear),
            *(hass.bus.async_listen(event, self._registry_changed) for event in _REGISTRIES),
        ]

    def close(self) -> list[Message]:
        """Listen no more; gives what tells that all of it is gone."""
        for remove in self._remove:
            remove()
        return [self._gone(key) for key in self.said]

    def update(self) -> list[Message]:
        """What has changed since the last time; of a lab or device that is known, only the keys that have."""
        lab = self._lab
        now = {"": _lab_message(lab)}
        for device in lab.devices.values():
            if device.description:
                now[device.device_id] = self._device_message(device)
        before, self.said = self.said, now
        messages = [self._gone(key) for key in before if key not in now]
        for key, message in now.items():
            known = before.get(key, {})
            if new := {
                name: value for name, value in message.items() if name not in known or known[name] != value
            }:
                messages.append({name: message[name] for name in _NAMES if name in message} | new)
        return messages

    def _gone(self, key: str) -> Message:
        message = {"kind": "gone", "entry_id": self._lab.entry.entry_id}
        return message | {"device_id": key} if key else message

    def _device_message(self, device: Device) -> Message:
        place = self._place(device)
        description = device.description
        return {
            "kind": "device",
            "entry_id": self._lab.entry.entry_id,
            "device_id": device.device_id,
            "registry_id": place.registry_id,
            "entity_ids": place.entity_ids,
            "name": place.name or device.name,
            "area": place.area or description.get("area"),
            "device_kind": device.kind,
            "model": description.get("model"),
            "simulated": description.get("simulated") is True,
            "bridge": device.bridge,
            "moves": device.moves,
            "reachable": device.reachable,
            "readiness": device.readiness,
            "reasons": device.reasons,
            "reserved_by": device.reserved_by,
            "reserved_until": device.reserved_until,
            "state": device.state,
            "tasks": device.tasks,
            "entities": _object(description.get("entities")),
            "parts": _object(description.get("parts")),
            "progress": device.progress,
            "after_stop": self._after_stop.get(device.device_id),
        }

    @callback
    def _event(self, device: Device, message: Message) -> None:
        """Remember what is to be done after a stop, until something moves again."""
        kind = message["event_type"]
        if kind == "emergency_stop_reset":
            to_do = {key: message.get(key) for key in ("needs_homing", "look_at")}
            if any(to_do.values()):
                self._after_stop[device.device_id] = to_do
        elif kind == "emergency_stopped" or (kind == "task_succeeded" and _moves(device, message)):
            self._after_stop.pop(device.device_id, None)

    @callback
    def _registry_changed(self, _: Event[Any]) -> None:
        self._places.clear()
        self._lab.changed()

    def _place(self, device: Device) -> Place:
        """Where it is in Home Assistant; remembered, because it is asked up to ten times a second."""
        if device.device_id not in self._places:
            self._places[device.device_id] = self._find(device)
        return self._places[device.device_id]

    def _find(self, device: Device) -> Place:
        registry_id = device.registry_id(self._hass)
        known = dr.async_get(self._hass).async_get(registry_id) if registry_id else None
        if known is None:
            return Place()
        area = ar.async_get(self._hass).async_get_area(known.area_id) if known.area_id else None
        entities = er.async_get(self._hass)
        entity_ids = {
            key: entity_id
            for key, entity in _object(device.description.get("entities")).items()
            if (
                entity_id := entities.async_get_entity_id(
                    str(_object(entity).get("platform")), MQTT, f"{device.identifier}_{key}"
                )
            )
        }
        return Place(registry_id, known.name_by_user, area.name if area else None, entity_ids)


def _lab_message(lab: Lab) -> Message:
    stop = lab.stop
    return {
        "kind": "lab",
        "entry_id": lab.entry.entry_id,
        "base": lab.base,
        "title": lab.title,
        "connected": lab.connected,
        "stop": {
            "engaged": stop is not None,
            "word": lab.stop_word,
            "stop_id": stop and stop.stop_id,
            "by": stop and stop.by,
            "reason": stop and stop.reason,
            "timestamp": stop and stop.timestamp,
            "unconfirmed": [device.name for device in lab.unconfirmed],
        },
        "bridges": {bridge_id: _bridge(bridge) for bridge_id, bridge in lab.bridges.items()},
        "runs": lab.runs.shown(),
    }


def _bridge(bridge: Bridge) -> Message:
    return {"online": bridge.online, "heard": bridge.heard or None, "health": bridge.health}


def _moves(device: Device, event: Message) -> bool:
    return _object(device.tasks.get(str(event.get("task")))).get("effect") == "move"


def _object(value: object) -> Message:
    return value if isinstance(value, dict) else {}
