"""The worker host: all props of one process, on a bridge of their own and on their old topics."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
import contextlib
from dataclasses import replace
from functools import partial
import logging
import time
from typing import Any

from lab2mqtt.core.description import Instance, bind
from lab2mqtt.core.errors import Fault, Refused
from lab2mqtt.core.words import near
from lab2mqtt.props import host_device
from lab2mqtt.props.base import STOPS
from lab2mqtt.props.command_desk import CommandDesk
from lab2mqtt.props.commands import Commands
from lab2mqtt.props.finding import Found, find
from lab2mqtt.props.firmware import WORKER, Firmware
from lab2mqtt.props.host_device import HostDriver, HostSnapshot
from lab2mqtt.props.link import PropsLink
from lab2mqtt.props.outbox import Message as Said, Outbox
from lab2mqtt.props.resident import Resident
from lab2mqtt.props.seen import Record
from lab2mqtt.props.settings import PropsSettings
from lab2mqtt.props.watching import Watching
from lab2mqtt.runtime.bridge import Bridge
from lab2mqtt.runtime.condition import condition_of
from lab2mqtt.runtime.config import Config, DeviceConfig
from lab2mqtt.runtime.kept import Kept
from lab2mqtt.runtime.mqtt import BrokerError, Message
from lab2mqtt.runtime.old_devices import as_id
from lab2mqtt.runtime.stop import told
from lab2mqtt.runtime.systemd import Condition, telling

_LOGGER = logging.getLogger(__name__)

LINK_WITHIN = 3.0  # s after which workers start without a broker
LOOK_EVERY = 1.0  # s between two looks at workers that may hang
UPTIME_EVERY = 10.0  # s
IDLE_WITHIN = 5.0  # s that a worker that is to be loaded anew has for what it does
IDLE_LOOKS = 50
END_WITHIN = 1.5  # s for all workers at once
LEAVE_WITHIN = 1.0  # s for the last messages


class Host:
    """Runs all props that are found.

    Attributes:
        prefix: In front of their topics.
        stop_actions: Actions by which boards are told to stop.
        root: The folder of the props.
    """

    def __init__(self, settings: PropsSettings, clock: Callable[[], float] = time.time) -> None:
        """Prepare; ``run`` loads the workers and connects.

        Args:
            settings: Where they are, and the broker.
            clock: Seconds since the epoch.
        """
        self.prefix = settings.prefix
        self.root = settings.root
        self.stop_actions: Sequence[str] = (*STOPS, *settings.stop_actions)
        self._settings = settings
        self._clock = clock
        self._began = time.monotonic()
        self._name = as_id(settings.client_id)
        self._state = settings.state
        self._residents: dict[str, Resident] = {}
        self._refused: dict[str, str] = {}  # why, by file
        self._background: set[asyncio.Task[None]] = set()
        self._link = PropsLink(settings.broker, settings.client_id, f"{self.prefix}/{self._name}")
        self._record = Record(Kept(self._state and self._state / "props.json"))
        self._commands = Commands(lambda topic: self._link.publish(topic, "", qos=1, retain=True), clock)
        self._link.on_up = self._link_up
        self._desk = CommandDesk(self._link, self._commands, self._answers)
        self._firmware = Firmware(self.prefix, self._name, self._residents, self.stop_actions, self._send)
        self._outbox: Outbox
        self._bridge: Bridge

    async def run(self) -> None:
        """Run until cancelled; then end every worker, and say so.

        Raises:
            Misconfigured: Another process runs under this name.
        """
        self._outbox = Outbox(asyncio.get_running_loop(), self._say, lambda: self._link.connection.behind)
        watch = Watching(self._settings) if self._settings.watch else None
        for resident in await asyncio.gather(*map(self._load, find(self._settings))):
            await self._place(resident)  # in their order, however long each took: of two of one id the first
        boards = [name for name in self._record.firmware if name not in self._residents]
        await asyncio.gather(*(self._admit(Found(name, WORKER, "firmware")) for name in boards))
        self._bridge = Bridge(self._config(), self._clock)
        self._bridge.workers.on_said = self._said
        running = [asyncio.create_task(self._bridge.run()), asyncio.create_task(self._serve(watch))]
        try:
            async with telling(self._condition):
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            await self._end(running)

    def _condition(self) -> Condition:
        """Online once both links are up, and so the props are."""
        of_bridge = condition_of(self._bridge)
        if of_bridge.online and not self._link.up:
            words = f"The link of the props to {self._settings.broker} is down; trying again"
            return replace(of_bridge, words=words, online=False)
        return of_bridge

    async def _serve(self, watch: Watching | None) -> None:
        """Connect, start the workers, and look after them."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINK_WITHIN):
                await self._bridge.connection.wait_up()  # from now on it is known what is stopped
        for topic in self._firmware.topics:
            self._link.hear(topic, self._firmware.hear)
        link = asyncio.create_task(self._link.run())
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINK_WITHIN):
                    await self._link.connection.wait_up()
            for resident in self._residents.values():
                self._in_background(resident.start())
            _LOGGER.info("%d props under %s/", len(self._residents), self.prefix)
            watching = [self._look_after()]
            if watch:
                watching.append(watch.run(self._changed_file, self._new_file, self._gone_file))
            async with asyncio.TaskGroup() as group:
                for work in watching:
                    group.create_task(work)
        finally:
            await self._take_leave(link)

    async def _take_leave(self, link: "asyncio.Task[None]") -> None:
        await asyncio.gather(*(one.stop(END_WITHIN) for one in self._residents.values()))
        await self._outbox.drained()
        if self._link.up:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_WITHIN):
                    await self._link.leave()
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)

    async def _end(self, running: list["asyncio.Task[None]"]) -> None:
        """The bridge first, so that what is ended has been answered."""
        for task in (*running, *self._background):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _look_after(self) -> None:
        uptime = f"{self.prefix}/{self._name}/uptime"
        said = float("-inf")
        while True:
            for resident in list(self._residents.values()):
                try:
                    resident.look()
                except Exception:
                    _LOGGER.exception("%s could not be looked at", resident.prop_id)
            self._firmware.look(stopped=bool(self._stop_of(self._name)))
            await self._look_for_boards()
            now = time.monotonic() - self._began
            if now - said >= UPTIME_EVERY:
                said = now
                self._link.publish(uptime, str(int(now)))
            await asyncio.sleep(LOOK_EVERY)

    # Props that come and go

    async def _admit(self, found: Found) -> Resident | None:
        """Load a worker's file, and give it a place; two of one id are refused."""
        return await self._place(await self._load(found))

    async def _load(self, found: Found) -> Resident:
        resident = Resident(found, self, self._outbox, self._record)
        await resident.load()
        return resident

    async def _place(self, resident: Resident) -> Resident | None:
        found = resident.found
        taken = resident.device_id == self._name or any(
            one.device_id == resident.device_id for one in self._residents.values()
        )
        if taken or not resident.device_id:
            why = "is there already" if taken else "cannot be made an id: a-z, 0-9, - and _, at most 64"
            self._refused[str(found.file)] = f"{found.name} is not run: the id {resident.prop_id!r} {why}"
            _LOGGER.error("%s is not run: the id %r %s", found.file, resident.prop_id, why)
            await resident.stop(END_WITHIN)
            return None
        self._refused.pop(str(found.file), None)
        self._residents[resident.prop_id] = resident
        if resident.speaks:
            self._desk.open(resident)
        return resident

    async def _link_up(self) -> None:
        """Say that props are online once the bridge is there, by which they are commanded."""
        self._commands.forget()
        await self._bridge.connection.wait_up()

    def _answers(self, resident: Resident) -> bool:
        worker = self._bridge.workers.get(resident.device_id)
        return worker is not None and worker.instrument.reachable

    def restart(self, prop_id: str) -> None:
        """Load a prop's file anew, once it does nothing.

        Raises:
            Refused: There is no such prop.
        """
        resident = self._residents.get(prop_id)
        if resident is None:
            known = ", ".join(sorted(self._residents)) or "none"
            raise Refused(f"no prop {prop_id!r}{near(prop_id, self._residents)}; there are {known}")
        self._in_background(self._reload(resident))

    async def _reload(self, resident: Resident) -> None:
        for _ in range(IDLE_LOOKS):
            if self._bridge.is_idle(resident.device_id):
                break
            await asyncio.sleep(IDLE_WITHIN / IDLE_LOOKS)
        if await resident.reload(END_WITHIN):
            await self._begin(resident)

    async def _take_in(self, device: DeviceConfig) -> None:
        """Announce a device anew; without a link, as soon as there is one."""
        while True:
            try:
                await self._bridge.take_in(device)
            except BrokerError:
                await self._bridge.connection.wait_up()
                await asyncio.sleep(LOOK_EVERY)
            else:
                return

    async def _changed_file(self, found: Found) -> None:
        for resident in self._residents.values():
            if resident.found.file == found.file:
                _LOGGER.info("%s has changed, and is loaded anew", found.file)
                await self._reload(resident)
                return
        await self._new_file(found)

    async def _new_file(self, found: Found) -> None:
        if resident := await self._admit(found):
            _LOGGER.info("%s is new", resident.prop_id)
            await self._begin(resident)

    async def _gone_file(self, found: Found) -> None:
        self._refused.pop(str(found.file), None)
        for resident in list(self._residents.values()):
            if resident.found.file == found.file:
                _LOGGER.info("%s is no longer there; its prop is ended, and withdrawn", found.file)
                await self._dismiss(resident)

    async def _dismiss(self, resident: Resident) -> None:
        """End a prop, and clear what is retained of it."""
        prop_id = resident.prop_id
        await resident.stop(END_WITHIN)
        await self._bridge.let_go(resident.device_id, forget=True)
        await self._outbox.drained()
        self._link.unhear(resident.handlers)
        self._desk.close(resident)
        if resident.speaks:
            self._link.forget(resident.front)
        self._record.forget(prop_id)
        del self._residents[prop_id]

    async def _look_for_boards(self) -> None:
        """Make devices of boards that no worker owns, and of no others."""
        for name in self._firmware.take_new():
            self._record.of(name).is_firmware = True
            if resident := await self._admit(Found(name, WORKER, "firmware")):
                _LOGGER.info("%s is a board without a worker; it is %s here", name, resident.device_id)
                self._record.keep()
                self._in_background(self._begin(resident))
        for name in self._firmware.take_gone():
            await self._dismiss(self._residents[name])

    async def _begin(self, resident: Resident) -> None:
        await self._take_in(resident.config)
        await resident.start()

    # What residents and workers ask for

    @property
    def bridge(self) -> str:
        """The id of the host's bridge."""
        return self._name

    def tasks_changed(self, resident: Resident) -> None:
        """Take in what a prop can do by now."""
        self._in_background(self._take_in(resident.config))

    def device_changed(self, resident: Resident) -> None:
        """Show what a prop says that it has not said before."""
        self._bridge.workers.take_in(resident.config)
        if worker := self._bridge.workers.get(resident.device_id):
            worker.show(resident.config.device)

    def values_changed(self, device_id: str) -> None:
        """Show new values."""
        if worker := self._bridge.workers.get(device_id):
            worker.instrument.read_soon()

    def receive(self, device_id: str, payload: bytes) -> bool:
        """Do a command; False where the device is not there."""
        worker = self._bridge.workers.get(device_id)
        if worker:
            worker.receive(payload)
        return worker is not None

    def why_stopped(self, prop_id: str) -> str:
        """Which emergency stop is engaged for a prop, in words; from any thread."""
        resident = self._residents.get(prop_id)
        if resident is None:
            return ""
        return self._stop_of(resident.device_id) or resident.being_stopped

    def _stop_of(self, device_id: str) -> str:
        latches = self._bridge.workers.shared.latches
        stop = latches.of(device_id)
        return told(stop) if stop else ""

    def tell(self, prop_id: str, key: str, text: str) -> None:
        """Tell people of a status message."""
        resident = self._residents.get(prop_id)
        if resident and (worker := self._bridge.workers.get(resident.device_id)):
            kind = key if key in ("warn", "error") else "info"
            worker.tell(f"status_{kind}", key=key, message=text)

    def hear(self, prop_id: str, topic: str, handler: Callable[[Message], None]) -> None:
        """Hear what comes on a topic, until the prop is gone."""
        if resident := self._residents.get(prop_id):
            resident.handlers.add(handler)
            self._link.hear(topic, handler)

    def unhear(self, handlers: set[Callable[[Message], None]]) -> None:
        """Hear no more what a worker heard that is ended."""
        self._link.unhear(handlers)

    def call(
        self, prop_id: str, device_id: str, task: str, parameters: Mapping[str, object], within: float
    ) -> Awaitable[object]:
        """Call a task of another device."""
        return self._bridge.neighbours.ask(
            self._residents[prop_id].device_id, device_id, task, parameters, within
        )

    # The host itself

    def _config(self) -> Config:
        settings = self._settings
        driver = HostDriver(self._how, self.restart, self._stop_firmware)
        tasks = bind(host_device.DEVICE, HostDriver, None)
        instance = Instance(self._name, host_device.DEVICE.name, self._name)
        own = DeviceConfig(host_device.DEVICE, instance, lambda *_: driver, None, tasks)
        return Config(
            self._name,
            settings.broker,
            (own, *(one.config for one in self._residents.values())),
            settings.base,
            settings.discovery,
            settings.stop_topic,
            self._state,
        )

    def _how(self) -> HostSnapshot:
        residents = self._residents.values()
        problems = [f"{one.prop_id}: {text}" for one in residents for text in one.problems]
        return HostSnapshot(
            uptime=int((time.monotonic() - self._began) / UPTIME_EVERY) * int(UPTIME_EVERY),
            workers=sum(one.runs for one in residents),
            firmware=tuple(self._firmware.without_worker),
            dropped=sum(one.dropped for one in residents),
            problems=(*self._refused.values(), *problems),
        )

    def _stop_firmware(self) -> None:
        """Tell every board to stop; from any thread.

        Raises:
            Fault: There is no link to the broker.
        """
        if not self._link.up:
            raise Fault("there is no link to the broker by which boards could be told")
        self._firmware.stop()

    def _said(self, _: str, kind: str, message: dict[str, Any] | str) -> None:
        if kind == "result":
            self._commands.result(message)

    def _send(self, topic: str, payload: str) -> None:
        self._outbox.run_first(partial(self._link.publish, topic, payload, qos=1))

    def _say(self, said: Said) -> None:
        self._link.publish(said.topic, said.payload, qos=said.qos, retain=said.retain)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
