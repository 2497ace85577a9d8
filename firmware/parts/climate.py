"""Temperature and humidity of the air: Sensirion SHT4x, or SHT3x, on I2C.

Sources, both of Sensirion: data sheet SHT4x, version 7.1, here 4x; data sheet SHT3x-DIS, version 5, here 3x.
"""

import asyncio

from labboard.tasks import Task
from parts.chip import Chip

# Measure both at the highest repeatability; ms for that and one more, as a sleep of n ms can take n - 1; the
# scale of humidity in %, and how much of it lies below 0.
_KINDS = {
    "sht4x": (b"\xfd", 10, 125, 6),  # 4x: list of commands, timing (8.3 ms), conversion of signal output
    "sht3x": (b"\x24\x00", 17, 100, 0),  # 3x: single shot, timing (15.5 ms), section 4.13
}


def checksum(data):
    """CRC-8 of a word: polynomial 0x31 from 0xFF on (3x: section 4.12; the same in 4x)."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc << 1 ^ (0x131 if crc & 0x80 else 0)
    return crc


class Climate(Chip):
    """Temperature, -45 to 130 °C, and relative humidity, 0 to 100 %.

    In a node::

        bus = I2C(0, sda=board.pins.pin("sda"), scl=board.pins.pin("scl"), freq=100000)
        board.add(Climate(bus))
    """

    every = 2000

    def __init__(self, i2c, chip="sht4x", address=0x44):
        """Take a bus.

        Args:
            i2c: The ``machine.I2C`` or ``machine.SoftI2C``, at up to 1 MHz.
            chip: ``sht4x`` (SHT40, 41, 45) or ``sht3x`` (SHT30, 31, 35).
            address: 0x44; 0x45 and 0x46 by the order code (4x), 0x45 by the pin ADDR (3x).

        Raises:
            ValueError: No such chip or address.
        """
        if chip not in _KINDS:
            raise ValueError("chip %r is not one of %s" % (chip, ", ".join(sorted(_KINDS))))
        super().__init__(i2c, address, chip.upper())
        self._kind = _KINDS[chip]
        self.entities = {}
        for key, unit in (("temperature", "°C"), ("humidity", "%")):
            self.entities[key] = {
                "platform": "sensor",
                "name": key[0].upper() + key[1:],
                "device_class": key,
                "unit": unit,
                "state_class": "measurement",
                "precision": 1,
            }
        self.tasks = (
            Task(
                "read_climate",
                self.measure,
                effect="read",
                timeout=5,
                description="Measure temperature and humidity of the air now.",
                returns="temperature in °C, relative humidity in %",
            ),
        )

    async def measure(self):
        """Temperature in °C and relative humidity in %, to the hundredth.

        Raises:
            OSError: Nobody answers, or what was said arrived wrong.
        """
        command, takes, scale, below = self._kind
        async with self._one:
            self._write(command)
            await asyncio.sleep_ms(takes)
            told = self._read(6)
        if checksum(told[0:2]) != told[2] or checksum(told[3:5]) != told[5]:
            raise OSError("wrong checksum from the %s: its wires are too long or disturbed" % self._named())
        warm = (told[0] << 8 | told[1]) / 65535
        wet = scale * (told[3] << 8 | told[4]) / 65535 - below
        # The scale goes past both ends, and the data sheet (4x) says to cut there.
        return {"temperature": round(175 * warm - 45, 2), "humidity": round(min(100, max(0, wet)), 2)}

    async def read(self):
        """As ``measure``, for the state."""
        return await self.measure()
