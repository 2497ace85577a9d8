"""The workers of the devices that a bridge speaks for, and what they have in common."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
import logging
import time
from typing import Any, Protocol

from lab2mqtt import wire
from lab2mqtt.core.entities import Image
from lab2mqtt.core.house import TASK_FAILED, TASK_SUCCEEDED
from lab2mqtt.runtime import ledger_file
from lab2mqtt.runtime.config import Config, DeviceConfig
from lab2mqtt.runtime.dialects import Interpreter
from lab2mqtt.runtime.fitting import encoded
from lab2mqtt.runtime.holds import Holds
from lab2mqtt.runtime.ledger import Ledger
from lab2mqtt.runtime.ledger_file import Found
from lab2mqtt.runtime.neighbours import Neighbourhood
from lab2mqtt.runtime.others import Others
from lab2mqtt.runtime.permits import Shared
from lab2mqtt.runtime.stop import Latches
from lab2mqtt.runtime.worker import Worker

_LOGGER = logging.getLogger(__name__)

FIRST_LOOK = 0.5  # s to wait for instruments that have just been opened
AGAIN = 1.0  # s after which a worker that failed is started again

KINDS = ("description", "status", "state", "progress", "result", "event")


class Publish(Protocol):
    """Publishes a payload on a topic."""

    def __call__(self, topic: str, payload: str | bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Publish."""


