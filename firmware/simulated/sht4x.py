"""A Sensirion SHT4x, or SHT3x, at 0x44, after their data sheets (SHT4x 7.1; SHT3x-DIS 5).

The world's ``temperature`` (°C) and ``humidity`` (%) are what it measures. Of ``i2c``: ``bad_crc`` breaks its
checksums, ``"climate_chip": "sht3x"`` makes it the older chip. While it measures it acknowledges nothing.
"""

import time

from i2c import fault, no_answer
import world

# Command → µs until the words are there, the longest that the data sheets state.
_SHT4X = {b"\xfd": 8300, b"\xf6": 4500, b"\xe0": 1600, b"\x89": 100, b"\x94": 1000}
_SHT3X = {b"\x24\x00": 15500, b"\x24\x0b": 6500, b"\x24\x16": 4500, b"\x30\xa2": 1500}
_SERIAL = (0x0F1A, 0x2B3C)


def _crc(high, low):
    """CRC-8, bit by bit: 0x31, from 0xFF."""
    crc = 0xFF
    for byte in (high, low):
        crc ^= byte
        for _ in range(8):
            crc = crc << 1 ^ (0x131 if crc & 0x80 else 0)
    return crc


def _words(words):
    wrong = 1 if fault("bad_crc") else 0
    told = b""
    for word in words:
        word = min(0xFFFF, max(0, round(word)))  # noqa: PLW2901
        told += bytes((word >> 8, word & 0xFF, _crc(word >> 8, word & 0xFF) ^ wrong))
    return told


class Sht:
    """The chip."""

    def __init__(self):
        self._answer = None
        self._ready = time.ticks_us()

    def write(self, command):
        """Take a command; another chip's is not acknowledged."""
        older = fault("climate_chip") == "sht3x"
        duration = (_SHT3X if older else _SHT4X).get(command)
        if duration is None or self._busy():
            raise no_answer()
        self._ready = time.ticks_add(time.ticks_us(), duration)
        if command == b"\x89":
            self._answer = _SERIAL
        elif command in (b"\x94", b"\x30\xa2"):
            self._answer = None
        else:
            warm = (world.get("temperature", 23.4) + 45) * 65535 / 175
            wet = world.get("humidity", 45.0)
            self._answer = (warm, wet * 655.35 if older else (wet + 6) * 65535 / 125)

    def read(self, count):
        """Its words, once: not before they are there."""
        if self._answer is None or self._busy():
            raise no_answer()
        told, self._answer = _words(self._answer), None
        return (told + b"\xff" * count)[:count]

    def _busy(self):
        return time.ticks_diff(self._ready, time.ticks_us()) > 0
