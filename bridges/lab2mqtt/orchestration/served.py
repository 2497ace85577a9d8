"""The functions of this process as one full device: of a lab where a broker is named, by itself otherwise."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future, InvalidStateError
import contextlib
import fcntl
from functools import partial
import logging
import os
from pathlib import Path
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from lab2mqtt import wire
from lab2mqtt.core.description import Instance, bind
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.house import HOUSE_TASKS
from lab2mqtt.orchestration.function_driver import FunctionDriver, declare
from lab2mqtt.orchestration.functions import TASKS, Function
from lab2mqtt.orchestration.older_topics import OlderTopics
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.alone import Alone
from lab2mqtt.runtime.bridge import Bridge
from lab2mqtt.runtime.condition import condition_of
from lab2mqtt.runtime.config import Config, DeviceConfig, default_state
from lab2mqtt.runtime.old_devices import as_id
from lab2mqtt.runtime.systemd import Condition, telling

if TYPE_CHECKING:
    from lab2mqtt.runtime.workers import Workers

_LOGGER = logging.getLogger(__name__)

LOCKED_WITHIN = 3.0  # s for a predecessor of this process to end
TRIED_WITHIN = 10.0  # s that ``start`` waits for the broker
LINK_WITHIN = 5.0  # s that a command waits for the device to be there
LOOK_EVERY = 0.05  # s
END_WITHIN = 6.0  # s
HANGS_AFTER = 10.0  # s in which its event loop does not turn


class Served:
    """Every ``@task`` of this process as one device, in a thread with an event loop of its own.

    Attributes:
        device_id: Its id in the lab.
        functions: By their tasks, as they were when it was started.
        problem: Why it ended by itself; empty unless it did.
        tells: Whether it is the whole program, and tells systemd how it is.
    """

    def __init__(
        self,
        device_id: str | None = None,
        *,
        name: str = "",
        broker: Broker | None = None,
        base: str = wire.DEFAULT_BASE,
        topic_prefix: str | None = None,
    ) -> None:
        """Prepare; ``start`` starts it.

        Args:
            device_id: What it is called; the machine's name unless told.
            name: What people call it; as ``device_id`` unless told.
            broker: Where the lab's broker is; None keeps it out of the lab.
            base: The lab's base topic.
            topic_prefix: Serves it under ``<topic_prefix>/<device_id>/`` as well, in the older dialect.

        Raises:
            ValueError: Nothing of ``device_id`` can be an id, or a topic is none.
        """
        spoken = socket.gethostname() if device_id is None else device_id
        self.device_id = as_id(spoken)
        if not wire.is_device_id(self.device_id):
            allowed = "1 to 64 characters out of a-z, 0-9, - and _, with a letter or a digit first"
            raise ValueError(f"device_id {spoken!r} cannot be made an id: {allowed}")
        for what, topic in (("base", base), ("topic_prefix", topic_prefix)):
            if topic is not None and not wire.is_base(topic):
                raise ValueError(
                    f"{what} {topic!r} is not a topic without wildcards and without / at its ends"
                )
        if topic_prefix == wire.bridge_topic(base, "", "").rstrip("/"):
            raise ValueError(f"topic_prefix {topic_prefix!r} is where bridges speak")
        if set(spoken) & set("/+#\0"):
            raise ValueError(f"device_id {spoken!r} cannot stand in a topic: it has /, + or #")
        self.functions: Mapping[str, Function] = {}
        self.problem = ""
        self.tells = False
        self._spoken = spoken
        self._name = name or spoken
        self._broker = broker
        self._base = base
        self._prefix = topic_prefix if topic_prefix != base or spoken != self.device_id else None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._work: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._ended = threading.Event()
        self._device: DeviceConfig | None = None
        self._workers: Workers | None = None
        self._bridge: Bridge | None = None
        self._turned = 0.0
        self._older: OlderTopics | None = None
        self._waiting: dict[str, tuple[Mapping[str, Any], list[Future[dict[str, Any]]]]] = {}
        self._own: int | None = None

    @property
    def description(self) -> dict[str, object]:
        """What it is and can do, as on the wire."""
        return self._declared().describe()

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._thread is not None and not self._ended.is_set()

    def start(self) -> None:
        """Start it: returns when it takes commands, or when the broker was tried. Safe to repeat.

        Raises:
            Misconfigured: Another process serves this device: one robot, one process.
            ValueError: There is no task.
        """
        with self._lock:
            if self.running:
                return
            self._device = None  # functions may have been defined anew
            device = self._declared()
            self._own = self._take_lock()
            self._loop = self._work = None
            self._ready.clear()
            self._ended.clear()
            self._turn()
            self.problem = ""
            self._thread = threading.Thread(
                target=self._run, args=(device,), name=f"lab2mqtt {self.device_id}", daemon=True
            )
            self._thread.start()
        self._ready.wait()
        self.check()

    def stop(self) -> None:
        """End it: what runs is answered ``interrupted``. Safe to repeat."""
        with self._lock:
            while self.running and self._work is None:  # it has just been started
                time.sleep(LOOK_EVERY)
            if self._loop and self._work and self.running:
                with contextlib.suppress(RuntimeError):  # it has just ended
                    self._loop.call_soon_threadsafe(self._work.cancel)
            if self._thread:
                self._thread.join(END_WITHIN)

    def check(self) -> None:
        """See that it has not ended by itself.

        Raises:
            Misconfigured: It has; the text tells why.
        """
        if self.problem:
            raise Misconfigured(self.problem)

    def condition(self) -> Condition:
        """How it is, for systemd; from any thread."""
        if not self.running or self._loop is None:
            why = self.problem or f"{self.device_id} does not run"
            return Condition(why, online=False, well=not self.problem)
        with contextlib.suppress(RuntimeError):  # it ends just now
            self._loop.call_soon_threadsafe(self._turn)
        if time.monotonic() - self._turned > HANGS_AFTER:
            return Condition(f"{self.device_id} hangs", online=False, well=False)
        if self._bridge:
            return condition_of(self._bridge)
        return Condition(f"{self.device_id} takes commands", online=self._ready.is_set())

    def _turn(self) -> None:
        self._turned = time.monotonic()

    def submit(self, command: Mapping[str, Any]) -> "Future[dict[str, Any]]":
        """Give it a command, as on the wire, from any thread.

        Returns:
            The result, as on the wire; an error is a result, too.
        """
        future: Future[dict[str, Any]] = Future()
        if self._loop and self.running:
            with contextlib.suppress(RuntimeError):  # it has just ended
                self._loop.call_soon_threadsafe(self._take, command, future, time.monotonic() + LINK_WITHIN)
                return future
        future.set_result(_failure(command, wire.DEVICE_UNAVAILABLE, f"{self.device_id} does not run"))
        return future

    # What is to be run

    def _declared(self) -> DeviceConfig:
        if self._device is None:
            if not TASKS:
                raise ValueError("there is no task: put @task before a function, above this line")
            self.functions = dict(TASKS)
            device = declare(self.functions, self._name)
            instance = Instance(self.device_id, self._name, self.device_id)
            tasks = bind(device, FunctionDriver, None)
            driver = partial(_driver, self.functions, self.device_id)
            self._device = DeviceConfig(device, instance, driver, None, tasks)
        return self._device

    def _take_lock(self) -> int:
        folder = default_state(self.device_id)
        folder.mkdir(parents=True, exist_ok=True)
        own = os.open(folder / "served.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + LOCKED_WITHIN
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return own
            time.sleep(LOOK_EVERY)
        os.close(own)
        raise Misconfigured(
            f"another process serves {self.device_id} on this machine: one robot, one process "
            "(under gunicorn: -w 1; another device needs another device_id)"
        )

    # In its thread

    def _run(self, device: DeviceConfig) -> None:
        try:
            with asyncio.Runner() as runner:
                self._loop = runner.get_loop()
                runner.run(self._serve(device))
        except asyncio.CancelledError:
            pass
        except Misconfigured as error:
            self.problem = str(error)
        except Exception as error:
            _LOGGER.exception("%s ended", self.device_id)
            self.problem = f"{type(error).__name__}: {error}"
        finally:
            for request_id in list(self._waiting):
                text = f"{self.device_id} has ended; whether it was done is not known"
                self._answer(_failure({"request_id": request_id}, wire.INTERRUPTED, text))
            if self._own is not None:
                fcntl.flock(
                    self._own, fcntl.LOCK_UN
                )  # a child that a function has made may have it open, too
                os.close(self._own)
            self._ended.set()
            self._ready.set()

    async def _serve(self, device: DeviceConfig) -> None:
        self._work = asyncio.current_task()
        state = default_state(self.device_id)
        broker = self._broker or Broker()
        config = Config(self.device_id, broker, (device,), self._base, state=state)
        if self._broker is None:
            alone = Alone(config)
            self._workers = alone.workers
            self._workers.on_said = self._said
            await alone.run(self._ready.set)
            return
        bridge = Bridge(config)
        self._workers = bridge.workers
        self._workers.on_said = self._said
        self._bridge = bridge
        link = asyncio.create_task(bridge.run())
        opening = asyncio.create_task(self._open(bridge))
        try:
            async with telling(self.condition) if self.tells else contextlib.nullcontext():
                await link
        finally:
            opening.cancel()
            await asyncio.gather(link, opening, return_exceptions=True)
            if self._older:  # after the bridge, which answers what it ends
                await self._older.leave()
                self._older = None

    async def _open(self, bridge: Bridge) -> None:
        """Tell that commands are taken; where the older dialect is spoken, from then on there, too."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TRIED_WITHIN):
                await bridge.connection.wait_tried()
        self._ready.set()
        if self._prefix is None:
            return
        await bridge.connection.wait_up()
        names = [one for one in self.functions if one not in HOUSE_TASKS]
        older = OlderTopics(
            bridge.connection.broker, self._prefix, self._spoken, self.device_id, names, self._receive
        )
        older.say("status", {"status": wire.ONLINE})
        older.connect()
        self._older = older

    def _receive(self, payload: bytes, retained: bool) -> None:  # noqa: FBT001
        worker = self._workers.get(self.device_id) if self._workers else None
        if worker:  # else another process has the device by now
            worker.receive(payload, retained=retained)

    def _take(self, command: Mapping[str, Any], future: "Future[dict[str, Any]]", deadline: float) -> None:
        worker = self._workers.get(self.device_id) if self._workers else None
        if worker is None:
            if time.monotonic() < deadline and self._loop:
                self._loop.call_later(LOOK_EVERY, self._take, command, future, deadline)
                return
            text = f"{self.device_id} is not there: there is no link to {self._broker}, or another serves it"
            future.set_result(_failure(command, wire.DEVICE_UNAVAILABLE, text))
            return
        same, futures = self._waiting.setdefault(command["request_id"], (command, []))
        if not wire.same_content(dict(same), dict(command)):  # the other one still waits for its own answer
            text = f"{command['request_id']!r} was used before, for another task or other parameters"
            future.set_result(_failure(command, wire.CONFLICT, f"request_id {text}"))
            return
        futures.append(future)
        try:
            worker.receive(wire.encode(command).encode())
        except wire.WireError as error:
            self._answer(_failure(command, error.code, error.message))

    def _said(self, _: str, kind: str, message: dict[str, Any] | str) -> None:
        if self._older:
            self._older.say(kind, message)
        if kind == "result":
            self._answer(wire.read_result(message.encode()) if isinstance(message, str) else message)

    def _answer(self, result: dict[str, Any]) -> None:
        _, futures = self._waiting.pop(result["request_id"], (None, ()))
        for future in futures:
            with contextlib.suppress(InvalidStateError):  # who waited has given it up
                future.set_result(result)


def _driver(
    functions: Mapping[str, Function], name: str, settings: object, state: Path | None
) -> FunctionDriver:
    del settings, state
    return FunctionDriver(functions, name)


def _failure(command: Mapping[str, Any], code: str, text: str) -> dict[str, Any]:
    told = wire.failure(command["request_id"], command.get("task", ""), code, text, int(time.time()))
    return dict(told)
