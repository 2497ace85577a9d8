"""What docs/troubleshooting.md quotes is said by the code, and its commands are there."""

import ast
from collections.abc import Iterator
import functools
from pathlib import Path
import re

import pytest

from lab2mqtt.cli import _parser

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
FOLDERS = ("bridges/lab2mqtt", "firmware")


@functools.cache
def said() -> str:
    """Every text of the code: of an f-string each piece between two names."""
    texts = []
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            texts += [
                node.value
                for node in ast.walk(ast.parse(file.read_text()))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
    texts.append((ROOT / "custom_components" / "lab2mqtt" / "translations" / "en.json").read_text())
    return "\n".join(texts)


def quotes() -> Iterator[str]:
    """What stands in the column "you see", and the pieces of it between names."""
    for row in re.findall(r"^\| (.*) \|$", PAGE, re.MULTILINE):
        cells = row.split(" | ")
        column = 1 if re.fullmatch(r"`[a-z_]+`", cells[0]) else 0
        yield from re.findall(r"`([^`]+)`", cells[column])


def pieces(quote: str) -> list[str]:
    """The words of a quote that stand in one place of the code."""
    return [piece.strip(" ,;") for piece in re.split(r"…|%s", quote) if len(piece.strip(" ,;.:()")) > 1]


@pytest.mark.parametrize("quote", list(quotes()))
def test_it_is_said(quote: str) -> None:
    """A text that is quoted is in the code, as it stands."""
    if quote in ("Connection refused", "/dev", "model", "lab2mqtt_…", "fault"):  # of the system, and no texts
        return
    assert pieces(quote)
    for piece in pieces(quote):
        assert piece in said(), f"nobody says {piece!r}"


def test_there_are_quotes() -> None:
    """The page has many, or they are not found."""
    assert len(list(quotes())) > 60


def test_its_commands_are_there() -> None:
    """Each command of the page can be read."""
    found = re.findall(r"^lab2mqtt (.*?)(?:\s+#.*)?$", PAGE, re.MULTILINE)
    assert len(found) > 3
    for line in found:
        assert _parser().parse_args(line.split())
