"""Every import that docs/migration.md tells to use is there."""

from pathlib import Path
import re

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "migration.md").read_text()
OURS = sorted(set(re.findall(r"`(from lab2mqtt\.[^`]+)`", PAGE)))


@pytest.mark.parametrize("line", OURS)
def test_it_can_be_imported(line: str) -> None:
    """The line, as it stands."""
    exec(line, {})  # noqa: S102 - our own page


def test_there_are_some() -> None:
    """They are found."""
    assert len(OURS) > 6
