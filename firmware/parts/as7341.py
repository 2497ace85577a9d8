"""Light by colour: ams AS7341 on I2C, the sensor that an OT-2 holds over a well.

Sources: data sheet DS000504 v3-00 of ams (section 10.2: the registers, by name), and the application note on
its SMUX (how the photodiodes are wired to the converters).
"""

import asyncio

from labboard.tasks import Task
from micropython import const
from parts.chip import Chip
import wire

_CONFIG = const(0x70)  # this and LED stand in the bank of REG_BANK = 1
_LED = const(0x74)
_ENABLE = const(0x80)
_ATIME = const(0x81)
_ID = const(0x92)
_ASTATUS = const(0x94)  # reading it latches the twelve bytes after it, so that they are of one moment
_STATUS2 = const(0xA3)
_CFG0 = const(0xA9)
_CFG1 = const(0xAA)
_CFG6 = const(0xAF)
_ASTEP = const(0xCA)

_ON, _MEASURE, _SMUX = const(0x01), const(0x02), const(0x10)  # of ENABLE
_BANK = const(0x10)  # of CFG0
_WRITE_CHAIN = const(0x10)  # SMUX_CMD of CFG6: from memory to the chain
_VALID, _SATURATED = const(0x40), const(0x18)  # of STATUS2; saturated: digital or analog

# ms of one step with ASTEP 999: 1000 x 2.78 µs (section 8.5).
_STEP = 2.78
_NANOMETRES = (415, 445, 480, 515, 555, 590, 630, 680)  # of f1 to f8: middles of their bands
_GAINS = (0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512)  # of AGAIN (CFG1)
# There are six converters for eleven channels: f1 to f4, then f5 to f8, and clear and nir with both.
_CHAINS = (
    b"\x30\x01\x00\x00\x00\x42\x00\x00\x50\x00\x00\x00\x20\x04\x00\x30\x01\x50\x00\x06",
    b"\x00\x00\x00\x40\x02\x00\x10\x03\x50\x10\x03\x00\x00\x00\x24\x00\x00\x50\x00\x06",
)


