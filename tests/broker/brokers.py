"""The two brokers, with one face: started, stopped, killed, and brought back empty on the same port."""

from collections.abc import Iterator
import contextlib
import os
from pathlib import Path
import time
from typing import Protocol

import pytest
from tests.broker.program import Program

from lab2mqtt.hub import mosquitto
from lab2mqtt.hub.errors import HubError
from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.ports import free_port, listens

START_WITHIN = 10.0  # s


class Broker(Protocol):
    """A broker that forgets everything when it ends."""

    port: int

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""

    def start(self) -> None:
        """Start it; returns once it takes connections."""

    def stop(self) -> None:
        """End it in order."""

    def kill(self) -> None:
        """End it as a power cut does."""


class Amqtt:
    """The embedded broker, as ``lab2mqtt broker``."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.program = Program(["broker", "--port", str(self.port)], folder / "amqtt.log")

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self.program.pid

    def start(self) -> None:
        """Start it; returns once it takes connections."""
        self.program.start()
        deadline = time.monotonic() + START_WITHIN
        while not listens(self.port):
            assert self.program.pid, f"the broker ended: {self.program.said()}"
            assert time.monotonic() < deadline, self.program.said()
            time.sleep(0.01)

    def stop(self) -> None:
        """End it in order."""
        self.program.terminate()

    def kill(self) -> None:
        """End it as a power cut does."""
        self.program.kill()


@contextlib.contextmanager
def running_mosquitto() -> Iterator[Mosquitto]:
    """A private mosquitto; where there is none and none can be had, CI fails and a laptop skips."""
    try:
        program = mosquitto.find_or_unpack(print)
    except HubError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    with Mosquitto(program) as found:
        yield found
