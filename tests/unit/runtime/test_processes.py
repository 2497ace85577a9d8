"""Running as a process, and the simulators beside it: nothing is left running."""

import os
from pathlib import Path
import signal
import subprocess
import sys

import pytest

from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.runtime import config
from lab2mqtt.runtime.simulated import simulator, simulators

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
