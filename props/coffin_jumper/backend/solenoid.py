"""Watches how long a solenoid is on: with the original firmware for ever, when its player does not answer."""

import asyncio
from collections.abc import Callable
import time

AGAIN = 1.0  # s between two attempts to stop it


class SolenoidWatch:
    """Stops a solenoid that is reported on for longer than its bound.

    Attributes:
        trouble: What is wrong; "" when nothing is.
    """

    def __init__(self, longest: float, stop: Callable[[], object], report: Callable[[str], object]) -> None:
        """Know nothing yet.

        Args:
            longest: Seconds.
            stop: Stops it; called again and again until it is reported off.
            report: Called once with what is wrong.
        """
        self.trouble = ""
        self._longest = longest
        self._stop = stop
        self._report = report
        self._since: float | None = None

    def on(self) -> float | None:
        """Note that it is reported on; gives the moment where that is news, and ``watch`` is to run."""
        if self._since is not None:
            return None
        self._since = time.monotonic()
        return self._since

    def off(self) -> None:
        """Note that it is reported off."""
        self._since, self.trouble = None, ""

    async def watch(self, since: float) -> None:
        """Act when it is on for too long since a moment; ends when it is off."""
        await asyncio.sleep(self._longest)
        while self._since == since:
            self._stop()
            if not self.trouble:
                self.trouble = f"the solenoid is on for more than {self._longest:g} s"
                self._report(self.trouble)
            await asyncio.sleep(AGAIN)
