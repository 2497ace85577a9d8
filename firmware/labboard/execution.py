"""The tasks of a board: one that runs, those that wait behind it, and reads beside them."""

import asyncio
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const
import wire

_QUEUE = const(4)  # commands that wait; one more is ``busy``
_READS = const(4)  # reads at once; one more is ``busy``
_GRACE = const(2000)  # ms that a task has to end once it was asked to
_LONGEST = 400_000  # s; ticks_ms knows no more than six days


class Job:
    """One run of one command."""

    def __init__(self, command, task, arguments):
        self.command = command
        self.task = task
        self.arguments = arguments
        self.limit = command["timeout"] or task.timeout  # s
        # A limit that the command states counts from its receipt, the task's own from its start.
        self.deadline = self._in(self.limit) if command["timeout"] else None
        self.handle = None
        self.turn = asyncio.Event()
        self.ended = None
        self.done = False
        self.result = None
        self.error = None

    def _in(self, seconds):
        return ticks_add(ticks_ms(), int(min(seconds, _LONGEST) * 1000))

    def start(self):
        """Its clock runs from now, if not already."""
        if self.deadline is None:
            self.deadline = self._in(self.limit)

    def is_late(self, now):
        """Whether its time has passed."""
        return self.deadline is not None and ticks_diff(now, self.deadline) >= 0

    def end(self, code, text):
        """Ask it to end. The first reason stands, but an emergency stop is stronger than any other."""
        if self.ended is None or code == wire.EMERGENCY_STOPPED:
            self.ended = wire.WireError(code, text)
        self.turn.set()

    async def finish(self):
        """Run to the end, or until it was asked to end and did, or did not within the time of grace."""
        if self.ended:
            return
        self.handle = asyncio.create_task(self._call())
        await self.turn.wait()
        if self.done or self.handle.done():
            return
        self.handle.cancel()
        since = ticks_ms()
        while not self.handle.done() and ticks_diff(ticks_ms(), since) < _GRACE:
            await asyncio.sleep_ms(10)

    @property
    def hangs(self):
        """Whether it has been given up, and still runs."""
        return self.handle is not None and not self.handle.done() and not self.done

    @property
    def failure(self):
        """Why there is no result, or None; why it was ended says more than what it met on its way out."""
        if self.ended and (not self.done or self.error):
            return self.ended
        return self.error

    async def _call(self):
        try:
            part = self.task.part
            if part and self.task.effect == "read":
                async with part.lock:  # or a reading of the state would come between
                    await self._run()
            else:
                await self._run()
            self.done = True
        except asyncio.CancelledError:
            self.error = wire.WireError(wire.CANCELLED, self.task.name + " was cancelled by itself")
            self.done = True
        except Exception as error:
            self.error = error
            self.done = True
        self.turn.set()

    async def _run(self):
        result = self.task.run(**self.arguments)
        self.result = await result if hasattr(result, "send") else result


