"""A light that is on or off."""

from labboard.part import Part
from labboard.tasks import Task


class Led(Part):
    """An LED; off while nobody can switch it."""

    safe_after = 10
    safe_words = "the LED is off"

    def __init__(self, pin, key="led", name="LED"):
        """Take a pin.

        Args:
            pin: An output; high is on.
            key: Of its value in the state.
            name: For people.
        """
        self._pin = pin
        self._key = key
        pin.value(0)
        task = "set_" + key
        self.entities = {key: {"platform": "light", "name": name, "task": task, "parameter": "state"}}
        self.tasks = (Task(task, self.switch, {"state": {"type": "boolean"}}, description="Light or dark."),)

    def switch(self, state):
        """On or off."""
        self._pin.value(1 if state else 0)
        return {"state": bool(self._pin.value())}

    def read(self):
        """Whether it is on, read back from the pin."""
        return {self._key: bool(self._pin.value())}

    def safe(self):
        """Off."""
        self._pin.value(0)
