"""Devices of the older dialect, each made a full device of this bridge while it is the one that adopts."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
import contextlib
import logging
import re
import time
from typing import Any, Protocol

from lab2mqtt import wire
from lab2mqtt.adopt import old_words
from lab2mqtt.adopt.declaration import OLDER, declare
from lab2mqtt.adopt.old_device import OldDevice
from lab2mqtt.adopt.settings import OldSettings
from lab2mqtt.core.description import Instance, bind
from lab2mqtt.core.errors import LabError
from lab2mqtt.core.house import HOUSE_TASKS
from lab2mqtt.runtime.config import Config, DeviceConfig
from lab2mqtt.runtime.kept import Kept
from lab2mqtt.runtime.mqtt import BrokerError, Connection, Message

_LOGGER = logging.getLogger(__name__)

MOST = 500
REFUSALS = 100  # that are remembered
BUSY_AGAIN = 1.0  # s between two looks at a device that is to be told anew, and does something
LINK_AGAIN = 1.0  # s


class House(Protocol):
    """What a bridge does with a device that comes and goes."""

    async def take_in(self, device: DeviceConfig) -> None:
        """Open one more device, or anew, announce it and take its commands, unless another speaks for it.

        Raises:
            BrokerError: The link was lost.
        """

    async def let_go(self, device_id: str, *, forget: bool) -> None:
        """End the work of such a device; ``forget`` clears what is retained of it."""

    def is_idle(self, device_id: str) -> bool:
        """Whether nothing runs or waits there."""

    def is_own(self, device_id: str) -> bool:
        """Whether a device is one of the configuration's own."""

    def say_health(self) -> None:
        """Say at once how the bridge is."""


class _Port:
    """The way to one device."""

    def __init__(self, link: Connection, listens: Callable[[], bool], prefix: str, name: str) -> None:
        self._link = link
        self._listens = listens
        self._topic = wire.device_topic(prefix, name, "command")

    @property
    def up(self) -> bool:
        return self._link.up and self._listens()  # or the answer would not be heard

    def command(self, message: Mapping[str, object], *, qos: int) -> None:
        self._link.publish(self._topic, wire.encode(message), qos=qos, later=False)


class _One:
    """One device, and how far it is with us."""

    def __init__(self, device_id: str, device: OldDevice, *, stays: bool) -> None:
        self.device_id = device_id
        self.device = device
        self.stays = stays  # the configuration names it
        self.declared: tuple[str, ...] | None = None  # with which tasks it was taken in
        self.waits = False  # for its turn
        self.asked = False  # what it can do
        self.unread = False  # whether something that cannot be read was told
        self.remembered = False  # from before this process

    @property
    def place(self) -> tuple[str, str]:
        return self.device.settings.prefix, self.device.name


