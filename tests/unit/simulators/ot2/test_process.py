"""The simulator as a process: its line, its control socket, what it keeps, its hints."""

from collections.abc import Iterator
import contextlib
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any
import urllib.request

import pytest

import lab2mqtt
from lab2mqtt.simulators.ot2.control import control

COMMAND = [sys.executable, "-m", "lab2mqtt.simulators.ot2", "--port", "0", "--speed", "500"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(lab2mqtt.__file__).parents[1])}


@contextlib.contextmanager
def started(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its URL."""
    process = subprocess.Popen(
        [*COMMAND, "--parent", str(os.getpid()), *options], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        yield process, line.rpartition(" ")[2].strip()
    finally:
        process.terminate()
        process.communicate(timeout=5)


def ask(url: str, body: object = None) -> Any:  # noqa: ANN401 - whatever JSON holds
    """A question by the standard library."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Opentrons-Version": "*", "Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        return json.load(answer)


def test_comes_tells_and_goes(tmp_path: Path) -> None:
    """One process, all of it: the line, faults, truth, state over a restart, and nothing left behind."""
    socket, state = tmp_path / "ot2.control", tmp_path / "state.json"
    options = ("--control", str(socket), "--state", str(state), "--serial", "A7")
    with started(*options) as (process, url):
        assert ask(f"{url}/health")["robot_serial"] == "A7"
        truth = control(socket)
        assert (truth["place"], truth["sensor"]) == ("home", "parked")
        control(socket, fill={"3/B1": {"3/B1": 500}})
        assert control(socket, fault="slow", seconds=0.01)["faults"] == ["slow"]
        assert control(socket, fault="slow", on=False)["faults"] == []
        with pytest.raises(ValueError, match="'coffee' is not one of"):
            control(socket, fault="coffee")
        ask(f"{url}/robot/home", {"target": "robot"})
        assert [each["what"] for each in control(socket, journal=0)["journal"]] == ["home"]
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
    assert sorted(each.name for each in tmp_path.iterdir()) == ["state.json"]
    with started(*options):
        assert control(socket)["wells"]["3/B1"] == {"3/B1": 500}
        control(socket, reboot=True)
        end = time.monotonic() + 5
        while control(socket)["place"] != "home":
            assert time.monotonic() < end


def test_wrong_state(tmp_path: Path) -> None:
    """Is told in a line."""
    state = tmp_path / "state.json"
    state.write_text("[]")
    ended = subprocess.run(
        [*COMMAND, "--state", str(state)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
        timeout=10,
    )
    assert ended.returncode == 1
    assert "is no state of this simulator" in ended.stderr
