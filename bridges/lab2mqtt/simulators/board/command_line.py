"""What a command line says of a simulated board."""

from collections.abc import Iterator
import contextlib
import json
from pathlib import Path
import tempfile
from typing import Any


def setting(text: str) -> tuple[str, Any]:
    """Read ``key=json``; what is no JSON is text.

    Raises:
        ValueError: It has no key or no value.
    """
    name, valued, value = text.partition("=")
    if not name or not valued:
        raise ValueError(f"setting {text!r} is not key=json")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


@contextlib.contextmanager
def folder(kept: Path | None) -> Iterator[Path]:
    """Where flash and world are: a folder that stays, or one that is gone with the board."""
    if kept:
        yield kept.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="lab2mqtt-board-") as made:
        yield Path(made)
