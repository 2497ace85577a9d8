"""A player of sound files at the end of a serial line: DFPlayer Mini.

The world's ``player`` is what it is like and what is out of order: ``tracks`` on its card (3), ``seconds`` of
each (5), ``silent``.
"""

import time

import world


class DfPlayer:
    """It answers frames of ten bytes, ``7E FF 06 command acknowledge value value sum sum EF``.

    What it plays stands in the journal.
    """

    def __init__(self):
        self._heard = self._told = b""
        self._volume = 25
        self._began = None

    def hears(self, data):
        """Bytes that were sent to it."""
        self._heard += data
        while len(self._heard) >= 10:
            frame, self._heard = self._heard[:10], self._heard[10:]
            if not _is("silent", usual=False):
                self._obey(frame)

    def sends(self):
        """Bytes that it has sent since the last time."""
        self._playing()
        told, self._told = self._told, b""
        return told

    def _playing(self):
        if self._began is None:
            return False
        if time.ticks_diff(time.ticks_ms(), self._began) > _is("seconds", 5) * 1000:
            self._end()
            self._say(0x3D, 1)
            return False
        return True

    def _end(self):
        self._began = None
        world.put("player", track=None)

    def _obey(self, frame):
        command, acknowledge, value = frame[3], frame[4], frame[5] << 8 | frame[6]
        if frame[0] != 0x7E or frame[9] != 0xEF or (sum(frame[1:7]) + (frame[7] << 8 | frame[8])) & 0xFFFF:
            return self._say(0x40, 4)
        if command == 0x42:
            return self._say(0x42, 0x200 + (1 if self._playing() else 0))
        if command == 0x43:
            return self._say(0x43, self._volume)
        if command == 0x03:
            if not 1 <= value <= _is("tracks", 3):
                return self._say(0x40, 5)
            self._began = time.ticks_ms()
            world.put("player", track=value)
        elif command == 0x06:
            self._volume = min(value, 30)
            world.put("player", volume=self._volume)
        elif command == 0x16 and self._began is not None:
            self._end()
        if acknowledge:
            self._say(0x41, 0)
        return None

    def _say(self, command, value):
        told = bytes((0xFF, 6, command, 0, value >> 8, value & 255))
        total = -sum(told) & 0xFFFF
        self._told += b"\x7e" + told + bytes((total >> 8, total & 255)) + b"\xef"


def _is(name, usual):
    return world.get("player", {}).get(name, usual)