class Workers(Mapping[str, Worker]):
    """The workers of one bridge, by device id: of the devices that it speaks for now.

    Attributes:
        shared: What they have in common.
        on_said: Told of each message but pictures: the device's id, the kind, the message.
        by_topic: The same workers, by their command topics.
        interpreters: Those of their dialects, by the topics of these.
    """

    def __init__(
        self,
        config: Config,
        publish: Publish,
        may_say: Callable[[str], bool],
        describe: Callable[[dict[str, Any]], None],
        on_change: Callable[[], None],
        on_topic: Callable[[str, str], None],
        neighbours: Neighbourhood,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare; ``begin`` makes one and runs it.

        Args:
            config: Of the bridge.
            publish: Publishes a payload on a topic.
            may_say: Whether what the broker keeps of a device is ours to say.
            describe: Told of each description that is said.
            on_change: Called when the health has changed.
            on_topic: Called with a device's id and one more topic on which it takes commands.
            neighbours: The other devices of the lab.
            clock: Seconds since the epoch.
        """
        self._config = config
        self._publish = publish
        self._may_say = may_say
        self._describe = describe
        self._on_change = on_change
        self._on_topic = on_topic
        self._neighbours = neighbours
        self._clock = clock
        self._devices = {device.instance.device_id: device for device in config.devices}
        self._workers: dict[str, Worker] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._found = Found({}, [], [])
        self.on_said: Callable[[str, str, dict[str, Any] | str], None] | None = None
        self.by_topic: dict[str, Worker] = {}
        self.interpreters: dict[str, Interpreter] = {}

        state = config.state
        ledger = Ledger(state and state / "ledger.sqlite", config.keep, clock)
        ledger.on_open, ledger.on_change = self._ledger_opened, self._ledger_changed
        others = Others(config.base, clock)
        others.look_at(rule.device for device in config.devices for rule in device.interlocks)
        others.on_change = self._other_changed
        holds = Holds(state and state / "holds.json", self._devices, clock)
        latches = Latches(state and state / "stop.json", config.stop_topic)
        self.shared = Shared(latches, holds, ledger, others)

    def __getitem__(self, device_id: str) -> Worker:
        return self._workers[device_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._workers)

    def __len__(self) -> int:
        return len(self._workers)

    def topic(self, device_id: str, kind: str) -> str:
        """A topic of a device."""
        return wire.device_topic(self._config.base, device_id, kind)

    def take_in(self, device: DeviceConfig) -> None:
        """Take one more device, or other words for one that is not open; ``begin`` opens it."""
        self._devices[device.instance.device_id] = device

    def give_up(self, device_id: str) -> None:
        """Know nothing of a device that was let go."""
        self._devices.pop(device_id, None)

    async def begin(self, device_ids: Iterable[str]) -> None:
        """Open devices that are not open, and say everything of all of them."""
        workers = [self._workers.get(device_id) or self._start(device_id) for device_id in device_ids]
        # Else whatever they measure would be unknown for a moment, at every restart.
        early = [worker for worker in workers if not worker.is_known_late]
        looks = [asyncio.ensure_future(worker.instrument.tried.wait()) for worker in early]
        if looks:
            _, late = await asyncio.wait(looks, timeout=FIRST_LOOK)
            for look in late:
                look.cancel()
        for worker in workers:
            worker.say_everything()

    def let_go(self, device_id: str) -> Worker | None:
        """End a device's work, and give its worker to be closed; what comes for it by now is nobody's."""
        if worker := self._workers.pop(device_id, None):
            del self.by_topic[self.topic(device_id, "command")]
            self._silence(device_id)
            self._running.pop(device_id).cancel()
        return worker

    async def close(self) -> None:
        """End all work."""
        running = list(self._running.values())
        for work in running:
            work.cancel()
        await asyncio.gather(*(worker.close() for worker in self._workers.values()))
        await asyncio.gather(*running, return_exceptions=True)

    def say_everything(self) -> None:
        """Say all that is retained of all devices."""
        for worker in self._workers.values():
            worker.say_everything()

    def _start(self, device_id: str) -> Worker:
        worker = self._make(device_id)
        self._remember(device_id, worker)
        self._workers[device_id] = self.by_topic[self.topic(device_id, "command")] = worker
        self._running[device_id] = asyncio.create_task(_for_ever(device_id, worker))
        return worker

    def _make(self, device_id: str) -> Worker:
        config = self._devices[device_id]
        state = self._config.state
        driver = config.driver(config.settings, state and state / f"{device_id}.json")
        topics = {kind: self.topic(device_id, kind) for kind in KINDS}
        for entity in config.device.entities:
            if isinstance(entity, Image):
                key = entity.key
                topics[f"picture/{key}"] = wire.picture_topic(self._config.base, device_id, key)
        if meet := getattr(driver, "meet", None):
            meet(self._neighbours.of(device_id))
        say = partial(self._say, device_id, topics)
        if not config.device.dialect:
            return Worker(config, driver, self.shared, say, self._clock)
        interpreter = Interpreter(config, say, self._publish, self._interpret)
        worker = Worker(config, driver, self.shared, interpreter.say, self._clock)
        interpreter.deliver = worker.receive
        return worker

    def _interpret(self, interpreter: Interpreter) -> None:
        """Take commands where a dialect is spoken from now on."""
        device_id, topics = interpreter.device_id, interpreter.topics
        self._silence(device_id)
        if topics:
            self.interpreters[topics.commands] = interpreter
            self._on_topic(device_id, topics.commands)

    def _silence(self, device_id: str) -> None:
        for topic in [topic for topic, one in self.interpreters.items() if one.device_id == device_id]:
            del self.interpreters[topic]

    def _say(
        self,
        device_id: str,
        topics: Mapping[str, str],
        kind: str,
        message: dict[str, Any] | str | bytes,
        *,
        qos: int = 1,
        retain: bool = False,
    ) -> None:
        if retain and not self._may_say(device_id):
            return  # the broker has another's word
        if self.on_said and not isinstance(message, bytes):
            self.on_said(device_id, kind, message)
        if isinstance(message, str):
            self._publish(topics[kind], message, qos=qos, retain=retain)
            return
        if isinstance(message, dict):
            if kind == "description":
                self._describe(message)
            elif kind == "event" and message["event_type"] not in (TASK_SUCCEEDED, TASK_FAILED):
                self._note_event(device_id, message)
        text = encoded(topics[kind], message)
        if text is not None:
            self._publish(topics[kind], text, qos=qos, retain=retain)

    # The ledger, and other devices

    def _ledger_opened(self, found: Found) -> None:
        """Take what the ledger knows, and say what a predecessor of this process could not."""
        self._found = found
        for device_id, worker in self._workers.items():
            self._remember(device_id, worker)
        for device_id, result in found.to_say:
            self._publish(self.topic(device_id, "result"), wire.encode(result))

    def _remember(self, device_id: str, worker: Worker) -> None:
        worker.record.remember(self._found.ids.get(device_id, ()))
        for other_id, known in self._found.cut_off:
            if other_id == device_id:
                worker.record.remember_cut_off(known)

    def _ledger_changed(self) -> None:
        for worker in self._workers.values():
            worker.say_changes()
        self._on_change()

    def _note_event(self, device_id: str, message: dict[str, Any]) -> None:
        at, text = self._clock(), wire.encode(message)
        self.shared.ledger.submit(
            lambda connection: ledger_file.note_event(connection, device_id, at, text), needed=True
        )

    def _other_changed(self, device_id: str) -> None:
        for worker in self._workers.values():
            if worker.looks_at(device_id):
                worker.look_at_interlocks()


async def _for_ever(name: str, worker: Worker) -> None:
    """Run a device; a fault of ours must not silence it until somebody restarts the bridge."""
    while True:
        try:
            await worker.run()
        except Exception:
            _LOGGER.exception("%s: its worker failed and is started again", name)
        await asyncio.sleep(AGAIN)
