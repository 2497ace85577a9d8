"""What is seen of a robot, and what becomes of that when something is wrong with it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
import contextlib
from pathlib import Path

import pytest
from tests.broker.brokers import Amqtt
from tests.unit.ot2_bench import VALUES, Bench, bench

from lab2mqtt.core.errors import Unreachable
from lab2mqtt.drivers.ot2.errors import Off, Silent, Starting
from lab2mqtt.drivers.ot2.http import Owner, RobotServer
from lab2mqtt.drivers.ot2.runs import Runs
from lab2mqtt.drivers.ot2.watch import Door, Seen, Watch

WITHIN = 10.0  # s
MODULES = ("temperature", "magnetic", "heater_shaker", "thermocycler")


class Watched:
    """A robot, and what is seen of it."""

    def __init__(self, robot: Bench, server: RobotServer, watch: Watch) -> None:
        self.bench, self.robot, self.server, self.watch = robot, robot.robot, server, watch

    @property
    def seen(self) -> Seen:
        """As it is now."""
        return self.watch.seen

    async def looked(self) -> Seen:
        """Look now."""
        await self.watch.look()
        return self.watch.seen

    async def found(self, true: Callable[[Seen], object]) -> Seen:
        """Look until it is so."""
        async with asyncio.timeout(WITHIN):
            while not true(await self.looked()):
                pass
        return self.watch.seen

    async def until(self, true: Callable[[Seen], object]) -> Seen:
        """Wait for the watch to see something by itself."""
        async with asyncio.timeout(WITHIN):
            while not true(self.watch.seen):
                self.watch.changed.clear()
                await self.watch.changed.wait()
        return self.watch.seen

    async def powered(self, *, on: bool) -> None:
        """Switch the robot, and wait until its port is closed or open."""
        self.robot.fault("off", on=not on)
        async with asyncio.timeout(WITHIN):
            while await self._listens() != on:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.003)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.bench.server.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


@contextlib.asynccontextmanager
async def watched(
    hints_port: int = 0, patience: float = 5.0, hints: str | None = None
) -> AsyncIterator[Watched]:
    """A robot with all modules, which is watched."""
    async with (
        bench(hints=hints, modules=MODULES) as robot,
        RobotServer("127.0.0.1", robot.server.port, patience=patience) as server,
    ):
        watch = Watch(server, Runs(server), hints_port)
        await watch.start("127.0.0.1")
        try:
            yield Watched(robot, server, watch)
        finally:
            await watch.stop()


@pytest.fixture
async def lab() -> AsyncIterator[Watched]:
    """A robot that is watched without hints."""
    async with watched() as made:
        yield made


class TestSeen:
    """What is known when all is well."""

    async def test_everything(self, lab: Watched) -> None:
        """At the start, at once."""
        seen = lab.seen
        assert seen.health
        assert (seen.health.serial, seen.door, seen.lights) == ("SIM-OT2-1", Door(False, False), False)  # noqa: FBT003
        assert [each["instrumentName"] for each in seen.instruments or ()] == ["p300_single_gen2"]
        assert tuple(module.kind for module in seen.modules) == MODULES
        assert seen.modules[0].model == "temperatureModuleV2"
        assert seen.modules[0].data["currentTemperature"] == 23.0
        assert (seen.calibration, seen.engaged and set(seen.engaged.values())) == ("IDENTITY", {True})
        assert (seen.run, seen.step, seen.owner) == (None, None, None)
        assert (seen.lost, seen.problems, seen.rebooted) == (None, (), False)

    async def test_only_what_differs_is_told(self, lab: Watched) -> None:
        """A second look that finds the same says nothing."""
        lab.watch.changed.clear()
        await lab.looked()
        assert not lab.watch.changed.is_set()
        await lab.server.set_lights(on=True)
        assert (await lab.looked()).lights is True
        assert lab.watch.changed.is_set()

    async def test_it_goes_on_by_itself(self, lab: Watched) -> None:
        """The door is seen without being asked for."""
        lab.robot.fault("door_open", on=True)
        assert (await lab.until(lambda seen: seen.door and seen.door.open)).problems == ()

    async def test_modules_come_and_go(self, lab: Watched) -> None:
        """A module that was pulled is not there."""
        lab.robot.fault("module_unplugged", on=True, options={"module": "SIMMAGNETIC2"})
        kinds = [module.kind for module in (await lab.looked()).modules]
        assert kinds == ["temperature", "heater_shaker", "thermocycler"]
        lab.robot.fault("module_unplugged", on=False)
        assert tuple(module.kind for module in (await lab.looked()).modules) == MODULES

    async def test_stopped(self, lab: Watched) -> None:
        """Nothing goes on; it can begin anew."""
        before = asyncio.all_tasks()
        await lab.watch.start("127.0.0.1")
        await lab.watch.stop()
        await lab.watch.stop()
        assert len(asyncio.all_tasks()) == len(before) - 1
        await lab.server.set_lights(on=True)
        await lab.watch.start("127.0.0.1")
        assert lab.seen.lights is True


class TestRuns:
    """The run that the robot holds."""

    async def test_of_somebody_else(self, lab: Watched) -> None:
        """Seen, followed to its end, and gone when it is let go."""
        run = await lab.bench.run("measure", {"well": "B2"})
        seen = await lab.looked()
        assert seen.run
        assert (seen.run.run_id, seen.run.status, seen.owner) == (run, "idle", None)
        await lab.bench.act(run, "play")
        seen = await lab.until(lambda seen: seen.run and seen.run.status == "paused")
        assert seen.step
        assert seen.step.command
        assert seen.step.command["params"]["message"] == "in_place"
        lab.robot.truth.engaged = False
        assert not any(((await lab.looked()).engaged or {"x": True}).values())
        await lab.bench.act(run, "play")
        seen = await lab.until(lambda seen: seen.run and seen.run.ended)
        assert seen.run
        assert seen.run.status == "succeeded"
        # What a run changes is looked at without waiting for its turn.
        await lab.until(lambda seen: seen.engaged and all(seen.engaged.values()))
        await lab.bench.ask("PATCH", f"/runs/{run}", {"data": {"current": False}})
        seen = await lab.looked()
        assert (seen.run, seen.step) == (None, None)

    async def test_ours(self, lab: Watched) -> None:
        """It bears our mark."""
        run = await lab.bench.run("mix_color", VALUES)
        await lab.server.mark("bridge-1", run)
        seen = await lab.looked()
        assert seen.owner == Owner("bridge-1", run)
        assert seen.run
        assert seen.run.run_id == run

    async def test_ghost(self, lab: Watched) -> None:
        """A current run that does not exist is none."""
        lab.robot.runs.haunt()
        seen = await lab.looked()
        assert (seen.run, seen.problems) == (None, ())

    async def test_one_instead_of_another(self, lab: Watched) -> None:
        """An idle run is replaced without a word."""
        await lab.bench.run()
        await lab.looked()
        second = await lab.bench.run()
        seen = await lab.looked()
        assert seen.run
        assert seen.run.run_id == second
        assert not seen.rebooted


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Amqtt]:
    """The embedded broker, as the robot's."""
    made = Amqtt(Path(tmp_path_factory.mktemp("broker")))
    made.start()
    yield made
    made.kill()


