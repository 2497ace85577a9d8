"""The two brokers, with one face: started, stopped, killed, and brought back empty on the same port."""

from pathlib import Path
import time
from typing import Protocol

from tests.broker.program import Program

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
