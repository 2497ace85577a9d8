"""The protocol on a real MicroPython: the same verdicts as on CPython."""

import json
from pathlib import Path
import subprocess

ROOT = Path(__file__).parents[2]
VECTORS = sorted((ROOT / "tests/vectors").glob("*.json"))


def test_micropython_agrees_with_every_vector(micropython: Path) -> None:
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