async def test_hints(broker: Amqtt) -> None:
    """A mark is seen at once, much sooner than its turn comes."""
    async with watched(broker.port, hints=f"mqtt://127.0.0.1:{broker.port}") as lab:
        async with asyncio.timeout(WITHIN):
            while lab.seen.owner is None or lab.seen.owner.name != "late":
                # Until its listener is there, and one broker has both, hints are lost.
                await lab.server.mark("late")
                lab.watch.changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await lab.watch.changed.wait()
        loop = asyncio.get_running_loop()
        began = loop.time()
        run = await lab.bench.run()
        seen = await lab.until(lambda seen: seen.run)
        assert seen.run
        assert seen.run.run_id == run
        assert loop.time() - began < 2.0


class TestProblems:
    """One route that fails leaves one value unknown."""

    async def test_modules_without_their_values(self, lab: Watched) -> None:
        """They are there all the same."""
        before = lab.seen.modules
        lab.robot.fault("error_500", on=True, options={"path": "/modules"})
        lab.robot.fault("door_open", on=True)
        seen = await lab.looked()
        assert [module.serial for module in seen.modules] == [module.serial for module in before]
        assert [dict(module.data) for module in seen.modules] == [{}] * 4
        (problem,) = seen.problems
        assert "modules unknown" in problem
        assert "injected" in problem
        assert (seen.lost, seen.door) == (None, Door(True, False))  # noqa: FBT003
        lab.robot.fault("error_500", on=False)
        seen = await lab.looked()
        assert (seen.problems, seen.modules) == ((), before)

    @pytest.mark.parametrize(
        ("path", "word", "unknown"),
        [
            ("/robot/door", "door", "door"),
            ("/robot/lights", "lights", "lights"),
            ("/instruments", "instruments", "instruments"),
            ("/health", "health", "health"),
            ("/calibration", "calibration", "calibration"),
            ("/motors", "motors", "engaged"),
        ],
    )
    async def test_others(self, lab: Watched, path: str, word: str, unknown: str) -> None:
        """Unknown, and told in words."""
        assert getattr(lab.seen, unknown) is not None
        lab.robot.fault("error_500", on=True, options={"path": path})
        seen = await lab.looked()
        assert getattr(seen, unknown) is None
        (problem,) = seen.problems
        assert problem.startswith(f"{word} unknown: GET {path}")
        assert seen.lost is None

    async def test_a_run_is_not_forgotten(self, lab: Watched) -> None:
        """Whoever asks whether the robot is in use must not hear that it is not."""
        run = await lab.bench.run()
        before = await lab.looked()
        lab.robot.fault("error_500", on=True, options={"path": f"/runs/{run}/commands"})
        seen = await lab.looked()
        assert (seen.run, seen.step) == (before.run, None)
        assert [problem.split()[0] for problem in seen.problems] == ["step"]
        lab.robot.fault("error_500", on=True, options={"path": "/runs"})
        seen = await lab.looked()
        assert seen.run == before.run
        assert "run" in [problem.split()[0] for problem in seen.problems]

    async def test_failed_to_start(self, lab: Watched) -> None:
        """Every route says so; it is told once."""
        lab.robot.fault("booting", on=True, options={"phase": "failed"})
        seen = await lab.looked()
        (problem,) = seen.problems
        assert "switch it off and on" in problem
        assert "motor controller" in problem
        assert (seen.lost, seen.health) == (None, None)


