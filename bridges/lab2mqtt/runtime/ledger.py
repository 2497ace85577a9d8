"""The ledger: a record of every command that survives whatever becomes of the bridge.

One SQLite file, written by one thread, because a disk that stalls must not stall the event loop, in which the
emergency stop is obeyed. Who writes is told when it stands in the file. See docs/decisions/0008.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
import contextlib
from dataclasses import dataclass, field
import logging
import os
from pathlib import Path
import queue
import sqlite3
import threading
import time
from typing import Any, TypeVar

from lab2mqtt import __version__
from lab2mqtt.core.errors import LabError
from lab2mqtt.runtime import ledger_file, ledger_room
from lab2mqtt.runtime.keep import Keep

_LOGGER = logging.getLogger(__name__)

PATIENCE = 2.0  # s that the disk may take
READ_WITHIN = 5.0  # s
AGAIN = 2.0  # s between two attempts on a disk that does not take anything
OWED = 10_000  # writes that wait for such a disk; the oldest are lost first
AT_ONCE = 256  # writes in one transaction
PRUNE_EVERY = 3600.0  # s
PRUNE_AFTER = 5_000  # writes; a busy day must not outgrow the limit between two hours
IN_MEMORY = 32_000_000  # bytes, of a ledger without a file

NOT_OPEN = "it is being opened"
CLOSED = "the bridge is ending"
STALLED = f"the disk has not answered for {PATIENCE:g} s; it may be failing, or too much else uses it"

# What a row has done that does not fit, while the file is well.
ITS_OWN_FAULT = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    ArithmeticError,
    ValueError,
    TypeError,
)

T = TypeVar("T")
Write = Callable[[sqlite3.Connection], Any]
Done = Callable[[Any, str], None]  # what the write gave, or why it was not written


@dataclass(eq=False)
class _Job:
    """One write on its way."""

    write: Write
    done: Done | None
    sync: bool
    since: float
    needed: bool = False  # to be written later if it cannot be now
    patient: bool = False  # told only when it is over, however long that takes
    written: bool = False


@dataclass
class _Batch:
    """Writes of one transaction, and how it ended."""

    jobs: list[_Job]
    results: list[tuple[Any, str]] = field(default_factory=list)
    problem: str = ""


class Ledger:
    """The ledger of one bridge.

    Attributes:
        problem: Why nothing can be written now; empty when all is well.
        on_change: Called when the problem comes, changes or goes.
        on_open: Called with what was found in the file, before anything is written; first with what can be
            read of it, where nothing can be written.
        knows_past: Whether what was done before is known. Until it is, nothing can be said of any id.
    """

    def __init__(
        self, file: Path | None, keep: Keep | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """Prepare; ``open`` opens.

        Args:
            file: Where it is kept; None keeps it in memory, for as long as this process lives.
            keep: How much.
            clock: Seconds since the epoch.
        """
        self.file = file
        self.problem = ""
        self.knows_past = file is None
        self.on_change: Callable[[], None] = lambda: None
        self.on_open: Callable[[ledger_file.Found], None] = lambda _: None
        self._keep = keep or Keep()
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._thread: threading.Thread | None = None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._pending: dict[_Job, None] = {}
        self._owed: deque[_Job] = deque(maxlen=OWED)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._written = 0
        self._synchronous = ""
        self._found: ledger_file.Found | None = None
        self._past: ledger_file.Found | None = None  # while it can only be read
        self._lock: int | None = None
        self._is_open = self._closed = False
        self._in_order = False

    async def open(self) -> None:
        """Open the file, or begin to try; returns once that is decided."""
        if self.file is None:
            return
        self._loop = asyncio.get_running_loop()
        self.problem = NOT_OPEN  # nothing is written before it is known what stands there
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
        self._thread.start()
        decided = asyncio.Event()

        def done(_: Any, problem: str) -> None:  # noqa: ANN401
            self._opened(problem)
            decided.set()

        self._enqueue(_Job(lambda _: self._open_file(), done, sync=False, since=self._loop.time()))
        await decided.wait()

    async def close(self, *, in_order: bool = True) -> None:
        """Write what waits and close the file; not for long.

        Args:
            in_order: Whether every result has been said, so that the next start need say none again.
        """
        self._in_order = in_order
        if self._owed and self._is_open:  # maybe there is room by now
            self._write_owed()
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        if self._thread is None:
            if self._connection:
                self._connection.close()
            return
        self._jobs.put(None)
        deadline = self._loop.time() + PATIENCE / 2
        # A thread that hangs sets no event.
        while self._thread.is_alive() and self._loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.002)

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Ask the ledger, beside whatever is being written.

        Raises:
            LabError: It cannot be read.
        """
        if self.file is None:
            return query(self._in_memory())
        try:
            async with asyncio.timeout(READ_WITHIN):
                return await asyncio.to_thread(_read, self.file, query)
        except TimeoutError as error:  # which is an OSError too
            text = f"the ledger has not answered for {READ_WITHIN:g} s; its disk may be failing"
            raise LabError(text) from error
        except (sqlite3.Error, OSError) as error:
            raise LabError(ledger_file.told(error, self.file)) from error

    def submit(
        self, write: Write, done: Done | None = None, *, sync: bool = False, needed: bool = False
    ) -> None:
        """Write; ``done`` is called in the event loop when it stands in the file, or with the reason why not.

        Args:
            write: Called with the connection, in the thread of the ledger; its changes are one transaction.
            done: Called with what ``write`` gave and an empty text, or None and the problem.
            sync: Whether it must survive a power cut too.
            needed: Whether it is to be written later if it cannot be now.
        """
        if self._thread is None:
            self._write_here(write, done)
            return
        job = _Job(write, done, sync, self._loop.time(), needed)
        if problem := CLOSED if self._closed else self.problem:
            self._fail(job, problem)
            return
        self._enqueue(job)

    def _write_here(self, write: Write, done: Done | None) -> None:
        """In memory nothing can stall, and nothing can fail."""
        connection = self._in_memory()
        result = write(connection)
        self._written += 1
        if self._written >= PRUNE_AFTER:
            self._written = 0
            while ledger_room.prune(connection, 0.0, IN_MEMORY):
                pass
        if done:
            done(result, "")

    def _in_memory(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = ledger_file.open_memory()
        return self._connection

    # In the event loop

    def _enqueue(self, job: _Job) -> None:
        self._pending[job] = None
        self._jobs.put(job)
        if "stall" not in self._timers:
            self._later("stall", PATIENCE, self._look_for_stall)

    def _later(self, what: str, seconds: float, call: Callable[[], None]) -> None:
        if self._closed:
            return
        if timer := self._timers.get(what):
            timer.cancel()
        self._timers[what] = self._loop.call_later(seconds, call)

    def _look_for_stall(self) -> None:
        self._timers.pop("stall")
        if not self._pending:
            return
        oldest = next(iter(self._pending))
        if self._loop.time() - oldest.since >= PATIENCE:
            self._has(STALLED)
            for job in list(self._pending):
                if job.done and not job.patient:
                    job.done(None, STALLED)
                    job.done = None  # it is told once, whatever becomes of it
        self._later("stall", PATIENCE / 2, self._look_for_stall)

    def _delivered(self, batch: _Batch) -> None:
        """A transaction has ended, well or not."""
        for job in batch.jobs:
            self._pending.pop(job, None)
        if batch.problem:
            self._has(batch.problem)
            for job in batch.jobs:
                self._fail(job, batch.problem)
            return
        self._written += len(batch.jobs)
        for job, (result, fault) in zip(batch.jobs, batch.results, strict=True):
            if job.done:
                job.done(result, fault)
        if self._written >= PRUNE_AFTER:
            self._prune()

    def _fail(self, job: _Job, problem: str) -> None:
        if job.needed:
            self._owed.append(job)
        if job.done:
            job.done(None, problem)
            job.done = None

    def _has(self, problem: str) -> None:
        if problem == self.problem:
            return
        if problem:
            _LOGGER.error("The ledger cannot be written: %s", problem)
        elif self.problem != NOT_OPEN:
            _LOGGER.warning("The ledger can be written again")
        self.problem = problem
        if problem and "again" not in self._timers:
            self._later("again", AGAIN, self._try_again)
        self.on_change()

    def _try_again(self) -> None:
        """Open it if it is not, and write what is owed."""
        self._timers.pop("again", None)
        if self._pending:  # it hangs; nothing is gained by asking more of it
            self._later("again", AGAIN, self._try_again)
            return
        if self._found is None:
            owed = list(self._owed)
            reopened = _Job(lambda _: self._open_file(owed), None, sync=False, since=self._loop.time())
            reopened.done = lambda _, problem: self._opened(problem)
            self._enqueue(reopened)
            return
        if not self._is_open:  # it was opened after all, later than anybody waited
            self._opened("")
            return
        self._write_owed()

    def _write_owed(self) -> None:
        owed = [job for job in self._owed if not job.written]
        self._owed.clear()

        def flush(connection: sqlite3.Connection) -> None:
            ledger_file.touch(connection, self._clock())
            for job in owed:
                _written(job.write, connection)

        def done(_: Any, problem: str) -> None:  # noqa: ANN401
            if problem:
                self._owed = deque((*owed, *self._owed), OWED)
                self._later("again", AGAIN, self._try_again)
            elif self._owed:  # more came meanwhile
                self._write_owed()
                return
            self._has(problem)

        self._enqueue(_Job(flush, done, sync=True, since=self._loop.time(), patient=True))

    def _opened(self, problem: str) -> None:
        if problem or self._found is None:
            if self._past and not self.knows_past:
                self.knows_past = True
                self.on_open(self._past)
            self._has(problem)
            self._later("again", AGAIN, self._try_again)
            return
        self._is_open = self.knows_past = True
        self.on_open(self._found)
        if self._owed:
            self._write_owed()
        else:
            self._has("")
        self._prune()

    def _prune(self) -> None:
        """Forget what is too old or too much, a little at a time."""
        self._written = 0
        oldest = self._clock() - self._keep.days * 86_400

        def more(left: Any, problem: str) -> None:  # noqa: ANN401
            if left and not problem:
                self._prune()

        self._later("prune", PRUNE_EVERY, self._prune)
        limit = int(self._keep.megabytes * 1_000_000)
        prune = _Job(
            lambda connection: ledger_room.prune(connection, oldest, limit),
            more,
            sync=False,
            since=self._loop.time(),
        )
        self._enqueue(prune)

    # In the thread of the ledger

    def _work(self) -> None:
        ending = False
        while not ending:
            first = self._jobs.get()
            jobs = [first] if first else []
            ending = first is None
            while not ending and len(jobs) < AT_ONCE:
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
                ending = job is None
                if job:
                    jobs.append(job)
            if jobs:
                batch = _Batch(jobs)
                self._transact(batch)
                with contextlib.suppress(RuntimeError):  # nobody waits for it: the loop has ended
                    self._loop.call_soon_threadsafe(self._delivered, batch)
        if self._connection:
            try:
                if self._in_order:
                    ledger_file.end(self._connection, self._clock())
                self._connection.close()
            except sqlite3.Error as error:
                _LOGGER.error("The ledger could not be closed in order: %s", error)
        if self._lock is not None:
            os.close(self._lock)

    def _transact(self, batch: _Batch) -> None:
        connection = self._connection
        try:
            if connection is None:  # the one job that opens it
                batch.results = [(job.write(None), "") for job in batch.jobs]  # type: ignore[arg-type]
                return
            self._set_synchronous(connection, "FULL" if any(job.sync for job in batch.jobs) else "NORMAL")
            connection.execute("BEGIN IMMEDIATE")
            try:
                batch.results = [_written(job.write, connection) for job in batch.jobs]
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except (sqlite3.Error, OSError) as error:
            batch.problem = ledger_file.told(error, self.file)
        except Exception as error:
            _LOGGER.exception("The ledger failed")
            batch.problem = f"{type(error).__name__}: {error}"

    def _set_synchronous(self, connection: sqlite3.Connection, mode: str) -> None:
        if mode != self._synchronous:
            connection.execute(f"PRAGMA synchronous={mode}")
            self._synchronous = mode

    def _open_file(self, owed: Sequence[_Job] = ()) -> None:
        assert self.file  # noqa: S101
        try:
            if self._lock is None:
                self._lock = ledger_file.lock(self.file)
            connection = ledger_file.open_file(self.file)
            try:
                # First: what has been answered stands, and is not settled in other words.
                for job in owed:
                    _written(job.write, connection)
                    job.written = True
                cut_off = self._past.cut_off if self._past else ()
                found = ledger_file.begin(connection, self._clock(), __version__, cut_off)
            except BaseException:
                connection.close()
                raise
        except BlockingIOError:
            raise  # what another process has open is not over
        except (sqlite3.Error, OSError):
            with contextlib.suppress(sqlite3.Error, OSError):
                self._past = self._past or ledger_file.look(self.file, self._clock())
            raise
        self._synchronous = ""
        self._connection, self._found = connection, found


def _written(write: Write, connection: sqlite3.Connection) -> tuple[Any, str]:
    """What a write gave; one that fails by its own fault fails alone, and what it said."""
    try:
        return write(connection), ""
    except ITS_OWN_FAULT as error:
        _LOGGER.exception("The ledger cannot hold this")
        return None, f"the ledger cannot hold it: {error}"


def _read(file: Path, query: Callable[[sqlite3.Connection], T]) -> T:
    connection = ledger_file.open_to_read(file)
    try:
        return query(connection)
    finally:
        connection.close()
