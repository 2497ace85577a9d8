"""The walk-through of docs/security.md, command by command, on a real mosquitto in a temporary folder."""

import os
from pathlib import Path
import re
import subprocess
import sys

import pytest
from tests.broker.observer import until
from tests.broker.program import Program

from lab2mqtt.hub import child, mosquitto
from lab2mqtt.hub.errors import HubError
from lab2mqtt.hub.ports import LOOPBACK, free_port, listens

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
BROKER, BRIDGE = "mosquitto -c broker/mosquitto.conf\n", "lab2mqtt run bench-pi.yaml\n"


def blocks(port: int) -> list[str]:
    """The page's commands, in their order, for this machine; those that need root are left out."""
    found = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert any("sudo" in block for block in found)
    here = [block for block in found if "sudo" not in block]
    return [
        block.replace("BROKER=broker.lab", "BROKER=localhost").replace("8883", str(port)) for block in here
    ]


class Shell:
    """One shell after the other, each with what the one before has set."""

    def __init__(self, folder: Path) -> None:
        self._set = folder / "set"
        self._set.write_text(f"cd {folder}\n")

    def run(self, commands: str) -> str:
        """Run a block; each command must succeed."""
        keep = f"export BROKER; export -p > {self._set}; echo \"cd '$PWD'\" >> {self._set}"
        done = subprocess.run(
            ["bash", "-c", f"set -eu -o pipefail\n. {self._set}\n{commands}\n{keep}\n"],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def test_a_newcomer_follows_the_page(tmp_path: Path) -> None:
    """From no certificate at all to a lab with client certificates."""
    try:
        program = mosquitto.find_or_unpack(print)
    except HubError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    port = free_port()
    todo = blocks(port)
    assert todo[0].startswith("mkdir -m 700 lab")
    assert {BROKER, BRIDGE} < set(todo)
    shell, lab, log = Shell(tmp_path), tmp_path / "lab", tmp_path / "mosquitto.log"
    bridge = Program(["run", str(lab / "bench-pi.yaml")], tmp_path / "bridge.log")
    broker: child.Child | None = None

    def start_broker() -> child.Child:
        conf, written = tmp_path / "conf", (lab / "broker" / "mosquitto.conf").read_text()
        # Ours: a free port, on loopback only, and no other user, who could not read our folder.
        assert "listener 8883\n" in written
        ours = written.replace("listener 8883\n", f"listener {port} {LOOPBACK}\n")
        conf.write_text(f"{ours}persistence_location {tmp_path}/\nuser root\n")
        started = child.start([str(program), "-c", str(conf)], log)
        until(lambda: listens(port), "mosquitto listens", more=log.read_text)
        return started

    try:
        for block in todo:
            if block == BROKER:
                broker = start_broker()
            elif block == BRIDGE:
                bridge.start()
                bridge.until_said("Connected")
            elif "--cert" in block:  # the page says to start both again
                assert broker
                bridge.terminate()
                child.stop(broker, patience=5)
                broker = start_broker()
                bridge.start()
                bridge.until_said("Connected")
                assert "plate-resort" in shell.run(block)
            elif "lab2mqtt devices" in block:
                look = "\n".join(block.splitlines()[:2])
                until(lambda look=look: " ready " in shell.run(look), "it is ready", within=15, every=0.1)  # type: ignore[misc]
                assert "result: reached" in shell.run(block)
            else:
                shell.run(block)
        assert "No link" not in bridge.said()
    finally:
        if bridge.pid:
            bridge.terminate()
        if broker:
            child.stop(broker, patience=5)
