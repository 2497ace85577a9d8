"""Threads that nobody waits for at the end of the process: what runs in them is somebody else's."""

from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
import contextlib
from functools import partial
import queue
import threading
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class DaemonPool(ThreadPoolExecutor):
    """A few threads, made when needed; Python waits at its end for those of its own pools, not for these."""

    def __init__(self, name: str, threads: int) -> None:
        """Make no thread yet.

        Args:
            name: Of the threads, with a number behind it.
            threads: How many at most.
        """
        super().__init__(threads)
        self._name = name
        self._most = threads
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
                raise RuntimeError("the pool is closed")
            self._jobs.put((future, partial(fn, *args, **kwargs)))
            if not self._idle.acquire(blocking=False) and len(self._members) < self._most:
                name = f"{self._name} {len(self._members) + 1}"
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
