"""The runtime of a board: what its main.py needs."""

from labboard.board import Board
from labboard.part import Part
from labboard.tasks import micropython_task, task

__all__ = ["Board", "Part", "micropython_task", "task"]
