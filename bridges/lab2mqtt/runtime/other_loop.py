"""Work in the event loop of another thread, as who gave it sees it."""

import asyncio
from collections.abc import Coroutine
import concurrent.futures
from concurrent.futures import Future, InvalidStateError
import contextlib
from typing import Any, TypeVar

T = TypeVar("T")


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
