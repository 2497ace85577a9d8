"""A fan of four wires: speed by PWM, turns by its tachometer."""

import time

from labboard.part import Part
from labboard.tasks import Task
from micropython import const

_HERTZ = const(25000)  # of the PWM, as the makers of PCs agreed on
_PULSES = const(2)  # of the tachometer, a turn
_STANDS = const(3000)  # ms without a pulse
_MUST_TURN = const(30)  # %; below, many fans stand with good reason
_SHORT = const(400)  # ms; fewer pulses than that gives say nothing of the speed


class Fan(Part):
    """A fan. Its speed is a share of the full one in %, what it turns is measured in rpm."""

    safe_after = 10

    def __init__(self, pwm, tacho, key="fan", name="Fan", safe_speed=0):
        """Take the pins.

        Args:
            pwm: The ``machine.PWM`` of the blue wire, through an open collector.
            tacho: The pin of the green wire, an input with a pull-up.
            key: The state says ``<key>_speed``, ``<key>_rpm`` and ``<key>_stalled``.
            name: For people.
            safe_speed: Without a link, in %: what must stay cool wants 100. An emergency stop is always 0.

        Raises:
            ValueError: No such speed.
        """
        if not 0 <= safe_speed <= 100:
            raise ValueError("safe_speed %s is not 0 to 100 %%" % safe_speed)
        self._pwm = pwm
        self._keys = [key + what for what in ("_speed", "_rpm", "_stalled")]
        self._safe_speed = safe_speed
        self.safe_words = "the fan is off" if not safe_speed else "the fan runs at %s %%" % safe_speed
        self._pulses = 0
        self._rpm = None
        self._looked = self._turned = time.ticks_ms()
        pwm.duty_u16(0)
        pwm.freq(_HERTZ)
        tacho.irq(self._pulse, trigger=tacho.IRQ_FALLING)
        self.entities = {
            self._keys[0]: {
                "platform": "number",
                "name": name + " speed",
                "icon": "mdi:fan",
                "task": "set_speed",
                "parameter": "speed",
                "minimum": 0,
                "maximum": 100,
                "step": 1,
                "mode": "slider",
                "unit": "%",
            },
            self._keys[1]: {
                "platform": "sensor",
                "name": name,
                "icon": "mdi:fan",
                "unit": "rpm",
                "state_class": "measurement",
                "precision": 0,
            },
            self._keys[2]: {
                "platform": "binary_sensor",
                "name": name + " stalled",
                "device_class": "problem",
            },
        }
        speed = {"type": "number", "minimum": 0, "maximum": 100, "unit": "%"}
        self.tasks = (
            Task(
                "set_speed", self.set_speed, {"speed": speed}, effect="move", description="Blow; 0 is off.",
            ),
        )  # fmt: skip

    def _pulse(self, _pin):
        self._pulses += 1

    def set_speed(self, speed):
        """Blow at a share of the full speed, in %.

        Raises:
            ValueError: No such speed.
        """
        if not 0 <= speed <= 100:
            raise ValueError("speed %s is not 0 to 100 %%" % speed)
        self._blow(speed)
        return {"speed": self.speed()}

    def speed(self):
        """What the PWM gives, in %."""
        return round(self._pwm.duty_u16() * 100 / 65535)

    def _blow(self, speed):
        self._pwm.duty_u16(round(speed * 65535 / 100))
        self._turned = time.ticks_ms()  # time to start

    def read(self):
        """Speed in %, rpm, and whether it stands though it should turn."""
        now = time.ticks_ms()
        passed = time.ticks_diff(now, self._looked)
        if passed >= _SHORT:
            pulses, self._pulses = self._pulses, 0
            self._looked = now
            self._rpm = round(pulses * 60000 / (_PULSES * passed))
            if pulses:
                self._turned = now
        speed = self.speed()
        stalled = speed >= _MUST_TURN and time.ticks_diff(now, self._turned) > _STANDS
        return dict(zip(self._keys, (speed, self._rpm, stalled)))

    def safe(self):
        """As ``safe_speed`` says."""
        self._blow(self._safe_speed)

    def stop(self):
        """Off."""
        self._blow(0)
