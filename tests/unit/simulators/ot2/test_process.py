"""The simulator as a process: its line, its control socket, what it keeps, its hints."""

from collections.abc import Callable, Iterator
import contextlib
import json
import os
from pathlib import Path
import shlex
import signal
import subprocess
import sys
import time
from typing import Any
import urllib.request

import pytest

import lab2mqtt
from lab2mqtt.hub.ports import listens
from lab2mqtt.simulators import OPENTRONS
from lab2mqtt.simulators.control import control

STAND_IN = Path(__file__).parents[1] / "opentrons_stand_in.py"
COMMAND = [sys.executable, "-m", "lab2mqtt.simulators.ot2", "--port", "0", "--speed", "500"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(lab2mqtt.__file__).parents[1]), OPENTRONS: ""}


@contextlib.contextmanager
def started(*options: str, **variables: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its URL."""
    process = subprocess.Popen(
        [*COMMAND, "--parent", str(os.getpid()), *options],
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT | variables,
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
    link, state = tmp_path / "ot2", tmp_path / "state.json"
    options = ("--link", str(link), "--state", str(state), "--serial", "A7")
    with started(*options) as (process, url):
        assert ask(f"{url}/health")["robot_serial"] == "A7"
        truth = control(link)
        assert (truth["place"], truth["sensor"]) == ("home", "parked")
        control(link, fill={"3/B1": {"3/B1": 500}})
        assert control(link, fault="slow", seconds=0.01)["faults"] == ["slow"]
        assert control(link, fault="slow", on=False)["faults"] == []
        with pytest.raises(ValueError, match="'coffee' is not one of"):
            control(link, fault="coffee")
        ask(f"{url}/robot/home", {"target": "robot"})
        assert [each["what"] for each in control(link, journal=0)["journal"]] == ["home"]
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
    assert sorted(each.name for each in tmp_path.iterdir()) == ["state.json"]
    with started(*options):
        assert control(link)["wells"]["3/B1"] == {"3/B1": 500}
        control(link, reboot=True)
        until(lambda: control(link)["place"] == "home")


def until(true: Callable[[], bool]) -> None:
    """Wait for something that no event tells."""
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def refused(*options: str) -> str:
    """What a simulator says that does not start."""
    ended = subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, env=ENVIRONMENT, check=False, timeout=10
    )
    assert ended.returncode == 1
    return ended.stderr


def test_wrong_state(tmp_path: Path) -> None:
    """Is told in a line."""
    state = tmp_path / "state.json"
    state.write_text("[]")
    assert "is no state of this simulator" in refused("--state", str(state))


def test_its_link_leads_to_it(tmp_path: Path) -> None:
    """It holds the address; one left behind by a predecessor that was killed is replaced."""
    link = tmp_path / "ot2"
    with started("--link", str(link)) as (process, url):
        first = link.read_text()
        assert first == url.removeprefix("http://") + "\n"
        assert "another simulator serves" in refused("--link", str(link))
        assert link.read_text() == first
        assert ask(f"{url}/health")["name"] == "simulated-ot2"
        process.kill()
        process.wait()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["ot2", "ot2.control"]
    with started("--link", str(link)) as (_, url):
        assert link.read_text() == url.removeprefix("http://") + "\n"
        assert control(link)["phase"] == "ready"
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_its_link_stays(tmp_path: Path) -> None:
    """Somebody's file at that path is no stale link."""
    link = tmp_path / "notes.txt"
    link.write_text("buy milk")
    assert "holds no address of a simulator" in refused("--link", str(link))
    assert link.read_text() == "buy milk"
    assert "no link of a simulator" in refused("--link", str(tmp_path))


def test_a_path_longer_than_the_address_of_a_socket(tmp_path: Path) -> None:
    """As pytest and macOS make them."""
    link = tmp_path / ("long" * 30) / "ot2"
    link.parent.mkdir()
    with started("--link", str(link)):
        assert control(link)["phase"] == "ready"


def test_a_robot_that_is_off_has_a_link(tmp_path: Path) -> None:
    """The address is there before the robot is; it is the same when somebody switches it on."""
    link = tmp_path / "ot2"
    with started("--link", str(link), "--fault", "off") as (_, url):
        port = int(url.rpartition(":")[2])
        assert link.read_text() == f"127.0.0.1:{port}\n"
        assert not listens(port)
        control(link, fault="off", on=False)
        until(lambda: listens(port))
        until(lambda: control(link)["phase"] == "ready")
        assert ask(f"{url}/health")["name"] == "simulated-ot2"


def test_hands_and_what_they_did_survive_a_kill(tmp_path: Path) -> None:
    """What is on the deck is there whoever knows of it."""
    link, state = tmp_path / "ot2", tmp_path / "state.json"
    options = ("--link", str(link), "--state", str(state))
    with started(*options) as (process, _):
        control(link, fill={"3/B1": {"3/B1": 500}, "1/A1": {"3/B1": 50}})
        until(lambda: state.exists() and json.loads(state.read_text())["wells"]["3/B1"] == {"3/B1": 500})
        process.kill()
        process.wait()
    with started(*options):
        wells = control(link)["wells"]
        assert (wells["3/B1"], wells["1/A1"]) == ({"3/B1": 500}, {"3/B1": 50})
        wells = control(link, new_plate=True)["wells"]
        assert (wells["3/B1"], "1/A1" in wells) == ({"3/B1": 500}, False)
        assert control(link, full_vials=True)["wells"]["3/B1"] == {"3/B1": 12000}


@pytest.mark.parametrize("command", ["", shlex.join([sys.executable, str(STAND_IN)])])
def test_the_real_package_comes_by_the_environment(command: str) -> None:
    """Where it is installed, whoever starts the simulator says so; it tells which engine it has."""
    with started(**{OPENTRONS: command}) as (_, url):
        assert ask(f"{url}/health")["simulator"]["real_engine"] is bool(command)
