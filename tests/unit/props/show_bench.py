"""A show runner on ties that lead to a list, and who answers its cues."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
import contextlib
from pathlib import Path

from tests.unit.props.recorded_ties import Asked, RecordedTies

from lab2mqtt.props.builtin.show import Worker

GRAVEYARD = """
cues:
  - {at: 0, target: fogger, action: fog, args: {seconds: 5}}
  - {at: 0.1, name: scream, target: coffin, action: trigger}
  - {at: 0.2, target: shaker, action: shake, args: [5, 80], via: cmd}
  - {at: 0.3, target: plate-resort, action: move}
"""
LATER = "cues: [{at: 0, target: a, action: b}, {at: 60, target: a, action: later}]"
JITTER = 0.05  # s, on a machine that does other things, too

Running = Callable[..., Awaitable[tuple[Worker, RecordedTies]]]


@contextlib.asynccontextmanager
async def runner(tmp_path: Path) -> AsyncIterator[Running]:
    """Starts a show runner with shows, by their names, and ends it."""
    workers: list[Worker] = []
    (tmp_path / "shows").mkdir()

    async def start(
        answer: Callable[[Asked], Awaitable[object]] | None = None, config: object = None, **shows: str
    ) -> tuple[Worker, RecordedTies]:
        for name, text in shows.items():
            (tmp_path / "shows" / f"{name}.yaml").write_text(text, encoding="utf-8")
        ties = RecordedTies(tmp_path, *[answer] * bool(answer))
        worker = Worker("show", ties, config)
        workers.append(worker)
        await worker.start()
        return worker, ties

    yield start
    for worker in workers:
        tasks = list(worker._tasks)
        await worker.stop()
        await asyncio.gather(*tasks, return_exceptions=True)


class Held:
    """Answers what is asked for once it is let go, or with an error."""

    def __init__(self, *actions: str) -> None:
        self._actions = actions
        self.go = asyncio.Event()
        self.error: Exception | None = None
        self.begun: list[str] = []
        self.ended: list[str] = []

    async def __call__(self, asked: Asked) -> None:
        """Answer."""
        self.begun.append(asked.action)
        try:
            if asked.action in self._actions:
                await self.go.wait()
                if self.error:
                    raise self.error
        finally:
            self.ended.append(asked.action)


async def turns(count: int = 5) -> None:
    """Let what is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def over(ties: RecordedTies, state: str = "idle") -> None:
    """Wait for a state."""
    await ties.until(lambda: ties.states[-1] == state)
