"""A task that runs: its clock, and what the driver sees of it."""

import asyncio
import threading

import pytest
from tests.unit.kitchen_sink import make_config
from tests.unit.runtime.skipping_loop import run_in_no_time

from lab2mqtt import wire
from lab2mqtt.core.errors import Cancelled, EmergencyStopped, Ended, Fault, TimedOut
from lab2mqtt.runtime.run import TaskRun
from lab2mqtt.runtime.running import GRACE, Running


def running(task: str = "pour", timeout: float = 10) -> Running:
    """A run of a task of the sink."""
    command = wire.read_command(wire.encode(wire.command(task, request_id="abc", timeout=timeout)).encode())
    bound = make_config().tasks[task]
    bound.is_coroutine = task == "pour"
    return Running(command, bound, lambda _percent, _message: None, lambda _message: None)


async def given_up() -> None:
    """Nothing moves here."""


def test_a_paused_task_does_not_run_out_of_time() -> None:
    """Somebody who looks at it for an hour does not lose it."""

    async def work() -> None:
        run = running(timeout=10)
        done = asyncio.get_running_loop().create_future()
        end = asyncio.ensure_future(run.finish(done, given_up))
        await asyncio.sleep(6)
        run.pause(paused=True)
        await asyncio.sleep(3600)
        run.pause(paused=False)
        await asyncio.sleep(3)
        assert not end.done()  # nine seconds of ten
        await asyncio.sleep(2)
        with pytest.raises(TimedOut, match="pour was not done within 10 s"):
            await end

    run_in_no_time(work())


def test_a_task_without_a_time_of_its_own_has_the_declared_one() -> None:
    """The command may say less or more, and need say nothing."""

    async def work() -> None:
        command = wire.read_command(b'{"task": "pour"}')
        task = make_config().tasks["pour"]
        run = Running(command, task, lambda _percent, _message: None, lambda _message: None)
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimedOut):
            await run.finish(asyncio.get_running_loop().create_future(), given_up)
        assert asyncio.get_running_loop().time() - began == pytest.approx(task.timeout + GRACE, abs=0.5)

    run_in_no_time(work())


def test_a_driver_that_does_not_end_is_given_up_after_its_grace_and_holds_the_instrument() -> None:
    """Until it lets go, nothing else may start."""

    async def work() -> None:
        run = running("soak")
        loop = asyncio.get_running_loop()
        held = loop.create_future()
        stopped: list[float] = []

        async def stop() -> None:
            stopped.append(loop.time())

        end = asyncio.ensure_future(run.finish(held, stop))
        await asyncio.sleep(1)
        asked = loop.time()
        run.end(Cancelled("enough"))
        with pytest.raises(Cancelled, match="enough"):
            await end
        assert [when - asked for when in stopped] == [pytest.approx(GRACE, abs=0.5)]
        assert run.hangs
        held.set_result(None)
        await run.let_go()
        assert not run.hangs

    run_in_no_time(work())


async def test_why_it_was_ended_says_more_than_what_the_driver_met_on_its_way_out() -> None:
    """The servo's complaint about the stop is not what the person wants to read."""
    run = running("fill")

    async def fail() -> None:
        run.end(Cancelled("somebody said so"))
        raise Fault("torque is off")

    with pytest.raises(Cancelled, match="somebody said so"):
        await run.finish(fail(), given_up)


async def test_a_task_that_was_done_before_it_could_be_ended_is_done() -> None:
    """The truth: the plate is there."""
    run = running("fill")

    async def succeed() -> str:
        run.end(Cancelled("too late"))
        return "there"

    assert await run.finish(succeed(), given_up) == "there"


# What the driver sees


async def test_the_first_reason_to_end_stands() -> None:
    """A task that timed out and is cancelled a moment later has timed out."""
    run = TaskRun(lambda _percent, _message: None, lambda _message: None)
    run.check()
    run.end(TimedOut("late"))
    run.end(Cancelled("enough"))
    with pytest.raises(TimedOut):
        run.check()


@pytest.mark.parametrize("first", [TimedOut("late"), Cancelled("enough")])
async def test_an_emergency_stop_is_stronger_than_any_other_reason(first: Ended) -> None:
    """The driver must know that the device has been stopped already."""
    run = TaskRun(lambda _percent, _message: None, lambda _message: None)
    run.end(first)
    run.end(EmergencyStopped("now"))
    run.end(Cancelled("enough"))
    with pytest.raises(EmergencyStopped):
        run.check()


async def test_a_driver_that_sleeps_wakes_as_soon_as_it_is_to_end() -> None:
    """An hour between two measurements is no hour until the stop is seen."""
    run = TaskRun(lambda _percent, _message: None, lambda _message: None)
    asleep = threading.Event()

    def measure() -> None:
        asleep.set()
        run.sleep(3600)

    thread = asyncio.create_task(asyncio.to_thread(measure))
    await asyncio.to_thread(asleep.wait, 5)
    run.end(Cancelled("enough"))
    with pytest.raises(Cancelled):
        await asyncio.wait_for(thread, 5)


async def test_progress_comes_from_any_thread_into_the_loop() -> None:
    """Publishing is not safe elsewhere."""
    told: list[tuple[float | None, str, threading.Thread]] = []
    run = TaskRun(
        lambda percent, words: told.append((percent, words, threading.current_thread())),
        lambda _message: None,
    )
    await asyncio.to_thread(run.progress, 50, "half")
    await asyncio.sleep(0)
    assert told == [(50, "half", threading.main_thread())]


async def test_whether_it_is_paused_is_seen_by_the_driver() -> None:
    """It holds between two steps."""
    run = TaskRun(lambda _percent, _message: None, lambda _message: None)
    assert not run.paused
    run.paused = True
    assert run.paused
