"""A journal of what a servo truly did, line by line, for tests that count motions against commands.

Each line is one JSON object: ``at``, seconds of the machine's monotonic clock; ``what``; ``position``, where
the shaft stood, in pulses; and with a goal also ``goal``, in pulses, and ``turning``, whether the shaft
turned already.

    armed       the bus watchdog was armed
    torque_on   the torque came on; with the goal that holds from now on
    goal        a goal was written under torque, whether or not it is where the shaft stands
    still       the shaft came to rest
    watchdog    the bus watchdog tripped: the goal is where the shaft is
    torque_off  the torque went off, whoever did it
"""

from collections.abc import Callable
import json
from pathlib import Path

# Seconds of the servo's own time, what happened, and more about it.
Note = Callable[[float, str, dict[str, float]], None]


def journal(file: Path, began: float) -> Note:
    """Begin a journal, or go on with one.

    Args:
        file: Where; each line is flushed.
        began: The monotonic clock when the servo's own time was 0.
    """
    lines = file.open("a", encoding="ascii", buffering=1)

    def note(seconds: float, what: str, more: dict[str, float]) -> None:
        lines.write(json.dumps({"at": round(began + seconds, 4), "what": what, **more}) + "\n")

    return note
