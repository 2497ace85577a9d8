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
        self._began = None  # ticks, of what plays or is paused
        self._paused = None  # ticks

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
        """As its status says it: 0 stopped, 1 playing, 2 paused."""
        if self._began is None:
            return 0
        if self._paused is not None:
            return 2
        if time.ticks_diff(time.ticks_ms(), self._began) > _is("seconds", 5) * 1000:
            self._end()
            self._say(0x3D, 1)
            return 0
        return 1

    def _end(self):
        self._began = self._paused = None
        world.put("player", track=None)

    def _pause(self, on):
        now = time.ticks_ms()
        if on and self._playing() == 1:
            self._paused = now
        elif not on and self._playing() == 2:
            self._began = time.ticks_add(self._began, time.ticks_diff(now, self._paused))
            self._paused = None
        world.put("player", paused=self._paused is not None)

    def _obey(self, frame):
        command, acknowledge, value = frame[3], frame[4], frame[5] << 8 | frame[6]
        if frame[0] != 0x7E or frame[9] != 0xEF or (sum(frame[1:7]) + (frame[7] << 8 | frame[8])) & 0xFFFF:
            return self._say(0x40, 4)
        if command == 0x42:
            return self._say(0x42, 0x200 + self._playing())
        if command == 0x43:
            return self._say(0x43, self._volume)
        if command == 0x03:
            if not 1 <= value <= _is("tracks", 3):
                return self._say(0x40, 5)
            self._began, self._paused = time.ticks_ms(), None
            world.put("player", track=value, paused=False)
        elif command in (0x0D, 0x0E):
            self._pause(command == 0x0E)
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
