"""One process and all its devices: will, birth, claim, health, the lab's emergency stop, and a clean end."""

import asyncio
from collections.abc import Callable, Coroutine
import contextlib
from functools import partial
import logging
import os
from pathlib import Path
import resource
import time
from typing import Any
import uuid

from lab2mqtt import __version__, wire
from lab2mqtt.runtime.adoption import Adoption
from lab2mqtt.runtime.announcer import Announcer
from lab2mqtt.runtime.claim import Claim
from lab2mqtt.runtime.config import Config, DeviceConfig
from lab2mqtt.runtime.inbox import Inbox
from lab2mqtt.runtime.lab_stop import LabStop
from lab2mqtt.runtime.mqtt import BrokerError, Connection, Message, Will
from lab2mqtt.runtime.neighbours import Neighbourhood
from lab2mqtt.runtime.old_devices import OldDevices
from lab2mqtt.runtime.overtaking import Overtaking, stop_of
from lab2mqtt.runtime.speakers import Speakers
from lab2mqtt.runtime.workers import Workers

_LOGGER = logging.getLogger(__name__)

HEALTH_EVERY = 30.0  # s; what reads it may take three times that for a bridge that hangs
SAY_DROPS_EVERY = 10.0  # s between two lines in the log about messages that nobody can be answered for
BIRTHS_APART = 1.0  # s; more often all that is retained is not said for a hub
LEAVE_WITHIN = 2.0  # s for the last messages
EMBEDDED_AT_MOST = 100  # devices; amqtt's work for each message grows with them


