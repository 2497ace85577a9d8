"""One thread with one event loop, for code of somebody else's: it may block, crash or never end."""

import asyncio
from collections.abc import Callable, Coroutine
import concurrent.futures
from concurrent.futures import Future, InvalidStateError
import contextlib
import logging
from pathlib import Path
import resource
import selectors
import sys
import sysconfig
import threading
import time
from typing import Any, TypeVar

from lab2mqtt.core.errors import Fault
from lab2mqtt.runtime import daemon_pool
from lab2mqtt.runtime.daemon_pool import DaemonPool
from lab2mqtt.runtime.other_loop import Work

_LOGGER = logging.getLogger(__name__)

T = TypeVar("T")

THREADS = 4  # for plain handlers of one worker
BLOCKED = 1.0  # s without a turn of the loop
SPARE_FILES = 64
NO_FILES = "there are no files left, of which a worker takes three; allow more, such as by `ulimit -n 4096`"
NO_THREADS = "no more threads can be started; allow more: `ulimit -u`, or a container's pids_limit"

# Folders, without those below them: our built-in workers are workers like any other.
_OURS = (str(Path(__file__).parent), str(Path(daemon_pool.__file__).parent))
_PYTHONS = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), "<frozen"})
_OTHERS = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})


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
        self._pool = DaemonPool(f"prop {name}", THREADS)
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


def _is_workers(file: str) -> bool:
    if str(Path(file).parent) in _OURS:
        return False
    return file.startswith(_OURS[0]) if file.startswith(_OTHERS) else not file.startswith(_PYTHONS)
