"""The worker process as the engine of the simulated robot; a stand-in plays it, mischief included."""

from collections.abc import AsyncIterator
from pathlib import Path
import sys

import pytest

from lab2mqtt.simulators.opentrons_process import OpentronsProcess
from lab2mqtt.simulators.ot2.engine import Upload
from lab2mqtt.simulators.ot2.worker_engine import WorkerEngine

STAND_IN = (sys.executable, str(Path(__file__).parents[1] / "opentrons_stand_in.py"))


@pytest.fixture
async def engine() -> AsyncIterator[WorkerEngine]:
    """One that asks the stand-in."""
    made = WorkerEngine(OpentronsProcess(STAND_IN))
    yield made
    await made.close()


async def test_analysis(engine: WorkerEngine) -> None:
    """Comes as the worker tells it."""
    found = await engine.analyze(Upload("any.py", "", {"a.json": {}}), {"R": 1.0})
    assert found.result == "not-ok"
    assert [each["commandType"] for each in found.commands] == ["home"]
    assert found.errors[0]["errorType"] == "ExceptionInProtocolError"
    assert engine.real


@pytest.mark.parametrize(("name", "words"), [("dies.py", "out of paint"), ("loops.py", "no end within 1 s")])
async def test_worker_that_fails(engine: WorkerEngine, name: str, words: str) -> None:
    """Is an analysis that says so, and the next one works."""
    found = await engine.analyze(Upload(name, ""), {})
    assert found.result == "not-ok"
    assert words in found.errors[0]["detail"]
    assert (await engine.analyze(Upload("any.py", ""), {})).commands
