"""The demo as everybody starts it, with its Home Assistant."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
import json
import os
from pathlib import Path
import re
import signal
import time
from typing import Any

import pytest
from tests.broker.program import Program, Said, run

from lab2mqtt.hub import micropython
from lab2mqtt.hub.api import Api
from lab2mqtt.hub.errors import HubError
from lab2mqtt.hub.owner import log_in
from lab2mqtt.hub.ports import free_port
from lab2mqtt.simulators.control import control

UP_WITHIN = 60.0  # s; everything that it needs is installed


class Demo(Program):
    """A demo that runs, its Home Assistant, and what its boards truly do."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "lab"
        self.api = Api(free_port())
        self.broker_port = free_port()
        ports = ["--broker-port", str(self.broker_port), "--hub-port", str(self.api.port)]
        self._home = {"XDG_STATE_HOME": str(folder / "home")}
        command = ["demo", *ports, "--state", str(self.state)]
        super().__init__(command, folder / "demo.log", environment=self._home)

    def start(self) -> None:
        """Start it; returns once it says that it is up."""
        super().start()
        self.until_said("Ctrl-C ends everything", within=UP_WITHIN)
        log_in(self.api, self.state / "home-assistant", _is_there)

    def page(self, name: str) -> str:
        """The page of a device, as it told."""
        found = re.search(rf"(http\S+)  {name}$", self.said(), re.MULTILINE)
        assert found, self.said()
        return found[1]

    def pulses(self) -> list[dict[str, Any]]:
        """All that came out at the servo's pin since the start."""
        journal = self.state / "boards" / "lab-sensor" / "sim" / "journal.jsonl"
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        return [line for line in lines if line["output"] == "pin_15" and line["duty_ns"]]

    def truth(self, device: str, **asked: object) -> dict[str, Any]:
        """What is so in a simulated device, once it was asked something."""
        return control(self.state / f"{device}.link", **asked)

    def hub_log(self) -> str:
        """What Home Assistant said since its last start."""
        return (self.state / "home-assistant" / "hass.log").read_text(errors="replace")

    def end_hub(self, number: signal.Signals) -> str:
        """End Home Assistant by a signal, after which the demo starts it again; gives its last log."""
        words = f"--config\0{self.state / 'home-assistant'}\0".encode()
        commands = {file.parent: _read(file) for file in Path("/proc").glob("[0-9]*/cmdline")}
        hub = next(folder for folder, command in commands.items() if words in command)
        self.api.disconnect()
        os.kill(int(hub.name), number)
        log = ""
        while words in _read(hub / "cmdline"):
            log = self.hub_log()
            time.sleep(0.02)
        return log

    def until_hub_is_up(self) -> None:
        """Wait until Home Assistant runs again."""
        deadline = time.monotonic() + UP_WITHIN
        while True:
            with suppress(OSError, HubError):
                if self.api.get("/api/config")["state"] == "RUNNING":
                    return
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)

    def fault(self, *words: str) -> Said:
        """Let something happen to a simulated device, by its id."""
        said = run("fault", *words, environment=self._home)
        assert said.code == 0, said.err
        return said


@contextmanager
def running(folder: Path) -> Iterator[Demo]:
    """A demo that runs; the test is skipped where there is no MicroPython."""
    try:
        micropython.find_or_unpack(print)
    except HubError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    made = Demo(folder)
    try:
        made.start()
        yield made
    finally:
        made.api.disconnect()
        made.terminate(signal.SIGINT)


def _read(file: Path) -> bytes:
    """What a process runs; nothing when it is gone."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _is_there(what: str, test: Callable[[], bool]) -> None:
    """The demo has made the owner."""
    assert test(), what
