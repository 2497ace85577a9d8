"""``lab2mqtt demo`` as a person runs it: up, looked at, and gone without a trace."""

import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import time

import pytest
from tests.broker.observer import until
from tests.e2e.browser import Browser, browser

from lab2mqtt.hub.ports import free_port, listens
from lab2mqtt.hub.process import HomeAssistant

UP_WITHIN = 60.0  # s; everything that it needs is installed
END_WITHIN = 20.0  # s
PICO = "Raspberry Pi Pico W"
BOARDS = ("Lab sensor", "Colour sensor", "Fan")


def _descendants(pid: int) -> set[int]:
    """Every process that a process has started, and those have started, that lives."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        parents[int(stat.parent.name)] = int(fields[1])
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in found | {pid}} - found:
        found |= more
    return found


def _living(pids: set[int]) -> dict[int, str]:
    """Which of these processes still are, and what they run; a zombie is none."""
    living = {}
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if state != "Z":
            living[pid] = command
    return living


def _look_at_lab(tab: Browser, told: str) -> None:
    """Open pages as the demo tells them: the whole lab, the first device, and that of each board."""
    address = re.search(r"Home Assistant +(http\S+)", told)
    assert address, told
    tab.open(address[1])
    for words in ("Not stopped", "Tap labware to see", "No hotel faces", "Runs and bookings"):
        tab.wait_for_text(words)
    for name, model in {"Plate resort": "Plate resort (simulated)", **dict.fromkeys(BOARDS, PICO)}.items():
        page = re.search(rf"(http\S+)  {name}$", told, re.MULTILINE)
        assert page, told
        tab.open(page[1])
        tab.wait_for_text(model)


@pytest.mark.timeout(150)
def test_the_demo_shows_a_lab_and_leaves_nothing_behind(hub: HomeAssistant, tmp_path: Path) -> None:
    """It tells the address, the page opens without a login, Ctrl-C ends everything."""
    assert hub.pid  # the parts are here: the demo installs none
    broker_port, hub_port = free_port(), free_port()
    out, err = tmp_path / "out", tmp_path / "err"
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    command = [sys.executable, "-m", "lab2mqtt", "demo"]
    ports = ["--broker-port", str(broker_port), "--hub-port", str(hub_port)]
    # Its own home for what tells commands beside it where it runs: another demo of this user may be up.
    surroundings = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "home"), "TMPDIR": str(temporary)}
    began = time.monotonic()
    with out.open("wb") as stdout, err.open("wb") as stderr:
        demo = subprocess.Popen([*command, *ports], stdout=stdout, stderr=stderr, env=surroundings)
    started: set[int] = set()
    try:
        until(
            lambda: "Ctrl-C ends everything" in out.read_text() or demo.poll() is not None,
            "the demo tells that it is up",
            within=UP_WITHIN,
            every=0.1,
            more=lambda: out.read_text() + err.read_text(),
        )
        print(f"the demo was up after {time.monotonic() - began:.1f} s")  # noqa: T201 - the measured figure
        assert demo.poll() is None, err.read_text()
        started = _descendants(demo.pid)
        assert len(started) >= 4, _living(started)  # broker, simulator, bridge, hub
        with browser(f"http://127.0.0.1:{hub_port}") as tab:
            _look_at_lab(tab, out.read_text())
            assert tab.complaints == []
        for name in ("mosquitto", "bridge", "Home Assistant"):
            pid = re.search(rf"  {name}: (\d+)", out.read_text())
            assert pid, out.read_text()
            os.kill(int(pid[1]), signal.SIGKILL)
        until(
            lambda: err.read_text().count("Home Assistant runs at") == 2,
            "all that was killed runs again",
            within=UP_WITHIN,
            every=0.1,
            more=err.read_text,
        )
        with browser(f"http://127.0.0.1:{hub_port}") as tab:
            # A hub that is killed in its first seconds has not kept the device's id.
            tab.open(f"http://127.0.0.1:{hub_port}/config/devices/dashboard")
            tab.wait_for_text("Plate resort (simulated)")
        assert demo.poll() is None
        started |= _descendants(demo.pid)
    finally:
        demo.send_signal(signal.SIGINT)
        try:
            code = demo.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            demo.kill()
            raise
    assert code == 0, err.read_text()
    assert "nothing is left running" in err.read_text()
    until(lambda: not _living(started), "nothing is left running", more=lambda: str(_living(started)))
    assert not listens(broker_port)
    assert not listens(hub_port)
    assert list(temporary.iterdir()) == []
    assert not list((tmp_path / "home").rglob("*.json"))
