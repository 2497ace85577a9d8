"""A hobby servo: an angle told by the length of a pulse, and nothing measured."""

import asyncio

from labboard.part import Part
from labboard.tasks import Task
from micropython import const

_HERTZ = const(50)
# µs; shorter or longer pulses drive common servos against their stops, where they burn.
_SHORTEST = const(500)
_LONGEST = const(2500)


class Servo(Part):
    """A servo of 0 to 180°, 50 pulses a second.

    Pulses are given only during a move, or for good where ``hold`` says so. A servo measures nothing: what
    the state tells is where the pulses send it, and null while there are none.
    """

    every = 200  # a move is short
    safe_after = 2
    safe_words = "the servo is released: no pulses"

    def __init__(
        self, pwm, key="servo", name="Servo", pulse_min=1000, pulse_max=2000, travel=0.6, hold=False
    ):
        """Take a PWM.

        Args:
            pwm: The ``machine.PWM`` of its pin, made with ``duty_u16=0``.
            key: The state says ``<key>_target``.
            name: For people.
            pulse_min: At 0°, in µs; 500 or more.
            pulse_max: At 180°, in µs; 2500 or less.
            travel: From 0° to 180°, in s: for so long a move lasts, as nobody knows where it began.
            hold: Whether the pulses go on after a move.

        Raises:
            ValueError: These pulses are no good.
        """
        if not _SHORTEST <= pulse_min < pulse_max <= _LONGEST:
            raise ValueError(
                "pulses of %s to %s µs: it takes %d to %d µs, the shorter first"
                % (pulse_min, pulse_max, _SHORTEST, _LONGEST)
            )
        if not 0 < travel <= 5:
            raise ValueError("a travel of %s s: it takes more than 0, up to 5 s" % travel)
        self._pwm = pwm
        self._key = key + "_target"
        self._min = pulse_min
        self._max = pulse_max
        self._travel = travel
        self._hold = hold
        pwm.duty_u16(0)
        pwm.freq(_HERTZ)
        task = "move_" + key
        angle = {"type": "number", "minimum": 0, "maximum": 180, "unit": "°"}
        self.entities = {
            self._key: {
                "platform": "number",
                "name": name,
                "icon": "mdi:angle-acute",
                "task": task,
                "parameter": "angle",
                "minimum": 0,
                "maximum": 180,
                "step": 1,
                "mode": "slider",
                "unit": "°",
            }
        }
        self.tasks = (
            Task(
                task, self.move, {"angle": angle}, effect="move", timeout=10, description="Turn to an angle."
            ),
        )

    async def move(self, angle):
        """Turn to an angle, 0 to 180°, and stay for as long as the way can take.

        Raises:
            ValueError: No such angle.
        """
        if not 0 <= angle <= 180:
            raise ValueError("angle %s is not 0 to 180 °" % angle)
        pulse = self._min + (self._max - self._min) * angle / 180
        self._pwm.duty_ns(round(pulse * 1000))
        try:
            await asyncio.sleep_ms(int(self._travel * 1000))
        except asyncio.CancelledError:
            self.safe()
            raise
        if not self._hold:
            self.safe()
        return {"angle": angle}

    def read(self):
        """Where the pulses send it, in °; null without pulses."""
        pulse = self._pwm.duty_ns() / 1000
        if pulse < _SHORTEST - 1:
            return {self._key: None}
        return {self._key: round((pulse - self._min) * 180 / (self._max - self._min), 1)}

    def safe(self):
        """No pulses. A duty of 0 and no ``deinit``: that would leave the pin as it is, high maybe."""
        self._pwm.duty_u16(0)
