"""One prop of a host: its worker, what is shown of it, and the device that it is to the lab."""

import asyncio
from collections.abc import Callable, Mapping
import logging
from typing import Protocol

from lab2mqtt import wire
from lab2mqtt.core.description import Instance, bind, describe
from lab2mqtt.props.actions import Action
from lab2mqtt.props.base import OFFLINE, ONLINE, STARTED, STOPPED, BaseWorker
from lab2mqtt.props.declaration import COMMAND, declare
from lab2mqtt.props.driver import PropDriver
from lab2mqtt.props.finding import Found
from lab2mqtt.props.outbox import Outbox
from lab2mqtt.props.prop import Prop
from lab2mqtt.props.seen import Record
from lab2mqtt.props.view import View
from lab2mqtt.props.way_out import House, WayOut
from lab2mqtt.runtime.config import DeviceConfig
from lab2mqtt.runtime.mqtt import Message
from lab2mqtt.runtime.old_devices import as_id

_LOGGER = logging.getLogger(__name__)

LOAD_WITHIN = 2.0  # s that all others wait for its file; it may go on after that
NEWS_AFTER = 0.3  # s in which what was never seen before becomes one description
VALUES_APART = 0.2  # s between two states; a worker that floods its telemetry must not flood the hub


class Home(House, Protocol):
    """What the host does for its residents."""

    @property
    def bridge(self) -> str:
        """The id of the host's bridge."""

    def restart(self, prop_id: str) -> None:
        """Load its file anew, once it does nothing."""

    def tasks_changed(self, resident: "Resident") -> None:
        """Take in what it can do by now."""

    def device_changed(self, resident: "Resident") -> None:
        """Show what it says that it has not said before."""

    def values_changed(self, device_id: str) -> None:
        """Show new values."""

    def receive(self, device_id: str, payload: bytes) -> bool:
        """Do a command; False where the device is not there."""

    def unhear(self, handlers: set[Callable[[Message], None]]) -> None:
        """Hear no more what a worker heard that is ended."""


