"""A relay or solenoid that cannot stay on."""

import time

from labboard.part import Part
from labboard.tasks import Task
import wire


class Relay(Part):
    """Something that is switched on for a bounded time, and rests in between.

    Three things switch it off: the machine's timer, which needs no loop; each reading, should the timer have
    missed; and the stop or a lost link.
    """

    every = 250
    safe_after = 2
    safe_words = "the relay is off"
    longest = 600  # s that ``max_on`` may be

    def __init__(self, pin, timer, key="relay", name="Relay", max_on=3, min_off=5):
        """Take a pin and a timer.

        Args:
            pin: An output; high is on. For a relay that takes low: ``machine.Signal(pin, invert=True)``.
            timer: A ``machine.Timer`` of its own.
            key: Of its value in the state.
            name: For people.
            max_on: The longest time on, in s; more than 0, up to ``longest``.
            min_off: The shortest time off between two, in s: it cools down.

        Raises:
            ValueError: Such times are no good.
        """
        if not 0 < max_on <= self.longest or not 0 <= min_off <= 3600:
            raise ValueError(
                "max_on %s s, min_off %s s: it takes more than 0 to %s s, 0 to 3600 s"
                % (max_on, min_off, self.longest)
            )
        self._pin = pin
        self._timer = timer
        self._key = key
        self.max_on = max_on
        self._min_off = min_off
        self._ends = None  # ticks; None while it is off
        pin.value(0)
        self._off_since = time.ticks_ms()
        task = "set_" + key
        self.entities = {key: {"platform": "switch", "name": name, "task": task, "parameter": "on"}}
        parameters = {
            "on": {"type": "boolean"},
            "seconds": {
                "type": "number", "minimum": 0.05, "maximum": max_on, "default": max_on, "unit": "s",
                "description": "For how long it is on.",
            },
        }  # fmt: skip
        self.tasks = (
            Task(task, self._set, parameters, effect="move", description="On for a while, or off."),
        )

    def _set(self, on, seconds):
        if on:
            self.switch_on(seconds)
        else:
            self.safe()
        return self.read()

    def rests(self):
        """For how many ms it must rest before it can be switched on; 0 and less: it can."""
        if self._ends is not None:
            return 0
        return int(self._min_off * 1000) - time.ticks_diff(time.ticks_ms(), self._off_since)

    def switch_on(self, seconds):
        """On, for at most so many seconds from now.

        Raises:
            ValueError: Too long.
            WireError: It rests.
        """
        if not 0 < seconds <= self.max_on:
            raise ValueError("%s s is not more than 0 to %s s" % (seconds, self.max_on))
        if self._ends is not None:
            raise wire.WireError(wire.NOT_ALLOWED, "it is on already")
        rests = self.rests()
        if rests > 0:
            raise wire.WireError(wire.NOT_ALLOWED, "it rests for another %s s" % (rests / 1000))
        self._ends_in(seconds)  # the end first, then the begin
        self._pin.value(1)

    def prolong(self, seconds):
        """Stay on for at most so many seconds from now, without a click; nothing where it is off.

        Raises:
            ValueError: Too long.
        """
        if not 0 < seconds <= self.max_on:
            raise ValueError("%s s is not more than 0 to %s s" % (seconds, self.max_on))
        if self.is_on():
            self._ends_in(seconds)

    def _ends_in(self, seconds):
        period = int(seconds * 1000)
        self._ends = time.ticks_add(time.ticks_ms(), period)
        self._timer.init(mode=self._timer.ONE_SHOT, period=period, callback=self._end)

    def _end(self, _timer):
        self.safe()

    def read(self):
        """Whether it is on."""
        return {self._key: self.is_on()}

    def is_on(self):
        """Whether it is on, read back from the pin; what is on for too long is switched off first."""
        if self._ends is not None and time.ticks_diff(time.ticks_ms(), self._ends) > 0:
            self.safe()
        return bool(self._pin.value())

    def safe(self):
        """Off."""
        self._pin.value(0)
        if self._ends is not None:
            self._ends = None
            self._off_since = time.ticks_ms()
            self._timer.deinit()
