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
from lab2mqtt.core.house import TASK_FAILED, TASK_SUCCEEDED
from lab2mqtt.runtime import ledger_file
from lab2mqtt.runtime.announcer import Announcer
from lab2mqtt.runtime.claim import Claim
from lab2mqtt.runtime.config import Config, DeviceConfig
from lab2mqtt.runtime.fitting import encoded
from lab2mqtt.runtime.holds import Holds
from lab2mqtt.runtime.inbox import Inbox
from lab2mqtt.runtime.lab_stop import LabStop
from lab2mqtt.runtime.ledger import Ledger
from lab2mqtt.runtime.ledger_file import Found
from lab2mqtt.runtime.mqtt import BrokerError, Connection, Message, Will
from lab2mqtt.runtime.others import Others
from lab2mqtt.runtime.overtaking import Overtaking, stop_of
from lab2mqtt.runtime.permits import Shared
from lab2mqtt.runtime.speakers import TOPICS_AT_ONCE, Speakers
from lab2mqtt.runtime.stop import Latches
from lab2mqtt.runtime.worker import Worker

_LOGGER = logging.getLogger(__name__)

HEALTH_EVERY = 30.0  # s; what reads it may take three times that for a bridge that hangs
SAY_DROPS_EVERY = 10.0  # s between two lines in the log about messages that nobody can be answered for
AGAIN = 1.0  # s after which a worker that failed is started again
BIRTHS_APART = 1.0  # s; more often all that is retained is not said for a hub
LEAVE_WITHIN = 2.0  # s for the last messages
EMBEDDED_AT_MOST = 100  # devices; amqtt's work for each message grows with them


