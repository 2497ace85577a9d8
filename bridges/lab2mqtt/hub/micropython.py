"""MicroPython's unix port: on it a simulated board runs."""

from pathlib import Path

from lab2mqtt.boards import interpreter
from lab2mqtt.hub import debian
from lab2mqtt.hub.errors import NotAvailable
from lab2mqtt.hub.progress import Say

VARIABLE_32 = "MICROPYTHON32"


def find() -> Path | None:
    """The one of ``$MICROPYTHON``, of this Python environment, on PATH, or one that was unpacked before."""
    return interpreter.find() or debian.found("micropython")


def find_or_unpack(say: Say) -> Path:
    """A MicroPython, unpacked from Debian if there is none.

    Raises:
        NotAvailable: There is none and none can be unpacked, or $MICROPYTHON names none.
        HubError: The mirror does not answer.
    """
    return _there(interpreter.VARIABLE, find()) or debian.program("micropython", say)


def find_or_unpack_32(say: Say) -> Path:
    """A MicroPython of 32 bits, whose words are as long as a board's; for measuring memory.

    Raises:
        NotAvailable: None can be unpacked, or $MICROPYTHON32 names none.
        HubError: The mirror does not answer.
    """
    return _there(VARIABLE_32, interpreter.named(VARIABLE_32)) or debian.program("micropython32", say)


def _there(variable: str, path: Path | None) -> Path | None:
    if path and not path.exists():
        raise NotAvailable(f"${variable} names {path}, which is not there")
    return path
