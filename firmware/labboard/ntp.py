"""Asks a time server; needed for a moment, every few hours."""

import asyncio
import socket
import struct
import time

_ANSWER = 2000  # ms
_1900 = 2208988800  # s from 1900, as NTP counts, to 1970


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


def write(seconds):
    """Set the board's clock.

    Args:
        seconds: Since the epoch of this port.
    """
    import machine

    year, month, day, hour, minute, second, weekday, _ = time.gmtime(seconds)
    machine.RTC().datetime((year, month, day, weekday, hour, minute, second, 0))
