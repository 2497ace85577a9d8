"""The digital pipette: a syringe whose plunger is moved by a linear servo (Actuonix L16-R)."""

import asyncio

from labboard.part import Part
from labboard.tasks import Task
from micropython import const
import wire

_HERTZ = const(50)
_FRAME = const(20)  # ms between two pulses
_SHORTEST = const(900)  # µs; the actuator takes 1 to 2 ms over its stroke
_LONGEST = const(2100)
_SETTLES = const(300)  # ms, in which it comes after its pulses


class Pipette(Part):
    """A pipette of one syringe. Volumes in µL.

    The actuator tells nothing back. So where the plunger is, is known only after ``home`` has pushed it to the stop at the
    empty end, slowly enough to come from anywhere, and as long as every way since then was gone to its end. The volume in
    the state is reckoned from that, and null where it is not known. Its spindle holds without pulses.
    """

    safe_after = 2
    safe_words = "the plunger stands; home it before the next volume"

    def __init__(
        self,
        pwm,
        key="pipette",
        pulse_empty=1900,
        pulse_full=1100,
        stroke=50,
        ul_per_mm=60,
        flow=300,
        flow_max=600,
        smallest=10,
        changed=None,
    ):
        """Take a PWM, and how pulses become volumes.

        Args:
            pwm: The ``machine.PWM`` of its pin, made with ``duty_u16=0``.
            key: The state says ``<key>_volume`` and ``<key>_homed``.
            pulse_empty: With the plunger pushed in, in µs; 900 to 2100.
            pulse_full: With the plunger pulled out, in µs; 900 to 2100.
            stroke: Between these two, in mm.
            ul_per_mm: The calibration: weigh what 10 mm of water are, and divide.
            flow: The usual speed, in µL/s.
            flow_max: The fastest one that the actuator and the liquid can follow, in µL/s; ``home`` moves at a quarter.
            smallest: The least volume that means anything, in µL.
            changed: Is called while it moves, such as ``board.changed``.

        Raises:
            ValueError: Something of this is no good.
        """
        for pulse in (pulse_empty, pulse_full):
            if not _SHORTEST <= pulse <= _LONGEST:
                raise ValueError("a pulse of %s µs: it takes %d to %d µs" % (pulse, _SHORTEST, _LONGEST))
        if abs(pulse_empty - pulse_full) < 100:
            raise ValueError(
                "pulse_empty and pulse_full are %s and %s µs: too near" % (pulse_empty, pulse_full)
            )
        if not (stroke > 0 and ul_per_mm > 0 and 0 < flow <= flow_max and smallest > 0):
            raise ValueError("stroke, ul_per_mm, flow and smallest are more than 0, flow is up to flow_max")
        self._pwm = pwm
        self._keys = (key + "_volume", key + "_homed")
        self._empty = pulse_empty
        self._full = pulse_full
        self.capacity = stroke * ul_per_mm
        self._flow = flow
        self._flow_max = flow_max
        self._smallest = smallest
        self._changed = changed
        self._volume = None  # µL; None until homed
        pwm.duty_u16(0)
        pwm.freq(_HERTZ)
        self.entities = {
            self._keys[0]: {
                "platform": "sensor", "name": "Volume", "icon": "mdi:eyedropper", "unit": "µL",
                "state_class": "measurement", "precision": 0,
            },
            self._keys[1]: {"platform": "binary_sensor", "name": "Homed", "icon": "mdi:home-import-outline"},
            key + "_home": {"platform": "button", "name": "Home", "icon": "mdi:home-import-outline", "task": "home"},
            key + "_empty": {"platform": "button", "name": "Empty", "icon": "mdi:eyedropper-off", "task": "empty"},
        }  # fmt: skip
        volume = {"type": "number", "minimum": smallest, "maximum": self.capacity, "unit": "µL"}
        rate = {"type": "number", "minimum": 1, "maximum": flow_max, "default": flow, "unit": "µL/s"}
        moving = {"volume": volume, "flow_rate": rate}
        longest = self._longest(1) if flow_max < 4 else self.capacity + 10
        self.tasks = (
            Task(
                "home", self.home, {}, "move", self._longest(self._flow_max / 4) + 5,
                "Push the plunger to the stop at the empty end, which lets out what is in it.",
            ),
            Task("aspirate", self.aspirate, moving, "move", longest, "Draw a volume in."),
            Task("dispense", self.dispense, moving, "move", longest, "Let a volume out."),
            Task("empty", self.empty, {"flow_rate": rate}, "move", longest, "Let out all that is in it."),
        )  # fmt: skip

    def _longest(self, flow):
        return self.capacity / flow

    async def home(self):
        """Push the plunger to the stop at the empty end."""
        self._volume = None
        # From where, nobody knows: the pulses say empty at once, and the actuator goes at its own speed.
        await self._drive(self.capacity, 0, self._flow_max / 4)
        return {"volume": self._volume}

    async def aspirate(self, volume, flow_rate):
        """Draw a volume in, in µL, at a speed in µL/s.

        Raises:
            WireError: It is not homed, or has no room.
        """
        held = self._known()
        self._check(volume, self.capacity - held, "there is room for")
        await self._drive(held, held + volume, flow_rate)
        return {"volume": self._volume}

    async def dispense(self, volume, flow_rate):
        """Let a volume out, in µL, at a speed in µL/s.

        Raises:
            WireError: It is not homed, or holds less.
        """
        held = self._known()
        self._check(volume, held, "it holds")
        await self._drive(held, held - volume, flow_rate)
        return {"volume": self._volume}

    async def empty(self, flow_rate):
        """Let out all that is in it, at a speed in µL/s.

        Raises:
            WireError: It is not homed.
        """
        await self._drive(self._known(), 0, flow_rate)
        return {"volume": self._volume}

    def _known(self):
        if self._volume is None:
            raise wire.WireError(wire.NOT_ALLOWED, "where the plunger is, is not known: home it first")
        return self._volume

    def _check(self, volume, most, words):
        if volume < self._smallest:
            raise ValueError("volume %s µL is less than %s µL" % (volume, self._smallest))
        if volume > most + 1e-3:
            raise wire.WireError(wire.NOT_ALLOWED, "volume %s µL: %s %s µL" % (volume, words, round(most, 1)))

    async def _drive(self, begin, end, flow):
        """Move from volume to volume, pulse by pulse; the volume is known again only at the end."""
        self._volume = None
        step = flow * _FRAME / 1000
        way = end - begin
        steps = max(1, int(abs(way) / step))
        try:
            for number in range(1, steps + 1):
                self._pulse(begin + way * number / steps)
                await asyncio.sleep_ms(_FRAME)
            await asyncio.sleep_ms(_SETTLES)
            self._volume = min(max(end, 0), self.capacity)
        finally:
            self._pwm.duty_u16(0)
            if self._changed:
                self._changed()

    def _pulse(self, volume):
        pulse = self._empty + (self._full - self._empty) * volume / self.capacity
        self._pwm.duty_ns(round(pulse * 1000))

    def read(self):
        """The volume in it, in µL, and whether it is homed."""
        known = self._volume is not None
        return dict(zip(self._keys, (round(self._volume, 1) if known else None, known)))

    def safe(self):
        """No pulses: the plunger stands. What was under way did not end where it should."""
        if self._pwm.duty_u16():
            self._volume = None
        self._pwm.duty_u16(0)
