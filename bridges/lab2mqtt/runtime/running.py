"""A task that runs now: its clock, its call of the driver, and how it is brought to its end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from lab2mqtt.core.description import BoundTask
from lab2mqtt.core.errors import Ended, TimedOut
from lab2mqtt.runtime.run import TaskRun

GRACE = 2.0  # s that a driver has to end a task once it was asked to


class Running:
    """One run of one command."""

    def __init__(
        self,
        command: dict[str, Any],
        task: BoundTask,
        on_progress: Callable[[float | None, str], None],
        on_hold: Callable[[str], None],
        waited: float = 0.0,
    ) -> None:
        """Prepare; ``finish`` runs it.

        Args:
            command: As it was read from the wire.
            task: What it asks for.
            on_progress: Called with percent and words.
            on_hold: Called with words when the driver holds the task.
            waited: Seconds since the command was received.
        """
        self.command = command
        self.task = task
        self.run = TaskRun(on_progress, on_hold)
        self._loop = asyncio.get_running_loop()
        self._limit = float(command["timeout"] or task.timeout)
        # A limit that the command states counts from its receipt, the task's own from now.
        self._left = max(0.0, self._limit - (waited if command["timeout"] else 0.0))
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._call: asyncio.Future[Any] | None = None
        self._turn: asyncio.Future[None] = self._loop.create_future()

    @property
    def hangs(self) -> bool:
        """Whether the driver still holds the instrument although the task has been given up."""
        return self._call is not None and not self._call.done()

    async def wait_for(self, before: "asyncio.Future[Any]") -> None:
        """Wait for what must be there first.

        Raises:
            Ended: The task was asked to end meanwhile.
        """
        await asyncio.wait((before, self._turn), return_when=asyncio.FIRST_COMPLETED)
        self.run.check()

    async def finish(self, work: Awaitable[Any], give_up: Callable[[], Awaitable[None]]) -> Any:  # noqa: ANN401
        """Run to the end.

        Args:
            work: The call of the driver.
            give_up: Brings the device to rest when the driver does not end the task.

        Raises:
            Ended: It was asked to end, and did or was given up.
            Exception: What the driver raised.
        """
        call = self._call = asyncio.ensure_future(work)
        call.add_done_callback(self._turned)
        if not self.run.paused:
            self._start_clock()
        try:
            await self._turn
            if not call.done() and not await self._let_it_end(call):
                await give_up()
        finally:
            self._stop_clock()
        ended = self.run.ended
        if ended and (not call.done() or call.cancelled() or call.exception()):
            met = call.exception() if call.done() and not call.cancelled() else None
            # Why it was ended says more than what the driver met on its way out, unless that tells more of it
            raise met if met and met.__cause__ is ended else ended
        return call.result()

    async def let_go(self) -> None:
        """Wait until a driver that hangs lets go of the instrument."""
        if self._call:
            await asyncio.wait([self._call])

    def end(self, why: Ended) -> None:
        """Ask the task to end."""
        self.run.end(why)
        self._turned()

    def pause(self, *, paused: bool) -> None:
        """Hold or go on; a paused task does not run out of time."""
        self.run.paused = paused
        if paused:
            self._stop_clock()
        else:
            self._start_clock()

    async def _let_it_end(self, call: "asyncio.Future[Any]") -> bool:
        if self.task.is_coroutine:
            call.cancel()
        await asyncio.wait([call], timeout=GRACE)
        return call.done()

    def _turned(self, _: object = None) -> None:
        if not self._turn.done():
            self._turn.set_result(None)

    def _start_clock(self) -> None:
        self._since = self._loop.time()
        self._timer = self._loop.call_later(self._left, self._time_out)

    def _stop_clock(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
            self._left = max(0.0, self._left - (self._loop.time() - self._since))

    def _time_out(self) -> None:
        self.end(TimedOut(f"{self.task.name} was not done within {self._limit:g} s"))
