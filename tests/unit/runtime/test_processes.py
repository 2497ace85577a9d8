"""Running as a process, and the simulators beside it: nothing is left running."""

import json
import os
from pathlib import Path
import shlex
import signal
import subprocess
import sys

import pytest

from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.hub import opentrons_package
from lab2mqtt.runtime import config
from lab2mqtt.runtime.simulated import simulator, simulators, surroundings
from lab2mqtt.simulators import OPENTRONS
from lab2mqtt.simulators.control import control

WORK = """
import asyncio, logging, sys
from lab2mqtt.runtime.processes import log_to_stderr, run_until_signal

async def work():
    print("ready", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        print("left in order", flush=True)

log_to_stderr()
run_until_signal(work())
logging.getLogger("lab2mqtt.test").info("over")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_work_in_order(number: signal.Signals) -> None:
    """systemd, Docker and Ctrl-C: the device is left as its declaration says."""
    with subprocess.Popen(
        [sys.executable, "-c", WORK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, log = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, "left in order\n")
    assert "INFO lab2mqtt.test: over" in log


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_simulator_lives_as_long_as_it_is_used(tmp_path: Path) -> None:
    """And not a moment longer."""
    module = config.load_device("plate_resort").simulator
    with simulator(module, tmp_path / "link") as pid:
        assert (tmp_path / "link").exists()
        assert _is_alive(pid)
    assert not _is_alive(pid)
    assert not (tmp_path / "link").exists()


def test_a_simulator_that_does_not_start_says_so(tmp_path: Path) -> None:
    """At once, not after the time that a good one may take."""
    with (
        pytest.raises(Misconfigured, match=r"the simulator lab2mqtt\.wire does not start at"),
        simulator("lab2mqtt.wire", tmp_path / "link"),
    ):
        pytest.fail("it started")


def test_only_simulated_devices_get_a_simulator_and_are_led_to_it(tmp_path: Path) -> None:
    """A real instrument beside it keeps its own port, and so does one whose simulator runs elsewhere."""
    file = tmp_path / "lab.yaml"
    file.write_text(
        "bridge: b\n"
        "devices:\n"
        "  real: {model: plate_resort}\n"
        "  played: {model: plate_resort, simulated: true}\n"
        "  elsewhere: {model: plate_resort, simulated: true, settings: {device: /run/there}}\n"
    )
    with simulators(config.load(file)) as ready:
        real, played, elsewhere = ready.devices
        assert elsewhere.settings.device == "/run/there"
        assert real.settings.device == "/dev/ttyUSB0"
        link = Path(played.settings.device)
        assert link.exists()
    assert not link.exists()


def test_what_a_simulator_keeps_is_with_the_state_of_the_bridge(tmp_path: Path) -> None:
    """A robot has no address before it runs; its wells are as they were after a restart of the bridge."""
    file = tmp_path / "lab.yaml"
    file.write_text("bridge: b\nstate: kept\ndevices:\n  robot: {model: ot2, simulated: true}\n")
    loaded = config.load(file)
    with simulators(loaded) as ready:
        link = ready.devices[0].settings.address
        assert Path(link).read_text().startswith("127.0.0.1:")
        control(link, fill={"1/A1": {"3/B1": 50}})
    assert [each.name for each in (tmp_path / "kept").iterdir()] == ["robot.simulator.json"]
    with simulators(loaded) as ready:
        assert control(ready.devices[0].settings.address)["wells"]["1/A1"] == {"3/B1": 50}


def test_a_simulator_that_cannot_keep_its_state_says_so(tmp_path: Path) -> None:
    """Before it is started."""
    file = tmp_path / "lab.yaml"
    file.write_text("bridge: b\nstate: lab.yaml\ndevices:\n  robot: {model: ot2, simulated: true}\n")
    with (
        pytest.raises(Misconfigured, match="the simulator of robot cannot keep its state"),
        simulators(config.load(file)),
    ):
        pytest.fail("it started")


def test_simulators_are_told_where_the_real_package_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one line that starts the worker out of any environment; whoever set it himself is obeyed."""
    monkeypatch.delenv(OPENTRONS, raising=False)
    monkeypatch.setenv("LAB2MQTT_CACHE", str(tmp_path))
    monkeypatch.setenv("PYTHONHOME", "/nowhere")  # no Python starts with it
    assert OPENTRONS not in surroundings()
    venv = opentrons_package.location()
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    (venv / "lab2mqtt-complete").touch()
    told = surroundings()
    hello = subprocess.run(
        shlex.split(told[OPENTRONS]),
        input=b'{"id": 1, "do": "hello"}\n',
        stdout=subprocess.PIPE,
        env=told,
        check=True,
    )
    assert json.loads(hello.stdout)["result"]["worker"]
    monkeypatch.setenv(OPENTRONS, "")
    assert surroundings()[OPENTRONS] == ""
