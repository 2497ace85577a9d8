"""The OT-2's driver on a simulated robot in this process, and its tasks as the runtime runs them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
import contextlib
from pathlib import Path
from typing import Any

import pytest
from tests.unit.ot2_bench import Bench, bench, until

from lab2mqtt.core.errors import Ended
from lab2mqtt.drivers.ot2 import accounts, play, watch
from lab2mqtt.drivers.ot2.robot import Ot2, Ot2Settings
from lab2mqtt.drivers.ot2.snapshot import Snapshot
from lab2mqtt.runtime.run import TaskRun

MIX = {"R": 100.0, "Y": 50.0, "B": 80.0, "well": "B2"}
MEASURE = "move_sensor_to_measurement_position"


class Doing:
    """A task that runs."""

    def __init__(self, work: Callable[[TaskRun], Coroutine[Any, Any, Any]]) -> None:
        self.told: list[str] = []
        self.held: list[str] = []
        self.run = TaskRun(lambda _percent, words: self.told.append(words), self.held.append)
        self._task = asyncio.ensure_future(work(self.run))

    async def done(self) -> dict[str, Any]:
        """Its result."""
        result: dict[str, Any] = await self._task
        return result

    async def end(self, why: Ended) -> None:
        """End it as the runtime does."""
        self.run.end(why)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def tells(self, words: str) -> None:
        """Wait until it has told some words."""
        await until(lambda: any(words in one for one in self.told))


class Driven:
    """A robot, and a driver of it."""

    def __init__(self, robot: Bench, settings: dict[str, Any], state: Path | None = None) -> None:
        self.bench, self.robot = robot, robot.robot
        self.settings = Ot2Settings(
            **{"address": f"127.0.0.1:{robot.server.port}", "hints_port": 0} | settings  # type: ignore[arg-type]
        )
        self.state = state
        self.driver = Ot2(self.settings, state)

    async def open(self) -> None:
        """Connect."""
        await self.driver.open()

    async def restart(self) -> None:
        """The bridge is killed, and another one comes."""
        await self.driver.close()
        self.driver = Ot2(self.settings, self.state)
        await self.driver.open()

    def start(self, task: str, **arguments: object) -> Doing:
        """Begin a task of the cell."""
        return Doing(lambda run: self.driver.play(task, arguments, run))

    async def play(self, task: str, **arguments: object) -> dict[str, Any]:
        """Do a task of the cell."""
        return await self.start(task, **arguments).done()

    async def does(self, what: str, times: int = 1) -> None:
        """Wait until the robot truly does something."""
        await until(lambda: len(self.bench.moved(what)) >= times)

    def start_putting_back(self) -> Doing:
        """Begin to bring the sensor back."""
        return Doing(lambda run: self.driver.put_back("move_sensor_back", {}, run))

    @property
    def well(self) -> Callable[[str], dict[str, Any]]:
        """What the driver knows of a well."""
        plate: dict[str, dict[str, Any]] = self.driver.deck.shown()["plates"]["1"]
        return plate.__getitem__

    async def now(self) -> Snapshot:
        """What it shows."""
        return await self.driver.read()

    async def shows(self, test: Callable[[Snapshot], object], within: float = 5.0) -> Snapshot:
        """Wait until it shows something."""
        async with asyncio.timeout(within):
            while not test(now := await self.driver.read()):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
        return now


@contextlib.contextmanager
def quick_looks() -> Iterator[None]:
    """A robot that is so much faster is looked at ten times as often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(play, "_LOOK", 0.05)
        patch.setattr(accounts, "_AGAIN", 0.1)
        patch.setattr(watch, "_EVERY", {name: each / 10 for name, each in watch._EVERY.items()})
        yield


@contextlib.asynccontextmanager
async def driven(
    speed: float = 400.0,
    state: Path | None = None,
    settings: dict[str, Any] | None = None,
    **robot: Any,  # noqa: ANN401
) -> AsyncIterator[Driven]:
    """A robot, and a driver that is connected to it."""
    with quick_looks():
        async with bench(speed, **robot) as made:
            there = Driven(made, settings or {}, state)
            await there.open()
            try:
                yield there
            finally:
                await there.driver.close()
