"""Tasks and state of each test alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab2mqtt.orchestration.functions import TASKS


@pytest.fixture(autouse=True)
def own_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry that is empty before each test, and as it was after it; a ledger of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    before = dict(TASKS)
    TASKS.clear()
    yield
    TASKS.clear()
    TASKS.update(before)
