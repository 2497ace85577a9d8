"""The example props that come with the package."""

from pathlib import Path


def folder() -> Path:
    """Where they are: in the installed package, else in the repository."""
    packed = Path(__file__).parents[1] / "example_props"
    return packed if packed.is_dir() else Path(__file__).parents[3] / "props"
