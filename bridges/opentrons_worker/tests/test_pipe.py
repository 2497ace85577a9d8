"""The worker as a program: what it does with its pipes. None of it needs the Opentrons package."""

import json
import os
from pathlib import Path
import subprocess
import sys
from typing import Any

from lab2mqtt.hub import opentrons_package
from lab2mqtt.simulators.opentrons_process import OpentronsProcess


def environment() -> dict[str, str]:
    """Ours, where the worker's module is found and opentrons is not."""
    return {**os.environ, "PYTHONPATH": str(opentrons_package.sources())}


def answers(said: bytes) -> list[dict[str, Any]]:
    """What the worker answers to these bytes, until it ends."""
    done = subprocess.run(
        [sys.executable, "-m", opentrons_package.MODULE],
        input=said,
        capture_output=True,
        check=True,
        timeout=30,
        env=environment(),
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_ends_with_its_requests() -> None:
    """So that it never outlives its parent."""
    assert answers(b"") == []


def test_a_shutdown_is_answered() -> None:
    """And what comes after it is not."""
    assert answers(b'{"id": 1, "do": "shutdown"}\n{"id": 2, "do": "hello"}\n')[0] == {"id": 1, "result": {}}


def test_nonsense_is_answered_and_what_follows_is_served() -> None:
    """A line that is too long is skipped to its end."""
    long = b"x" * (9 * 2**20)
    told = answers(
        b'nonsense\n\n{"id": 3, "do": "dance"}\n' + long + b'\n{"id": 4, "do": "pause", "of": 3}\n'
    )
    kinds = [(one["id"], one["error"]["kind"]) for one in told]
    assert kinds == [(None, "bad_request"), (3, "bad_request"), (None, "bad_request"), (4, "not_running")]


def test_without_the_package_it_says_so() -> None:
    """In ``hello``, and to each job."""
    job = json.dumps({"id": 2, "do": "analyze", "files": {"it.py": "x"}}).encode()
    hello, refused = answers(b'{"id": 1, "do": "hello"}\n' + job + b"\n")
    assert "No module named 'opentrons'" in hello["result"]["problem"]
    assert refused["error"]["kind"] == "no_package"
    assert refused["error"]["text"] == hello["result"]["problem"]


async def test_the_parent_can_ask_what_is_wrong() -> None:
    """A worker without its package is a worker."""
    process = OpentronsProcess([sys.executable, "-m", opentrons_package.MODULE], environment())
    about = await process.hello()
    await process.close()
    assert "cannot be imported" in about.problem
    assert about.opentrons == ""


def test_every_pin_is_exact_and_hashed() -> None:
    """And no registry is named."""
    text = (Path(opentrons_package.sources()) / "requirements.txt").read_text()
    pins = [line for line in text.splitlines() if not line.startswith(" ")]
    assert f"opentrons=={opentrons_package.VERSION} \\" in pins
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert "://" not in text
