"""What the cards are told: each lab and each of its devices, whenever it has changed.

``lab2mqtt/subscribe`` answers with events: ``{"kind": "lab", "entry_id", …}``, ``{"kind": "device",
"entry_id", "device_id", …}``, ``{"kind": "gone", "entry_id"}`` with or without a ``device_id``, and
``{"kind": "ready"}`` when all was told. Of what was told before, a message has only the keys that have
changed, each whole.
"""

from collections.abc import Callable
import json

from homeassistant.components import websocket_api
from homeassistant.components.websocket_api import ActiveConnection
from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntry, ConfigEntryState
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.json import json_bytes, json_fragment
from homeassistant.util.hass_dict import HassKey
import voluptuous as vol

from .const import DOMAIN
from .followed import Followed, Message
from .lab import Lab

type Tell = Callable[[bytes], None]

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
    """All open dashboards, and the labs that are set up."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Nobody listens yet."""
        self._hass = hass
        self._listeners: list[Tell] = []
        self._followed: dict[str, Followed] = {}
        for entry in hass.config_entries.async_entries(DOMAIN):
            self._entry_changed(None, entry)
        async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._entry_changed)

    @callback
    def join(self, tell: Tell) -> CALLBACK_TYPE:
        """Tell everything to a new listener, and from then on what changes. Returns what ends that."""
        for followed in self._followed.values():
            for message in followed.update():
                self._tell(message)  # to those who are here already
            for message in followed.said.values():
                tell(_encode(message))
        tell(_READY)
        self._listeners.append(tell)

        def leave() -> None:
            if tell in self._listeners:
                self._listeners.remove(tell)

        return leave

    @callback
    def _entry_changed(self, _: object, entry: ConfigEntry[Lab]) -> None:
        if entry.domain != DOMAIN:
            return
        followed = self._followed.get(entry.entry_id)
        if entry.state is not ConfigEntryState.LOADED:
            if followed:
                for message in followed.close():
                    self._tell(message)
                del self._followed[entry.entry_id]
        elif followed is None:
            self._followed[entry.entry_id] = Followed(self._hass, entry.runtime_data, self._update)
            self._update()

    @callback
    def _update(self) -> None:
        """Tell what has changed, if there is anybody to tell."""
        if self._listeners:
            for followed in self._followed.values():
                for message in followed.update():
                    self._tell(message)

    def _tell(self, message: Message) -> None:
        encoded = _encode(message)
        for tell in list(self._listeners):
            tell(encoded)


_AUDIENCE: HassKey[Audience] = HassKey(f"{DOMAIN}_websocket")


def _encode(message: Message) -> bytes:
    try:
        return json_bytes(message)
    except (TypeError, ValueError):
        # The protocol lets integers have 300 digits; this encoder knows those of 64 bits, a browser floats.
        return json_bytes(json.loads(json.dumps(message), parse_int=_number))


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) < len(str(2**53)) else float(digits)
