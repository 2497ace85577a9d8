"""One device: takes its commands, runs them one at a time, and answers each exactly once."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
import logging
import time
from typing import Any
import uuid

from lab2mqtt import wire
from lab2mqtt.core.description import BoundTask, Instance
from lab2mqtt.core.device import Device
from lab2mqtt.core.errors import Cancelled, EmergencyStopped, LabError, Refused, TimedOut, Unreachable
from lab2mqtt.core.house import RESET
from lab2mqtt.core.words import near
from lab2mqtt.runtime.answers import Answers
from lab2mqtt.runtime.calls import Calls
from lab2mqtt.runtime.instrument import Instrument
from lab2mqtt.runtime.presence import Presence, Say
from lab2mqtt.runtime.running import GRACE, Running
from lab2mqtt.runtime.stop import Latches, told
from lab2mqtt.runtime.stopping import Stopping

_LOGGER = logging.getLogger(__name__)

QUEUE = 16  # commands that wait; one more is ``busy``
READS = 8  # reads at once; one more is ``busy``
CLOCK_IS_SET = 1_735_689_600  # 2025; a clock that shows less has not been set


class Worker:
    """One device of a bridge.

    Attributes:
        instrument: The link to the instrument.
    """

    def __init__(
        self,
        device: Device[Any],
        instance: Instance,
        driver: Any,  # noqa: ANN401 - any driver
        tasks: dict[str, BoundTask],
        latches: Latches,
        say: Say,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare; ``run`` connects to the instrument.

        Args:
            device: The declaration.
            instance: Which one it is.
            driver: The driver, not yet opened.
            tasks: Its tasks, bound to the driver's class and settings.
            latches: The emergency stops.
            say: Publishes a message on the device's topic of a kind.
            clock: Seconds since the epoch.
        """
        self._device = device
        self._name = instance.device_id
        self._tasks = tasks
        self._latches = latches
        self._clock = clock
        self._call = Calls(driver, self._name)
        for task in tasks.values():
            task.is_coroutine = bool(task.method) and self._call.is_coroutine(task.method)
        self.instrument = Instrument(self._name, device, self._call, self._before_use, self._changed, clock)
        self._presence = Presence(device, instance, tasks, latches, self.instrument, say, clock)
        self._stopping = Stopping(self._name, device.stop, self._call, self.instrument, say, clock)
        self._answers = Answers(self._name, say, clock)
        self._queue: deque[dict[str, Any]] = deque()
        self._running: Running | None = None
        self._reads = 0
        self._background: set[asyncio.Task[Any]] = set()

    @property
    def queued(self) -> int:
        """How many commands wait."""
        return len(self._queue)

    @property
    def done(self) -> int:
        """How many commands were done."""
        return self._answers.done

    @property
    def failed(self) -> int:
        """How many commands were refused or failed."""
        return self._answers.failed

    async def run(self) -> None:
        """Keep the instrument connected and its state said, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.instrument.run())
            group.create_task(self._presence.run())

    async def close(self) -> None:
        """End what runs, leave the instrument as its settings say, and say that it is offline."""
        why = Cancelled("the bridge was shut down")
        why.error_code = wire.INTERRUPTED
        while self._queue:
            command = self._queue.popleft()
            self._answers.settle(command, error=why)
        self._stopping.end()
        if self._running:
            self._running.end(why)
            await asyncio.wait(self._background, timeout=GRACE)
        for task in self._background:
            task.cancel()
        try:
            async with asyncio.timeout(GRACE / 2):
                await self._call("close")
        except Exception:
            _LOGGER.exception("%s could not be closed", self._name)
        self._call.close()
        self._presence.say_status(online=False)

    def say_everything(self) -> None:
        """Publish all that is retained: description, status and state."""
        self._presence.say_everything()

    def _changed(self) -> None:
        self._presence.change()

    # Commands

    def receive(self, payload: bytes, *, retained: bool = False) -> None:
        """Take a command from the wire.

        Raises:
            wire.WireError: It cannot be answered, because it has no id that can be read.
        """
        try:
            command = wire.read_command(payload)
        except wire.WireError as error:
            if error.task == "emergency_stop":
                self._stop_itself("unknown", "")
            if error.request_id is None:
                raise
            unread = {"request_id": error.request_id, "task": error.task or ""}
            self._answers.refuse(unread, Refused(error.message, error.code))
            return
        if command["request_id"] is None:
            command["request_id"] = uuid.uuid4().hex
        command["received"] = asyncio.get_running_loop().time()
        if command["task"] == "emergency_stop":
            self._emergency_stop(command)
        elif self._answers.is_new(command):
            try:
                self._take(command, retained=retained)
            except LabError as refusal:
                # An entity hears no results: without the event a person's refused click would seem ignored.
                self._answers.settle(command, error=refusal, tell=True)

    def _take(self, command: dict[str, Any], *, retained: bool) -> None:
        """Check a new command, and start it, let it wait, or refuse it.

        Raises:
            LabError: It is refused.
        """
        name = command["task"]
        if retained:
            raise Refused("commands must not be retained; this one has been cleared", wire.RETAINED_COMMAND)
        task = self._tasks.get(name)
        if task is None:
            known = ", ".join(sorted(self._tasks))
            raise Refused(f"no task {name!r}{near(name, self._tasks)}; there are {known}", wire.UNKNOWN_TASK)
        self._check_expiry(command, task)
        arguments = task.schema.check(command["parameters"])
        if not task.method:
            self._do_at_once(command, arguments)
            return
        self._check_may_start(task)
        if task.effect == "read":
            if self._reads >= READS:
                raise Refused(f"{READS} reads are under way already", wire.BUSY)
            self._reads += 1
            self._spawn(self._read(command, task, arguments))
        elif self._running is None:
            self._start(command, task, arguments)
        elif len(self._queue) < QUEUE:
            self._queue.append(command)
            if command["timeout"]:  # counts from now, also while it waits
                asyncio.get_running_loop().call_later(command["timeout"], self._waited_too_long, command)
            self._answers.tell(command, "accepted", message=f"number {len(self._queue)} in the queue")
        else:
            raise Refused(f"{QUEUE} commands are waiting already", wire.BUSY)

    def _waited_too_long(self, command: dict[str, Any]) -> None:
        if command in self._queue:
            self._queue.remove(command)
            why = TimedOut(f"{command['task']} did not come to its turn within {command['timeout']:g} s")
            self._answers.settle(command, error=why, tell=True)

    def _check_expiry(self, command: dict[str, Any], task: BoundTask) -> None:
        try:
            now = self._clock()
            # A Raspberry Pi has no clock of its own: it starts in the past until the network tells.
            wire.check_expiry(command, now if now > CLOCK_IS_SET else None, moves=task.effect == "move")
        except wire.WireError as error:
            raise Refused(error.message, error.code) from error

    def _check_may_start(self, task: BoundTask) -> None:
        stop = self._latches.of(self._name)
        if task.effect == "move" and stop:
            raise EmergencyStopped(f"{told(stop)}; reset it first")
        if not self.instrument.reachable and not task.link:
            why = self.instrument.problem or "not connected yet"
            raise Unreachable(f"the instrument does not answer: {why}")
        must = self._device.needs_homing
        if task.effect == "move" and not task.homes and must and (first := must(self.instrument.snapshot)):
            raise Refused(f"it must be homed first: {'; '.join(first)}", wire.NOT_ALLOWED)

    def _start(self, command: dict[str, Any], task: BoundTask, arguments: dict[str, Any]) -> None:
        def progress(percent: float | None, message: str) -> None:
            self._answers.progress(command, percent, message)

        waited = asyncio.get_running_loop().time() - command["received"]
        running = Running(command, task, progress, waited)
        self._running = running
        self._presence.task = task.name
        self._answers.tell(command, "running")
        self._spawn(self._execute(running, arguments))

    async def _execute(self, running: Running, arguments: dict[str, Any]) -> None:
        """Run a task to its one result, then start the next."""
        command, task = running.command, running.task
        if task.effect == "move":
            self.instrument.read_often(often=True)
        self._changed()
        work = self._link(task, arguments) if task.link else self._call(task.method, arguments, running.run)
        result: object = None
        error: Exception | None = None
        try:
            result = await running.finish(work, lambda: self._give_up(task))
        except Exception as raised:  # noqa: BLE001 - the edge of the driver: answered, and logged if unforeseen
            error = raised
        self.instrument.read_often(often=False)
        if not running.hangs:
            await self._measure(task)
            self._settled()
        self._answers.settle(command, result=result, error=error, tell=True)
        if running.hangs:
            await running.let_go()  # it holds the instrument: nothing else may start
            self._settled()
        self._start_next()

    def _settled(self) -> None:
        self._running = None
        self._presence.task, self._presence.paused = None, False
        self._presence.say_changes()

    async def _give_up(self, task: BoundTask) -> None:
        """The driver does not let go of a task: stop the device past it."""
        _LOGGER.error("%s: %s does not end; the device is stopped", self._name, task.name)
        if self._device.stop and task.effect == "move":
            try:
                async with asyncio.timeout(GRACE):
                    await self._call.past_everything(self._device.stop)
            except Exception:
                _LOGGER.exception("%s could not be stopped", self._name)

    async def _link(self, task: BoundTask, arguments: dict[str, Any]) -> object:
        """A task that opens or closes the connection to the instrument."""
        async with self.instrument.link_lock:
            result = await self._call(task.method, arguments)
            if task.link == "open":
                await self.instrument.opened()
            else:
                self.instrument.closed(f"disconnected by the task {task.name}")
        return result

    async def _measure(self, task: BoundTask) -> None:
        """Measure the state that a task caused, so that it is published before the result."""
        if self.instrument.reachable and not task.link:
            try:
                await self.instrument.read()
            except LabError:
                _LOGGER.debug("%s was lost by %s", self._name, task.name)

    async def _read(self, command: dict[str, Any], task: BoundTask, arguments: dict[str, Any]) -> None:
        """Run a task that only reads, beside whatever else runs."""
        result: object = None
        error: Exception | None = None
        seconds = command["timeout"] or task.timeout
        try:
            async with asyncio.timeout(seconds):
                result = await self._call(task.method, arguments)
        except TimeoutError:
            error = TimedOut(f"{task.name} was not done within {seconds:g} s")
        except Exception as raised:  # noqa: BLE001 - the edge of the driver: answered, and logged if unforeseen
            error = raised
        self._reads -= 1
        self._answers.settle(command, result=result, error=error)

    def _start_next(self) -> None:
        while self._queue and self._running is None:
            command = self._queue.popleft()
            task = self._tasks[command["task"]]
            try:
                self._check_expiry(command, task)
                self._check_may_start(task)
            except LabError as refusal:
                self._answers.settle(command, error=refusal, tell=True)
            else:
                self._start(command, task, task.schema.check(command["parameters"]))

    # Tasks that the runtime does itself, and that never wait

    def _do_at_once(self, command: dict[str, Any], arguments: dict[str, Any]) -> None:
        match command["task"]:
            case "cancel":
                result = self._cancel(arguments.get("request_id"))
            case "pause":
                result = self._pause(paused=True)
            case "resume":
                result = self._pause(paused=False)
            case _:
                result = self._reset()
        self._answers.settle(command, result=result, tell=True)

    def _cancel(self, request_id: object) -> dict[str, Any]:
        running = self._running
        if running and request_id in (None, running.command["request_id"]):
            running.end(Cancelled(f"{running.task.name} was cancelled"))
            return {"cancelled": running.command["request_id"]}
        for command in self._queue:
            if command["request_id"] == request_id:
                self._queue.remove(command)
                self._answers.settle(command, error=Cancelled("cancelled while it waited"), tell=True)
                return {"cancelled": request_id}
        what = f"no command {request_id!r} runs or waits" if request_id else "nothing runs"
        raise Refused(f"{what} on {self._name}")

    def _pause(self, *, paused: bool) -> dict[str, Any]:
        running = self._running
        if running is None:
            raise Refused(f"nothing runs on {self._name}")
        if running.run.paused is not paused:
            running.pause(paused=paused)
            self._presence.paused = paused
            self._answers.tell(running.command, "paused" if paused else "running")
            self._presence.say_changes()
        return {"paused": paused, "request_id": running.command["request_id"]}

    def _reset(self) -> dict[str, Any]:
        for lab in self._latches.lab.values():
            raise EmergencyStopped(f"{told(lab)}; release the lab's stop first")
        was = self._latches.own(self._name)
        self._latches.release(self._name)
        self.stop_changed()
        if was:
            self._answers.event(RESET, stop_id=was["stop_id"])
        return {"released": was["stop_id"] if was else None}

    # The emergency stop

    def stop_now(self, stop: dict[str, Any], received: float) -> "asyncio.Task[bool]":
        """Stop all motion, end the running task and everything that waits; past queue, lock and thread.

        Args:
            stop: The stop that is obeyed.
            received: When it came in.

        Returns:
            Done when the instrument has confirmed.
        """
        stopping = self._stopping.start(stop, received)
        ended = EmergencyStopped(told(stop))
        if self._running:
            self._running.end(ended)
        while self._queue:
            self._answers.settle(self._queue.popleft(), error=ended, tell=True)
        self._changed()
        return stopping

    def stop_changed(self) -> None:
        """A stop was engaged or released; moves nothing."""
        if self._latches.of(self._name) is None:
            self._stopping.end()  # or a late attempt would stop the next move
        self._presence.say_changes()

    def _emergency_stop(self, command: dict[str, Any]) -> None:
        """The device's own stop: stop first, look at the rest of the command after."""
        reason = command["parameters"].get("reason")
        text = reason if isinstance(reason, str) else ""
        stop, stopping = self._stop_itself(command["issued_by"] or "unknown", text)
        if self._answers.is_new(command):
            self._spawn(self._answer_stop(command, stop, stopping))

    def _stop_itself(self, by: str, reason: str) -> tuple[dict[str, Any], "asyncio.Task[bool]"]:
        now = self._clock()
        stop = wire.stop_message(
            engaged=True, stop_id=uuid.uuid4().hex, by=by, reason=reason[:255], timestamp=int(now)
        )
        stopping = self.stop_now(stop, now)
        self._latches.engage(self._name, stop)
        return stop, stopping

    async def _answer_stop(
        self, command: dict[str, Any], stop: dict[str, Any], stopping: "asyncio.Task[bool]"
    ) -> None:
        await asyncio.wait([stopping], timeout=GRACE)
        confirmed = stopping.done() and not stopping.cancelled() and stopping.result()
        self._answers.settle(command, result={"stop_id": stop["stop_id"], "confirmed": confirmed}, tell=True)

    async def _before_use(self) -> None:
        await self._stopping.before_use(self._latches.of(self._name))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
