"""One thread with one event loop, for code of somebody else's: it may block, crash or never end."""

import asyncio
from collections.abc import Callable, Coroutine
import concurrent.futures
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
import contextlib
from functools import partial
import logging
from pathlib import Path
import queue
import resource
import selectors
import sys
import sysconfig
import threading
import time
from typing import Any, ParamSpec, TypeVar

from lab2mqtt.core.errors import Fault

_LOGGER = logging.getLogger(__name__)

T = TypeVar("T")
P = ParamSpec("P")

THREADS = 4  # for plain handlers of one worker
BLOCKED = 1.0  # s without a turn of the loop
SPARE_FILES = 64
NO_FILES = "there are no files left, of which a worker takes three; allow more, such as by `ulimit -n 4096`"
NO_THREADS = "no more threads can be started; allow more: `ulimit -u`, or a container's pids_limit"

_OURS = str(Path(__file__).parent)
_PYTHONS = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), "<frozen"})
_OTHERS = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})


class Work(Future[T]):
    """A coroutine that a worker's loop was given. Done when that has ended, also after ``cancel``."""

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> None:
        """Take a coroutine; it has not begun.

        Args:
            loop: Runs it.
            coroutine: What is to be done.
        """
        super().__init__()
        self._loop = loop
        self._coroutine = coroutine
        self._task: asyncio.Task[T] | None = None

    def withdraw(self) -> bool:
        """Take it back if it has not begun; then it never does.

        Returns:
            Whether that was so.
        """
        if withdrawn := super().cancel():
            self._coroutine.close()
        return withdrawn

    def cancel(self) -> bool:
        """Take it back, or cancel it in its loop; then it is done when it has cleaned up.

        Returns:
            Whether it had not begun.
        """
        if self.withdraw():
            return True
        if not self.done():
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._cancel_task)
        return False

    def begin(self) -> None:
        """Begin, in the loop."""
        if self.set_running_or_notify_cancel():
            self._task = self._loop.create_task(self._coroutine)
            self._task.add_done_callback(self._settle)

    def _cancel_task(self) -> None:
        if self._task:
            self._task.cancel()

    def _settle(self, task: "asyncio.Task[T]") -> None:
        error = concurrent.futures.CancelledError() if task.cancelled() else task.exception()
        with contextlib.suppress(InvalidStateError):  # it was given up meanwhile
            if error:
                self.set_exception(error)
            else:
                self.set_result(task.result())