class Resident:
    """One prop.

    Attributes:
        found: Its file.
        handlers: Who hears messages for its worker.
    """

    def __init__(self, found: Found, home: Home, outbox: Outbox, record: Record) -> None:
        """Prepare; ``load`` tells its id.

        Args:
            found: Its file.
            home: The host.
            outbox: Takes what its worker says.
            record: What all props have said before.
        """
        self.found = found
        self.handlers: set[Callable[[Message], None]] = set()
        self._home = home
        self._outbox = outbox
        self._record = record
        self._prop = Prop(found, lambda _: self._way)
        self._view: View
        self._way: WayOut
        self._driver: PropDriver
        self._news: asyncio.TimerHandle | None = None
        self._changing: asyncio.TimerHandle | None = None
        self._changed_at = float("-inf")
        self._problems: tuple[str, ...] = ()
        self._background: asyncio.Task[None] | None = None
        self._made: tuple[object, ...] = ()
        self._config: DeviceConfig | None = None
        self._misdeclared = ""
        self._logged = ""

    @property
    def prop_id(self) -> str:
        """Its id, as in its topics."""
        return self._prop.prop_id

    @property
    def device_id(self) -> str:
        """Its id as a device; "" where none can be made of it."""
        device_id = as_id(self.prop_id)
        return device_id if wire.is_device_id(device_id) else ""

    @property
    def actions(self) -> Mapping[str, Action]:
        """What it can be asked for, by word."""
        return self._prop.actions

    @property
    def takes_any(self) -> bool:
        """Whether its worker takes commands that it has no action for."""
        return hasattr(self._prop.worker, COMMAND)

    @property
    def speaks(self) -> bool:
        """Whether it is the worker that speaks on the prop's topics, and not a board."""
        return self.found.kind != "firmware"

    @property
    def boards(self) -> tuple[str, ...]:
        """The firmware that it alone commands."""
        return tuple(self._prop.worker.boards) if self._prop.worker else ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Why it does not work, as far as its host knows."""
        return self._prop.problems

    @property
    def runs(self) -> bool:
        """Whether its worker runs."""
        return self._prop.phase == "running"

    @property
    def being_stopped(self) -> str:
        """Words while it is told to stop, before its stop counts as engaged; from any thread."""
        return "an emergency stop" if self._driver.is_stopping else ""

    @property
    def front(self) -> str:
        """What its topics begin with."""
        return f"{self._home.prefix}/{self.prop_id}"

    @property
    def dropped(self) -> int:
        """Messages of it that nobody heard, because it said too many."""
        return self._way.box.dropped

    @property
    def config(self) -> DeviceConfig:
        """The device that it is by now."""
        if self._config is None:
            self._config = self._device_of_it()
        return self._config

    def _device_of_it(self) -> DeviceConfig:
        """As its worker declares it; where that is wrong, as far as it is right."""
        self._misdeclared = ""
        worker = self._prop.worker or self._prop.kind or BaseWorker
        try:
            return self._device(worker, self._prop.actions)
        except Exception as error:  # noqa: BLE001 - the edge of the worker
            self._misdeclared = f"what it declares is not shown: {type(error).__name__}: {error}"
        try:
            return self._device(BaseWorker, self._prop.actions)
        except ValueError:  # two of its actions would have the same name
            return self._device(BaseWorker, {})

    def _device(self, worker: BaseWorker | type[BaseWorker], actions: Mapping[str, Action]) -> DeviceConfig:
        device = declare(self.prop_id, worker, actions, self._record.of(self.prop_id))
        instance = Instance(self.device_id, device.name, self._home.bridge, worker.area)
        tasks = bind(device, PropDriver, None)
        wire.encode(describe(device, tasks, instance))
        return DeviceConfig(device, instance, lambda *_: self._driver, None, tasks)

    async def load(self) -> None:
        """Load its file, in its own thread; what goes wrong is one of its problems."""
        await self._prop.load(LOAD_WITHIN)
        self._view = View(self.prop_id, self._record.of(self.prop_id), self._values_changed, self._has_news)
        self._way = WayOut(self._home, self._prop, self._outbox, self._view)
        self._driver = PropDriver(self._prop, self._view, lambda: self._home.restart(self.prop_id))

    async def start(self) -> None:
        """Start its worker."""
        for text in self._prop.warnings:
            self.say("warn", text)
        await self._prop.start()
        # A start of its own may not call ours.
        if self.runs and self._way.available != ONLINE and self.speaks:
            self._available(ONLINE, STARTED)
        if not self.runs and self.speaks:  # what the broker keeps may be of a better time
            self._available(OFFLINE, STOPPED)
        self._driver.begun.set()
        self._look_what_it_is()
        if self._misdeclared:
            self.say("error", self._misdeclared)
        self.look()

    async def stop(self, within: float) -> None:
        """End its worker; seconds that it has for that."""
        ended = await self._prop.stop(within)
        if self._way.available == ONLINE and self.speaks:
            self._available(OFFLINE, STOPPED)
        if not ended:
            await self._way.box.drained()  # not until it falls silent, which it may never
            self._way.box.close()

    def _available(self, word: str, state: str) -> None:
        for topic in ("availability", "status/availability"):
            self._way.publish(f"{self.front}/{topic}", word, qos=1, retain=True)
        self._way.publish(f"{self.front}/state", state, qos=1, retain=True)
        self._view.state(state)

    async def reload(self, within: float) -> bool:
        """Put a worker of the changed file in the place of the present one, which goes on if that is bad.

        Args:
            within: Seconds that the present one has to end.
        """
        after = Prop(self.found, lambda _: self._way)
        await after.load()
        if after.phase == "failed":
            self.say("error", f"the changed file is not run: {'; '.join(after.problems)}")
            await after.stop(within)
            return False
        if after.prop_id != self.prop_id:
            self.say("error", f"the changed file has another id, {after.prop_id}: restart the host")
            await after.stop(within)
            return False
        await self.stop(within)
        await self._way.box.drained()
        self._home.unhear(self.handlers)
        self.handlers.clear()
        self._prop = self._driver.prop = after
        self._driver.begun.clear()
        self._way = WayOut(self._home, after, self._outbox, self._view)
        self._view.problem("")
        self._config = None
        return True

    def look(self) -> None:
        """Look at it, each second."""
        self._prop.look()
        self._look_what_it_is()  # one that came late
        if self._prop.problems != self._problems:
            for text in self._prop.problems:
                if text not in self._problems:
                    self.say("error", text)
            self._problems = self._prop.problems
            self._values_changed()
        stopped = bool(self._home.why_stopped(self.prop_id))
        if self._driver.to_release and not stopped:  # a stop may be shorter than the time between two looks
            self._background = asyncio.create_task(self._released())
        self._driver.to_release = stopped

    async def _released(self) -> None:
        try:
            await self._prop.do("on_emergency_stop_released", (), {})
        except Exception as error:  # noqa: BLE001 - the edge of the worker
            self.say("error", f"on_emergency_stop_released: {type(error).__name__}: {error}")

    def say(self, key: str, text: str) -> None:
        """Say a status message."""
        self._way.publish(f"{self.front}/status/{key}", text, qos=1)
        self._way.message(key, text)
        if text != self._logged:  # a flood of commands is not one of the disk
            self._logged = text
            _LOGGER.log(logging.ERROR if key == "error" else logging.WARNING, "%s: %s", self.prop_id, text)

    def receive(self, payload: bytes) -> bool:
        """Do a command; False where the device is not there."""
        return self._home.receive(self.device_id, payload)

    def show(self) -> None:
        """Show what it has said for the first time."""
        self._news = None
        self._record.keep()
        self._declare_anew()

    def _look_what_it_is(self) -> None:
        """Declare a worker anew that has been made: its entities may be the instance's own."""
        is_now = (self._prop.worker, tuple(self._prop.actions))
        if is_now != self._made:
            self._made = is_now
            self._declare_anew()

    def _declare_anew(self) -> None:
        before = self.config.tasks.keys()
        self._config = None
        if self.config.tasks.keys() == before:
            self._home.device_changed(self)
        else:
            self._home.tasks_changed(self)

    def _has_news(self) -> None:
        if self._news is None:
            self._news = asyncio.get_running_loop().call_later(NEWS_AFTER, self.show)

    def _values_changed(self) -> None:
        """Show new values at once, but not too often."""
        if self._changing is None:
            loop = asyncio.get_running_loop()
            wait = max(0.0, self._changed_at + VALUES_APART - loop.time())
            self._changing = loop.call_later(wait, self._show_values)

    def _show_values(self) -> None:
        self._changing = None
        self._changed_at = asyncio.get_running_loop().time()
        self._home.values_changed(self.device_id)
