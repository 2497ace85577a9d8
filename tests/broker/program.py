"""Our own programs as real processes, which can be killed and end with the tests however these end."""

from collections.abc import Mapping
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import NamedTuple

from lab2mqtt.hub import child

# Tests inside of a Home Assistant run on its Python, and tell which one has lab2mqtt.
PYTHON = os.environ.get("LAB2MQTT_PYTHON", sys.executable)
END_WITHIN = 10.0  # s
RUN_WITHIN = 30.0  # s


class Ended(NamedTuple):
    """How a process ended."""

    code: int
    seconds: float


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str
    seconds: float


class Program:
    """``python -m lab2mqtt …``, or another module."""

    def __init__(
        self,
        arguments: list[str],
        log: Path,
        module: str = "lab2mqtt",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.command = [PYTHON, "-m", module, *arguments]
        self.log = log
        self._environment = {**os.environ, **(environment or {})}
        self._process: child.Child | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it."""
        assert self.pid is None, "it runs already"
        self._process = child.start(self.command, self.log, self._environment)

    def wait(self, within: float = END_WITHIN) -> int:
        """Wait for its end; gives the exit code."""
        assert self._process
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it did not end within {within:g} s: {self.said()}") from None

    def terminate(self, number: int = signal.SIGTERM) -> Ended:
        """Ask it to end."""
        began = time.monotonic()
        if self.pid and self._process:
            self._process.send_signal(number)
        return Ended(self.wait(), time.monotonic() - began)

    def hang(self, *, hangs: bool = True) -> None:
        """Let it hang where it is, or go on."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP if hangs else signal.SIGCONT)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def said(self) -> str:
        """Its output since its last start."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def until_said(self, words: str, within: float = END_WITHIN) -> None:
        """Wait for words in its output."""
        deadline = time.monotonic() + within
        while words not in self.said():
            assert self.pid, f"it ended: {self.said()}"
            assert time.monotonic() < deadline, f"{words!r} was not said: {self.said()}"
            time.sleep(0.01)


def run(*arguments: str, within: float = RUN_WITHIN, environment: Mapping[str, str] | None = None) -> Said:
    """Run ``lab2mqtt`` with arguments to its end."""
    began = time.monotonic()
    done = subprocess.run(
        [PYTHON, "-m", "lab2mqtt", *arguments],
        capture_output=True,
        text=True,
        timeout=within,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr, time.monotonic() - began)