class As7341(Chip):
    """Raw counts, 0 to 65535, of eight colours, all light (clear) and near infrared (nir).

    Counts grow with gain and time; compare only those of one setting. At its end a count is saturated.
    The LED at its pin LDR shines only while it measures.

    In a node::

        bus = I2C(0, sda=board.pins.pin("sda"), scl=board.pins.pin("scl"), freq=400000)
        board.add(As7341(bus, **board.settings.get("color", {})))
    """

    every = 10000

    def __init__(self, i2c, gain=128, integration_time=280, led_current=0, led_limit=20, address=0x39):
        """Take a bus.

        Args:
            i2c: The ``machine.I2C`` or ``machine.SoftI2C``, at up to 400 kHz.
            gain: 0.5, 1, 2, 4 … 512, where a command names none.
            integration_time: 2.78 to 711 ms for each of two halves, where a command names none.
            led_current: 0 or 4 to ``led_limit`` mA, where a command names none, and for the state.
            led_limit: What the LED at LDR stands, in mA; the chip drives up to 258.
            address: It has one only.

        Raises:
            ValueError: One of them is out of range.
        """
        super().__init__(i2c, address, "AS7341")
        if led_limit != 0 and not 4 <= led_limit <= 258:
            raise ValueError("led_limit %s is not 0 (no LED) or 4 to 258 mA" % led_limit)
        self._limit = led_limit
        self._usual = (gain, integration_time, led_current)
        self._registers(*self._usual)
        entities = {}
        names = [("f%d" % (at + 1), "%d nm" % nm) for at, nm in enumerate(_NANOMETRES)]
        names += (("clear", "Clear"), ("nir", "Near infrared"))
        for key, name in names:
            entities[key] = {
                "platform": "sensor",
                "name": name,
                "icon": "mdi:palette",
                "state_class": "measurement",
                "precision": 0,
            }
        entities["saturated"] = {"platform": "binary_sensor", "name": "Saturated", "device_class": "problem"}
        self.entities = entities
        self.tasks = (
            Task(
                "read_color",
                self.read_color,
                {
                    "gain": {"type": "number", "enum": list(_GAINS), "default": gain},
                    "integration_time": {
                        "type": "number",
                        "minimum": 2.78,
                        "maximum": 711,
                        "default": integration_time,
                        "unit": "ms",
                        "description": "of each of two halves",
                    },
                    "led_current": {
                        "type": "number",
                        "minimum": 0,
                        "maximum": led_limit,
                        "default": led_current,
                        "unit": "mA",
                        "description": "0: dark, else 4 or more, in steps of 2",
                    },
                },
                effect="read",
                timeout=10,
                description="Measure the light by colour now.",
                returns="raw counts f1 (415 nm) to f8 (680 nm), clear, nir; gain, integration_time in ms, "
                "led_current in mA, saturated",
            ),
        )

    async def read(self):
        """Counts with the usual settings, for the state.

        Raises:
            OSError: Nobody answers, or another chip does.
        """
        told = await self.read_color(*self._usual)
        return {key: told[key] for key in self.entities}

    async def read_color(self, gain, integration_time, led_current):
        """Measure all channels once.

        Args:
            gain: 0.5 to 512.
            integration_time: 2.78 to 711 ms, twice.
            led_current: 0, or 4 to the limit, in mA.

        Returns:
            The counts by channel, the settings as the chip has them, and whether a count is saturated.

        Raises:
            wire.WireError: One of them is out of range.
            OSError: Nobody answers, another chip does, or it does not measure.
        """
        try:
            again, atime, drive = self._registers(gain, integration_time, led_current)
        except ValueError as error:
            raise wire.WireError(wire.INVALID_PARAMETERS, str(error))
        takes = round((atime + 1) * _STEP, 2)
        told = {
            "gain": gain,
            "integration_time": takes,
            "led_current": 4 + 2 * drive if drive >= 0 else 0,
            "saturated": False,
        }
        async with self._one:
            identity = self._get(_ID, 1)[0]
            if identity & 0xFC != 0x24:
                raise OSError(
                    "what answers as the %s is none: its id is 0x%02x, not 0x24" % (self._named(), identity)
                )
            try:
                self._set(_ENABLE, _ON)
                self._set(_ATIME, atime)
                self._set(_ASTEP, 0xE7)  # 999, low byte first
                self._set(_ASTEP + 1, 0x03)
                self._set(_CFG1, again)
                self._shine(drive)
                for half in (0, 1):
                    await self._convert(half, takes, told)
            finally:  # cancelled, too
                try:
                    self._shine(-1)
                    self._set(_ENABLE, _ON)
                except OSError:
                    pass  # it is gone, and said so before
        return told

    def _registers(self, gain, integration_time, led_current):
        """AGAIN, ATIME and LED_DRIVE (below 0: dark)."""
        if gain not in _GAINS:
            raise ValueError("gain %s is not one of %s" % (gain, ", ".join([str(each) for each in _GAINS])))
        if not _STEP <= integration_time <= 711:
            raise ValueError("integration_time %s is not 2.78 to 711 ms" % integration_time)
        if led_current != 0 and not 4 <= led_current <= self._limit:
            raise ValueError("led_current %s is not 0 or 4 to %s mA" % (led_current, self._limit))
        drive = int(led_current - 4) // 2 if led_current else -1  # 4 mA + 2 mA each (LED_DRIVE)
        return _GAINS.index(gain), round(integration_time / _STEP) - 1, drive

    async def _convert(self, half, takes, told):
        """Measure one half of the channels."""
        self._set(_ENABLE, _ON)
        self._set(_CFG6, _WRITE_CHAIN)
        for at, byte in enumerate(_CHAINS[half]):
            self._set(at, byte)
        self._set(_ENABLE, _ON | _SMUX)
        await self._until(_ENABLE, _SMUX, 0, "connect its photodiodes")
        self._set(_ENABLE, _ON | _MEASURE)
        await asyncio.sleep_ms(int(takes))
        status = await self._until(_STATUS2, _VALID, _VALID, "measure")
        latched = self._get(_ASTATUS, 13)
        counts = [latched[at] | latched[at + 1] << 8 for at in range(1, 13, 2)]
        full = min(65535, round(takes / _STEP) * 1000)
        if status & _SATURATED or latched[0] & 0x80 or max(counts) >= full:
            told["saturated"] = True
        for channel in range(4):
            told["f%d" % (4 * half + channel + 1)] = counts[channel]
        if half == 0:
            told["clear"], told["nir"] = counts[4], counts[5]

    async def _until(self, register, mask, wanted, doing):
        for _ in range(50):
            found = self._get(register, 1)[0]
            if found & mask == wanted:
                return found
            await asyncio.sleep_ms(2)
        raise OSError("the %s did not %s in time: switch its supply off and on" % (self._named(), doing))

    def _shine(self, drive):
        self._set(_CFG0, _BANK)
        try:
            self._set(_LED, 0x80 | drive if drive >= 0 else 0)
            self._set(_CONFIG, 0x08 if drive >= 0 else 0)  # LED_SEL
        finally:
            self._set(_CFG0, 0)

    def _set(self, register, value):
        self._write(bytes((register, value)))

    def _get(self, register, count):
        self._write(bytes((register,)))
        return self._read(count)
