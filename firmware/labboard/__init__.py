"""The runtime of a board: what its main.py needs."""

import gc

# Imports leave garbage between what stays: collected often, what stays lies together.
gc.threshold(2048)

from labboard.board import Board  # noqa: E402
from labboard.part import Part  # noqa: E402
from labboard.tasks import micropython_task, task  # noqa: E402

__all__ = ["Board", "Part", "micropython_task", "task"]
