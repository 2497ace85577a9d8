"""One device: takes its commands, runs them one at a time, answers each exactly once, and stops at once."""

import asyncio
from collections import deque
from collections.abc import Callable
import logging
import time
from typing import Any
import uuid

from lab2mqtt import wire
from lab2mqtt.core.description import BoundTask, Instance, describe, entities_of
from lab2mqtt.core.device import Device
from lab2mqtt.core.errors import (
    Cancelled,
    EmergencyStopped,
    Ended,
    LabError,
    Refused,
    TimedOut,
    Unreachable,
)
from lab2mqtt.core.house import RESET, STOPPED, TASK_FAILED, TASK_SUCCEEDED
from lab2mqtt.core.words import near
from lab2mqtt.runtime.calls import Calls
from lab2mqtt.runtime.instrument import Instrument
from lab2mqtt.runtime.record import Record
from lab2mqtt.runtime.run import TaskRun
from lab2mqtt.runtime.state import measured, readiness
from lab2mqtt.runtime.stop import Latches

_LOGGER = logging.getLogger(__name__)

QUEUE = 16  # commands that wait; one more is ``busy``
READS = 8  # reads at once; one more is ``busy``
GRACE = 2.0  # s that a task has to end once it was asked to, before the device is stopped instead
SETTLE = 0.02  # s in which changes of state become one message
STOP_AGAIN = 0.2  # s between two attempts to stop an instrument that did not confirm
PROGRESS_EVERY = 0.2  # s between two messages of progress

Say = Callable[..., None]


class Running:
    """A task that runs now, and its clock."""

    def __init__(self, command: dict[str, Any], task: BoundTask, run: TaskRun) -> None:
        self.command = command
        self.task = task
        self.run = run
        self.call: asyncio.Task[object] | None = None
        self.left = float(command["timeout"] or task.timeout)
        self.since = 0.0
        self.timer: asyncio.TimerHandle | None = None

    def start_clock(self) -> None:
        """Count down what is left of the task's time."""
        loop = asyncio.get_running_loop()
        self.since = loop.time()
        self.timer = loop.call_later(self.left, self._time_out)

    def stop_clock(self) -> None:
        """Hold the clock: a paused task does not run out of time."""
        if self.timer:
            self.timer.cancel()
            self.left = max(0.0, self.left - (asyncio.get_running_loop().time() - self.since))

    def _time_out(self) -> None:
        seconds = self.command["timeout"] or self.task.timeout
        self.end(TimedOut(f"{self.task.name} was not done within {seconds:g} s"))

    def end(self, why: Ended) -> None:
        """Ask the task to end."""
        self.run.end(why)
        if self.call and self.task.is_coroutine:
            self.call.cancel()


