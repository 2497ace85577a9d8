"""What the cards are told: each lab and each of its devices, whenever it has changed.

``lab2mqtt/subscribe`` answers with events: ``{"kind": "lab", "entry_id", …}``, ``{"kind": "device",
"entry_id", "device_id", …}``, ``{"kind": "gone", "entry_id"}`` with or without a ``device_id``, and ``{"kind": "ready"}``
once all was told. Of what was told before, a message has only the keys that have changed, each whole.
"""

from collections.abc import Callable
import json
from typing import Any

from homeassistant.components import websocket_api
from homeassistant.components.websocket_api import ActiveConnection
from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntry, ConfigEntryState
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import area_registry as ar, device_registry as dr
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.json import json_bytes, json_fragment
from homeassistant.util.hass_dict import HassKey
import voluptuous as vol

from .const import DOMAIN
from .device import Bridge, Device
from .lab import Lab

type Message = dict[str, Any]
type Tell = Callable[[bytes], None]
type Place = tuple[str | None, str | None, str | None]  # registry's id, name given by a person, area

_NAMES = ("kind", "entry_id", "device_id")
_READY = b'{"kind":"ready"}'


async def async_setup_websocket(hass: HomeAssistant) -> None:
    """Offer the command ``lab2mqtt/subscribe``; calling it again changes nothing."""
    if _AUDIENCE in hass.data:
        return
    hass.data[_AUDIENCE] = Audience(hass)
    websocket_api.async_register_command(hass, _subscribe)


@websocket_api.websocket_command({vol.Required("type"): f"{DOMAIN}/subscribe"})
@callback
def _subscribe(hass: HomeAssistant, connection: ActiveConnection, msg: Message) -> None:
    """Tell all labs and devices now, then what changes."""

    @callback
    def tell(message: bytes) -> None:
        connection.send_message(websocket_api.event_message(msg["id"], json_fragment(message)))

    connection.send_result(msg["id"])
    connection.subscriptions[msg["id"]] = hass.data[_AUDIENCE].join(tell)


class Audience:
    """All open dashboards. Labs are followed while there is one."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Nobody listens yet."""
        self._hass = hass
        self._listeners: list[Tell] = []
        self._followed: dict[str, Followed] = {}
        async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._entry_changed)

    @callback
    def join(self, tell: Tell) -> CALLBACK_TYPE:
        """Tell everything to a new listener, and from then on what changes. Returns what ends that."""
        for entry in self._hass.config_entries.async_entries(DOMAIN):
            self._follow(entry)
        for followed in self._followed.values():
            followed.update()  # first for those who are here already
            for message in followed.said.values():
                tell(_encode(message))
        tell(_READY)
        self._listeners.append(tell)

        def leave() -> None:
            if tell in self._listeners:
                self._listeners.remove(tell)
            if not self._listeners:
                while self._followed:
                    self._followed.popitem()[1].close()

        return leave

    @callback
    def _entry_changed(self, _: object, entry: ConfigEntry) -> None:
        if entry.domain != DOMAIN:
            return
        if entry.state is not ConfigEntryState.LOADED:
            if followed := self._followed.pop(entry.entry_id, None):
                followed.close()
                for key in followed.said:
                    self._tell(_gone(entry.entry_id, key))
        elif self._listeners:
            self._follow(entry)

    def _follow(self, entry: ConfigEntry[Lab]) -> None:
        if entry.state is ConfigEntryState.LOADED and entry.entry_id not in self._followed:
            followed = self._followed[entry.entry_id] = Followed(self._hass, entry.runtime_data, self._tell)
            followed.update()

    def _tell(self, message: Message) -> None:
        encoded = _encode(message)
        for tell in list(self._listeners):
            tell(encoded)


_AUDIENCE: HassKey[Audience] = HassKey(f"{DOMAIN}_websocket")


class Followed:
    """One lab, and what was said of it last.

    Attributes:
        said: The last message, whole, by device id; that of the lab itself under the empty one.
    """

    def __init__(self, hass: HomeAssistant, lab: Lab, tell: Callable[[Message], None]) -> None:
        """Listen to the lab."""
        self.said: dict[str, Message] = {}
        self._hass = hass
        self._lab = lab
        self._tell = tell
        self._places: dict[str, Place] = {}
        self._remove = [
            lab.on_change(self.update),
            hass.bus.async_listen(dr.EVENT_DEVICE_REGISTRY_UPDATED, self._registry_changed),
            hass.bus.async_listen(ar.EVENT_AREA_REGISTRY_UPDATED, self._registry_changed),
        ]

    def close(self) -> None:
        """Listen no more."""
        for remove in self._remove:
            remove()

    @callback
    def update(self) -> None:
        """Tell what has changed; of a lab or device that is known, only the keys that have."""
        lab = self._lab
        now = {"": _lab_message(lab)}
        for device in lab.devices.values():
            if device.description:
                now[device.device_id] = _device_message(lab, device, self._place(device))
        before, self.said = self.said, now
        for key in before.keys() - now.keys():
            self._tell(_gone(lab.entry.entry_id, key))
        for key, message in now.items():
            known = before.get(key)
            if known is None:
                self._tell(message)
            elif new := {name: value for name, value in message.items() if value != known[name]}:
                self._tell(
                    {name: message[name] for name in ("kind", "entry_id", "device_id") if name in message}
                    | new
                )

    @callback
    def _registry_changed(self, _: Event[Any]) -> None:
        self._places.clear()
        self._lab.changed()

    def _place(self, device: Device) -> Place:
        """Where it is in Home Assistant; remembered, because each device is asked ten times a second."""
        if device.device_id not in self._places:
            registry_id = device.registry_id(self._hass)
            known = registry_id and dr.async_get(self._hass).async_get(registry_id)
            area = known and known.area_id and ar.async_get(self._hass).async_get_area(known.area_id)
            name = known.name_by_user if known else None
            self._places[device.device_id] = (registry_id, name, area.name if area else None)
        return self._places[device.device_id]


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
    }


def _bridge(bridge: Bridge) -> Message:
    return {"online": bridge.online, "heard": bridge.heard or None, "health": bridge.health}


def _device_message(lab: Lab, device: Device, place: Place) -> Message:
    registry_id, name, area = place
    description = device.description
    return {
        "kind": "device",
        "entry_id": lab.entry.entry_id,
        "device_id": device.device_id,
        "registry_id": registry_id,
        "name": name or device.name,
        "area": area or description.get("area"),
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
    }


def _gone(entry_id: str, key: str) -> Message:
    message = {"kind": "gone", "entry_id": entry_id}
    return message | {"device_id": key} if key else message


def _object(value: object) -> Message:
    return value if isinstance(value, dict) else {}


def _encode(message: Message) -> bytes:
    try:
        return json_bytes(message)
    except (TypeError, ValueError):
        # The protocol lets integers have 300 digits; the browser has floats, and this encoder 64 bits.
        return json_bytes(json.loads(json.dumps(message), parse_int=_number))


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) < len(str(2**53)) else float(digits)
