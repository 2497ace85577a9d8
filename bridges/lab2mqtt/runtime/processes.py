"""Running as a process: log, signals, and an end that nothing holds up."""

import asyncio
from collections.abc import Coroutine
import contextlib
import gc
import logging
import os
import signal
import sys
from typing import Any

from lab2mqtt.runtime.systemd import say

EXIT_WITHIN = 4.5  # s; who stops us waits for five


def log_to_stderr(level: int = logging.INFO) -> None:
    """Write the log where systemd, Docker and a person at a terminal find it."""
    # systemd puts the time in front by itself.
    when = "" if os.environ.get("INVOCATION_ID") else "%(asctime)s "
    logging.basicConfig(level=level, format=f"{when}%(levelname)s %(name)s: %(message)s", stream=sys.stderr)


def run_until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Run until SIGTERM or SIGINT, let the work end in order, then go, whatever thread may hang.

    Raises:
        Exception: Whatever ended the work by itself.
    """

    async def main() -> None:
        _look_for_garbage_less()
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _end, task)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    with asyncio.Runner() as runner:
        runner.run(main())


def _look_for_garbage_less() -> None:
    """Messages come and go without cycles, and a burst of them would pay for a look at everything each time.

    Python's own thresholds made the slowest of 64 commands at once take twice as long (docs/performance.md).
    """
    gc.freeze()  # what is there from the start stays
    gc.set_threshold(10_000, 20, 20)


def _end(task: "asyncio.Future[None]") -> None:
    say("STOPPING=1", "STATUS=Ending in order")
    task.cancel()
    # A thread that hangs in a driver would keep the interpreter alive for ever.
    asyncio.get_running_loop().call_later(EXIT_WITHIN, os._exit, 1)
