"""A Melexis MLX90393 at 0x18, after its data sheet (revision 6, tables 17 and 18).

The world's ``field`` is what it stands in: ``[x, y, z]`` in µT; ``chip_temperature`` in °C. Of ``i2c``:
``mlx_error`` sets the error bit of every status, ``mlx_deaf`` keeps it from ever having data.
"""

import time

from i2c import fault, no_answer
import world

_SINGLE, _ERROR, _RESET = 0x20, 0x10, 0x04
# µT of one step at gain 1, resolution 0, HALLCONF 0xC, and the gains of GAIN_SEL (table 17).
_STEP_XY, _STEP_Z = 0.150, 0.242
_GAINS = (5, 4, 3, 2.5, 2, 1.667, 1.333, 1)
# ms for x, y, z by DIG_FILT and OSR (table 18).
_CONVERSION = (
    (1.27, 1.84, 3.00, 5.30),
    (1.46, 2.23, 3.76, 6.84),
    (1.84, 3.00, 5.30, 9.91),
    (2.61, 4.53, 8.37, 16.05),
    (4.15, 7.60, 14.52, 28.34),
    (7.22, 13.75, 26.80, 52.92),
    (13.36, 26.04, 51.38, 102.07),
    (25.65, 50.61, 100.53, 200.37),
)


class Mlx90393:
    """The chip."""

    def __init__(self):
        self.registers = [0] * 64
        self._restart()

    def _restart(self):
        self.registers[:7] = [0x007C, 0, 0, 0, 0, 0, 0]
        self._mode = 0
        self._new = _RESET
        self._ready = None
        self._answer = b""
        self._told = None

    def write(self, data):
        """Take a command; its status is the first byte to be read."""
        command, axes = data[0] & 0xF0, data[0] & 0x0F
        self._answer, error = b"", 0
        if command == 0x30:
            error = self._start(axes)
        elif command == 0x40:
            error = self._measured(axes)
        elif command == 0x50 and len(data) == 2:
            self._answer = self.registers[data[1] >> 2].to_bytes(2, "big")
        elif command == 0x60 and len(data) == 4:
            self.registers[data[3] >> 2] = data[1] << 8 | data[2]
        elif command == 0x80:
            self._mode, self._ready = 0, None
        elif command == 0xF0:
            self._restart()
        elif command:
            error = _ERROR
        if fault("mlx_error"):
            error = _ERROR
        size = max(0, len(self._answer) // 2 - 1)
        self._told = bytes((self._mode | error | self._new | min(3, size),))
        self._new = 0

    def read(self, count):
        """The status, then the answer."""
        if self._told is None:
            raise no_answer()
        told, self._told = self._told + self._answer, None
        return (told + b"\xff" * count)[:count]

    def _start(self, axes):
        if self._mode and self._ready is None:
            return _ERROR
        third = self.registers[2]
        self._mode = _SINGLE
        takes = _CONVERSION[third >> 2 & 7][third & 3] * 1000
        if axes & 1:
            takes += 67 + (192 << (third >> 11 & 3))
        self._ready = time.ticks_add(time.ticks_us(), round(takes))
        return 0

    def _measured(self, axes):
        if self._ready is None or time.ticks_diff(self._ready, time.ticks_us()) > 0 or fault("mlx_deaf"):
            return _ERROR  # DRDY is low
        self._ready, self._mode = None, 0
        field = world.get("field", (18.0, -4.0, 44.0))
        words = [self._word(axis, field[axis]) for axis in range(3) if axes & 2 << axis]
        if axes & 1:
            words.insert(0, round(46244 + (world.get("chip_temperature", 25.0) - 25) * 45.2))
        for word in words:
            self._answer += (word & 0xFFFF).to_bytes(2, "big")
        return 0

    def _word(self, axis, field):
        resolution = self.registers[2] >> (5 + 2 * axis) & 3
        step = (_STEP_Z if axis == 2 else _STEP_XY) * _GAINS[self.registers[0] >> 4 & 7] * (1 << resolution)
        steps = round(field / step)
        if self.registers[1] & 0x0400:  # TCMP_EN: unsigned, its offset relative to 0x8000
            return steps + 0x8000 - (self.registers[4 + axis] - 0x8000)
        if resolution == 2:
            return steps + 0x8000
        return steps + 0x4000 if resolution == 3 else steps
