"""How long a robot would take for a command: an estimate, for progress and for simulated time."""

from collections.abc import Iterable, Mapping
import math
from typing import Any

Command = Mapping[str, Any]
Place = tuple[float, float, float]  # mm from the front left corner of the deck

HOME: Place = (418.0, 353.0, 218.0)
# mm/s: the package's own limits of an OT-2, and what the Python API moves the gantry at.
GANTRY, LIFT = 400.0, 125.0
ARC = 110.0  # mm; between two labwares it goes 10 mm above the tallest, and many are below 100
START_AND_STOP = 0.3  # s that acceleration adds to a move

# Measured on no robot: what people see one do, in s.
FIXED = {
    "home": 8.0,
    "pickUpTip": 2.5,  # three presses
    "dropTip": 1.5,
    "dropTipInPlace": 1.5,
    "blowout": 0.5,
    "blowOutInPlace": 0.5,
    "touchTip": 2.0,
    "prepareToAspirate": 0.5,
}
QUICK = ("load", "comment", "set", "custom", "waitForResume", "pause", "configure", "get")
OTHER = 1.0  # s of anything unknown, a module's latch for example


def estimate(commands: Iterable[Command]) -> list[float]:
    """Seconds of each command, in order; a pause takes as long as somebody wants and counts as 0."""
    clock = Clock()
    return [clock.seconds(command) for command in commands]


class Clock:
    """Knows where the pipette is, and so how far it has to go."""

    def __init__(self) -> None:
        self._at = HOME

    def seconds(self, command: Command) -> float:
        """The time that a command takes which has been executed; to be asked in the order of the run."""
        kind = str(command.get("commandType", ""))
        params = command.get("params") or {}
        seconds = self._travel(command, params)
        if kind == "waitForDuration":
            return float(params.get("seconds") or 0.0)
        if kind == "home":
            self._at = HOME
        volume, rate = params.get("volume"), params.get("flowRate")
        if volume and rate:
            return seconds + float(volume) / float(rate)
        if kind in FIXED:
            return seconds + FIXED[kind]
        if seconds or any(map(kind.startswith, QUICK)):
            return seconds
        return OTHER

    def _travel(self, command: Command, params: Mapping[str, Any]) -> float:
        position = (command.get("result") or {}).get("position")
        if not position:
            return 0.0
        there: Place = (position["x"], position["y"], position["z"])
        here, self._at = self._at, there
        across = math.dist(here[:2], there[:2])
        top = max(ARC, here[2], there[2]) if across else max(here[2], there[2])
        vertical = 2 * top - here[2] - there[2]
        if not across and not vertical:
            return 0.0
        return across / float(params.get("speed") or GANTRY) + vertical / LIFT + START_AND_STOP