class TestLost:
    """A robot that is not there."""

    async def test_off_and_on(self, lab: Watched) -> None:
        """Nothing is known then, and everything later, by itself."""
        await lab.powered(on=False)
        seen = await lab.looked()
        assert isinstance(seen.lost, Off)
        assert (seen.health, seen.door, seen.modules, seen.problems) == (None, None, (), ())
        lab.watch.changed.clear()
        await lab.looked()
        assert not lab.watch.changed.is_set()
        await lab.powered(on=True)
        seen = await lab.until(lambda seen: seen.lost is None)
        assert seen.health
        assert len(seen.modules) == 4

    @pytest.mark.parametrize(
        ("phase", "words"), [("database", "database is not ready"), ("hardware", "motor controller is not")]
    )
    async def test_starting(self, lab: Watched, phase: str, words: str) -> None:
        """It says what it waits for."""
        lab.robot.fault("booting", on=True, options={"phase": phase})
        seen = await lab.looked()
        assert isinstance(seen.lost, Starting)
        assert words in str(seen.lost)

    async def test_silent(self) -> None:
        """Twice in a row is too often."""
        async with watched(patience=0.1) as lab:
            lab.robot.fault("slow", on=True, options={"seconds": 1})
            assert isinstance((await lab.looked()).lost, Silent)
            lab.robot.fault("slow", on=False)
            assert (await lab.looked()).lost is None

    async def test_another_robot(self, lab: Watched) -> None:
        """It is not taken for the one that was opened."""
        lab.robot.serial = "SIM-OT2-2"
        seen = await lab.looked()
        assert type(seen.lost) is Unreachable
        assert "another robot" in str(seen.lost)
        assert seen.door is None


class TestReboot:
    """The robot forgets marks, and what it did."""

    async def test_the_mark_is_gone(self, lab: Watched) -> None:
        """Told until it is acknowledged, also over a time without the robot."""
        await lab.server.mark("bridge-1")
        assert not (await lab.looked()).rebooted
        lab.robot.reboot()
        seen = await lab.found(lambda seen: seen.rebooted and seen.lost is None)
        assert seen.owner is None
        assert (await lab.looked()).rebooted
        lab.watch.changed.clear()
        lab.watch.acknowledge()
        assert lab.watch.changed.is_set()
        assert not (await lab.looked()).rebooted
        await lab.server.mark("bridge-1")
        lab.robot.client_data.clear()
        assert (await lab.looked()).rebooted

    async def test_a_run_is_lost(self, lab: Watched) -> None:
        """Also without a mark, and where the watch was stopped meanwhile."""
        run = await lab.bench.run("measure", {"well": "B2"})
        await lab.bench.act(run, "play")
        await lab.bench.reaches(run, "paused")
        seen = await lab.looked()
        assert seen.run
        assert seen.run.active
        await lab.watch.stop()
        await lab.powered(on=False)
        await lab.watch.start("127.0.0.1")
        assert not lab.seen.rebooted
        await lab.powered(on=True)
        seen = await lab.found(lambda seen: seen.lost is None)
        assert (seen.run, seen.rebooted) == (None, True)

    async def test_a_mark_that_was_taken_away(self, lab: Watched) -> None:
        """By ourselves: that is no reboot. Nor is one that somebody wrote over."""
        await lab.server.mark("bridge-1")
        await lab.looked()
        await lab.server.unmark()
        assert not (await lab.looked()).rebooted
        await lab.server.mark("bridge-1")
        await lab.bench.ask("PUT", "/clientData/lab2mqtt", {"data": {"owner": "other", "run": None}})
        seen = await lab.looked()
        assert (seen.owner, seen.rebooted) == (Owner("other", None), False)
