"""What one base topic tells: devices, bridges, the lab's stop, and the one answer of each command."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
import time
from typing import Any
import uuid

from homeassistant.components import mqtt
from homeassistant.components.mqtt import ReceiveMessage
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_call_later

from . import wire
from .bookings import Bookings
from .calls import Calls
from .const import CONF_BASE, DOMAIN
from .device import Bridge, Device, Stop, clock_difference, read_description
from .run_queue import Queue
from .runs import Runs
from .words import Words

type LabConfigEntry = ConfigEntry[Lab]
type EventListener = Callable[[Device, dict[str, Any]], None]
type StopListener = Callable[[Stop | None, Stop | None], None]

_KINDS = ("description", "status", "state", "progress", "result", "event")
_CHANGES_EVERY = 0.1  # s; a carousel that turns says its angle more often
_HEARD_WITHIN = 10.0  # s until all that is retained has come in; 0.6 s on a quiet machine
_ASK_EVERY = 0.3  # s between two questions whether the subscriptions are live
_COPIES_WITHIN = 0.1  # s between two copies of one event; a board tells the same second twice


class Lab:
    """Everything that speaks under one base topic.

    Attributes:
        hass: Home Assistant.
        entry: Its config entry.
        base: The base topic.
        devices: What was heard of each, by device id.
        bridges: The same of bridges.
        stop: The lab's stop; None while it is released.
        calls: Sends commands, and gets their answers.
        words: Texts in Home Assistant's language.
        runs: What is done, of scripts and of the queue.
        queue: Does what waits in the run queue.
        bookings: Who has which device and when.
        connected: Whether Home Assistant is linked to the broker.
        unreadable: Why a description cannot be read, by device id.
    """

    def __init__(self, hass: HomeAssistant, entry: LabConfigEntry) -> None:
        """Prepare; nothing is subscribed to."""
        self.hass = hass
        self.entry = entry
        self.base: str = entry.data[CONF_BASE]
        self.devices: dict[str, Device] = {}
        self.bridges: dict[str, Bridge] = {}
        self.stop: Stop | None = None
        self.calls = Calls(self)
        self.words = Words()
        self.runs = Runs(self)
        self.queue = Queue(self)
        self.bookings = Bookings(self)
        self.connected = False
        self.unreadable: dict[str, str] = {}
        self._latch: dict[str, Any] | None = None
        self._at_stop: set[str] = set()  # devices that could be reached when the stop came, or later
        self._on_change: list[Callable[[], None]] = []
        self._on_devices: list[Callable[[], None]] = []
        self._on_event: list[EventListener] = []
        self._on_stop: list[StopListener] = []
        self._events: dict[str, tuple[bytes, float]] = {}  # the last of each device, and when
        self._waiting: CALLBACK_TYPE | None = None
        self._unsubscribe: list[CALLBACK_TYPE] = []
        # Our own message tells when all that is retained has come in; no bridge is called like this.
        self._marker = uuid.uuid4().hex
        self._returned = asyncio.Event()

    @property
    def title(self) -> str:
        """For people."""
        return self.entry.title

    async def start(self) -> None:
        """Subscribe, and wait until all that the broker keeps was heard."""
        self.connected = mqtt.is_connected(self.hass)
        self._unsubscribe.append(mqtt.async_subscribe_connection_status(self.hass, self._linked))
        stop_topic = wire.emergency_stop_topic(self.base)
        marker_topic = wire.bridge_topic(self.base, self._marker, "marker")
        topics = [wire.device_topic(self.base, "+", kind) for kind in _KINDS]
        topics += [wire.bridge_topic(self.base, "+", kind) for kind in ("status", "health")]
        for topic in (*topics, stop_topic, marker_topic):
            remove = await mqtt.async_subscribe(self.hass, topic, self._hear, qos=1, encoding=None)
            self._unsubscribe.append(remove)
        with suppress(TimeoutError):  # where we may not say that, the rest works all the same
            async with asyncio.timeout(_HEARD_WITHIN):
                while not self._returned.is_set():
                    with suppress(HomeAssistantError):
                        await mqtt.async_publish(self.hass, marker_topic, self._marker)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_ASK_EVERY):
                            await self._returned.wait()

    def close(self) -> None:
        """Listen no more; who waits for an answer gets none."""
        for remove in self._unsubscribe:
            remove()
        self._unsubscribe.clear()
        if self._waiting:
            self._waiting()
            self._waiting = None
        self.calls.close()

    # Who wants to know.

    @callback
    def on_change(self, listener: Callable[[], None]) -> CALLBACK_TYPE:
        """Tell whenever anything has changed, at most once in 0.1 s. Returns what ends that."""
        return _add(self._on_change, listener)

    @callback
    def on_devices(self, listener: Callable[[], None]) -> CALLBACK_TYPE:
        """Tell when a device has come or gone, or says otherwise what it can do. Returns what ends that."""
        return _add(self._on_devices, listener)

    @callback
    def on_event(self, listener: EventListener) -> CALLBACK_TYPE:
        """Tell each event of a device, with its message. Returns what ends that."""
        return _add(self._on_event, listener)

    @callback
    def on_stop(self, listener: StopListener) -> CALLBACK_TYPE:
        """Tell each stop and each release at once: the lab's stop now, and before. Returns what ends that."""
        return _add(self._on_stop, listener)

    @callback
    def changed(self) -> None:
        """Something has changed; tell it soon."""
        if self._waiting is None:
            self._waiting = async_call_later(self.hass, _CHANGES_EVERY, self._tell_change)

    # The lab's stop.

    @property
    def unconfirmed(self) -> list[Device]:
        """The devices that have not confirmed the lab's stop; none while it is released."""
        if self.stop is None:
            return []
        return [
            device
            for device in self.devices.values()
            if device.moves and device.device_id in self._at_stop and not device.stop_confirmed
        ]

    @property
    def stop_word(self) -> str:
        """``released``, ``stopping`` while a device has not confirmed, or ``stopped``."""
        if self.stop is None:
            return "released"
        return "stopping" if self.unconfirmed else "stopped"

    async def engage_stop(self, by: str, reason: str = "") -> str:
        """Stop the whole lab. Returns the id of the stop, by which it is released.

        Raises:
            HomeAssistantError: There is no link to the broker.
        """
        stop_id = uuid.uuid4().hex
        await self._say_stop(wire.stop_message(True, stop_id, by, reason, int(time.time())))  # noqa: FBT003
        return stop_id

    async def release_stop(self, by: str, reason: str = "") -> bool:
        """Release the lab's stop; nothing moves by it. False when none was engaged.

        Raises:
            HomeAssistantError: There is no link to the broker.
        """
        if self.stop is None:
            return False
        stop_id = self.stop.stop_id
        await self._say_stop(wire.stop_message(False, stop_id, by, reason, int(time.time())))  # noqa: FBT003
        return True

    async def _say_stop(self, message: dict[str, Any]) -> None:
        topic = wire.emergency_stop_topic(self.base)
        try:
            await mqtt.async_publish(self.hass, topic, wire.encode(message), qos=1, retain=True)
        except HomeAssistantError as error:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="no_link") from error

    # What is heard.

    @callback
    def _linked(self, connected: bool) -> None:  # noqa: FBT001 - as Home Assistant calls it
        self.connected = connected
        if connected:
            self.calls.ask_again()
        self.changed()

    @callback
    def _hear(self, message: ReceiveMessage) -> None:
        place = wire.split_topic(self.base, message.topic)
        if place is None:
            return
        what, name, kind = place
        payload = message.payload
        if kind == "marker":
            if payload == self._marker.encode():
                self._returned.set()
            return
        with suppress(wire.WireError):  # whoever said that has said nothing
            data = octets(payload)
            if what == "device":
                self._hear_device(name, kind, data, retained=bool(message.retain))
            elif what == "bridge":
                self._hear_bridge(name, kind, data, retained=bool(message.retain))
            elif data:
                self._hear_stop(data)
            self.changed()

    def _hear_device(self, device_id: str, kind: str, payload: bytes, *, retained: bool) -> None:
        if kind == "description":
            self._hear_description(device_id, payload)
        elif kind in ("status", "state"):
            self._hear_retained(device_id, kind, payload, retained=retained)
        elif retained or not payload:
            return  # what is said once is never kept
        elif kind == "result":
            self.calls.take_result(device_id, wire.read_result(payload))
        elif device := self.devices.get(device_id):
            if kind == "progress":
                device.progress = wire.read_progress(payload)
                self.calls.take_progress(device.progress)
            elif kind == "event" and not self._is_copy(device_id, payload):
                self._hear_event(device, _object(payload))

    def _hear_retained(self, device_id: str, kind: str, payload: bytes, *, retained: bool) -> None:
        device = self.devices.get(device_id) or (self._add(device_id) if payload else None)
        if device is None:
            return
        if kind == "status":
            device.status = wire.read_status(payload)["status"] if payload else wire.OFFLINE
        else:
            device.state = _object(payload) if payload else {}
            if not retained:
                device.clock = clock_difference(device.state.get("updated_at"))
            if device.state.get("task") is None:
                device.progress = None
        if self.stop and device.reachable:
            self._at_stop.add(device_id)

    def _hear_description(self, device_id: str, payload: bytes) -> None:
        self.unreadable.pop(device_id, None)
        if payload:
            try:
                description = read_description(_object(payload))
            except wire.WireError as error:
                self.unreadable[device_id] = str(error)
                return
            device = self.devices.get(device_id) or self._add(device_id)
            if description == device.description:
                return
            device.description = description
            device.bridge_online = self._is_online(device.bridge)
        elif self.devices.pop(device_id, None) is None:
            return
        for listener in list(self._on_devices):
            listener()

    def _is_copy(self, device_id: str, payload: bytes) -> bool:
        """Whether an event was heard a moment ago.

        An older Home Assistant, without MQTT 5's subscription identifiers, hears a message once for each
        subscription that fits, and the device's own event entity has one as well.
        """
        now = time.monotonic()
        last, at = self._events.get(device_id, (b"", now))
        self._events[device_id] = payload, now
        return payload == last and now - at < _COPIES_WITHIN

    def _hear_event(self, device: Device, message: dict[str, Any]) -> None:
        if isinstance(message.get("event_type"), str):
            for listener in list(self._on_event):
                listener(device, message)

    def _hear_bridge(self, bridge_id: str, kind: str, payload: bytes, *, retained: bool) -> None:
        if not payload:
            if kind == "status":
                self.bridges.pop(bridge_id, None)
                self._bridge_changed(bridge_id)
            return
        if kind not in ("status", "health"):
            return
        bridge = self.bridges.setdefault(bridge_id, Bridge(bridge_id))
        if not retained:
            bridge.heard = time.time()
        if kind == "health":
            bridge.health = _object(payload)
            if not retained:
                bridge.clock = clock_difference(bridge.health.get("timestamp"))
            return
        bridge.status = wire.read_bridge_status(payload)
        bridge.online = bridge.status["status"] == wire.ONLINE
        bridge.instance = str(bridge.status.get("instance", ""))
        self._bridge_changed(bridge_id)

    def _bridge_changed(self, bridge_id: str) -> None:
        for device in self.devices.values():
            if device.bridge == bridge_id:
                device.bridge_online = self._is_online(bridge_id)

    def _hear_stop(self, payload: bytes) -> None:
        before = self.stop
        self._latch = wire.latch(self._latch, wire.read_stop(payload))
        told: Any = self._latch
        self.stop = told and Stop(told["stop_id"], told["by"], told["reason"], told["timestamp"])
        if self.stop is None:
            self._at_stop.clear()
        elif before is None:
            self._at_stop = {device.device_id for device in self.devices.values() if device.reachable}
        if self.stop != before:
            for listener in list(self._on_stop):
                listener(self.stop, before)

    def _is_online(self, bridge_id: str | None) -> bool:
        return bridge_id is None or (bridge_id in self.bridges and self.bridges[bridge_id].online)

    def _add(self, device_id: str) -> Device:
        device = self.devices[device_id] = Device(self.base, device_id)
        return device

    @callback
    def _tell_change(self, _: object) -> None:
        self._waiting = None
        for listener in list(self._on_change):
            listener()


def octets(payload: str | bytes | bytearray) -> bytes:
    """A payload as it came; Home Assistant hands it over as one of these."""
    return payload.encode() if isinstance(payload, str) else bytes(payload)


def _object(payload: bytes) -> dict[str, Any]:
    message = wire.decode(payload, wire.MAX_MESSAGE)
    if not isinstance(message, dict):
        raise wire.WireError(wire.MALFORMED, "a message is a JSON object")
    return message


def _add[T](listeners: list[T], listener: T) -> CALLBACK_TYPE:
    listeners.append(listener)

    def remove() -> None:
        if listener in listeners:
            listeners.remove(listener)

    return remove
