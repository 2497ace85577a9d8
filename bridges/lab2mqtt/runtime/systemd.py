"""Telling systemd how this process is: ready, alive, ending. Where nobody listens, nothing happens."""

import asyncio
from collections.abc import AsyncIterator, Callable
import contextlib
from dataclasses import dataclass
import logging
import os
import socket

_LOGGER = logging.getLogger(__name__)

READY_WITHIN = 20.0  # s; a broker that is away for longer is no reason not to be started
LOOK_EVERY = 1.0  # s
LOOK_FIRST = 0.1  # s between two looks until it is ready: others may wait for that


@dataclass(frozen=True)
class Condition:
    """How a process is.

    Attributes:
        words: For people, in one line.
        online: Whether it does what it is there for.
        well: Whether nothing is broken that only a new start mends.
    """

    words: str
    online: bool
    well: bool = True


def say(*assignments: str) -> bool:
    """Tell systemd something, such as ``READY=1``, without waiting; gives whether it was taken."""
    told = os.environ.get("NOTIFY_SOCKET", "")
    if not told:
        return False
    address = f"\0{told[1:]}" if told[0] == "@" else told  # @ is how one without a file is written
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)  # noqa: FBT003 - the event loop waits for nobody
            out.sendto("\n".join(assignments).encode(), address)
    except OSError as error:
        _LOGGER.debug("systemd does not take %s: %s", assignments[0], error)
        return False
    return True


@contextlib.asynccontextmanager
async def telling(how: Callable[[], Condition]) -> AsyncIterator[None]:
    """Tell systemd how this process is while something runs.

    ``READY=1`` once it is online. A broker may be away for days, and a start that waits for it would hold up
    the boot, or be given up by systemd: after ``READY_WITHIN`` it counts as started all the same, and
    ``STATUS=`` tells what is missing. ``WATCHDOG=1`` as often as systemd asks for, out of this event loop,
    and only while it is well.

    Args:
        how: Asked in this event loop; must not block.
    """
    task = asyncio.create_task(_tell(how)) if os.environ.get("NOTIFY_SOCKET") else None
    try:
        yield
    finally:
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _tell(how: Callable[[], Condition]) -> None:
    half = _half_of_watchdog()
    pause = min(LOOK_EVERY, half or LOOK_EVERY)
    loop = asyncio.get_running_loop()
    began, alive_at = loop.time(), float("-inf")
    ready, said, was_well = False, "", True
    while True:
        now, is_so = loop.time(), how()
        words = " ".join(is_so.words.split())
        if words != said and say(f"STATUS={words}"):
            said = words
        if not ready and (is_so.online or now - began >= READY_WITHIN):
            ready = say("READY=1")
        if was_well and not is_so.well:
            _LOGGER.error("%s", words)
        was_well = is_so.well
        if half and is_so.well and now - alive_at > half - pause and say("WATCHDOG=1"):
            alive_at = now
        await asyncio.sleep(pause if ready else min(pause, LOOK_FIRST))


def _half_of_watchdog() -> float | None:
    """Seconds between two signs of life; None where nobody waits for ours."""
    told, whose = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
    if not told.isdecimal() or int(told) == 0 or whose not in (None, str(os.getpid())):
        return None
    return int(told) / 2e6
