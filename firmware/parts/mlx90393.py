"""A magnetic field in three axes: Melexis MLX90393 on I2C.

Source: data sheet of Melexis, revision 6, by the names of its registers and the numbers of its tables.
"""

import asyncio
import struct

from labboard.tasks import Task
from micropython import const
from parts.chip import Chip

_SINGLE, _MEASURED, _GET, _SET, _EXIT = (
    const(0x30),
    const(0x40),
    const(0x50),
    const(0x60),
    const(0x80),
)
_ALL = const(0x0F)  # z, y, x and temperature
_ERROR, _RESET = const(0x10), const(0x04)  # status byte: section 8.2
_COMPENSATE = const(0x0400)  # TCMP_EN, in register 1
# DIG_FILT 5, OSR 2: 26.8 ms for three axes (table 18), less than 1 for the temperature, 10 % for its clock.
_FILTER = const(5 << 2 | 2)
_TAKES = const(31)
_GAINS = (5, 4, 3, 2.5, 2, 1.667, 1.333, 1)  # of GAIN_SEL, as they are called
_TWELFTHS = b"\x3c\x30\x24\x1e\x18\x14\x10\x0c"  # as they are: 1.667 is 20/12
# µT of a step at gain 1, resolution 0, HALLCONF 0xC (table 17: 0.751 and 1.210 at gain 5).
_XY = 0.1502
_Z = 0.2420


class Mlx90393(Chip):
    """Magnetic flux density along x, y and z in µT, and the chip's temperature in °C.

    Gain 1 and resolution 0 reach to ±4900 µT in x and y and ±7900 µT in z, in steps of 0.15 and 0.24 µT. Each
    resolution more doubles both, a gain multiplies both. Past its reach a reading of resolution 0 or 1 wraps
    around unseen.

    In a node::

        bus = I2C(0, sda=board.pins.pin("sda"), scl=board.pins.pin("scl"), freq=100000)
        board.add(Mlx90393(bus))
    """

    def __init__(self, i2c, gain=1, resolution=0, compensated=False, address=0x18):
        """Take a bus.

        Args:
            i2c: The ``machine.I2C`` or ``machine.SoftI2C``, at up to 400 kHz.
            gain: 1, 1.333, 1.667, 2, 2.5, 3, 4 or 5, as the data sheet calls them: 5 is the coarsest.
            resolution: 0 (the finest) to 3.
            compensated: Let the chip correct its drift with temperature (TCMP_EN); resolution 0 or 1 only.
            address: 0x18 to 0x1B, or 0x0C to 0x0F, by the order code and its pins A0 and A1.

        Raises:
            ValueError: One of them is out of range.
        """
        super().__init__(i2c, address, "MLX90393")
        if gain not in _GAINS:
            raise ValueError("gain %s is not one of %s" % (gain, ", ".join([str(each) for each in _GAINS])))
        if resolution not in (0, 1, 2, 3):
            raise ValueError("resolution %s is not one of 0, 1, 2, 3" % resolution)
        if compensated and resolution > 1:
            raise ValueError("with temperature compensation the resolution is 0 or 1, not %s" % resolution)
        self._gain = gain
        self._resolution = resolution
        self._times = _TWELFTHS[_GAINS.index(gain)] / 12 * (1 << resolution)
        self._compensated = compensated
        # Numbers without sign lie around this (RES_XYZ, TCMP_EN); those with one around 0.
        self._middle = 0x8000 if compensated or resolution == 2 else 0x4000 if resolution == 3 else None
        self._is_set = False
        self.entities = {}
        for axis in "xyz":
            self.entities["field_" + axis] = {
                "platform": "sensor",
                "name": "Field " + axis,
                "icon": "mdi:magnet",
                "unit": "µT",
                "state_class": "measurement",
                "precision": 1,
            }
        self.entities["chip_temperature"] = {
            "platform": "sensor",
            "name": "Chip temperature",
            "device_class": "temperature",
            "unit": "°C",
            "state_class": "measurement",
            "category": "diagnostic",
            "precision": 1,
        }
        self.tasks = (
            Task(
                "read_magnetic_field",
                self.read_magnetic_field,
                effect="read",
                timeout=5,
                description="Measure the magnetic field now.",
                returns="x, y, z in µT; chip_temperature in °C; gain, resolution, temperature_compensation",
            ),
        )

    async def read(self):
        """For the state.

        Raises:
            OSError: Nobody answers, or it reports an error.
        """
        told = await self.read_magnetic_field()
        return {key: told[key[-1] if key[:6] == "field_" else key] for key in self.entities}

    async def read_magnetic_field(self):
        """Measure once.

        Returns:
            x, y, z in µT, the chip's temperature in °C, and the settings.

        Raises:
            OSError: Nobody answers, or it reports an error.
        """
        async with self._one:
            try:
                if not self._is_set:
                    self._set_up()
                self._ask(bytes((_SINGLE | _ALL,)))
                if not self._is_set:  # its supply failed since the last time, and its settings are gone
                    self._set_up()
                    self._ask(bytes((_SINGLE | _ALL,)))
                await asyncio.sleep_ms(_TAKES)
                words = struct.unpack(">4H", self._ask(bytes((_MEASURED | _ALL,)), 8))
                if not self._is_set:
                    raise OSError("the %s was reset while it measured: look at its supply" % self._named())
            except BaseException:  # cancelled, too: it may be measuring
                self._is_set = False
                raise
        told = {
            "chip_temperature": round(
                25 + (words[0] - 46244) / 45.2, 1
            ),  # "Temperature sensor": 45.2 a degree
            "gain": self._gain,
            "resolution": self._resolution,
            "temperature_compensation": self._compensated,
        }
        for axis, word in zip("xyz", words[1:]):
            middle = self._middle
            if middle is None:
                middle = 0x10000 if word & 0x8000 else 0
            steps = word - middle
            told[axis] = round(steps * (_Z if axis == "z" else _XY) * self._times, 2)
        return told

    def _set_up(self):
        self._ask(bytes((_EXIT,)))
        self._change(0, 0x007F, _GAINS.index(self._gain) << 4 | 0x0C)
        self._change(1, _COMPENSATE, _COMPENSATE if self._compensated else 0)
        self._change(2, 0x07FF, self._resolution * 0b10101 << 5 | _FILTER)
        if self._compensated:
            for offset in (4, 5, 6):  # relative to 0x8000 (application note on offsets)
                self._change(offset, 0xFFFF, 0x8000)
        self._is_set = True

    def _change(self, register, mask, value):
        was = struct.unpack(">H", self._ask(bytes((_GET, register << 2)), 2))[0]
        now = was & ~mask | value
        self._ask(bytes((_SET, now >> 8, now & 0xFF, register << 2)))

    def _ask(self, command, count=0):
        """Say a command; gives what follows its status byte."""
        self._write(command)
        told = self._read(count + 1)
        if told[0] & _ERROR:
            raise OSError("the %s reports an error (status 0x%02x)" % (self._named(), told[0]))
        if told[0] & _RESET:  # told once after each
            self._is_set = False
        return told[1:]
