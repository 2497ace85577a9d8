"""The time of day, by NTP: a board has none of its own."""

import asyncio
import time

from labboard.borrowed import borrow

try:
    from ntptime import simulated as _simulated  # the unix port, whose clock is right
except ImportError:
    _simulated = None

_EVERY = 6 * 3600  # s
_RETRY = 15  # s, doubled after each failure
_SLOWEST = 600  # s
_2000 = 946684800  # s from 1970 to 2000, as the ESP32 counts

_offset = _2000 if time.gmtime(0)[0] == 2000 else 0
_set = False


def now():
    """The seconds since 1970, an int; None while the clock is not set."""
    return int(time.time()) + _offset if _set else None


async def keep(host):
    """Set the clock, and every 6 h again, for ever.

    Looking up the server's name blocks the loop, for seconds where no name server answers; an
    address never does.
    """
    retry = _RETRY
    while True:
        try:
            await sync(host)
            retry = _RETRY
            pause = _EVERY
        except Exception as error:
            print("clock:", host, "does not tell the time:", error)
            pause = retry
            retry = min(2 * retry, _SLOWEST)
        await asyncio.sleep(pause)


async def sync(host):
    """Set the clock now.

    Raises:
        OSError: The server did not answer.
    """
    global _set  # noqa: PLW0603 - there is one clock
    if _simulated:
        _simulated()
    else:
        ntp = borrow("ntp")
        ntp.write(await ntp.ask(host) - _offset)
    _set = True
