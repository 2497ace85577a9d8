"""One run of one task, as the driver's thread and the event loop share it."""

import asyncio
from collections.abc import Callable
import math
import threading

from lab2mqtt.core.errors import EmergencyStopped, Ended
from lab2mqtt.runtime.fitting import shortened


class TaskRun:
    """The ``Run`` that a driver method is given."""

    def __init__(
        self, on_progress: Callable[[float | None, str], None], on_hold: Callable[[str], None]
    ) -> None:
        """Make one in the event loop.

        Args:
            on_progress: Called in the event loop with percent and words.
            on_hold: Called in the event loop with words when the task holds by itself.
        """
        self._loop = asyncio.get_running_loop()
        self._on_progress = on_progress
        self._on_hold = on_hold
        self._ended: Ended | None = None
        self._asked = threading.Event()
        self._paused = False

    @property
    def paused(self) -> bool:
        """Whether somebody wants the task to hold where it is."""
        return self._paused

    @paused.setter
    def paused(self, value: bool) -> None:
        self._paused = value

    @property
    def ended(self) -> Ended | None:
        """Why the task is to end, if it is."""
        return self._ended

    def end(self, why: Ended) -> None:
        """Ask the task to end. The first reason stands, but an emergency stop is stronger than any other."""
        if self._ended is None or isinstance(why, EmergencyStopped):
            self._ended = why
        self._asked.set()

    def check(self) -> None:
        """Go on only if the task may.

        Raises:
            Ended: It may not.
        """
        if self._ended:
            raise self._ended

    def sleep(self, seconds: float) -> None:
        """Wait, but wake up early and ``check`` as soon as the task is asked to end."""
        self._asked.wait(seconds)
        self.check()

    def hold(self, message: str) -> None:
        """Tell that the task holds by itself until somebody resumes it; from any thread."""
        self._paused = True
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._on_hold, shortened(message))

    def progress(self, percent: float | None = None, message: str = "") -> None:
        """Tell how far the task is; from any thread."""
        if percent is not None:
            percent = min(max(float(percent), 0.0), 100.0) if math.isfinite(percent) else None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._on_progress, percent, shortened(message))
