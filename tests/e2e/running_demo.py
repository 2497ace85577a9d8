"""The demo as everybody starts it, with its Home Assistant."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import json
import os
from pathlib import Path
import re
import signal
from typing import Any

import pytest
from tests.broker.program import Program, Said, run

from lab2mqtt.hub import micropython
from lab2mqtt.hub.api import Api
from lab2mqtt.hub.errors import HubError
from lab2mqtt.hub.owner import log_in
from lab2mqtt.hub.ports import free_port

UP_WITHIN = 60.0  # s; everything that it needs is installed


class Demo(Program):
    """A demo that runs, its Home Assistant, and what its boards truly do."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "lab"
        self.api = Api(free_port())
        ports = ["--broker-port", str(free_port()), "--hub-port", str(self.api.port)]
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


def _is_there(what: str, test: Callable[[], bool]) -> None:
    """The demo has made the owner."""
    assert test(), what
