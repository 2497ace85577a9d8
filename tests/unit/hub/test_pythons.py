"""Finding a Python for an environment."""

import sys

import pytest

from lab2mqtt.hub import environments, opentrons_package
from lab2mqtt.hub.pythons import Wanted, python

OURS = "{}.{}".format(*sys.version_info)


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        (environments.NEWEST.wanted, ">=3.14.2,<3.15"),
        (environments.OLDEST.wanted, ">=3.13.0,<3.14"),
        (opentrons_package.PYTHON, ">=3.11.0,<3.13"),
        (Wanted(("3.9", "3.10"), (3, 9, 0)), ">=3.9.0,<3.11"),
    ],
)
def test_what_uv_is_asked_for(wanted: Wanted, asked: str) -> None:
    """From the oldest that does to the end of the newest series, whatever the order of the series."""
    assert wanted.asks_for == asked


def test_the_one_that_runs_here_is_taken_where_it_does() -> None:
    """Nothing is searched, and nothing said."""
    said: list[str] = []
    assert str(python(Wanted((OURS,), (3, 11, 0)), said.append)) == sys.executable
    assert said == []
