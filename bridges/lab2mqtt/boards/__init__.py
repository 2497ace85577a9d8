"""Boards that run MicroPython: where their firmware is, an image of it, and how that gets onto a board."""

from pathlib import Path


def firmware() -> Path:
    """The folder of the firmware's sources: in the installed package, else in the repository."""
    packed = Path(__file__).parents[1] / "firmware"
    return packed if packed.is_dir() else Path(__file__).parents[3] / "firmware"


def nodes() -> list[str]:
    """The nodes that can be built."""
    return sorted(path.parent.name for path in firmware().glob("nodes/*/main.py"))
