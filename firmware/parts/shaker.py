"""A motor that shakes something for a while, and then rests for as long."""

from collections import OrderedDict
import time

from labboard.part import Part
from labboard.tasks import Task
import wire

IDLE = "idle"
SHAKING = "shaking"
RESTING = "resting"


class Shaker(Part):
    """idle → shaking → resting, as long as it shook → idle.

    Three things end the shaking: the machine's timer, which needs no loop; each reading, should the timer
    have missed; and the stop or a lost link.
    """

    every = 100
    safe_after = 2
    safe_words = "the motor is off"

    def __init__(self, pwm, timer, max_on=15, seconds=3, intensity=60):
        """Take a motor and a timer.

        Args:
            pwm: The ``machine.PWM`` of the motor's transistor, with its frequency set.
            timer: A ``machine.Timer`` of its own.
            max_on: The longest shaking, in s; more than 0, up to 60.
            seconds: The usual one.
            intensity: The usual one, in % of the full power.

        Raises:
            ValueError: Such values are no good.
        """
        if not 0 < max_on <= 60 or not 0 < seconds <= max_on or not 1 <= intensity <= 100:
            raise ValueError(
                "max_on %s s, seconds %s, intensity %s %%: it takes more than 0 to 60 s, more than 0 to "
                "max_on, and 1 to 100 %%" % (max_on, seconds, intensity)
            )
        self._pwm = pwm
        self._timer = timer
        self.max_on = max_on
        self._began = self._ends = None  # ticks; None while it does not shake
        self._rests_until = None
        self._shakes = 0
        pwm.duty_u16(0)
        parameters = OrderedDict()
        parameters["seconds"] = {
            "type": "number", "minimum": 0.1, "maximum": max_on, "default": seconds, "unit": "s",
            "description": "For how long it shakes.",
        }  # fmt: skip
        parameters["intensity"] = {
            "type": "integer", "minimum": 1, "maximum": 100, "default": intensity, "unit": "%",
            "description": "Of the full power.",
        }  # fmt: skip
        self.tasks = (
            Task("shake", self.shake, parameters, "move", description="Shake."),
            Task("stop_action", self.stop_action, {}, description="Stand still."),
        )
        self.entities = {
            "shaker": {
                "platform": "sensor", "name": "State", "icon": "mdi:grave-stone",
                "options": [IDLE, SHAKING, RESTING],
            },
            "shaking": {"platform": "binary_sensor", "name": "Shaking", "icon": "mdi:vibrate"},
            "intensity": {"platform": "sensor", "name": "Intensity", "unit": "%", "icon": "mdi:gauge"},
            "shakes": {"platform": "sensor", "name": "Shakes", "state_class": "total_increasing"},
            "do_shake": {"platform": "button", "name": "Shake", "task": "shake"},
            "do_stop_action": {"platform": "button", "name": "Stand still", "task": "stop_action"},
        }  # fmt: skip

    def shake(self, seconds, intensity):
        """Shake for so many seconds, at so many % of the full power.

        Raises:
            ValueError: Too long, or no such intensity.
            WireError: It shakes already, or rests.
        """
        if not 0 < seconds <= self.max_on or not 1 <= intensity <= 100:
            raise ValueError(
                "%s s at %s %%: it takes more than 0 to %s s, 1 to 100 %%" % (seconds, intensity, self.max_on)
            )
        state = self.state()
        if state == SHAKING:
            raise wire.WireError(wire.NOT_ALLOWED, "it shakes already")
        now = time.ticks_ms()
        if state == RESTING:
            left = time.ticks_diff(self._rests_until, now) / 1000
            raise wire.WireError(
                wire.NOT_ALLOWED, "it rests for another %.1f s, as long as it shook" % max(left, 0.1)
            )
        period = int(seconds * 1000)
        self._began, self._ends = now, time.ticks_add(now, period)
        # The end first, then the begin.
        self._timer.init(mode=self._timer.ONE_SHOT, period=period, callback=self._end)
        self._pwm.duty_u16(intensity * 65535 // 100)
        self._shakes += 1
        return {"state": SHAKING}

    def stop_action(self):
        """Stand still; the rest follows."""
        self.safe()
        return {"state": self.state()}

    def state(self):
        """One word; what shakes for too long is switched off first."""
        now = time.ticks_ms()
        if self._ends is not None and time.ticks_diff(now, self._ends) > 0:
            self.safe()
        if self._ends is not None:
            return SHAKING
        if self._rests_until is not None and time.ticks_diff(self._rests_until, now) > 0:
            return RESTING
        self._rests_until = None
        return IDLE

    def read(self):
        """What it does, read back from the motor's output."""
        state = self.state()
        intensity = round(self._pwm.duty_u16() * 100 / 65535)
        return {
            "shaker": state,
            "shaking": intensity > 0,
            "intensity": intensity,
            "shakes": self._shakes,
        }

    def safe(self):
        """Off."""
        self._pwm.duty_u16(0)
        if self._ends is not None:
            now = time.ticks_ms()
            self._rests_until = time.ticks_add(now, max(time.ticks_diff(now, self._began), 0))
            self._ends = None
            self._timer.deinit()

    def _end(self, _timer):
        self.safe()
