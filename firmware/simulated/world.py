"""The world around a simulated board: what its sensors would find, and what its outputs do.

``/sim/world.json`` is written from outside, ``/sim/outputs.json`` and ``/sim/journal.jsonl`` here. Without
the folder the board has a world all the same, in which every value is the one that the reader takes for
usual.
"""

import json
import os
import time

_WORLD = "/sim/world.json"
_OUTPUTS = "/sim/outputs.json"
_JOURNAL = "/sim/journal.jsonl"

_seen = None
_values = {}
_outputs = {}


def get(name, usual=None):
    """What the world holds under a name; ``usual`` where nothing is said of it."""
    global _seen, _values  # noqa: PLW0603 - one board, one world
    try:
        about = os.stat(_WORLD)
        if (about[1], about[8]) != _seen:
            with open(_WORLD) as file:
                _values = json.load(file)
            _seen = (about[1], about[8])
    except (OSError, ValueError):
        pass  # no world, or one that is being written: what was known goes on
    value = _values.get(name)
    return usual if value is None else value


def put(output, **values):
    """Say what an output does from now on, and note when it began. A repeat of the same is no change."""
    known = _outputs.get(output, {})
    if any(known.get(name) != value for name, value in values.items()):
        show(output, **values)
        note(output, **values)


def show(output, **values):
    """Say what an output does, without a word of it in the journal."""
    _outputs.setdefault(output, {}).update(values)
    try:
        with open(_OUTPUTS + ".part", "w") as file:
            json.dump(_outputs, file)
        os.rename(_OUTPUTS + ".part", _OUTPUTS)
    except OSError:
        pass  # nobody looks


def shown(output):
    """What an output does now; empty before it was set."""
    return _outputs.get(output, {})


def note(what, **values):
    """A line in the journal: ``{"at_us": microseconds since 1970, "output": "pin_15", …}``."""
    line = {"at_us": time.time_ns() // 1000, "output": what}
    line.update(values)
    try:
        with open(_JOURNAL, "a") as file:
            file.write(json.dumps(line) + "\n")
    except OSError:
        pass