class Worker:
    """One device of a bridge."""

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
            say: Publishes: ``say(kind, message, qos=…, retain=…)`` on the device's topic of that kind.
            clock: Seconds since the epoch.
        """
        self.device = device
        self.instance = instance
        self.tasks = tasks
        self.record = Record()
        self.done = self.failed = 0
        self._latches = latches
        self._say = say
        self._clock = clock
        self._call = Calls(driver, instance.device_id)
        for task in tasks.values():
            task.is_coroutine = bool(task.method) and self._call.is_coroutine(task.method)
        self.instrument = Instrument(
            instance.device_id, device, self._call, self._before_use, self._state_changed
        )
        self._entities = entities_of(device)
        self._moves = any(task.effect == "move" for task in device.tasks)
        self._queue: deque[dict[str, Any]] = deque()
        self._running: Running | None = None
        self._reads = 0
        self._stopping: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[Any]] = set()
        self._settle: asyncio.TimerHandle | None = None
        self._said: dict[str, Any] = {}
        self._said_at = 0.0
        self._said_online: bool | None = None
        self._described: dict[str, object] = {}
        self._progress_at = 0.0

    # What the device is and how it is

    @property
    def queued(self) -> int:
        """How many commands wait."""
        return len(self._queue)

    @property
    def description(self) -> dict[str, object]:
        """What the device is and can do."""
        return describe(self.device, self.tasks, self.instance, self.instrument.info)

    async def run(self) -> None:
        """Keep the instrument connected, and say its state even when nothing changes, until cancelled."""
        # An instrument that moves is trusted for seconds only: interlocks look at the age of its state.
        longest = 10 if self._moves else 60
        link = asyncio.create_task(self.instrument.run())
        try:
            while True:
                await asyncio.sleep(longest / 2)
                if self._clock() - self._said_at > longest / 2:
                    self._say_state(again=True)
        finally:
            link.cancel()
            await asyncio.gather(link, return_exceptions=True)

    def say_everything(self) -> None:
        """Publish all that is retained: description, status and state."""
        self._described, self._said, self._said_online = {}, {}, None
        self._say_state()

    def _state(self) -> dict[str, Any]:
        word, reasons = self._readiness()
        values = measured(self._entities, self.instrument.snapshot)
        return values | {
            "connected": self.instrument.reachable,
            "emergency_stop": self._latches.of(self.instance.device_id) is not None,
            "task": self._running.task.name if self._running else None,
            "readiness": word,
            "readiness_reasons": reasons,
        }

    def _readiness(self) -> tuple[str, list[str]]:
        instrument, snapshot = self.instrument, self.instrument.snapshot
        reasons: dict[str, list[str]] = {}
        if not instrument.reachable:
            word = "unreachable" if instrument.problem else "starting"
            reasons[word] = [instrument.problem or "connecting to the instrument"]
        if stop := self._latches.of(self.instance.device_id):
            reasons["emergency_stopped"] = [_told(stop)]
        for word, find in (("fault", self.device.faults), ("needs_homing", self.device.needs_homing)):
            if find and snapshot is not None and (found := list(find(snapshot))):
                reasons[word] = found
        if self._running:
            word = "paused" if self._running.run.paused else "busy"
            reasons[word] = [f"{self._running.task.name} {'is paused' if word == 'paused' else 'runs'}"]
        return readiness(reasons)

    def _state_changed(self) -> None:
        """Publish the state in a moment, together with what else changes until then."""
        if self._settle is None:
            self._settle = asyncio.get_running_loop().call_later(SETTLE, self._say_state)

    def _say_state(self, *, again: bool = False) -> None:
        if self._settle:
            self._settle.cancel()
            self._settle = None
        description = self.description if self.instrument.info or not self._described else self._described
        if description != self._described:
            self._described = description
            self._say("description", description, retain=True)
        online = self.instrument.reachable
        if online is not self._said_online:
            self._say("status", self._status(online=online), retain=True)
            self._said_online = online
        state = self._state()
        if again or state != self._said:
            self._said, self._said_at = state, self._clock()
            self._say("state", {**state, "updated_at": round(self._said_at, 3)}, retain=True)

    def _status(self, *, online: bool) -> dict[str, Any]:
        word = wire.ONLINE if online else wire.OFFLINE
        return wire.status(
            self.instance.device_id, word, int(self._clock()), self.instance.bridge, list(self.tasks)
        )

    # Commands

    def receive(self, payload: bytes, *, retained: bool = False) -> None:
        """Take a command from the wire.

        Raises:
            wire.WireError: It cannot be answered, because it has no id that can be read.
        """
        try:
            command = wire.read_command(payload)
        except wire.WireError as error:
            if error.request_id is None:
                raise
            self._answer(error.request_id, error.task or "", error=Refused(error.message, error.code))
            return
        if command["request_id"] is None:
            command["request_id"] = uuid.uuid4().hex
        request_id, name = command["request_id"], command["task"]
        if name == "emergency_stop" and not retained:
            self._emergency_stop(command)
            return
        known = self.record.ask(command)
        if isinstance(known, dict):
            self._say("result", wire.replayed(known))
        elif known == "conflict":
            text = f"request_id {request_id!r} was used before, for another task or other parameters"
            self._say("result", self._failure(request_id, name, Refused(text, wire.CONFLICT)))
        elif known == "new":
            self.record.take(command, self._clock())
            try:
                self._take(command, retained=retained)
            except LabError as refusal:
                self._answer(request_id, name, error=refusal)

    def _take(self, command: dict[str, Any], *, retained: bool) -> None:
        """Check a new command, and start it, let it wait, or refuse it.

        Raises:
            LabError: It is refused.
        """
        name = command["task"]
        if retained:
            raise Refused("commands must not be retained; it has been cleared", wire.RETAINED_COMMAND)
        task = self.tasks.get(name)
        if task is None:
            known = ", ".join(sorted(self.tasks))
            raise Refused(f"no task {name!r}{near(name, self.tasks)}; there are {known}", wire.UNKNOWN_TASK)
        self._check_expiry(command, task)
        arguments = task.schema.check(command["parameters"])
        if not task.method:
            self._do_now(command, arguments)
            return
        if task.effect == "read":
            self._check_may_start(task)
            if self._reads >= READS:
                raise Refused(f"{READS} reads are under way already", wire.BUSY)
            self._reads += 1
            self._spawn(self._read(command, task, arguments))
            return
        self._check_may_start(task)
        if self._running is None:
            self._start(command, task, arguments)
            return
        if len(self._queue) >= QUEUE:
            raise Refused(f"{QUEUE} commands are waiting already", wire.BUSY)
        self._queue.append(command)
        self._say_progress(command, "accepted", message=f"waits behind {len(self._queue)}")

    def _check_expiry(self, command: dict[str, Any], task: BoundTask) -> None:
        try:
            wire.check_expiry(command, self._clock(), moves=task.effect == "move")
        except wire.WireError as error:
            raise Refused(error.message, error.code) from error

    def _check_may_start(self, task: BoundTask) -> None:
        stop = self._latches.of(self.instance.device_id)
        if task.effect == "move" and stop:
            raise Refused(f"{_told(stop)}; reset it first", wire.EMERGENCY_STOPPED)
        if not self.instrument.reachable and not task.link:
            why = self.instrument.problem or "not connected yet"
            raise Unreachable(f"the instrument does not answer: {why}")

    def _start(self, command: dict[str, Any], task: BoundTask, arguments: dict[str, Any]) -> None:
        run = TaskRun(lambda percent, message: self._progress(command, percent, message))
        running = self._running = Running(command, task, run)
        self._say_progress(command, "running")
        self._spawn(self._execute(running, arguments))

    async def _execute(self, running: Running, arguments: dict[str, Any]) -> None:
        """Run a task to its one result, then start the next."""
        command, task = running.command, running.task
        if task.effect == "move":
            self.instrument.busy = True
            self.instrument.read_soon()
        self._state_changed()
        result: object = None
        error: Exception | None = None
        try:
            result = await self._within_time(running, arguments)
        except Exception as raised:  # noqa: BLE001 - the edge of the driver: answered, and logged if unforeseen
            error = raised
        finally:
            running.stop_clock()
        self.instrument.busy = False
        await self._after(task)
        hung = running.call is not None and not running.call.done()
        if not hung:
            self._running = None
        self._say_state()
        self._answer(command["request_id"], task.name, result=result, error=error, tell=True)
        if hung and running.call:
            await asyncio.wait([running.call])  # it holds the instrument: nothing else may start
            self._running = None
            self._say_state()
        self._start_next()

    async def _within_time(self, running: Running, arguments: dict[str, Any]) -> object:
        """Call the driver; when the task is asked to end, see that it does.

        Raises:
            Exception: Why there is no result.
        """
        running.start_clock()
        task = running.task
        if task.link:
            return await self._link(task, arguments, running.run)
        if task.is_coroutine:
            running.call = asyncio.ensure_future(self._call(task.method, arguments, running.run))
            try:
                return await running.call
            except asyncio.CancelledError:
                running.run.check()
                raise
        running.call = asyncio.ensure_future(self._call(task.method, arguments, running.run))
        while not running.call.done():
            await asyncio.wait([running.call], timeout=GRACE if running.run.ended else GRACE / 2)
            ended = running.run.ended
            if ended and not running.call.done():
                await asyncio.wait([running.call], timeout=GRACE)
                if not running.call.done():
                    return await self._give_up(running, ended)
        return running.call.result()

    async def _give_up(self, running: Running, why: Ended) -> object:
        """The driver does not let go of a task: stop the device past it.

        Raises:
            Ended: Why the task was to end.
        """
        _LOGGER.error(
            "%s: %s did not end within %g s; the device is stopped", self.instance.device_id, running.task.name, GRACE
        )
        if self.device.stop and running.task.effect == "move":
            await self._call.past_everything(self.device.stop)
        raise why

    async def _link(self, task: BoundTask, arguments: dict[str, Any], run: TaskRun) -> object:
        """A task that opens or closes the connection to the instrument."""
        async with self.instrument.link_lock:
            result = await self._call(task.method, arguments, run)
            if task.link == "open":
                await self.instrument.opened()
            else:
                self.instrument.closed(f"disconnected by the task {task.name}")
        return result

    async def _after(self, task: BoundTask) -> None:
        """Measure the state that a task caused, so that it is published before the result."""
        if self.instrument.reachable and not task.link:
            try:
                await self.instrument.read()
            except LabError:
                _LOGGER.debug("%s was lost by %s", self.instance.device_id, task.name)

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
        self._answer(command["request_id"], task.name, result=result, error=error)

    def _start_next(self) -> None:
        while self._queue and self._running is None:
            command = self._queue.popleft()
            task = self.tasks[command["task"]]
            try:
                self._check_expiry(command, task)
                self._check_may_start(task)
            except LabError as refusal:
                self._answer(command["request_id"], task.name, error=refusal)
            else:
                self._start(command, task, task.schema.check(command["parameters"]))

    # Tasks that the runtime does itself, and that never wait

    def _do_now(self, command: dict[str, Any], arguments: dict[str, Any]) -> None:
        match command["task"]:
            case "cancel":
                result = self._cancel(arguments.get("request_id"))
            case "pause":
                result = self._pause(paused=True)
            case "resume":
                result = self._pause(paused=False)
            case _:
                result = self._reset()
        self._answer(command["request_id"], command["task"], result=result, tell=True)

    def _cancel(self, request_id: str | None) -> dict[str, Any]:
        running = self._running
        if running and request_id in (None, running.command["request_id"]):
            running.end(Cancelled(f"{running.task.name} was cancelled"))
            return {"cancelled": running.command["request_id"]}
        for command in self._queue:
            if command["request_id"] == request_id:
                self._queue.remove(command)
                self._answer(request_id, command["task"], error=Cancelled("cancelled while it waited"), tell=True)
                return {"cancelled": request_id}
        what = f"no command {request_id!r} runs or waits" if request_id else "nothing runs"
        raise Refused(f"{what} on {self.instance.device_id}")

    def _pause(self, *, paused: bool) -> dict[str, Any]:
        running = self._running
        if running is None:
            raise Refused(f"nothing runs on {self.instance.device_id}")
        if running.run.paused is not paused:
            if not paused and (stop := self._latches.of(self.instance.device_id)):
                raise Refused(f"{_told(stop)}; reset it first", wire.EMERGENCY_STOPPED)
            running.run.paused = paused
            if paused:
                running.stop_clock()
            else:
                running.start_clock()
            self._say_progress(running.command, "paused" if paused else "running")
            self._say_state()
        return {"paused": paused, "request_id": running.command["request_id"]}

    def _reset(self) -> dict[str, Any]:
        for lab in self._latches.lab.values():
            raise Refused(f"{_told(lab)}; release the lab's stop first", wire.EMERGENCY_STOPPED)
        was = self._latches.own(self.instance.device_id)
        self._latches.release(self.instance.device_id)
        self._say_state()
        if was:
            self._event(RESET, stop_id=was["stop_id"])
        return {"released": was["stop_id"] if was else None}

    # The emergency stop

    def _emergency_stop(self, command: dict[str, Any]) -> None:
        """The device's own stop: stop first, look at the rest of the command after."""
        now = self._clock()
        reason = command["parameters"].get("reason")
        stop = wire.stop_message(
            engaged=True,
            stop_id=uuid.uuid4().hex,
            by=command["issued_by"] or "unknown",
            reason=reason if isinstance(reason, str) else "",
            timestamp=int(now),
        )
        stopping = self.stop_now(stop, now)
        self._latches.engage(self.instance.device_id, stop)
        known = self.record.ask(command)
        if isinstance(known, dict):
            self._say("result", wire.replayed(known))
        elif known == "new":
            self.record.take(command, now)
            self._spawn(self._answer_stop(command, stop, stopping))

    async def _answer_stop(
        self, command: dict[str, Any], stop: dict[str, Any], stopping: asyncio.Task[None]
    ) -> None:
        await asyncio.wait([stopping], timeout=GRACE)
        told = {"stop_id": stop["stop_id"], "confirmed": stopping.done()}
        self._answer(command["request_id"], command["task"], result=told, tell=True)

    def stop_now(self, stop: dict[str, Any], received: float) -> asyncio.Task[None]:
        """Stop all motion, end the running task and everything that waits; past queue, lock and thread.

        Args:
            stop: The stop, for the proof.
            received: When it came in.

        Returns:
            Done when the instrument has confirmed.
        """
        if self._stopping:
            self._stopping.cancel()
        stopping = self._stopping = self._spawn(self._stop_and_prove(stop, received))
        ended = EmergencyStopped(_told(stop))
        if self._running:
            self._running.end(ended)
        while self._queue:
            command = self._queue.popleft()
            self._answer(command["request_id"], command["task"], error=ended, tell=True)
        self._state_changed()
        return stopping

    async def _stop_and_prove(self, stop: dict[str, Any], received: float) -> None:
        """Call the driver's stop until it confirms, then say so."""
        complaint = ""
        while self.device.stop:
            try:
                await self._call.past_everything(self.device.stop)
                break
            except Exception as error:  # noqa: BLE001 - whatever it was, the next attempt may do it
                if not self.instrument.reachable:
                    return  # stopped as soon as it answers again, see _before_use
                if str(error) != complaint:
                    complaint = str(error)
                    _LOGGER.error("%s did not confirm the emergency stop: %s", self.instance.device_id, error)
                    self._prove(stop, received, None, complaint)
            await asyncio.sleep(STOP_AGAIN)
        self._prove(stop, received, self._clock())
        self.instrument.read_soon()

    def _prove(self, stop: dict[str, Any], received: float, stopped: float | None, error: str = "") -> None:
        self._event(
            STOPPED,
            stop_id=stop["stop_id"],
            by=stop["by"],
            reason=stop["reason"],
            received_at=round(received, 3),
            stopped_at=round(stopped, 3) if stopped else None,
            confirmed=stopped is not None,
            **({"error": error} if error else {}),
        )

    async def _before_use(self) -> None:
        """An instrument that comes back while a stop is engaged is stopped before anybody may use it."""
        stop = self._latches.of(self.instance.device_id)
        if stop and self.device.stop:
            await self._call.past_everything(self.device.stop)
            self._prove(dict(stop), self._clock(), self._clock())

    def stop_changed(self) -> None:
        """The lab's stop was engaged or released; moves nothing."""
        self._say_state()

    # Answers

    def _progress(self, command: dict[str, Any], percent: float | None, message: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._progress_at >= PROGRESS_EVERY:
            self._progress_at = now
            self._say_progress(command, "progress", percent=percent, message=message)

    def _say_progress(
        self, command: dict[str, Any], status: str, *, percent: float | None = None, message: str = ""
    ) -> None:
        told = wire.progress(
            command["request_id"],
            command["task"],
            status,
            int(self._clock()),
            percent=percent,
            message=message or None,
        )
        self._say("progress", told, qos=0)

    def _answer(
        self,
        request_id: str,
        name: str,
        *,
        result: object = None,
        error: Exception | None = None,
        tell: bool = False,
    ) -> None:
        """Publish the one result of a command, and with ``tell`` an event for people and automations."""
        if error is None:
            try:
                message = wire.success(request_id, name, result, int(self._clock()))
                wire.encode(message)
            except wire.WireError as unfit:
                error = LabError(f"{name} returned what JSON cannot hold: {unfit.message}")
        if error is not None:
            message = self._failure(request_id, name, error)
            self.failed += 1
        else:
            self.done += 1
        self.record.settle(request_id, message)
        if tell:
            more = {key: message[key] for key in ("error", "error_code") if key in message}
            self._event(TASK_FAILED if error else TASK_SUCCEEDED, task=name, request_id=request_id, **more)
        self._say("result", message)

    def _failure(self, request_id: str, name: str, error: Exception) -> dict[str, Any]:
        code = error.error_code if isinstance(error, LabError) else wire.DEVICE_ERROR
        text = str(error) or type(error).__name__
        if not isinstance(error, LabError):
            _LOGGER.error("%s: %s failed", self.instance.device_id, name, exc_info=error)
            text = f"{type(error).__name__}: {text}"
        return wire.failure(request_id, name, code, text, int(self._clock()))

    def _event(self, event_type: str, **data: Any) -> None:  # noqa: ANN401 - JSON
        self._say("event", wire.event(event_type, round(self._clock(), 3), **data))

    # The end

    async def close(self) -> None:
        """End what runs, leave the instrument as its settings say, and say that it is offline."""
        why = Cancelled("the bridge was shut down")
        why.error_code = wire.INTERRUPTED
        while self._queue:
            command = self._queue.popleft()
            self._answer(command["request_id"], command["task"], error=why)
        if self._running:
            self._running.end(why)
            await asyncio.wait(self._background, timeout=GRACE)
        for task in self._background:
            task.cancel()
        try:
            async with asyncio.timeout(GRACE / 2):
                await self._call("close")
        except Exception:
            _LOGGER.exception("%s could not be closed", self.instance.device_id)
        self._call.close()
        self._say("status", self._status(online=False), retain=True)

    def _spawn(self, work: Any) -> asyncio.Task[Any]:  # noqa: ANN401 - any coroutine
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task


def _told(stop: Any) -> str:  # noqa: ANN401 - a stop message
    """A stop in words."""
    by = f" by {stop['by']}" if stop.get("by") else ""
    reason = f" ({stop['reason']})" if stop.get("reason") else ""
    return f"emergency stop engaged{by}{reason}"
