"""The world around a simulated board: what its sensors would measure, and what is out of order.

It stands in ``world.json``, which the stand-ins of the board's modules read again when its time of change is
another. What is not said otherwise drifts slowly and without chance, so that readings live and a moment gives
one value.
"""

import json
import math
import os
from pathlib import Path
import time
from typing import Any, Final, NamedTuple


class Drift(NamedTuple):
    """A value that goes up and down by itself.

    Attributes:
        words: What it is, and its unit.
        middle: Around which it moves.
        swing: How far, to both sides.
        seconds: Of one round.
    """

    words: str
    middle: float
    swing: float
    seconds: float

    def at(self, now: float) -> float:
        """The value at a moment, in s."""
        return round(self.middle + self.swing * math.sin(2 * math.pi * now / self.seconds), 3)


DRIFTING: Final = {
    "temperature": Drift("of the air, °C", 23.4, 0.8, 240),
    "humidity": Drift("of the air, % relative", 45.0, 3.0, 410),
    "voltage_26": Drift("at pin 26, V", 1.2, 0.1, 90),
    "voltage_27": Drift("at pin 27, V", 0.8, 0.1, 130),
    "voltage_28": Drift("at pin 28, V", 2.1, 0.1, 170),
    "light": Drift("on the colour sensor, as a share of a lit desk", 1.0, 0.1, 110),
}
# What a light sensor gets on a lit desk, by channel, in counts for gain 1 and 1 ms.
_CHANNELS: Final = ("f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "clear", "nir")
_DESK: Final = dict(zip(_CHANNELS, (0.03, 0.08, 0.1, 0.12, 0.14, 0.15, 0.13, 0.09, 0.4, 0.06), strict=True))
STEADY: Final[dict[str, Any]] = {
    "wifi": True,
    "rssi": -50,
    "ntp": True,
    "i2c": {},
    "uart": {},
    "mass": 0.0,
    "motion": False,
    "fan_stalled": False,
}


class World:
    """The file, and what stands in it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "world.json"
        self._outputs = folder / "outputs.json"
        self._said: dict[str, Any] = {}
        self._written: dict[str, Any] | None = None
        self._changes = int(time.time())

    def say(self, **values: Any) -> None:  # noqa: ANN401 - whatever JSON holds
        """Set values from now on; None lets one be as it was."""
        for name, value in values.items():
            if value is None:
                self._said.pop(name, None)
            else:
                self._said[name] = value
        self.turn()

    def truth(self) -> dict[str, Any]:
        """All values at this moment."""
        now = time.time()
        truth = STEADY | {name: drift.at(now) for name, drift in DRIFTING.items()} | self._said
        truth.setdefault("colours", {name: round(count * truth["light"], 5) for name, count in _DESK.items()})
        return truth

    def turn(self) -> None:
        """Write what has changed.

        Raises:
            OSError: It cannot be written.
        """
        truth = self.truth()
        if truth == self._written:
            return
        self._changes += 1
        part = self._file.with_name(".world.part")
        part.write_text(json.dumps(truth), encoding="utf-8")
        # MicroPython sees whole seconds: each change gets one of its own.
        os.utime(part, (self._changes, self._changes))
        part.replace(self._file)
        self._written = truth

    def outputs(self) -> dict[str, Any]:
        """What the board's outputs do, pin by pin; empty before it has set any."""
        try:
            found: dict[str, Any] = json.loads(self._outputs.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # not yet, or it is being written
            return {}
        return found