class Bridge:
    """Runs the devices of one configuration."""

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
        self._online = self._ledger_open = False
        base, state = config.base, config.state
        self._status_topic = wire.bridge_topic(base, config.bridge, "status")
        self._health_topic = wire.bridge_topic(base, config.bridge, "health")
        self._birth_topic = wire.birth_topic(config.discovery)
        self._latches = Latches(state and state / "stop.json", config.stop_topic)
        self._ledger = Ledger(state and state / "ledger.sqlite", config.keep, clock)
        self._ledger.on_open, self._ledger.on_change = self._ledger_opened, self._ledger_changed
        self._others = Others(base, clock)
        self._others.on_change = self._other_changed
        self._others.look_at(rule.device for device in config.devices for rule in device.interlocks)
        self._devices = {device.instance.device_id: device for device in config.devices}
        holds = Holds(state and state / "holds.json", list(self._devices), clock)
        self._shared = Shared(self._latches, holds, self._ledger, self._others)
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
        self._speakers = Speakers(base, config.bridge, self._instance, self._devices, self.connection, self)
        self._found = Found({}, [], [])
        self.workers: dict[str, Worker] = {}  # of the devices that this bridge speaks for
        self._by_topic: dict[str, Worker] = {}
        self._work: dict[str, asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._inbox = Inbox(self._handle, lambda topic: self._drop(topic, "more comes than can be done"))
        stop_topics = list(dict.fromkeys((wire.emergency_stop_topic(base), config.stop_topic)))
        self._lab_stop = LabStop(
            stop_topics, self._latches, self.workers, self._inbox, self._retain, self._drop, clock
        )
        self._born_at = float("-inf")
        self._routes: dict[str, Callable[[Message], None]] = {self._birth_topic: self._hub_born}
        for device_id in self._devices:
            topic = wire.device_topic(base, device_id, "command")
            self._routes[topic] = lambda message, name=device_id: self._command(name, message)  # type: ignore[misc]
        self._overtaking = Overtaking(self._by_topic, self._inbox, self._handle, clock)

    async def run(self) -> None:
        """Run until cancelled, then leave the devices as they say and take leave of the broker.

        Raises:
            Misconfigured: Another process runs this bridge.
        """
        if len(self._devices) > EMBEDDED_AT_MOST:
            _LOGGER.warning(
                "%d devices: the embedded broker (`lab2mqtt broker`) takes %d at most, mosquitto all",
                len(self._devices),
                EMBEDDED_AT_MOST,
            )
        link = asyncio.create_task(self.connection.run())
        others = [self._claim.beaten(), self._say_health(), self._speakers.run()]
        beaten, *watch = [asyncio.create_task(one) for one in others]
        try:
            done, _ = await asyncio.wait((link, beaten), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            work = [beaten, *watch, *self._work.values()]
            for task in work:
                task.cancel()
            self._speakers.close()
            self._announcer.close()
            await asyncio.gather(*(worker.close() for worker in self.workers.values()), *self._background)
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
            await asyncio.gather(link, *work, return_exceptions=True)

    def _worker(self, config: DeviceConfig, state: Path | None) -> Worker:
        device_id = config.instance.device_id
        kept = state and state / f"{device_id}.json"
        driver = config.driver(config.settings, kept)
        topics = {
            kind: wire.device_topic(self._config.base, device_id, kind)
            for kind in ("description", "status", "state", "progress", "result", "event")
        }

        def say(kind: str, message: dict[str, Any] | str, *, qos: int = 1, retain: bool = False) -> None:
            if retain and not (self._claim.sure and self._speakers.is_ours(device_id)):
                return  # the broker has another's word
            if isinstance(message, str):
                self.connection.publish(topics[kind], message, qos=qos, retain=retain)
                return
            if kind == "description":
                self._announcer.describe(message)
            elif kind == "event" and message["event_type"] not in (TASK_SUCCEEDED, TASK_FAILED):
                self._note_event(device_id, message)
            text = encoded(topics[kind], message)
            if text is not None:
                self.connection.publish(topics[kind], text, qos=qos, retain=retain)

        return Worker(config, driver, self._shared, say, self._clock)

    # The ledger, and other devices

    def _ledger_opened(self, found: Found) -> None:
        """Take what the ledger knows, and say what a predecessor of this process could not."""
        self._found = found
        for device_id, worker in self.workers.items():
            self._remember(device_id, worker)
        for device_id, result in found.to_say:
            topic = wire.device_topic(self._config.base, device_id, "result")
            self.connection.publish(topic, wire.encode(result))

    def _remember(self, device_id: str, worker: Worker) -> None:
        worker.record.remember(self._found.ids.get(device_id, ()))
        for other_id, known in self._found.cut_off:
            if other_id == device_id:
                worker.record.remember_cut_off(known)

    def _ledger_changed(self) -> None:
        for worker in self.workers.values():
            worker.say_changes()
        self.say_health()

    def _note_event(self, device_id: str, message: dict[str, Any]) -> None:
        at, text = self._clock(), wire.encode(message)
        self._ledger.submit(
            lambda connection: ledger_file.note_event(connection, device_id, at, text), needed=True
        )

    def _other_changed(self, device_id: str) -> None:
        for worker in self.workers.values():
            if worker.looks_at(device_id):
                worker.look_at_interlocks()

    # On every connection

    async def _birth(self, _: Connection) -> None:
        """Learn of a stop and of others before any command, then say everything; ``online`` last."""
        self._online = False
        self._lab_stop.heard.clear()
        self._claim.forget()
        self._speakers.forget()
        own = [*self._lab_stop.topics, self._status_topic, self._claim.topic, self._birth_topic]
        remembered = self._announcer.remembered
        topics = [*((topic, 1) for topic in own), *self._others.topics]
        await self._listen([*topics, *self._speakers.topics(remembered)])
        await self._claim.take()  # all that is retained has come by now
        self._lab_stop.say_missing()
        spoken = await self._speakers.find()
        for device_id in self._speakers.silent:
            self.hush(device_id)
        self._announcer.withdraw(self._devices, filter(self._speakers.said_by_another, remembered))
        await self._begin(spoken)
        self._online = True
        self.say_health()
        self._say_status(wire.ONLINE)

    async def _begin(self, device_ids: list[str]) -> None:
        """Say everything of devices, then take their commands: who spoke for them hears it in this order."""
        if not self._ledger_open:  # not before the claim: it is the same file for every process of this id
            self._ledger_open = True
            await self._ledger.open()
        topics = [wire.device_topic(self._config.base, device_id, "command") for device_id in device_ids]
        for device_id, topic in zip(device_ids, topics, strict=True):
            if device_id in self._speakers.silent:
                continue  # by now
            if device_id not in self.workers:
                worker = self._worker(self._devices[device_id], self._config.state)
                self._remember(device_id, worker)
                self.workers[device_id] = self._by_topic[topic] = worker
                self._work[device_id] = asyncio.create_task(_for_ever(device_id, worker))
            self.workers[device_id].say_everything()
        await self._listen([(topic, 1) for topic in topics])

    async def _listen(self, topics: list[tuple[str, int]]) -> None:
        for start in range(0, len(topics), TOPICS_AT_ONCE):
            await self.connection.listen(topics[start : start + TOPICS_AT_ONCE])

    def _say_status(self, word: str, **more: object) -> None:
        self._retain(self._status_topic, self._status(word, **more))

    def _sure_again(self) -> None:
        """Another spoke as this bridge, and is gone: say again all that it may have written over."""
        for worker in self.workers.values():
            worker.say_everything()
        if self._online:
            self._say_status(wire.ONLINE)

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
        if worker := self.workers.pop(device_id, None):
            self._by_topic.pop(wire.device_topic(self._config.base, device_id, "command"))
            self._work.pop(device_id).cancel()
            self._in_background(worker.close())

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
            self._speakers.hear(message)
        elif not self._overtaking.hear(message):
            self._inbox.put(message)

    def _handle(self, message: Message) -> None:
        self._routes[message.topic](message)

    def _command(self, device_id: str, message: Message) -> None:
        worker = self.workers.get(device_id)
        if not message.payload or not worker:
            return  # a retained command was cleared, or another speaks for the device
        if not (self._claim.sure and self._speakers.is_ours(device_id)) and stop_of(message.payload) is None:
            self._drop(message.topic, "another speaks for the device, and may have done it")
            return
        if message.retained:
            self._retain(message.topic, "")
        try:
            worker.receive(message.payload, retained=message.retained)
        except wire.WireError as error:
            self._drop(message.topic, error.message)

    def _own_status(self, message: Message) -> None:
        """Somebody, such as the will of a dead predecessor, says that we are offline: say that we are not."""
        if self._claim.hear_status(message.payload) and self._online:
            self._say_status(wire.ONLINE)

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
        for worker in self.workers.values():
            worker.say_everything()

    def _drop(self, topic: str, why: str) -> None:
        """Count what nobody can be answered for, and log it without filling the disk."""
        self._dropped += 1
        now = time.monotonic()
        if now - self._drops_said > SAY_DROPS_EVERY:
            self._drops_said = now
            _LOGGER.warning("Dropped a message on %s (%d so far): %s", topic, self._dropped, why)


async def _for_ever(name: str, worker: Worker) -> None:
    """Run a device; a fault of ours must not silence it until somebody restarts the bridge."""
    while True:
        try:
            await worker.run()
        except Exception:
            _LOGGER.exception("%s: its worker failed and is started again", name)
        await asyncio.sleep(AGAIN)


def _resident_bytes() -> int:
    """Memory in use now; where the system does not tell, the most that was ever in use."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")
