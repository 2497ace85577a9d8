"""A bench with a simulated servo on it, in a process of its own as on a real one, and a task to run."""

from collections.abc import Iterator
import os
from pathlib import Path
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

import lab2mqtt
from lab2mqtt.core.errors import Cancelled
from lab2mqtt.drivers.plate_resort import PlateResort, PlateResortSettings
from lab2mqtt.simulators.plate_resort import control

MODELS = ("XL430-W250", "XM430-W350", "XC330-T288")


class Bench:
    """A servo on a terminal."""

    def __init__(self, folder: Path) -> None:
        self.link = folder / "tty"
        self._process: subprocess.Popen[str] | None = None

    def start(self, *arguments: str) -> None:
        """Play the servo."""
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "lab2mqtt.simulators.plate_resort",
                *("--link", str(self.link), "--parent", str(os.getpid()), *arguments),
            ],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(lab2mqtt.__file__).parents[1])},
        )
        assert self._process.stdout
        assert self._process.stdout.readline()

    def fault(self, name: str, *, on: bool = True, **options: float) -> None:
        """Switch a fault."""
        control(self.link, fault=name, on=on, **options)

    def truth(self) -> dict[str, Any]:
        """What the servo really does."""
        return control(self.link, status=True)

    def until(self, key: str, value: object, within: float = 5) -> dict[str, Any]:
        """Wait for the servo to do something."""
        end = time.monotonic() + within
        while (truth := self.truth())[key] != value:
            assert time.monotonic() < end, truth
            time.sleep(0.005)
        return truth

    def end(self) -> None:
        """Put it away."""
        if self._process:
            self._process.terminate()
            assert self._process.wait(5) == 0
            assert self._process.stdout
            self._process.stdout.close()


class Task:
    """A run that the test holds the strings of."""

    def __init__(self) -> None:
        self.paused = False
        self.percents: list[float] = []
        self.end: Exception | None = None
        self._asked = threading.Event()

    def cancel(self) -> None:
        """Ask it to end."""
        self.end = Cancelled("cancelled")
        self._asked.set()

    def progress(self, percent: float | None = None, message: str = "") -> None:  # noqa: ARG002
        """Remember how far it was."""
        if percent is not None:
            self.percents.append(percent)

    def check(self) -> None:
        """Go on, or not."""
        if self.end:
            raise self.end

    def sleep(self, seconds: float) -> None:
        """Wait for the time or for the end."""
        self._asked.wait(seconds)
        self.check()


class Call:
    """A driver's method in a thread, as the runtime calls it."""

    def __init__(self, function: Any, *arguments: Any) -> None:  # noqa: ANN401
        self.result: Any = None
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(function, arguments), daemon=True)
        self._thread.start()

    def _run(self, function: Any, arguments: tuple[Any, ...]) -> None:  # noqa: ANN401
        try:
            self.result = function(*arguments)
        except Exception as error:  # noqa: BLE001 - handed to the test
            self.error = error

    def wait(self, within: float = 10) -> Any:  # noqa: ANN401
        """The result, or the error raised here."""
        self._thread.join(within)
        assert not self._thread.is_alive()
        if self.error:
            raise self.error
        return self.result


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An empty bench."""
    bench = Bench(tmp_path)
    yield bench
    bench.end()


@pytest.fixture
def task() -> Task:
    """A task."""
    return Task()


@pytest.fixture
def call() -> type[Call]:
    """Starts a call in a thread."""
    return Call


@pytest.fixture
def resort(bench: Bench) -> Iterator[Any]:
    """Makes resorts on the bench: ``resort("--model", …, hotels=…)``."""
    made: list[PlateResort] = []

    def make(*arguments: str, state: Path | None = None, **settings: Any) -> PlateResort:  # noqa: ANN401
        bench.start(*arguments)
        resort = PlateResort(PlateResortSettings(device=str(bench.link), **settings), state)
        made.append(resort)
        resort.open()
        return resort

    yield make
    for resort in made:
        resort.close()
