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

    The actuator tells nothing back. So where the plunger is, is known only after ``home`` has pushed it to
    the stop at the empty end, for as long as that takes from anywhere, and as long as every way since then
    was gone to its end. The volume in the state is reckoned from that, and null where it is not known. Its
    spindle holds without pulses.
    """

    safe_after = 2
    safe_words = "the plunger stands; home it before the next volume"

    def __init__(
        self,
        pwm,
        changed=None,
        pulse_empty=1900,
        pulse_full=1100,
        capacity=3000,
        flow=300,
        flow_max=600,
        smallest=10,
    ):
        """Take a PWM, and how pulses become volumes.

        Args:
            pwm: The ``machine.PWM`` of its pin, made with ``duty_u16=0``.
            changed: Is called at the end of each way, such as ``board.changed``.
            pulse_empty: With the plunger pushed in, in µs; 900 to 2100.
            pulse_full: With the plunger pulled out, in µs; 900 to 2100.
            capacity: Between these two, in µL: the calibration. Weigh what a part of it gives.
            flow: The usual speed, in µL/s.
            flow_max: The fastest that actuator and liquid can follow, in µL/s; ``home`` waits four times as
                long.
            smallest: The least volume that means anything, in µL.

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
        if not (1 <= flow <= flow_max and 0 < smallest < capacity):
            raise ValueError(
                "flow %s, flow_max %s, smallest %s, capacity %s: it takes 1 <= flow <= flow_max, "
                "0 < smallest < capacity" % (flow, flow_max, smallest, capacity)
            )
        self._pwm = pwm
        self._changed = changed
        self._empty = pulse_empty
        self._full = pulse_full
        self._capacity = capacity
        self._home_flow = flow_max / 4
        self._smallest = smallest
        self._volume = None  # µL; None until homed
        pwm.duty_u16(0)
        pwm.freq(_HERTZ)
        self.entities = dict(self._entities())
        volume = {"type": "number", "minimum": smallest, "maximum": capacity, "unit": "µL"}
        rate = {"type": "number", "minimum": 1, "maximum": flow_max, "default": flow, "unit": "µL/s"}
        # At the slowest flow; a command can state less.
        longest = capacity + 10
        self.tasks = (
            Task(
                "home",
                self.home,
                {},
                "move",
                capacity / self._home_flow + 10,
                "Push the plunger to the stop at the empty end, which lets out what is in it.",
            ),
            Task(
                "aspirate",
                self.aspirate,
                {"volume": volume, "flow_rate": rate},
                "move",
                longest,
                "Draw a volume in.",
            ),
            Task(
                "dispense",
                self.dispense,
                {"volume": volume, "flow_rate": rate},
                "move",
                longest,
                "Let a volume out.",
            ),
            Task("empty", self.empty, {"flow_rate": rate}, "move", longest, "Let out all that is in it."),
        )

    def _entities(self):
        yield (
            "volume",
            {
                "platform": "sensor",
                "name": "Volume",
                "icon": "mdi:eyedropper",
                "unit": "µL",
                "state_class": "measurement",
                "precision": 0,
            },
        )
        yield "homed", {"platform": "binary_sensor", "name": "Homed", "icon": "mdi:home-import-outline"}
        for task in ("aspirate", "dispense"):
            yield (
                task,
                {
                    "platform": "number",
                    "name": task[0].upper() + task[1:],
                    "icon": "mdi:eyedropper-" + ("plus" if task == "aspirate" else "minus"),
                    "task": task,
                    "parameter": "volume",
                    "minimum": self._smallest,
                    "maximum": self._capacity,
                    "step": 1,
                    "mode": "box",
                    "unit": "µL",
                    "stateless": True,
                },
            )
        for task, icon in (("home", "mdi:home-import-outline"), ("empty", "mdi:eyedropper-off")):
            yield task, {"platform": "button", "name": task[0].upper() + task[1:], "icon": icon, "task": task}

    async def home(self):
        """Push the plunger to the stop at the empty end."""
        # From where, nobody knows: so it goes at the actuator's own speed, and this is for the longest way.
        await self._drive(0, 0, self._capacity / self._home_flow)
        return {"volume": self._volume}

    async def aspirate(self, volume, flow_rate):
        """Draw a volume in, in µL, at a speed in µL/s.

        Raises:
            WireError: It is not homed, or has no room.
        """
        held = self._known()
        self._check(volume, self._capacity - held, "there is room for")
        await self._drive(held, held + volume, volume / flow_rate)
        return {"volume": self._volume}

    async def dispense(self, volume, flow_rate):
        """Let a volume out, in µL, at a speed in µL/s.

        Raises:
            WireError: It is not homed, or holds less.
        """
        held = self._known()
        self._check(volume, held, "it holds")
        await self._drive(held, held - volume, volume / flow_rate)
        return {"volume": self._volume}

    async def empty(self, flow_rate):
        """Let out all that is in it, at a speed in µL/s.

        Raises:
            WireError: It is not homed.
        """
        held = self._known()
        await self._drive(held, 0, held / flow_rate)
        return {"volume": self._volume}

    def _known(self):
        if self._volume is None:
            raise wire.WireError(wire.NOT_ALLOWED, "where the plunger is, is not known: home it first")
        return self._volume

    def _check(self, volume, most, words):
        if volume < self._smallest:
            raise ValueError("volume %s µL is less than %s µL" % (volume, self._smallest))
        if volume > most + 1e-3:  # a board's floats have seven digits
            raise wire.WireError(wire.NOT_ALLOWED, "volume %s µL: %s %s µL" % (volume, words, round(most, 1)))

    async def _drive(self, begin, end, seconds):
        """Move from volume to volume, pulse by pulse; the volume is known again only at the end."""
        self._volume = None
        way = end - begin
        steps = max(1, int(seconds * 1000) // _FRAME)
        try:
            for number in range(1, steps + 1):
                self._pulse(begin + way * number / steps)
                await asyncio.sleep_ms(_FRAME)
            await asyncio.sleep_ms(_SETTLES)
            self._volume = min(max(end, 0), self._capacity)
        finally:
            self._pwm.duty_u16(0)
            if self._changed:
                self._changed()

    def _pulse(self, volume):
        pulse = self._empty + (self._full - self._empty) * volume / self._capacity
        self._pwm.duty_ns(round(pulse * 1000))

    def read(self):
        """The volume in it, in µL, and whether it is homed."""
        known = self._volume is not None
        return {"volume": round(self._volume, 1) if known else None, "homed": known}

    def safe(self):
        """No pulses: the plunger stands. What was under way did not end where it should."""
        if self._pwm.duty_u16():
            self._volume = None
        self._pwm.duty_u16(0)