class Execution:
    """Runs the tasks of a board.

    Args:
        check: Called with task and command before a task starts; raises where it may not.
        answers: Told how a command ends.
        state: Told what runs, and asked to measure what it led to.
        stop_parts: Lets everything that moves stand.

    Attributes:
        running: The job that runs, or None.
        hung_at: ``ticks_ms`` since when a task does not end although it should, or None.
    """

    def __init__(self, check, answers, state, stop_parts):
        self._check = check
        self._answers = answers
        self._state = state
        self._stop_parts = stop_parts
        self._waiting = []
        self._reads = []
        self._go = asyncio.Event()
        self._closed = ""
        self.running = None
        self.hung_at = None

    def close(self, why):
        """Start nothing more: the board is about to restart. What waits is refused, what runs goes on."""
        self._closed = why
        while self._waiting:
            self._refuse(self._waiting[0], wire.WireError(wire.INTERRUPTED, why))

    def add(self, command, task, arguments):
        """Start a task, let it wait, or refuse it.

        Raises:
            wire.WireError: Too many wait, or too much is read; or it may not wait, and another runs.
        """
        if self._closed:
            raise wire.WireError(wire.BUSY, self._closed)
        if task.effect == "read":
            if len(self._reads) >= _READS:
                raise wire.WireError(wire.BUSY, "%d reads are under way already" % _READS)
            if self._answers.are_heavy:
                raise wire.WireError(wire.BUSY, "long answers wait to be sent already")
            job = Job(command, task, arguments)
            job.start()
            self._reads.append(job)
            asyncio.create_task(self._read(job))
        elif self.running is None:
            self._start(Job(command, task, arguments))
        elif not task.waits:
            raise wire.WireError(
                wire.BUSY, "%s runs, and %s does not wait" % (self.running.task.name, task.name)
            )
        elif len(self._waiting) >= _QUEUE:
            raise wire.WireError(wire.BUSY, "%d commands are waiting already" % _QUEUE)
        else:
            self._waiting.append(Job(command, task, arguments))
            self._answers.tell(command, "accepted", "number %d in the queue" % len(self._waiting))

    def cancel(self, request_id):
        """End one command in an orderly way; the running one where none is named.

        Raises:
            wire.WireError: No such command runs or waits.
        """
        running = self._current
        if running and request_id in (None, running.command["request_id"]):
            self._end(running, wire.CANCELLED, running.task.name + " was cancelled")
            return {"cancelled": running.command["request_id"]}
        for job in self._waiting:
            if job.command["request_id"] == request_id:
                self._refuse(job, wire.WireError(wire.CANCELLED, "cancelled while it waited"))
                return {"cancelled": request_id}
        what = "no command %r runs or waits" % request_id if request_id else "nothing runs"
        raise wire.WireError(wire.INVALID_PARAMETERS, what)

    def end_all(self, code, text):
        """End all that runs or waits, but reads."""
        if self.running:
            self.running.end(code, text)
        while self._waiting:
            self._refuse(self._waiting[0], wire.WireError(code, text))

    def tick(self, now):
        """Look at the clocks."""
        for job in list(self._waiting):
            if job.is_late(now):
                text = "%s did not come to its turn within %g s" % (job.task.name, job.limit)
                self._refuse(job, wire.WireError(wire.TIMEOUT, text))
        for job in self._reads + ([self.running] if self._current else []):
            if job.is_late(now) and not job.ended:
                self._end(job, wire.TIMEOUT, "%s was not done within %g s" % (job.task.name, job.limit))

    def job_of(self, handle):
        """The job that an asyncio task runs, or None."""
        if self.running and self.running.handle is handle:
            return self.running
        for job in self._reads:
            if job.handle is handle:
                return job
        return None

    async def run(self):
        """Run what is to be run, for ever."""
        while True:
            await self._go.wait()
            self._go.clear()
            while self.running:
                await self._execute(self.running)
                self._start_next()

    @property
    def _current(self):
        """The job that runs, unless all that is missing is its result."""
        return self.running if self._state.task else None

    def _end(self, job, code, text):
        job.end(code, text)
        if job.task.effect == "move":
            self._stop_parts()

    def _refuse(self, job, why):
        self._waiting.remove(job)
        self._answers.settle(job.command, error=why, tell=True)

    def _start(self, job):
        job.start()
        self._answers.remembered.acts(job.command["request_id"])
        self.running = job
        self._state.task = job.task.name
        self._state.changed()
        self._go.set()

    def _start_next(self):
        self.running = None
        while self._waiting and self.running is None:
            job = self._waiting[0]
            try:
                self._check(job.task, job.command)
            except wire.WireError as refusal:
                self._refuse(job, refusal)
            else:
                self._waiting.remove(job)
                self._start(job)

    async def _execute(self, job):
        self._answers.tell(job.command, "running")
        await job.finish()
        if job.hangs:
            if job.task.effect == "move":
                self._stop_parts()
        else:
            await self._state.measure(job.task.part)
            self._settled()
        self._answers.settle(job.command, job.result, job.failure, True)
        if job.hangs:
            self.hung_at = ticks_ms()
            while not job.handle.done():  # it holds what it holds: nothing else may start
                await asyncio.sleep_ms(50)
            self.hung_at = None
            self._settled()

    def _settled(self):
        self._state.task = None
        self._state.changed()

    async def _read(self, job):
        await job.finish()
        self._answers.settle(job.command, job.result, job.failure)
        while job.hangs:
            await asyncio.sleep_ms(50)
        self._reads.remove(job)
