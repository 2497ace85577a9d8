"""An event loop whose clock jumps to the next timer instead of waiting for it: two seconds pass in no time.

For code that only waits for timers; a thread that is waited for would be outrun.
"""

import asyncio
from collections.abc import Coroutine
import selectors
from typing import Any


class _SkippingSelector(selectors.DefaultSelector):
    """Adds up what it would have waited."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout:
            self.skipped += timeout
        return ready


class SkippingLoop(asyncio.SelectorEventLoop):
    """The loop."""

    def __init__(self) -> None:
        self._skipping = _SkippingSelector()
        super().__init__(self._skipping)

    def time(self) -> float:
        """The clock of the timers."""
        return super().time() + self._skipping.skipped


def run_in_no_time(work: Coroutine[Any, Any, None]) -> None:
    """Run something that waits, without waiting."""
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        runner.run(work)
