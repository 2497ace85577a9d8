"""The parent's side of the Opentrons worker, against a small program that speaks the same lines."""

import asyncio
from collections.abc import AsyncIterator
import os
from pathlib import Path
import sys

import pytest

from lab2mqtt.simulators.opentrons_answers import NotDone, WorkerGone
from lab2mqtt.simulators.opentrons_process import OpentronsProcess

STAND_IN = (sys.executable, str(Path(__file__).with_name("opentrons_stand_in.py")))


@pytest.fixture
async def process() -> AsyncIterator[OpentronsProcess]:
    """A process that is ended with the test."""
    process = OpentronsProcess(STAND_IN, patience=0.5)
    yield process
    await process.close()


async def pid(process: OpentronsProcess) -> int:
    """Of the process that answers now."""
    return int((await process.ask("hello"))["pid"])


async def test_tells_what_runs_there(process: OpentronsProcess) -> None:
    """The versions, and no problem."""
    about = await process.hello()
    assert (about.opentrons, about.api_levels, about.problem) == ("9.0.0", ("2.0", "2.28"), "")


async def test_an_analysis_is_typed(process: OpentronsProcess) -> None:
    """The robot's shape, with its errors and their causes."""
    analysis = await process.analyze({"mistake.py": ""})
    assert not analysis.ok
    assert [command["commandType"] for command in analysis.commands] == ["home"]
    assert (analysis.seconds, analysis.took, analysis.memory_mb) == ((8.0,), 0.1, 99)
    (problem,) = analysis.problems
    assert (problem.error_type, problem.code) == ("ExceptionInProtocolError", "4000")
    assert problem.cause
    assert problem.cause.detail == "ValueError: no paint"


async def test_an_error_keeps_its_kind_and_the_process(process: OpentronsProcess) -> None:
    """A protocol that loops is no reason to start anew."""
    before = await pid(process)
    with pytest.raises(NotDone, match="no end within 1 s") as failed:
        await process.analyze({"loops.py": ""})
    assert failed.value.kind == "timeout"
    assert await pid(process) == before


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("dies", "ended with code 3: out of paint"),
        ("killed", "was ended by signal 9"),
        ("garbage", "sends nonsense"),
        ("hangs", "was ended by signal 9"),
    ],
)
async def test_a_dead_process_fails_all_that_wait_and_is_replaced(
    process: OpentronsProcess, name: str, why: str
) -> None:
    """Nobody waits for ever, and the next request works."""
    before = await pid(process)
    waits = asyncio.ensure_future(process.analyze({"silent.py": ""}))
    run = await process.simulate({"ok.py": ""})
    with pytest.raises(WorkerGone, match=why):
        await process.analyze({f"{name}.py": ""})
    with pytest.raises(WorkerGone, match=why):
        await waits
    with pytest.raises(WorkerGone, match=why):
        await run.outcome()
    assert [step.kind async for step in run.steps()][-1:] != ["resumed"]
    assert await pid(process) != before


async def test_all_that_it_prints_does_not_block_it(process: OpentronsProcess) -> None:
    """Its stderr is read, long lines too."""
    assert not (await process.analyze({"noisy.py": ""})).ok


async def test_a_program_that_is_not_there_says_so() -> None:
    """In words, not as an OSError."""
    process = OpentronsProcess(["/nowhere/python"])
    with pytest.raises(WorkerGone, match="does not start"):
        await process.hello()


async def test_a_program_that_ends_at_once_says_so() -> None:
    """With its last words, each time it is tried."""
    process = OpentronsProcess([sys.executable, "-c", "raise SystemExit('no such package')"])
    for _ in range(2):
        with pytest.raises(WorkerGone, match=r"ended with code 1: no such package|takes no requests"):
            await process.hello()
    await process.close()


async def test_a_run_is_told_step_by_step_and_resumed(process: OpentronsProcess) -> None:
    """Each step once, and what is refused in between."""
    run = await process.simulate({"ok.py": ""}, speed=10, pipettes={"right": "p300_single_gen2"})
    steps = []
    async for step in run.steps():
        steps.append(step)
        if step.kind == "paused":
            with pytest.raises(NotDone, match="the run is paused"):
                await run.pause()
            await run.resume()
    assert [step.kind for step in steps] == ["started", "ended", "paused", "resumed"]
    assert (steps[1].command["status"], steps[1].index) == ("succeeded", 0)
    assert (steps[2].by, steps[2].message) == ("protocol", "look")
    outcome = await run.outcome()
    assert (outcome.status, outcome.dropped, outcome.problems) == ("succeeded", ("right",), ())
    with pytest.raises(NotDone, match="it has ended"):
        await run.cancel()


async def test_a_run_is_cancelled(process: OpentronsProcess) -> None:
    """Its outcome says so."""
    run = await process.simulate({"ok.py": ""})
    await run.cancel()
    assert (await run.outcome()).status == "stopped"


async def test_an_end_fails_what_waits_and_leaves_nothing_behind(process: OpentronsProcess) -> None:
    """No process, no folder."""
    with pytest.raises(NotDone) as told:
        await process.analyze({"where.py": ""})
    folder, before = str(told.value), await pid(process)
    assert os.path.isdir(folder)  # noqa: PTH112, ASYNC240 - a test may wait for it
    run = await process.simulate({"ok.py": ""})
    await process.close()
    with pytest.raises(WorkerGone, match="was closed"):
        await run.outcome()
    assert not os.path.exists(folder)  # noqa: PTH110, ASYNC240
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


async def test_nobody_waits_for_an_analysis_any_more(process: OpentronsProcess) -> None:
    """Given up by its caller, it is cancelled, and the process serves on."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await process.analyze({"silent.py": ""})
    assert not (await process.analyze({"mistake.py": ""})).ok
