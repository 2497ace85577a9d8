"""The examples, as their first lines say: real processes, a real broker, simulated devices.

``sensor_network.py`` and ``environment_guard.py`` are run by tests/micropython/test_examples.py.
"""

from collections.abc import Iterator
import os
from pathlib import Path
import re
import subprocess
import sys

from nbclient import NotebookClient
import nbformat
import pytest
from tests.broker.cell import Cell
from tests.broker.observer import Observer, until
from tests.broker.program import Program

from lab2mqtt.hub import micropython
from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.ports import free_port, listens
from lab2mqtt.runtime import running_demo
from lab2mqtt.simulators import OPENTRONS

EXAMPLES = Path(__file__).parents[2] / "examples"
MIXING = EXAMPLES / "colour_mixing"
WITHIN = 50.0  # s
SPEED = 100.0  # times as fast as a real robot
MIXED = """\
tasks: mix_color, move_sensor_to_measurement_position, move_sensor_back, get_robot_status
A1: {'R': 150.0, 'Y': 50.0}, the sensor is in_place
A2: {'Y': 100.0, 'B': 100.0}, the sensor is in_place
A3: {'R': 100.0, 'B': 100.0}, the sensor is in_place
"""


def run(file: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run an example to its end."""
    return subprocess.run(
        [sys.executable, str(file), *words],
        capture_output=True,
        text=True,
        timeout=WITHIN,
        env={**os.environ, **environment},
        check=False,
    )


def started(file: Path, folder: Path, *words: str) -> Program:
    """Start an example that goes on."""
    program = Program([], folder / "log", environment={"XDG_STATE_HOME": str(folder)})
    program.command[1:] = [str(file), *words]
    program.start()
    return program


def test_colour_mixing_over_mqtt(broker: Mosquitto, tmp_path: Path) -> None:
    """Three wells; the second time they are not empty, and that is told."""
    url = f"mqtt://127.0.0.1:{broker.port}"
    with Observer(broker.port, "ot2/colour-cell/#", "lab2mqtt/colour-cell/#") as seen:
        device = started(MIXING / "mqtt_device.py", tmp_path, url)
        try:
            seen.wait("ot2/colour-cell/status", lambda told: told["status"] == "online", within=15)
            done = run(MIXING / "mqtt_orchestrator.py", url)
            assert (done.stdout, done.stderr) == (MIXED, "")
            again = run(MIXING / "mqtt_orchestrator.py", url)
            assert again.stdout.count("is not empty") == 3
            steps = [one.json.get("message") for one in seen.heard("lab2mqtt/colour-cell/progress")]
            assert "150 µL of R" in steps
        finally:
            assert device.terminate().code == 0
        seen.wait("ot2/colour-cell/status", lambda told: told["status"] == "offline", within=15)
        for topic in {one.topic for one in seen.heard()}:
            seen.publish(topic, "", retain=True)
        seen.barrier()


def test_colour_mixing_over_http(tmp_path: Path) -> None:
    """The same; nobody else's machine is needed."""
    port = free_port()
    device = started(MIXING / "http_device.py", tmp_path, str(port))
    try:
        until(lambda: listens(port), "it listens", within=15, more=device.said)
        done = run(MIXING / "http_orchestrator.py", f"http://127.0.0.1:{port}")
        assert (done.stdout, done.stderr) == (MIXED, "")
        again = run(MIXING / "http_orchestrator.py", f"http://127.0.0.1:{port}")
        assert again.stdout.count("is not empty") == 3
    finally:
        device.terminate()


@pytest.mark.parametrize("name", ["mqtt_orchestrator.py", "http_orchestrator.py"])
def test_without_a_device_it_says_so(name: str) -> None:
    """In one line."""
    scheme = name.partition("_")[0]
    done = run(MIXING / name, f"{scheme}://127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "127.0.0.1" in done.stderr


@pytest.fixture(scope="module")
def lab(broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    """The demo's colour cell, but fast; the examples find it as they find a demo."""
    micropython.find_or_unpack(print)
    folder = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as patch, Mosquitto(broker.program) as own:
        patch.setenv(OPENTRONS, "")  # without the real package it starts sooner
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        cell = Cell(own.port, folder, SPEED, color_sensor="color-sensor")
        link = folder / "color-sensor.link"
        board = Program(
            [
                *("--node", "color-sensor", "--device-id", "color-sensor", "--link", str(link)),
                *("--broker", f"127.0.0.1:{own.port}", "--state", str(folder / "board")),
            ],
            folder / "board.log",
            "lab2mqtt.simulators.board",
        )
        links = {"ot2": str(cell.link), "color-sensor": str(link)}
        with Observer(own.port, "lab2mqtt/#") as seen:
            try:
                board.start()
                cell.start()
                seen.wait("lab2mqtt/ot2/state", lambda told: told["readiness"] == "ready", within=WITHIN)
                seen.wait(
                    "lab2mqtt/color-sensor/status", lambda told: told["status"] == "online", within=WITHIN
                )
                with running_demo.tell(f"mqtt://127.0.0.1:{own.port}", links):
                    yield cell
            finally:
                board.terminate()
                cell.close()


def test_the_closed_loop_comes_near(lab: Cell) -> None:
    """Within two percent; every well holds what it said, and each was dosed once."""
    done = run(EXAMPLES / "closed_loop.py")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    rounds = [
        re.fullmatch(r"(\w+) +R +(\d+) Y +(\d+) B +(\d+) µL: +([\d.]+) % off", one) for one in lines[:-1]
    ]
    assert lines[-1] == f"near enough after {len(rounds)} wells"
    assert 3 < len(rounds) <= 8
    truth = lab.truth()["wells"]
    for number, one in enumerate(rounds):
        assert one
        well, *volumes, off = one.groups()
        assert well == f"A{number + 1}"
        assert [truth[f"1/{well}"].get(f"3/B{at}", 0) for at in (1, 2, 3)] == [
            float(each) for each in volumes
        ]
        assert (float(off) <= 2.0) == (one is rounds[-1])
    few = run(EXAMPLES / "closed_loop.py", "--wells", "1", "--within", "0.1")
    assert few.returncode == 1
    assert few.stdout.splitlines()[-1].startswith("not near enough after 1 wells; the best was")


def test_the_notebook_does_the_same(lab: Cell) -> None:
    """Every cell, in a kernel of its own; it is kept without outputs."""
    file = EXAMPLES / "colour_loop.ipynb"
    notebook = nbformat.read(file, as_version=4)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
    used = len(lab.truth()["wells"])
    NotebookClient(notebook, timeout=WITHIN, resources={"metadata": {"path": str(EXAMPLES)}}).execute()
    printed = "".join(
        out.get("text", "")
        for cell in notebook.cells
        for out in cell.get("outputs", ())
        if cell.cell_type == "code"
    )
    assert "near enough" in printed, printed
    assert len(lab.truth()["wells"]) > used + 3
