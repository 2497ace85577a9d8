"""Real MicroPython, of 64 and of 32 bits, real brokers, and boards on them."""

from collections.abc import Callable, Iterator
import contextlib
import os
from pathlib import Path
from typing import Any, Never

import pytest
from tests.broker.conftest import broker
from tests.micropython.rig import Board

from lab2mqtt.hub import micropython as micropythons
from lab2mqtt.hub.errors import HubError

__all__ = ["broker"]

MakeBoard = Callable[..., Board]


def _missing(error: HubError) -> Never:
    """Skip what this machine has no interpreter for; in CI that is a failure."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    raise AssertionError


@pytest.fixture(scope="session")
def micropython() -> Path:
    """MicroPython of 64 bits."""
    try:
        return micropythons.find_or_unpack(print)
    except HubError as error:
        _missing(error)


@pytest.fixture(scope="session")
def micropython32() -> Path:
    """MicroPython of 32 bits: as much memory for each word as on a board."""
    try:
        return micropythons.find_or_unpack_32(print)
    except HubError as error:
        _missing(error)


@pytest.fixture
def make_board(micropython: Path, tmp_path: Path) -> Iterator[MakeBoard]:
    """``make_board(broker, node=…, …)``: boards of this test, which are not started yet and end with it."""
    with contextlib.ExitStack() as stack:
        made: list[Board] = []

        def make(*arguments: Any, interpreter: Path = micropython, **options: Any) -> Board:  # noqa: ANN401
            folder = tmp_path / f"board-{len(made)}"
            folder.mkdir()
            board = Board(interpreter, folder, *arguments, **options)
            made.append(board)
            stack.push(board.__exit__)
            return board

        yield make
