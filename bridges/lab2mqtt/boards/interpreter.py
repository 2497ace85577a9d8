"""The MicroPython of this machine, on which a simulated board runs."""

import os
from pathlib import Path
import shutil
import sys

VARIABLE = "MICROPYTHON"
_PROGRAM = "micropython"


def find() -> Path | None:
    """The one of ``$MICROPYTHON``, whether it is there or not; of this Python environment; or on PATH."""
    beside = Path(sys.executable).with_name(_PROGRAM)
    on_path = shutil.which(_PROGRAM)
    return named(VARIABLE) or (beside if beside.exists() else on_path and Path(on_path)) or None


def named(variable: str) -> Path | None:
    """The path in a variable of the environment."""
    path = os.environ.get(variable)
    return Path(path).expanduser() if path else None
