"""Runs that are to end, or to go on, while the robot answers late, with errors, or not at all."""

import asyncio

import pytest
from tests.unit.ot2_bench import until
from tests.unit.ot2_driven import MIX, Doing, Driven, driven

from lab2mqtt.core.errors import Cancelled, EmergencyStopped, Ended, Unreachable

FAST, SLOW = 60.0, 5.0  # times as fast as a real one
MOTIONS = ("move", "home", "pick_up", "drop", "aspirate", "dispense")
LATE = {"seconds": 0.6, "path": "/actions", "times": 1}  # the next action only


async def _drawing(there: Driven) -> Doing:
    """Begin to mix; from the first paint in a tip on it takes its time."""
    doing = there.start("mix_color", **MIX)
    await there.does("aspirate")
    there.robot.clock.speed = SLOW
    return doing


async def _heard(there: Driven, fault: str = "slow") -> None:
    """Wait until the robot has what it will answer late."""
    await until(lambda: fault not in there.robot.faults)


async def _as_late(there: Driven) -> None:
    """Wait as long as what it heard before takes."""
    there.robot.fault("slow", on=True, options={"seconds": LATE["seconds"], "path": "/health", "times": 1})
    await there.bench.get("/health")


class TestWhileItIsToldToPlay:
    """The robot has the word to play, and has not obeyed yet."""

    @pytest.mark.parametrize("why", [EmergencyStopped("stop"), Cancelled("cancelled")])
    async def test_and_the_stop_overtakes_it(self, why: Ended) -> None:
        """Then it never begins: nothing may move after a stop."""
        async with driven(FAST) as there:
            there.robot.fault("slow", on=True, options=LATE)
            doing = there.start("mix_color", **MIX)
            await _heard(there)
            if isinstance(why, EmergencyStopped):
                await there.driver.emergency_stop()
            await doing.end(why)
            await _as_late(there)
            assert not there.bench.moved(*MOTIONS)
            await until(lambda: there.driver.deck.reserved is None)
            assert there.well("B2")["used"] is False
            assert (await there.play("mix_color", **MIX))["status"] == "succeeded"

    async def test_and_the_stop_comes_behind_it(self) -> None:
        """It begins, and pauses at once."""
        async with driven(FAST) as there:
            there.robot.fault("slow", on=True, options=LATE | {"times": 4})
            doing = there.start("mix_color", **MIX)
            await until(lambda: there.robot.faults["slow"]["times"] == 3)
            await asyncio.gather(there.driver.emergency_stop(), doing.end(EmergencyStopped("stop")))
            now = await there.shows(lambda one: one.occupied)
            assert "resume_run" in now.occupied[0]
            run = there.robot.runs.current
            assert run
            assert run.status == "paused"
            assert not there.bench.moved("aspirate")

    async def test_and_nobody_hears_whether_it_did(self) -> None:
        """The task fails, and so the run is held: what is told to have failed must not go on."""
        async with driven(FAST) as there:
            there.driver._server._patience = 0.3
            there.robot.fault("slow", on=True, options=LATE)
            with pytest.raises(Unreachable, match="did not answer"):
                await there.play("mix_color", **MIX)
            await _as_late(there)
            await until(lambda: there.driver.deck.reserved is None)
            assert not there.bench.moved(*MOTIONS)


class TestSlow:
    """Every answer comes late."""

    async def test_in_mid_run(self) -> None:
        """The run and its task go on to their end."""
        async with driven(FAST) as there:
            doing = await _drawing(there)
            there.robot.fault("slow", on=True, options={"seconds": 0.4})
            await there.does("dispense")
            there.robot.clock.speed = FAST
            assert (await doing.done())["status"] == "succeeded"
            assert (await there.now()).faults == ()

    async def test_cancelled(self) -> None:
        """The task ends in time; the run is ended in the background, however long that takes."""
        async with driven(FAST) as there:
            doing = await _drawing(there)
            there.robot.fault("slow", on=True, options={"seconds": 0.6})
            began = asyncio.get_running_loop().time()
            await doing.end(Cancelled("cancelled"))
            assert asyncio.get_running_loop().time() - began < 2.0
            there.robot.clock.speed = FAST
            now = await there.shows(lambda one: one.last, 10.0)
            assert now.last
            assert now.last.status == "stopped"
            assert there.bench.truth["trash"] == ["9/B1"]


class TestErrors:
    """Every answer is 500."""

    async def test_in_mid_run(self) -> None:
        """The task says that it does not know, and hears the end of the run."""
        async with driven(FAST) as there:
            doing = await _drawing(there)
            there.robot.fault("error_500", on=True)
            await doing.tells("whether the run goes on is not known")
            there.robot.fault("error_500", on=False)
            there.robot.clock.speed = FAST
            assert (await doing.done())["status"] == "succeeded"
            assert there.well("B2")["volume"] == 230.0

    @pytest.mark.parametrize(
        ("why", "word"), [(Cancelled("cancelled"), "stopped"), (EmergencyStopped("stop"), "paused")]
    )
    async def test_at_the_end(self, why: Ended, word: str) -> None:
        """It is told again and again, until it has obeyed."""
        async with driven(FAST) as there:
            doing = await _drawing(there)
            there.robot.fault("error_500", on=True)
            await doing.end(why)
            run = there.robot.runs.current
            assert run
            assert run.status == "running"
            there.robot.fault("error_500", on=False)
            await until(lambda: run.status != "running")
            there.robot.clock.speed = FAST
            await until(lambda: run.status == word)

    async def test_paused(self) -> None:
        """A task that could not be paused does not say that it is; it tries on."""
        async with driven(FAST) as there:
            doing = await _drawing(there)
            there.robot.fault("error_500", on=True)
            doing.run.paused = True
            await doing.tells("injected")
            assert not doing.held
            there.robot.fault("error_500", on=False)
            await there.shows(lambda now: now.run and now.run.status == "paused")
            there.robot.clock.speed = FAST
            doing.run.paused = False
            assert (await doing.done())["status"] == "succeeded"