class Bridge:
    """Runs the devices of one configuration.

    Attributes:
        connection: The link to the broker.
        neighbours: The other devices of the lab.
        workers: Those of the devices that this bridge speaks for now.
    """

    def __init__(self, config: Config, clock: Callable[[], float] = time.time) -> None:
        """Make the devices; ``run`` connects them.

        Args:
            config: What to run.
            clock: Seconds since the epoch.
        """
        self._config = config
        self._clock = clock
        self._started = clock()
        self._instance = uuid.uuid4().hex
        self._dropped = 0
        self._drops_said = 0.0
        self._online = self._ledger_open = self._was_kept = False
        base, state = config.base, config.state
        self._status_topic = wire.bridge_topic(base, config.bridge, "status")
        self._health_topic = wire.bridge_topic(base, config.bridge, "health")
        self._birth_topic = wire.birth_topic(config.discovery)
        self._device_ids = [device.instance.device_id for device in config.devices]
        self._own = set(self._device_ids)
        self._taken_in: set[str] = set()
        self._announcer = Announcer(state and state / "announced.json", base, config.discovery, self._retain)
        self.connection = Connection(
            config.broker,
            self._message,
            self._birth,
            will=Will(self._status_topic, self._status(wire.OFFLINE)),
        )
        say = partial(self.connection.publish, later=False)
        starting = partial(self._say_status, wire.OFFLINE, starting=True)
        self._claim = Claim(base, config.bridge, self._instance, say, starting, self._sure_again)
        self._speakers = Speakers(
            base, config.bridge, self._instance, self._device_ids, self.connection, self
        )
        self.neighbours = Neighbourhood(base, self.connection, clock)
        self.workers = Workers(
            config,
            self.connection.publish,
            self._may_say,
            self._announcer.describe,
            self.say_health,
            self._hear_commands,
            self.neighbours,
            clock,
        )
        self._latches, _, self._ledger, self._others = self.workers.shared
        self._background: set[asyncio.Task[None]] = set()
        self._watch: list[asyncio.Task[None]] = []
        self._inbox = Inbox(self._handle, lambda topic: self._drop(topic, "more comes than can be done"))
        stop_topics = list(dict.fromkeys((wire.emergency_stop_topic(base), config.stop_topic)))
        self._lab_stop = LabStop(
            stop_topics, self._latches, self.workers, self._inbox, self._retain, self._drop, clock
        )
        self._adoption = Adoption(
            config, int(self._started), self.connection, self._retain, self.is_own, self.say_health
        )
        self._old = self._adoption.older = OldDevices(config, self.connection, self, clock)
        self._born_at = float("-inf")
        self._routes: dict[str, Callable[[Message], None]] = {self._birth_topic: self._hub_born}
        for device_id in self._device_ids:
            self._routes[self.workers.topic(device_id, "command")] = partial(self._command, device_id)
        self._overtaking = Overtaking(self.workers.by_topic, self._inbox, self._handle, clock)

    async def run(self) -> None:
        """Run until cancelled, then leave the devices as they say and take leave of the broker.

        Raises:
            Misconfigured: Another process runs this bridge.
        """
        if len(self._device_ids) > EMBEDDED_AT_MOST:
            _LOGGER.warning(
                "%d devices: the embedded broker (`lab2mqtt broker`) takes %d at most, mosquitto all",
                len(self._device_ids),
                EMBEDDED_AT_MOST,
            )
        link = asyncio.create_task(self.connection.run())
        others = [self._claim.beaten(), self._say_health(), self._speakers.run(), self._adoption.run()]
        others.append(self._old.run())
        beaten, *watch = [asyncio.create_task(one) for one in others]
        self._watch = watch
        try:
            done, _ = await asyncio.wait((link, beaten), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (beaten, *watch):
                task.cancel()
            self._speakers.close()
            self._announcer.close()
            self._adoption.close()
            self._old.close()
            await asyncio.gather(self.workers.close(), *self._background)
            self._claim.close()
            self._online = False
            self._say_status(wire.OFFLINE)
            said = self.connection.up
            if said:
                try:
                    async with asyncio.timeout(LEAVE_WITHIN):
                        await self.connection.drained()
                except TimeoutError:
                    said = False
                    _LOGGER.warning("The broker did not take the last messages")
            await self._ledger.close(in_order=said)
            link.cancel()
            await asyncio.gather(link, beaten, *watch, return_exceptions=True)

    @property
    def online(self) -> bool:
        """Whether everything was said on the present link, and the broker has it."""
        return self._online and self._claim.online and self.connection.up

    @property
    def broken(self) -> BaseException | None:
        """The error by which a part of it has ended that should not end."""
        ended = [task for task in self._watch if task.done() and not task.cancelled()]
        return next((error for task in ended if (error := task.exception())), None)

    def _may_say(self, device_id: str) -> bool:
        """Whether what the broker keeps of a device is ours to say."""
        return self._claim.sure and self._speakers.is_ours(device_id)

    # On every connection

    async def _birth(self, _: Connection) -> None:
        """Learn of a stop and of others before any command, then say everything; ``online`` last."""
        self._online = self._was_kept = False
        self._lab_stop.heard.clear()
        self._claim.forget()
        self._speakers.forget()
        self._adoption.forget()
        self._old.forget()
        own = [*self._lab_stop.topics, self._status_topic, self._claim.topic, self._birth_topic]
        remembered = self._announcer.remembered
        topics = [*((topic, 1) for topic in own), *self._others.topics, *self._adoption.topics]
        await self.connection.listen([*topics, *self._speakers.topics(remembered)])
        await self.neighbours.renew()
        await self._claim.take()  # all that is retained has come by now
        self._lab_stop.say_missing()
        spoken = await self._speakers.find()
        for device_id in self._speakers.silent:
            self.hush(device_id)
        living = [*self._device_ids, *self._old.device_ids, *self._taken_in]
        self._announcer.withdraw(living, filter(self._speakers.said_by_another, remembered))
        await self._begin(spoken)
        self._online = True
        self.say_health()
        self._say_online()
        self._adoption.begin(remembers=self._was_kept)

    async def _begin(self, device_ids: list[str]) -> None:
        """Say everything of devices, then take their commands: who spoke for them hears it in this order."""
        if not self._ledger_open:  # not before the claim: it is the same file for every process of this id
            self._ledger_open = True
            await self._ledger.open()
        again = list(self.workers.interpreters)  # what is new is heard by itself
        await self.workers.begin(one for one in device_ids if one not in self._speakers.silent)
        topics = [self.workers.topic(device_id, "command") for device_id in device_ids]
        await self.connection.listen([(topic, 1) for topic in (*topics, *again)])

    def _hear_commands(self, device_id: str, topic: str) -> None:
        """Take a device's commands on one more topic, as soon as may be."""

        async def listen() -> None:
            with contextlib.suppress(BrokerError):  # the next link does it
                await self.connection.listen([(topic, 1)])

        self._routes[topic] = partial(self._command, device_id)
        self._in_background(listen())

    def _say_status(self, word: str, **more: object) -> None:
        self._retain(self._status_topic, self._status(word, **more))

    def _say_online(self) -> None:
        self._say_status(wire.ONLINE, **self._adoption.status)

    def _sure_again(self) -> None:
        """Another spoke as this bridge, and is gone: say again all that it may have written over."""
        self.workers.say_everything()
        if self._online:
            self._say_online()

    def _retain(self, topic: str, payload: str) -> None:
        if not self._claim.lost:  # what the broker keeps is the other's by now
            self.connection.publish(topic, payload, retain=True)

    # What Speakers asks for

    def speak(self, device_ids: list[str]) -> None:
        """Open these devices, announce them and take their commands."""

        async def begin() -> None:
            with contextlib.suppress(BrokerError):  # the next link does it
                await self._begin(device_ids)
                self.say_health()

        self._in_background(begin())

    def hush(self, device_id: str) -> None:
        """End a device's work, and say nothing of it any more."""
        self._announcer.hush(device_id)
        if worker := self.workers.let_go(device_id):
            self._in_background(worker.close())

    # What comes and goes: asked for by OldDevices and by the host of props

    async def take_in(self, device: DeviceConfig) -> None:
        """Open one more device, or anew, announce it and take its commands, unless another speaks for it.

        Raises:
            BrokerError: The link was lost.
        """
        device_id = device.instance.device_id
        if not self._online:
            raise BrokerError("there is no link yet")
        if worker := self.workers.let_go(device_id):
            await worker.close()
        self.workers.take_in(device)
        self._taken_in.add(device_id)
        self._routes[self.workers.topic(device_id, "command")] = partial(self._command, device_id)
        if await self._speakers.take_in(device_id, self._claim.heard_all):
            await self._begin([device_id])
        self.say_health()

    async def let_go(self, device_id: str, *, forget: bool) -> None:
        """End the work of such a device; ``forget`` clears what is retained of it."""
        if forget:
            self._speakers.let_go(device_id)  # from now on nothing of it is ours to say
            self._taken_in.discard(device_id)
        worker = self.workers.let_go(device_id)
        if worker:
            await worker.close()
        if forget:
            self._announcer.take_back(device_id)
        else:
            self._announcer.hush(device_id)
            if worker:  # whose turn it is waits for this
                self._retain(self.workers.topic(device_id, "description"), "")
        self._speakers.let_go(device_id)
        self.workers.give_up(device_id)
        self._routes.pop(self.workers.topic(device_id, "command"), None)
        self.say_health()

    def is_idle(self, device_id: str) -> bool:
        """Whether nothing runs or waits there."""
        worker = self.workers.get(device_id)
        return worker is None or worker.idle

    def is_own(self, device_id: str) -> bool:
        """Whether a device is one of this bridge's configuration, whoever speaks for it now."""
        return device_id in self._own

    def say_again(self, device_id: str) -> None:
        """Say everything of a device: another has written over it."""
        if worker := self.workers.get(device_id):
            worker.say_everything()

    def say_health(self) -> None:
        """Say at once how the bridge is."""
        if self._online:
            self._retain(self._health_topic, wire.encode(self._health()))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _status(self, word: str, **more: object) -> str:
        now = int(self._clock())
        return wire.encode(wire.bridge_status(word, self._instance, now, version=__version__, **more))

    async def _say_health(self) -> None:
        while True:
            await asyncio.sleep(HEALTH_EVERY)
            if self._claim.sure:
                self.connection.publish(self._health_topic, wire.encode(self._health()), qos=0, retain=True)

    def _health(self) -> dict[str, Any]:
        workers = self.workers.values()
        return {
            "version": __version__,
            "timestamp": int(self._clock()),
            "uptime_s": int(self._clock() - self._started),
            "devices": len(self.workers),
            "queued": {
                device_id: worker.queued for device_id, worker in self.workers.items() if worker.queued
            },
            "commands_done": sum(worker.done for worker in workers),
            "commands_failed": sum(worker.failed for worker in workers),
            "messages_dropped": self._dropped,
            "reconnects": self.connection.reconnects,
            "silent": dict(self._speakers.silent),
            "rivals": self._speakers.rivals,
            "ledger": self._ledger.problem or "ok",
            "rss_bytes": _resident_bytes(),
            **self._adoption.health,
        }

    # Messages

    def _message(self, message: Message) -> None:
        # Our own "offline", which every new link tells, is no news to the devices on this bridge.
        if self._others.topics and (self._online or message.topic != self._status_topic):
            self._others.hear(message.topic, message.payload)
        if message.topic in self._lab_stop.topics:
            self._lab_stop.hear(message)
        elif message.topic == self._status_topic:  # who we are is known before any command waits
            self._own_status(message)
        elif message.topic == self._claim.topic:
            self._claim_message(message)
        elif message.topic not in self._routes:
            if not self.neighbours.hear(message.topic, message.payload):
                self._adoption.hear(message)
                self._speakers.hear(message)
                self._old.hear_ours(message)
        elif not self._overtaking.hear(message):
            self._inbox.put(message)

    def _handle(self, message: Message) -> None:
        self._routes[message.topic](message)

    def _command(self, device_id: str, message: Message) -> None:
        taker = self.workers.by_topic.get(message.topic) or self.workers.interpreters.get(message.topic)
        if not message.payload or not taker:
            return  # a retained command was cleared, or another speaks for the device
        if not self._may_say(device_id) and stop_of(message.payload) is None:
            self._drop(message.topic, "another speaks for the device, and may have done it")
            return
        if message.retained:
            self._retain(message.topic, "")
        try:
            taker.receive(message.payload, retained=message.retained)
        except wire.WireError as error:
            self._drop(message.topic, error.message)

    def _own_status(self, message: Message) -> None:
        """Somebody, such as the will of a dead predecessor, says that we are offline: say that we are not."""
        self._was_kept = self._was_kept or (message.retained and bool(message.payload))
        if self._claim.hear_status(message.payload) and self._online:
            self._say_online()

    def _claim_message(self, message: Message) -> None:
        try:
            claim = wire.read_claim(message.payload)
        except wire.WireError as error:
            self._drop(message.topic, error.message)
            return
        if claim.get("bridge") in (None, self._config.bridge):
            self._claim.hear(claim)
        elif self._claim.sure:
            self._claim.answer(claim["instance"], **self._speakers.answer_to(claim))

    def _hub_born(self, message: Message) -> None:
        now = time.monotonic()
        if message.payload != wire.ONLINE.encode() or now - self._born_at < BIRTHS_APART:
            return  # what is retained is there for whoever comes so soon after another
        self._born_at = now
        self._announcer.again()
        self._adoption.again()
        self.workers.say_everything()

    def _drop(self, topic: str, why: str) -> None:
        """Count what nobody can be answered for, and log it without filling the disk."""
        self._dropped += 1
        now = time.monotonic()
        if now - self._drops_said > SAY_DROPS_EVERY:
            self._drops_said = now
            _LOGGER.warning("Dropped a message on %s (%d so far): %s", topic, self._dropped, why)


def _resident_bytes() -> int:
    """Memory in use now; where the system does not tell, the most that was ever in use."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")