class OldDevices:
    """All of them.

    Attributes:
        refused: What was not taken in, with the reason.
    """

    def __init__(
        self, config: Config, link: Connection, house: House, clock: Callable[[], float] = time.time
    ) -> None:
        """Take those of the configuration, and those that were known when the bridge ended.

        Args:
            config: Of the bridge.
            link: The link to the broker.
            house: Does what is decided.
            clock: Seconds since the epoch.
        """
        self.refused: dict[str, str] = {}
        self._config = config
        self._link = link
        self._house = house
        self._clock = clock
        self._adopts = self._listens = False
        self._by_place: dict[tuple[str, str], _One] = {}
        self._by_id: dict[str, _One] = {}
        self._bridged: set[tuple[str, str]] = set()  # another bridge speaks for them, as their status says
        self._turns: asyncio.Queue[_One] = asyncio.Queue()
        self._asking: set[asyncio.Task[None]] = set()
        self._kept = Kept(config.state and config.state / "old-devices.json")
        if config.adopt:
            for name, settings in config.adopted.items():
                self._add(settings.prefix, name)
            self._remember()

    @property
    def device_ids(self) -> list[str]:
        """Those that are known, heard of or not."""
        return list(self._by_id)

    def knows(self, prefix: str, name: str) -> bool:
        """Whether a device was taken in, or will be."""
        return (prefix, name) in self._by_place

    # What adoption tells

    def forget(self) -> None:
        """A new link: nothing is heard before ``adopt`` says so."""
        self._listens = False
        for one in self._by_place.values():
            one.device.doubt()

    def adopt(self, *, adopts: bool) -> None:
        """This bridge is the one that adopts from now on, or another is."""
        self._adopts = self._listens = adopts
        for one in self._by_place.values():
            self._look_or_ask(one)

    def hear(self, prefix: str, device_id: str, kind: str, message: Message) -> None:
        """Take a ``status`` or a ``result`` of a device that has no description."""
        if not message.payload or self._is_bridged(prefix, device_id, kind, message.payload):
            return
        one = self._by_place.get((prefix, device_id)) or self._new(prefix, device_id, kind, message)
        if one is None:
            return
        try:
            if kind == "status":
                one.device.hear_status(message.payload, retained=message.retained)
            elif not message.retained:
                one.device.hear_result(message.payload)
        except wire.WireError as error:
            if not one.unread:
                one.unread = True
                _LOGGER.warning("%s/%s said a %s that cannot be read: %s", *one.place, kind, error.message)
            return
        if one.declared != one.device.tasks and self._listens:
            self._look_or_ask(one)

    def described(self, prefix: str, device_id: str) -> None:
        """A device has a description by now, and is not of the older dialect."""
        if one := self._by_place.get((prefix, device_id)):
            _LOGGER.info("%s/%s describes itself by now", prefix, device_id)
            self._drop(one)

    def _is_bridged(self, prefix: str, name: str, kind: str, payload: bytes) -> bool:
        """Whether a bridge serves these topics, as one does for scripts of the older dialect."""
        place = prefix, name
        if kind == "status":
            self._bridged.discard(place)
            with contextlib.suppress(wire.WireError):
                if isinstance(old_words.read_status(payload).bridge, str):
                    self._bridged.add(place)
                    if one := self._by_place.get(place):
                        _LOGGER.info("%s/%s is served by a bridge by now", *place)
                        self._drop(one)
        return place in self._bridged

    def hear_ours(self, message: Message) -> None:
        """Take what was said of a device on our own topics."""
        about = wire.split_topic(self._config.base, message.topic)
        if about is None or about[::2] != ("device", "description"):
            return
        if not message.payload:
            self._cleared(about[1])
        elif self._config.adopt and OLDER.encode() in message.payload and about[1] not in self._by_id:
            self._inherit(about[1], message.payload)

    def _inherit(self, device_id: str, payload: bytes) -> None:
        """Another bridge has taken a device in: know it, too, so that it goes on without that bridge."""
        with contextlib.suppress(wire.WireError, KeyError, TypeError, AttributeError):
            told: Any = wire.decode(payload, wire.MAX_MESSAGE)
            prefix, _, name = told[OLDER].rpartition("/")
            fits = prefix in self._config.adopt_prefixes and as_id(name) == device_id
            if fits and told["announced_by"] != self._config.bridge:
                tasks = old_words.names([task for task in told["tasks"] if task not in HOUSE_TASKS])
                if one := self._add(prefix, name):
                    one.remembered, one.device.told = True, tasks
                    self._look(one)

    def _cleared(self, device_id: str) -> None:
        """Somebody cleared the description of a device: it is forgotten until it speaks again."""
        one = self._by_id.get(device_id)
        if one and one.declared is not None and not one.stays and self._adopts:
            _LOGGER.info("%s was cleared, and is forgotten until it speaks again", one.device_id)
            self._drop(one)

    async def run(self) -> None:
        """Take devices in and let them go, one after the other, until cancelled."""
        while True:
            one = await self._turns.get()
            one.waits = False
            try:
                await self._settle(one)
            except BrokerError:
                asyncio.get_running_loop().call_later(LINK_AGAIN, self._look, one)
            except Exception:
                _LOGGER.exception("%s: it could not be taken in or let go", one.device_id)

    def close(self) -> None:
        """Ask no more."""
        for asking in self._asking:
            asking.cancel()

    def _look_or_ask(self, one: _One) -> None:
        """Ask a new device for its tasks before it is taken in; many may be silent, so all at once."""
        known = one.stays or one.remembered or (one.device.told is not None and one.device.heard)
        if one.declared is not None or known or not self._adopts:
            self._look(one)
            return
        if one.asked:
            return
        one.asked = True

        async def ask() -> None:
            with contextlib.suppress(LabError):
                await one.device.look()
            one.asked = False
            self._look(one)

        asking = asyncio.create_task(ask())
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)

    # One after the other

    def _look(self, one: _One) -> None:
        if not one.waits:
            one.waits = True
            self._turns.put_nowait(one)

    async def _settle(self, one: _One) -> None:
        """Bring a device to where it belongs: in, out, or in with other tasks than before."""
        if self._by_place.get(one.place) is not one:
            if one.declared is not None:
                one.declared = None
                await self._house.let_go(one.device_id, forget=True)
            return
        if not self._adopts:
            if one.declared is not None:
                one.declared = None
                await self._house.let_go(one.device_id, forget=False)
            return
        if one.declared == one.device.tasks:
            return
        if one.declared is None:
            if not one.stays and not one.remembered and not one.device.heard:
                return
        elif not self._house.is_idle(one.device_id):
            asyncio.get_running_loop().call_later(BUSY_AGAIN, self._look, one)
            return
        tasks = one.device.tasks
        await self._house.take_in(self._made(one))
        if one.declared is None:
            _LOGGER.info("%s/%s speaks the older dialect; it is %s here", *one.place, one.device_id)
        one.declared = tasks
        self._keep()

    def _made(self, one: _One) -> DeviceConfig:
        device, settings = one.device, one.device.settings
        declared = declare(device)
        instance = Instance(one.device_id, settings.name or device.name, self._config.bridge, settings.area)
        return DeviceConfig(declared, instance, lambda *_: device, None, bind(declared, OldDevice, None))

    # Who is known

    def _new(self, prefix: str, name: str, kind: str, message: Message) -> _One | None:
        """Something that was not heard before: a device of the older dialect, where that can be read."""
        try:
            if kind == "result":
                wire.read_result(message.payload)
                is_old = not message.retained
            else:
                old_words.read_status(message.payload)
                is_old = True
        except wire.WireError:
            return None
        return self._add(prefix, name) if is_old else None

    def _add(self, prefix: str, name: str) -> _One | None:
        device_id = as_id(name)
        why = ""
        if not wire.is_device_id(device_id):
            why = "no id of ours can be made of it: a-z, 0-9, - and _, at most 64 long"
        elif self._house.is_own(device_id) or device_id in self._by_id:
            why = f"{device_id} is another device already; give one of the two another id"
        elif len(self._by_id) >= MOST:
            why = f"{MOST} devices of the older dialect are known already"
        if why:
            self._refuse(f"{prefix}/{name[:64]}", why)
            return None
        told = self._config.adopted.get(name)
        settings = told if told and told.prefix == prefix else OldSettings(prefix=prefix)
        port = _Port(self._link, lambda: self._listens, prefix, name)
        device = OldDevice(name, settings, port, clock=self._clock)
        one = _One(device_id, device, stays=settings is told)
        self._by_place[one.place] = self._by_id[device_id] = one
        return one

    def _refuse(self, name: str, why: str) -> None:
        if name not in self.refused and len(self.refused) < REFUSALS:
            _LOGGER.warning("%s is not adopted: %s", name, why)
            self.refused[name] = why
            self._house.say_health()

    def _drop(self, one: _One) -> None:
        del self._by_place[one.place], self._by_id[one.device_id]
        self._look(one)
        self._keep()

    # What survives a restart: such a device may be silent for days

    def _remember(self) -> None:
        try:
            listed = self._kept.read().get("devices", [])
            for told in listed:
                prefix, name, tasks = told["prefix"], told["name"], told["tasks"]
                if prefix in self._config.adopt_prefixes and not self.knows(prefix, name):
                    self._add(prefix, name)
                if one := self._by_place.get((prefix, name)):
                    one.remembered, one.device.told = True, None if tasks is None else old_words.names(tasks)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _LOGGER.warning("Which devices of the older dialect there were is not known: %s", error)

    def _keep(self) -> None:
        self._kept.write_soon({"devices": list(self._listed())})

    def _listed(self) -> Iterator[dict[str, Any]]:
        for (prefix, name), one in self._by_place.items():
            if one.declared is not None or one.remembered:
                tasks = None if one.device.told is None else list(one.device.told)
                yield {"prefix": prefix, "name": name, "tasks": tasks}


def as_id(name: str) -> str:
    """An id of ours for a device that calls itself otherwise; one that is good stays as it is."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).lstrip("-_")
