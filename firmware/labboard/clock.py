"""The time of day, by NTP: a board has none of its own."""

import asyncio
import socket
import struct
import time

try:
    from ntptime import simulated as _simulated  # the unix port, whose clock is right
except ImportError:
    _simulated = None

_EVERY = 6 * 3600  # s
_RETRY = 15  # s, doubled after each failure
_SLOWEST = 600  # s
_ANSWER = 2000  # ms
_1900 = 2208988800  # s from 1900, as NTP counts, to 1970
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
        _write(await ask(host))
    _set = True


async def ask(host, port=123):
    """The seconds since 1970, asked for by SNTP.

    Raises:
        OSError: No answer within 2 s, or none that tells the time.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, 0, socket.SOCK_DGRAM)[0]
    asker = socket.socket(family, socket.SOCK_DGRAM)
    try:
        asker.setblocking(0)
        asker.connect(address)  # only this server's answers
        asker.send(b"\x1b" + bytes(47))
        answer = await asyncio.wait_for_ms(asyncio.StreamReader(asker).read(48), _ANSWER)
    except asyncio.TimeoutError:
        raise OSError("no answer")
    finally:
        asker.close()
    # A server that is not synchronised itself says stratum 0 or leap 3.
    if not answer or len(answer) < 48 or not 0 < answer[1] < 16 or answer[0] >> 6 == 3:
        raise OSError("no time in the answer")
    seconds = struct.unpack_from("!I", answer, 40)[0]
    if not seconds & 0x80000000:  # since 2036 it counts from 0 again
        seconds += 0x100000000
    return seconds - _1900


def _write(seconds):
    import machine

    year, month, day, hour, minute, second, weekday, _ = time.gmtime(seconds - _offset)
    machine.RTC().datetime((year, month, day, weekday, hour, minute, second, 0))
