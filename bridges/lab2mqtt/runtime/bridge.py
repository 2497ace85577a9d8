"""One process and all its devices: will, birth, claim, health, the lab's emergency stop, and a clean end."""

import asyncio
from collections.abc import Callable
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
from lab2mqtt.runtime.holds import Holds
from lab2mqtt.runtime.ledger import Ledger
from lab2mqtt.runtime.ledger_file import Found
from lab2mqtt.runtime.mqtt import Connection, Message, Will
from lab2mqtt.runtime.others import Others
from lab2mqtt.runtime.permits import Shared
from lab2mqtt.runtime.stop import Latches
from lab2mqtt.runtime.worker import Worker

_LOGGER = logging.getLogger(__name__)

HEALTH_EVERY = 30.0  # s; what reads it may take three times that for a bridge that hangs
BARRIER = 1.0  # s to wait for our own message to come back
TOPICS_AT_ONCE = 200  # in one SUBSCRIBE
SAY_DROPS_EVERY = 10.0  # s between two lines in the log about messages that nobody can be answered for
AGAIN = 1.0  # s after which a worker that failed is started again
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
        self._heard: set[str] = set()
        self._returned = asyncio.Event()
        self._online = False
        base, state = config.base, config.state
        self._status_topic = wire.bridge_topic(base, config.bridge, "status")
        self._health_topic = wire.bridge_topic(base, config.bridge, "health")
        self._birth_topic = wire.birth_topic(config.discovery)
        self._stop_topics = list(dict.fromkeys((wire.emergency_stop_topic(base), config.stop_topic)))
        self._claim = Claim(base, config.bridge, self._instance)
        self._latches = Latches(state and state / "stop.json", config.stop_topic)
        self._ledger = Ledger(state and state / "ledger.sqlite", config.keep, clock)
        self._ledger.on_open, self._ledger.on_change = self._ledger_opened, self._ledger_changed
        self._others = Others(base, clock)
        self._others.on_change = self._other_changed
        device_ids = [device.instance.device_id for device in config.devices]
        holds = Holds(state and state / "holds.json", device_ids, clock)
        self._shared = Shared(self._latches, holds, self._ledger, self._others)
        self._announcer = Announcer(state and state / "announced.json", base, config.discovery, self._retain)
        self.connection = Connection(
            config.broker,
            self._message,
            self._birth,
            will=Will(self._status_topic, self._status(wire.OFFLINE)),
            before_first=lambda: self._claim.ask(config.broker),
        )
        self.workers: dict[str, Worker] = {}
        for device in config.devices:
            self.workers[device.instance.device_id] = self._worker(device, state)
        self._routes: dict[str, Callable[[Message], None]] = {
            **dict.fromkeys(self._stop_topics, self._stop_message),
            self._status_topic: self._own_status,
            self._claim.topic: self._claim_message,
            self._birth_topic: self._hub_born,
        }
        self._commands: list[tuple[str, int]] = []
        for device_id, worker in self.workers.items():
            topic = wire.device_topic(base, device_id, "command")
            self._routes[topic] = lambda message, worker=worker: self._command(worker, message)  # type: ignore[misc]
            self._commands.append((topic, 1))

    async def run(self) -> None:
        """Run until cancelled, then leave the devices as they say and take leave of the broker.

        Raises:
            Misconfigured: Another process runs this bridge.
        """
        if len(self.workers) > EMBEDDED_AT_MOST:
            _LOGGER.warning(
                "%d devices: the embedded broker (`lab2mqtt broker`) takes %d at most, mosquitto all",
                len(self.workers),
                EMBEDDED_AT_MOST,
            )
        await self._ledger.open()
        work = [asyncio.create_task(_for_ever(name, worker)) for name, worker in self.workers.items()]
        link = asyncio.create_task(self.connection.run())
        health = asyncio.create_task(self._say_health())
        try:
            await asyncio.shield(link)
        finally:
            for task in (*work, health):
                task.cancel()
            self._announcer.close()
            await asyncio.gather(*(worker.close() for worker in self.workers.values()))
            self._online = False
            self._retain(self._status_topic, self._status(wire.OFFLINE))
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
            await asyncio.gather(link, *work, health, return_exceptions=True)

    def _worker(self, config: DeviceConfig, state: Path | None) -> Worker:
        device_id = config.instance.device_id
        kept = state and state / f"{device_id}.json"
        driver = config.driver(config.settings, kept)
        topics = {
            kind: wire.device_topic(self._config.base, device_id, kind)
            for kind in ("description", "status", "state", "progress", "result", "event")
        }

        def say(kind: str, message: dict[str, Any], *, qos: int = 1, retain: bool = False) -> None:
            if kind == "description":
                self._announcer.describe(message)
            elif kind == "event" and message["event_type"] not in (TASK_SUCCEEDED, TASK_FAILED):
                self._note_event(device_id, message)
            self.connection.publish(topics[kind], wire.encode(message), qos=qos, retain=retain)

        return Worker(config, driver, self._shared, say, self._clock)

    # The ledger, and other devices

    def _ledger_opened(self, found: Found) -> None:
        """Take what the ledger knows, and say what a predecessor of this process could not."""
        for device_id, worker in self.workers.items():
            worker.record.remember(found.ids.get(device_id, ()))
        for device_id, result in found.to_say:
            topic = wire.device_topic(self._config.base, device_id, "result")
            self.connection.publish(topic, wire.encode(result))

    def _ledger_changed(self) -> None:
        for worker in self.workers.values():
            worker.say_changes()
        if self._online:
            self._retain(self._health_topic, wire.encode(self._health()))

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

    async def _birth(self, connection: Connection) -> None:
        """Subscribe, learn of an engaged stop before any command, then say everything; ``online`` last."""
        self._online = False
        self._heard.clear()
        self._returned.clear()
        own = [*self._stop_topics, self._status_topic, self._claim.topic, self._birth_topic]
        await connection.listen([*((topic, 1) for topic in own), *self._others.topics])
        # What is retained comes before our own message comes back.
        connection.publish(self._claim.topic, wire.encode(wire.claim(self._instance)))
        try:
            async with asyncio.timeout(BARRIER):
                await self._returned.wait()
        except TimeoutError:
            _LOGGER.warning("The broker does not return our own message")
        for topic, stop in self._latches.lab.items():
            if topic not in self._heard:  # the broker came back empty
                self._retain(topic, wire.encode(stop))
        for start in range(0, len(self._commands), TOPICS_AT_ONCE):
            await connection.listen(self._commands[start : start + TOPICS_AT_ONCE])
        self._announcer.withdraw(self.workers)
        for worker in self.workers.values():
            worker.say_everything()
        self._retain(self._health_topic, wire.encode(self._health()))
        self._retain(self._status_topic, self._status(wire.ONLINE))
        self._online = True

    def _retain(self, topic: str, payload: str) -> None:
        self.connection.publish(topic, payload, retain=True)

    def _status(self, word: str) -> str:
        return wire.encode(wire.bridge_status(word, self._instance, int(self._clock()), version=__version__))

    async def _say_health(self) -> None:
        while True:
            await asyncio.sleep(HEALTH_EVERY)
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
            "ledger": self._ledger.problem or "ok",
            "rss_bytes": _resident_bytes(),
        }

    # Messages

    def _message(self, message: Message) -> None:
        if self._others.topics:
            self._others.hear(message.topic, message.payload)
        if route := self._routes.get(message.topic):
            route(message)

    def _command(self, worker: Worker, message: Message) -> None:
        if not message.payload:
            return  # a retained command was cleared
        if message.retained:
            self._retain(message.topic, "")
        try:
            worker.receive(message.payload, retained=message.retained)
        except wire.WireError as error:
            self._drop(message.topic, error.message)

    def _stop_message(self, message: Message) -> None:
        received = self._clock()
        self._heard.add(message.topic)
        try:
            stop = wire.read_stop(message.payload)
        except wire.WireError as error:
            if kept := self._latches.lab.get(message.topic):
                self._retain(message.topic, wire.encode(kept))  # cleared by somebody: releases nothing
            elif message.payload:
                self._drop(message.topic, error.message)
            return
        known = stop["stop_id"] == (self._latches.lab.get(message.topic) or {}).get("stop_id")
        engaged = stop["engaged"] and not known
        # Said again it is obeyed again; only what the broker repeats on a new link is old.
        if engaged or (stop["engaged"] and not message.retained):
            for worker in self.workers.values():
                worker.stop_now(stop, received)
        changed = self._latches.hear(message.topic, stop)
        if (kept := self._latches.lab.get(message.topic)) and not stop["engaged"]:
            _LOGGER.warning("The stop %s stays: %s released another one", kept["stop_id"], stop["by"])
            self._retain(message.topic, wire.encode(kept))
        if changed:
            word = "engaged" if engaged else "released"
            _LOGGER.warning("The lab's emergency stop was %s by %s: %s", word, stop["by"], stop["reason"])
            for worker in self.workers.values():
                if engaged:
                    worker.stop_changed()
                else:
                    worker.lab_released(stop["stop_id"])

    def _own_status(self, message: Message) -> None:
        """Somebody, such as the will of a dead predecessor, says that we are offline: say that we are not."""
        if not self._online:
            return
        try:
            status = wire.read_bridge_status(message.payload)["status"]
        except wire.WireError:
            status = wire.OFFLINE
        if status != wire.ONLINE:
            self._retain(self._status_topic, self._status(wire.ONLINE))

    def _claim_message(self, message: Message) -> None:
        self._returned.set()
        try:
            answer = self._claim.answer(message.payload)
        except wire.WireError as error:
            self._drop(message.topic, error.message)
        else:
            if answer:
                self.connection.publish(message.topic, answer)

    def _hub_born(self, message: Message) -> None:
        if message.payload == wire.ONLINE.encode():
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
