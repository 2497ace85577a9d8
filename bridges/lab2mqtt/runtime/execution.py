"""The tasks of one device: one that runs, those that wait behind it, and reads beside them."""

import asyncio
from collections import deque
from collections.abc import Coroutine
import logging
from typing import Any

from lab2mqtt import wire
from lab2mqtt.core.description import BoundTask
from lab2mqtt.core.device import Device
from lab2mqtt.core.errors import Cancelled, Ended, InterlockBroken, LabError, Refused, TimedOut
from lab2mqtt.runtime.answers import Answers
from lab2mqtt.runtime.calls import Calls
from lab2mqtt.runtime.instrument import Instrument
from lab2mqtt.runtime.interlocks import Interlocks
from lab2mqtt.runtime.permits import Permits
from lab2mqtt.runtime.presence import Presence
from lab2mqtt.runtime.record import KnownAlready, Record
from lab2mqtt.runtime.running import GRACE, Running

_LOGGER = logging.getLogger(__name__)


class Execution:
    """Runs the tasks of one device.

    Attributes:
        running: The task that runs.
    """

    def __init__(
        self,
        device: Device[Any],
        calls: Calls,
        instrument: Instrument,
        permits: Permits,
        interlocks: Interlocks,
        presence: Presence,
        answers: Answers,
        record: Record,
    ) -> None:
        """Prepare.

        Args:
            device: The declaration.
            calls: The driver.
            instrument: The link to the instrument.
            permits: Says whether a task may start.
            interlocks: Says whether it may go on.
            presence: Told what runs.
            answers: Told how it ended.
            record: Notes a task before the device is touched.
        """
        self._device = device
        self._call = calls
        self._instrument = instrument
        self._permits = permits
        self._interlocks = interlocks
        self._presence = presence
        self._answers = answers
        self._record = record
        self._queue: deque[tuple[dict[str, Any], BoundTask, dict[str, Any]]] = deque()
        self._reads = 0
        self._background: set[asyncio.Task[Any]] = set()
        self.running: Running | None = None

    @property
    def queued(self) -> int:
        """How many commands wait."""
        return len(self._queue)

    @property
    def _current(self) -> Running | None:
        """The task that runs, unless all that is missing is its result on the wire."""
        return self.running if self.running and self._presence.task else None

    def add(self, command: dict[str, Any], task: BoundTask, arguments: dict[str, Any]) -> None:
        """Start a task, let it wait, or refuse it.

        Raises:
            Refused: Too many wait, or too much is read.
        """
        if task.effect in ("read", "stop"):
            if task.effect == "read" and self._reads >= self._device.reads:
                raise Refused(f"{self._device.reads} reads are under way already", wire.BUSY)
            self._reads += 1
            self.spawn(self._beside(command, task, arguments))
            return
        if self.running and len(self._queue) >= self._device.waiting:
            raise Refused(f"{self._device.waiting} commands are waiting already", wire.BUSY)
        self._record.note(command)
        if self.running is None:
            self._start(command, task, arguments)
            return
        self._queue.append((command, task, arguments))
        if command["timeout"]:  # counts from now, also while it waits
            asyncio.get_running_loop().call_later(command["timeout"], self._waited_too_long, command)
        # Nothing is said of a command that a crash would forget.
        if noted := self._record.noted(command):
            noted.add_done_callback(lambda _: self._tell_place(command))
        else:
            self._tell_place(command)

    def cancel(self, request_id: object) -> dict[str, Any]:
        """End one command in an orderly way; the running one where none is named.

        Raises:
            Refused: No such command runs or waits.
        """
        running = self._current
        if running and request_id in (None, running.command["request_id"]):
            running.end(Cancelled(f"{running.task.name} was cancelled"))
            return {"cancelled": running.command["request_id"]}
        if waiting := self._take_out(request_id):
            self._answers.settle(waiting, error=Cancelled("cancelled while it waited"), tell=True)
            return {"cancelled": request_id}
        what = f"no command {request_id!r} runs or waits" if request_id else "nothing runs"
        raise Refused(f"{what} on {self._presence.device_id}")

    def pause(self, *, paused: bool, reservation: str | None = None) -> dict[str, Any]:
        """Hold the running task, or let it go on.

        Raises:
            LabError: Nothing runs, or it may not go on.
        """
        running = self._current
        if running is None:
            raise Refused(f"nothing runs on {self._presence.device_id}")
        if running.run.paused is not paused:
            if not paused:
                self._permits.check_nobody_objects(running.task, reservation)
            self._paused(running, paused=paused)
        return {"paused": paused, "request_id": running.command["request_id"]}

    def end(self, why: Ended) -> None:
        """End all that runs or waits."""
        if self.running:
            self.running.end(why)
        while self._queue:
            self._answers.settle(self._queue.popleft()[0], error=why, tell=True)

    def look_at_interlocks(self) -> None:
        """End the running task if another device forbids it by now."""
        running = self._current
        if running and (words := self._interlocks.broken(running.task.name, running.task.effect)):
            running.end(InterlockBroken(words))

    async def close(self, why: Ended) -> None:
        """End all, and wait until that has been said; not for long."""
        last = [self._answers.settle(command, error=why) for command, _, _ in self._queue]
        self._queue.clear()
        if self.running:
            self.running.end(why)
        if waiting := {*self._background, *last}:
            await asyncio.wait(waiting, timeout=GRACE)
        for task in self._background:
            task.cancel()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside all that."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _paused(self, running: Running, message: str = "", *, paused: bool) -> None:
        running.pause(paused=paused)
        self._presence.paused = paused
        self._answers.tell(running.command, "paused" if paused else "running", message)
        self._presence.say_changes()

    def _tell_place(self, command: dict[str, Any]) -> None:
        for place, waiting in enumerate(self._queue, 1):
            if waiting[0] is command:
                self._answers.tell(command, "accepted", f"number {place} in the queue")

    def _take_out(self, request_id: object) -> dict[str, Any] | None:
        """Take a waiting command out of the queue."""
        for waiting in self._queue:
            if waiting[0]["request_id"] == request_id:
                self._queue.remove(waiting)
                return waiting[0]
        return None

    def _waited_too_long(self, command: dict[str, Any]) -> None:
        if self._take_out(command["request_id"]):
            why = TimedOut(f"{command['task']} did not come to its turn within {command['timeout']:g} s")
            self._answers.settle(command, error=why, tell=True)

    def _start(self, command: dict[str, Any], task: BoundTask, arguments: dict[str, Any]) -> None:
        def progress(percent: float | None, message: str) -> None:
            self._answers.progress(command, percent, message)

        def hold(message: str) -> None:
            if self._current is running and running.run.paused and not self._presence.paused:
                self._paused(running, message, paused=True)

        waited = asyncio.get_running_loop().time() - command["received"]
        running = Running(command, task, progress, hold, waited)
        self.running = running
        self._record.started(command, self._presence.state)
        self._presence.task, self._presence.paused = task.name, False
        self.spawn(self._execute(running, arguments))

    async def _execute(self, running: Running, arguments: dict[str, Any]) -> None:
        """Run a task to its one result, then start the next."""
        command, task = running.command, running.task
        if task.effect == "move":
            self._instrument.read_often(often=True)
        self._presence.change()
        result: object = None
        error: Exception | None = None
        try:
            if noted := self._record.noted(command):
                await running.wait_for(noted)
                self._record.check_noted(command)
                self._permits.check(task, command)  # once more: the disk may have been slow
            self._answers.tell(command, "paused" if running.run.paused else "running")
            work = (
                self._link(task, arguments) if task.link else self._call(task.method, arguments, running.run)
            )
            result = await running.finish(work, lambda: self._give_up(task))
        except Exception as raised:  # noqa: BLE001 - the edge of the driver: answered, and logged if unforeseen
            error = raised
        self._instrument.read_often(often=False)
        if not running.hangs:
            await self._measure(task)
            self._settled()
        if isinstance(error, KnownAlready):
            self._record.drop(command)
            self._answers.answer_known(command, error.known)
        else:
            said = self._answers.settle(command, result=result, error=error, tell=True)
            if not said.done():
                await said
        if running.hangs:
            await running.let_go()  # it holds the instrument: nothing else may start
            self._settled()
        self._start_next()

    def _settled(self) -> None:
        self._presence.task, self._presence.paused = None, False
        self._presence.say_changes()

    def _start_next(self) -> None:
        self.running = None
        while self._queue and self.running is None:
            command, task, arguments = self._queue.popleft()
            try:
                self._permits.check(task, command)
            except LabError as refusal:
                self._answers.settle(command, error=refusal, tell=True)
            else:
                self._start(command, task, arguments)

    async def _give_up(self, task: BoundTask) -> None:
        """The driver does not let go of a task: stop the device past it."""
        _LOGGER.error("%s: %s does not end; the device is stopped", self._presence.device_id, task.name)
        if self._device.stop and task.effect == "move":
            try:
                async with asyncio.timeout(GRACE):
                    await self._call.past_everything(self._device.stop)
            except Exception:
                _LOGGER.exception("%s could not be stopped", self._presence.device_id)

    async def _link(self, task: BoundTask, arguments: dict[str, Any]) -> object:
        """A task that opens or closes the connection to the instrument."""
        async with self._instrument.link_lock:
            result = await self._call(task.method, arguments)
            if task.link == "open":
                await self._instrument.opened()
            else:
                self._instrument.closed(f"disconnected by the task {task.name}")
        return result

    async def _measure(self, task: BoundTask) -> None:
        """Measure the state that a task caused, so that it is published before the result."""
        if self._instrument.reachable and not task.link:
            try:
                await self._instrument.read()
            except LabError:
                _LOGGER.debug("%s was lost by %s", self._presence.device_id, task.name)

    async def _beside(self, command: dict[str, Any], task: BoundTask, arguments: dict[str, Any]) -> None:
        """Run a task that only reads or stops, beside whatever else runs."""
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
        # What stops something is done with the state that it caused, like any task that changes one.
        if task.effect == "stop":
            await self._measure(task)
        self._answers.settle(command, result=result, error=error, tell=task.effect == "stop")