class WorkerThread:
    """One worker's thread and loop.

    Attributes:
        loop: The loop; there after ``start``.
    """

    loop: asyncio.AbstractEventLoop

    def __init__(self, name: str) -> None:
        """Make nothing yet.

        Args:
            name: For the log, and of the thread.
        """
        self._name = name
        # Left to itself when it hangs: Python waits at its end for every other kind.
        self._thread = threading.Thread(target=self._run, name=f"prop {name}", daemon=True)
        self._selector: _Selector | None = None
        self._pool = _Pool(name)
        self._open: set[Future[Any]] = set()
        self._ending = False
        self._patience = 0.0
        self._over: Future[None] = Future()

    def start(self) -> None:
        """Let the loop turn.

        Raises:
            Fault: There are no files or no threads left.
        """
        try:
            self._start()
        except OSError as error:
            raise Fault(NO_FILES) from error
        except RuntimeError as error:
            raise Fault(NO_THREADS) from error

    def _start(self) -> None:
        self._selector = _Selector()
        # The lowest number that is free: the last ones are for the host's own links.
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if most != resource.RLIM_INFINITY and self._selector.fileno() > most - SPARE_FILES:
            self._selector.close()
            raise Fault(NO_FILES)
        loop = asyncio.SelectorEventLoop(self._selector)
        try:
            loop.set_default_executor(self._pool)
            loop.set_exception_handler(self._report)
            self.loop = loop
            self._thread.start()
        except BaseException:
            loop.close()
            raise

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Work[T]:
        """Run a coroutine in the loop; from any thread.

        Returns:
            Its work: cancelled where the thread has ended.
        """
        work = Work(self.loop, coroutine)
        self._track(work)
        try:
            self.loop.call_soon_threadsafe(work.begin)
        except RuntimeError:  # closed
            work.withdraw()
        return work

    def in_thread(self, function: Callable[[], T]) -> Future[T]:
        """Run a plain function in one of the worker's threads, whether or not the loop turns.

        Returns:
            Its result: cancelled where the thread has ended.
        """
        future: Future[T]
        try:
            future = self._pool.submit(function)
        except RuntimeError:  # closed
            future = Future()
            future.cancel()
        self._track(future)
        return future

    def blocked(self) -> tuple[float, str] | None:
        """For how long the loop has not turned, and where it stands.

        Returns:
            Seconds and the like of ``worker.py:12 in do_x``; None up to a second.
        """
        since = self._selector.busy_since if self._selector else None
        if since is None or not self._thread.is_alive():
            return None
        seconds = time.monotonic() - since
        return (seconds, self.where()) if seconds > BLOCKED else None

    def where(self) -> str:
        """Which line of the worker runs, such as ``worker.py:12 in do_x``; "" when none does."""
        frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001 - documented; how faulthandler's users do it
        lines: list[tuple[str, str]] = []
        while frame:
            code = frame.f_code
            lines.append(
                (code.co_filename, f"{Path(code.co_filename).name}:{frame.f_lineno} in {code.co_name}")
            )
            frame = frame.f_back
        # From within: the worker's own line says more than where a library of its waits.
        return next((line for file, line in lines if _is_workers(file)), "")

    async def end(self, within: float) -> bool:
        """Cancel what runs, wait for it, and end the thread. Not to be called twice.

        Args:
            within: Seconds for all that.

        Returns:
            Whether it ended; if not, it is left to itself, and who waits for something of it waits no more.
        """
        if self._thread.ident is None:
            return True
        self._patience = within * 0.8
        self._ending = True
        with contextlib.suppress(RuntimeError):  # closed
            self.loop.call_soon_threadsafe(self.loop.stop)
        over = asyncio.wrap_future(self._over)
        await asyncio.wait([over], timeout=within)
        for future in list(self._open):
            if not future.cancel() and not future.done():
                with contextlib.suppress(InvalidStateError):
                    future.set_exception(concurrent.futures.CancelledError())
        return over.done()

    def _track(self, future: Future[Any]) -> None:
        self._open.add(future)
        future.add_done_callback(self._open.discard)

    def _run(self) -> None:
        while not self._ending:
            # Whoever raises it means a program of his own, and this is everybody's.
            with contextlib.suppress(SystemExit, KeyboardInterrupt):
                self.loop.run_forever()
        last = self.loop.create_task(self._cancel_all())
        while not last.done():
            with contextlib.suppress(
                SystemExit, KeyboardInterrupt, RuntimeError
            ):  # stopped before it was done
                self.loop.run_until_complete(last)
        self._pool.shutdown(cancel_futures=True)
        self.loop.close()
        self._over.set_result(None)

    async def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            if not task.cancelling():  # a second one would break off what cleans up after the first
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=self._patience)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await self.loop.shutdown_asyncgens()

    def _report(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What went wrong where nobody waits for it."""
        del loop
        if error := context.get("exception"):
            _LOGGER.error("%s: %s: %s", self._name, type(error).__name__, error, exc_info=error)
        else:
            _LOGGER.debug("%s: %s", self._name, context.get("message"))


async def ended(work: Future[Any], *, hold: bool = False) -> None:
    """Wait in one loop until what another thread does has ended; ``work.result()`` then tells how.

    Not ``asyncio.wrap_future``: that makes some errors anew, without their traceback, and what was cancelled
    there looks as if it were cancelled here.

    Args:
        work: Cancelled when the wait is.
        hold: Whether a wait that is cancelled goes on until the work has ended; cancelled once more it ends.
    """
    loop = asyncio.get_running_loop()
    over = asyncio.Event()

    def tell(_: object) -> None:
        with contextlib.suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(over.set)

    work.add_done_callback(tell)
    try:
        await over.wait()
    except asyncio.CancelledError:
        work.cancel()
        if hold:
            await over.wait()
        raise


class _Selector(selectors.DefaultSelector):
    """Knows since when its loop is busy: it selects once in each turn."""

    busy_since: float | None = None  # monotonic seconds; None while it waits

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for files; as ever."""
        self.busy_since = None
        try:
            return super().select(timeout)
        finally:
            self.busy_since = time.monotonic()


class _Pool(ThreadPoolExecutor):
    """A few threads, made when needed; Python waits at its end for those of its own pools, not for these."""

    def __init__(self, name: str) -> None:
        super().__init__(THREADS)
        self._name = name
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._members: list[threading.Thread] = []
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function as soon as a thread is free."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the worker has ended")
            self._jobs.put((future, partial(fn, *args, **kwargs)))
            if not self._idle.acquire(blocking=False) and len(self._members) < THREADS:
                name = f"prop {self._name} {len(self._members) + 1}"
                thread = threading.Thread(target=self._work, name=name, daemon=True)
                thread.start()
                self._members.append(thread)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as its base
        """Take no more."""
        with self._lock:
            self._closed = True
        if cancel_futures:
            with contextlib.suppress(queue.Empty):
                while job := self._jobs.get_nowait():
                    job[0].cancel()
        for _ in self._members:
            self._jobs.put(None)
        if wait:
            for thread in self._members:
                thread.join()

    def _work(self) -> None:
        while job := self._jobs.get():
            future, call = job
            if future.set_running_or_notify_cancel():
                _settle(future, call)
            del job, future, call  # what they hold is not needed while it waits
            self._idle.release()


def _settle(future: Future[T], call: Callable[[], T]) -> None:
    with contextlib.suppress(InvalidStateError):  # it was given up meanwhile
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            future.set_exception(error)
        else:
            future.set_result(result)


def _is_workers(file: str) -> bool:
    if file.startswith(_OTHERS):
        return file.startswith(_OURS) and str(Path(file).parent) != _OURS
    return not file.startswith(_PYTHONS) and str(Path(file).parent) != _OURS
