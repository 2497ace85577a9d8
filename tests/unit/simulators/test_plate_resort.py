"""The simulator as a process: where it appears, and when it goes."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

import lab2mqtt
from lab2mqtt.simulators.plate_resort import control

COMMAND = [sys.executable, "-m", "lab2mqtt.simulators.plate_resort", "--link"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(lab2mqtt.__file__).parents[1])}


class Started:
    """Simulators of one test."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[str]] = []

    def __call__(self, *command: str) -> subprocess.Popen[str]:
        """Start one, and wait for its line."""
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
        )
        self.processes.append(process)
        assert process.stdout
        process.first = process.stdout.readline()  # type: ignore[attr-defined]
        return process


@pytest.fixture
def start() -> Iterator[Started]:
    """Starts, and ends them all."""
    started = Started()
    yield started
    for process in started.processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_comes_and_goes(start: Started, tmp_path: Path, number: int) -> None:
    """One line when ready; nothing left behind."""
    link = tmp_path / "tty"
    process: Any = start(*COMMAND, str(link), "--model", "XL430-W250", "--id", "3", "--position", "19")
    assert process.first == f"XL430-W250, id 3, at {link}\n"
    assert link.is_symlink()
    with link.open("rb", buffering=0) as terminal:
        assert terminal.isatty()
    truth = control(link, status=True)
    assert truth["position"] == pytest.approx(19, abs=0.1)
    process.send_signal(number)
    assert process.wait(5) == 0
    assert list(tmp_path.iterdir()) == []


def test_ends_with_its_parent(start: Started, tmp_path: Path) -> None:
    """Also when that was killed."""
    link = tmp_path / "tty"
    code = (
        "import os, subprocess, sys\n"
        "subprocess.run([*sys.argv[1:], '--parent', str(os.getpid())], check=False)\n"
    )
    parent = start(sys.executable, "-c", code, *COMMAND, str(link))
    assert link.is_symlink()
    parent.kill()
    end = time.monotonic() + 3
    while link.is_symlink():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_takes_over_from_one_that_was_killed(start: Started, tmp_path: Path) -> None:
    """Its link and socket are in the way and belong to nobody; those of a living one do."""
    link = tmp_path / "tty"
    start(*COMMAND, str(link)).kill()
    start.processes[0].wait()
    assert link.is_symlink()
    start(*COMMAND, str(link))
    assert control(link, status=True)["packets"] == 0
    third = start(*COMMAND, str(link))
    assert third.wait(5) == 1
    assert control(link, status=True)["packets"] == 0


def test_a_file_is_not_replaced(start: Started, tmp_path: Path) -> None:
    """Only what was a link."""
    link = tmp_path / "tty"
    link.write_text("mine")
    process = start(*COMMAND, str(link))
    assert process.wait(5) == 1
    assert link.read_text() == "mine"


def test_faults(start: Started, tmp_path: Path) -> None:
    """From the start, and by request; a wrong request is told and harms nothing."""
    link = tmp_path / "tty"
    start(*COMMAND, str(link), "--fault", "unplugged", "--fault", "alert")
    assert not link.is_symlink()
    assert control(link, status=True)["faults"] == ["alert", "unplugged"]
    assert control(link, fault="unplugged", on=False)["faults"] == ["alert"]
    assert link.is_symlink()
    for wrong in ({"fault": "tired"}, {"turn": "far"}, {"write": 3}, {"fault": "slow", "seconds": []}):
        with pytest.raises(ValueError, match=r"."):
            control(link, **wrong)
    assert control(link, status=True)["faults"] == ["alert"]


def test_keeps_a_journal_of_its_motions(start: Started, tmp_path: Path) -> None:
    """What began and what ended, when and where; also a goal that is written twice."""
    link, journal = tmp_path / "tty", tmp_path / "journal"
    began = time.monotonic()
    start(*COMMAND, str(link), "--journal", str(journal))
    goal, torque, watchdog = (116, 4), (64, 1), (98, 1)
    for (address, size), value in ((goal, 50), (torque, 1), (watchdog, 100), (goal, 100), (goal, 100)):
        control(link, write=[address, size, value])
    deadline = time.monotonic() + 5
    while control(link, status=True)["moving"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    control(link, write=[*torque, 0])
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [line.pop("what") for line in lines] == [
        "torque_on",
        "armed",
        "goal",
        "goal",
        "still",
        "torque_off",
    ]
    times = [line.pop("at") for line in lines]
    assert times == sorted(times)
    assert began < times[0] < times[-1] < time.monotonic()
    assert lines[0] == {"position": 0, "goal": 50, "turning": False}
    assert lines[2]["goal"] == lines[3]["goal"] == 100
    assert lines[4]["position"] == pytest.approx(100, abs=2)
