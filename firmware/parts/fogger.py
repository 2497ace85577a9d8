"""A fog machine: a heater, a contact that closes when it is warm, and a pump."""

from labboard.part import Part
from labboard.tasks import Task
from parts.relay import Relay
import wire

COLD = "cold"
HEATING = "heating"
READY = "ready"
FOGGING = "fogging"


class Heater(Relay):
    """A heater's relay: it is needed for longer than others, and stays on while it is wanted."""

    safe_words = "the heater is off"
    longest = 1800


class Fogger(Part):
    """cold → heating → ready → fogging → ready. It fogs only while the contact says that it is warm.

    The heater goes off by itself after its longest time without a command that wants it; a burst of fog is as
    long as it was asked for, at most the pump's longest time.
    """

    every = 250
    safe_after = 2
    safe_words = "heater and pump are off"

    def __init__(self, heater, warm, pump, seconds=3):
        """Take its parts.

        Args:
            heater: Its ``Heater``; not added to the board, as the pump, so that nobody can pass this by.
            warm: An input; high while the thermostat's contact is closed. A broken wire must mean low.
            pump: The ``Relay`` of the pump.
            seconds: The usual burst, in s.

        Raises:
            ValueError: No such burst.
        """
        if not 0 < seconds <= pump.max_on:
            raise ValueError("seconds %s: it takes more than 0 to %s s" % (seconds, pump.max_on))
        self._heater = heater
        self._warm = warm
        self._pump = pump
        burst = {
            "type": "number", "minimum": 0.1, "maximum": pump.max_on, "default": seconds, "unit": "s",
            "description": "For how long it fogs.",
        }  # fmt: skip
        self.tasks = (
            Task("heat_on", self.heat_on, {}, "move", description="Heat up, and stay warm."),
            Task("heat_off", self.heat_off, {}, description="Heat no more."),
            Task("fog", self.fog, {"seconds": burst}, "move", description="A burst of fog."),
            Task("stop_action", self.stop_action, {}, description="Heater and pump off."),
        )
        self.entities = {
            "fogger": {
                "platform": "sensor", "name": "State", "icon": "mdi:weather-fog",
                "options": [COLD, HEATING, READY, FOGGING],
            },
            "heater": {"platform": "binary_sensor", "name": "Heater", "device_class": "heat"},
            "warm": {"platform": "binary_sensor", "name": "Warm", "icon": "mdi:thermometer-check"},
            "fog": {"platform": "binary_sensor", "name": "Fog", "icon": "mdi:weather-fog"},
        }  # fmt: skip
        for task in self.tasks:
            button = {"platform": "button", "name": task.description.rstrip("."), "task": task.name}
            self.entities["do_" + task.name] = button

    def heat_on(self):
        """Heat; where it does already, its time counts anew."""
        if self._heater.is_on():
            self._heater.prolong(self._heater.max_on)
        else:
            self._heater.switch_on(self._heater.max_on)
        return {"state": self.state()}

    def heat_off(self):
        """Heat no more."""
        self._heater.safe()
        return {"state": self.state()}

    def fog(self, seconds):
        """Fog for so many seconds.

        Raises:
            ValueError: Too long.
            WireError: It is not warm, fogs already, or the pump rests.
        """
        if not self._warm.value():
            what = "it heats: wait until it is ready" if self._heater.is_on() else "it is cold: heat_on first"
            raise wire.WireError(wire.NOT_ALLOWED, what)
        self._pump.switch_on(seconds)
        self._heater.prolong(self._heater.max_on)
        return {"state": self.state()}

    def stop_action(self):
        """Heater and pump off."""
        self.safe()
        return {"state": self.state()}

    def state(self):
        """One word."""
        if self._pump.is_on():
            return FOGGING
        if self._warm.value():
            return READY
        return HEATING if self._heater.is_on() else COLD

    def read(self):
        """What is on, and whether it is warm; a pump does not go on where it has become cold."""
        warm = bool(self._warm.value())
        if not warm:
            self._pump.safe()
        return {
            "fogger": self.state(),
            "heater": self._heater.is_on(),
            "warm": warm,
            "fog": self._pump.is_on(),
        }

    def safe(self):
        """Both off."""
        self._pump.safe()
        self._heater.safe()
