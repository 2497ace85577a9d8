"""Modules: what they do when told to, when they refuse, and what is shown of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
import contextlib
from typing import Any

import pytest
from tests.unit.ot2_bench import Bench, bench

from lab2mqtt.core.description import Instance, bind, describe
from lab2mqtt.core.device import Device
from lab2mqtt.core.entities import Commanding, Readable
from lab2mqtt.core.errors import Refused
from lab2mqtt.drivers.ot2.errors import CommandFailed
from lab2mqtt.drivers.ot2.http import RobotServer
from lab2mqtt.drivers.ot2.module_entities import ENTITIES
from lab2mqtt.drivers.ot2.modules import NAMES, TASKS, ModuleTasks
from lab2mqtt.drivers.ot2.runs import Runs
from lab2mqtt.drivers.ot2.snapshot import Module, Snapshot
from lab2mqtt.drivers.ot2.watch import Watch

MODULES = ("temperature", "magnetic", "heater_shaker", "thermocycler")


class Modular(ModuleTasks):
    """A driver of modules only."""

    def __init__(self, robot: Bench, server: RobotServer) -> None:
        self.bench, self.robot = robot, robot.robot
        self._runs = Runs(server)
        self.watch = Watch(server, self._runs, 0)

    def _modules(self) -> Sequence[Module]:
        return self.watch.seen.modules

    async def shown(self) -> dict[str, Any]:
        """What the entities show."""
        await self.watch.look()
        now = Snapshot(modules=self._modules())
        return {one.key: one.read(now) for one in ENTITIES if isinstance(one, Readable) and one.read}


@contextlib.asynccontextmanager
async def with_modules(*names: str) -> AsyncIterator[Modular]:
    """A robot with modules."""
    async with (
        bench(modules=names) as robot,
        RobotServer("127.0.0.1", robot.server.port, patience=5.0) as server,
    ):
        made = Modular(robot, server)
        await made.watch.look()
        yield made


@pytest.fixture
async def lab() -> AsyncIterator[Modular]:
    """A robot with one of each."""
    async with with_modules(*MODULES) as made:
        yield made


class TestTasks:
    """Each does what it says."""

    async def test_temperature(self, lab: Modular) -> None:
        """Set at once, reached later, and off again."""
        assert (await lab.shown())["temperature_status"] == "idle"
        assert await lab.set_temperature(8.0) == {"module": "SIMTEMPERATURE1", "target": 8.0}
        shown = await lab.shown()
        assert shown["temperature_target"] == 8.0
        assert shown["temperature"] <= 23.0
        async with asyncio.timeout(5):
            while (shown := await lab.shown())["temperature_status"] != "holding_at_target":
                pass
        assert shown["temperature"] == pytest.approx(8.0, abs=0.6)
        assert await lab.deactivate_temperature() == {"module": "SIMTEMPERATURE1"}
        assert (await lab.shown())["temperature_target"] is None

    async def test_magnets(self, lab: Modular) -> None:
        """Up and down."""
        assert await lab.engage_magnet(22.5) == {"module": "SIMMAGNETIC2", "height": 22.5}
        shown = await lab.shown()
        assert (shown["magnet_engaged"], shown["magnet_height"]) == (True, 22.5)
        await lab.disengage_magnet()
        shown = await lab.shown()
        assert (shown["magnet_engaged"], shown["magnet_height"]) == (False, 0.0)

    async def test_shaker(self, lab: Modular) -> None:
        """It heats, shakes, and holds its labware."""
        await lab.open_latch()
        assert (await lab.shown())["latch"] == "idle_open"
        with pytest.raises(CommandFailed, match="while the latch is open"):
            await lab.set_shaker_speed(500)
        await lab.close_latch()
        assert await lab.set_shaker_speed(500) == {"module": "SIMHEATER_SHAKER3", "rpm": 500}
        assert await lab.set_shaker_temperature(40.0) == {"module": "SIMHEATER_SHAKER3", "target": 40.0}
        with pytest.raises(CommandFailed, match="while shaking"):
            await lab.open_latch()
        shown = await lab.shown()
        assert (shown["latch"], shown["shaker_speed"], shown["shaker_target_speed"]) == (
            "idle_closed",
            500,
            500,
        )
        assert (shown["shaker_shaking"], shown["shaker_target"]) == ("holding_at_target", 40.0)
        assert shown["shaker_error"] == "none"
        assert await lab.deactivate_shaker() == {"module": "SIMHEATER_SHAKER3"}
        shown = await lab.shown()
        assert (shown["shaker_speed"], shown["shaker_target"], shown["shaker_target_speed"]) == (
            0,
            None,
            None,
        )

    async def test_thermocycler(self, lab: Modular) -> None:
        """Its lid turns; block and lid have targets of their own."""
        await lab.close_lid()
        assert (await lab.shown())["lid"] == "closed"
        assert await lab.set_block_temperature(95.0) == {"module": "SIMTHERMOCYCLER4", "target": 95.0}
        assert await lab.set_lid_temperature(105.0) == {"module": "SIMTHERMOCYCLER4", "target": 105.0}
        shown = await lab.shown()
        assert (shown["block_target"], shown["lid_target"]) == (95.0, 105.0)
        assert shown["lid_status"] == "heating"
        await lab.deactivate_thermocycler()
        await lab.open_lid()
        shown = await lab.shown()
        assert (shown["block_target"], shown["lid_target"], shown["lid"]) == (None, None, "open")


CALLS: dict[str, tuple[float, ...]] = {
    "set_temperature": (20.0,),
    "deactivate_temperature": (),
    "engage_magnet": (10.0,),
    "disengage_magnet": (),
    "set_shaker_temperature": (40.0,),
    "set_shaker_speed": (500,),
    "deactivate_shaker": (),
    "open_latch": (),
    "close_latch": (),
    "open_lid": (),
    "close_lid": (),
    "set_block_temperature": (50.0,),
    "set_lid_temperature": (50.0,),
    "deactivate_thermocycler": (),
}


class TestRefused:
    """Told what would be right."""

    @pytest.mark.parametrize("task", [task.name for task in TASKS])
    async def test_none_attached(self, task: str) -> None:
        """It says what is there instead."""
        async with with_modules() as lab:
            with pytest.raises(Refused, match=r"is attached: there is no module at all$") as raised:
                await getattr(lab, task)(*CALLS[task])
            assert raised.value.error_code == "not_allowed"

    async def test_another_kind(self) -> None:
        """With its serial number, by which it can be found."""
        async with with_modules("magnetic") as lab:
            with pytest.raises(
                Refused, match="no temperature module is attached: there is magnetic module SIMMAGNETIC1"
            ):
                await lab.set_temperature(20.0)

    async def test_several(self) -> None:
        """The serial number says which."""
        async with with_modules("temperature", "temperature") as lab:
            with pytest.raises(Refused, match="one of SIMTEMPERATURE1, SIMTEMPERATURE2"):
                await lab.set_temperature(20.0)
            told = await lab.set_temperature(20.0, module="SIMTEMPERATURE2")
            assert told == {"module": "SIMTEMPERATURE2", "target": 20.0}
            await lab.watch.look()
            assert [module.data["targetTemperature"] for module in lab.watch.seen.modules] == [None, 20.0]
            with pytest.raises(Refused, match="with the serial number X is attached: there is temperature"):
                await lab.set_temperature(20.0, module="X")

    @pytest.mark.parametrize("status", ["running", "paused"])
    async def test_during_a_run(self, lab: Modular, status: str) -> None:
        """Busy, also while it is paused."""
        run = await lab.bench.run("measure", {"well": "B2"})
        if status == "running":
            lab.robot.clock.speed = 0.1  # so that it goes on
        await lab.bench.act(run, "play")
        await lab.bench.reaches(run, status)
        for task, values in CALLS.items():
            with pytest.raises(Refused, match="active run") as raised:
                await getattr(lab, task)(*values)
            assert raised.value.error_code == "busy"
        lab.robot.clock.speed = 400.0

    async def test_pulled_meanwhile(self, lab: Modular) -> None:
        """What was seen last is not there any more: the robot says so."""
        lab.robot.fault("module_unplugged", on=True)
        with pytest.raises(CommandFailed, match="is not attached"):
            await lab.set_temperature(20.0)
        with pytest.raises(CommandFailed, match="is not attached"):
            await lab.deactivate_thermocycler()
        await lab.watch.look()
        with pytest.raises(Refused, match="no module at all"):
            await lab.set_temperature(20.0)


class TestDeclared:
    """What is said of them, to Home Assistant too."""

    @property
    def device(self) -> Device[Snapshot]:
        """A device of modules only."""
        return Device("modular", "Modular", "us", "Modular", "", ENTITIES, TASKS, stop="open_lid")

    def described(self, parts: Sequence[str]) -> dict[str, Any]:
        """The description with some parts there."""
        tasks = bind(self.device, Modular, None)
        info = {"parts": {part: {"name": NAMES[part]} for part in parts}}
        return dict(describe(self.device, tasks, Instance("modular", "Modular", "bench"), info))

    def test_limits(self) -> None:
        """Those of the robot's API."""
        tasks = self.described(())["tasks"]
        limits = {
            name: (schema["minimum"], schema["maximum"], schema["unit"])
            for name, task in tasks.items()
            for key, schema in task["parameters"].items()
            if key in ("target", "rpm", "height") and name in CALLS
        }
        assert limits == {
            "set_temperature": (4, 95, "°C"),
            "engage_magnet": (-2.5, 22.5, "mm"),
            "set_shaker_temperature": (37, 95, "°C"),
            "set_shaker_speed": (200, 3000, "rpm"),
            "set_block_temperature": (4, 99, "°C"),
            "set_lid_temperature": (37, 110, "°C"),
        }

    def test_what_moves(self) -> None:
        """Is refused after an emergency stop; what ends motion is not."""
        assert {task.name for task in TASKS if task.effect == "move"} == {
            *("engage_magnet", "disengage_magnet", "set_shaker_speed"),
            *("open_latch", "close_latch", "open_lid", "close_lid"),
        }

    @pytest.mark.parametrize("part", MODULES)
    def test_parts(self, part: str) -> None:
        """Only what is attached is shown; each kind can be switched off."""
        entities = self.described([part])["entities"]
        shown = {key for key, entity in entities.items() if entity.get("part")}
        assert shown == {entity.key for entity in ENTITIES if entity.part == part}
        off = {one.task for one in ENTITIES if isinstance(one, Commanding) and one.part == part}
        assert off & {f"deactivate_{part}", "deactivate_shaker", "disengage_magnet"}

    def test_nothing_is_known(self) -> None:
        """Of a module that does not tell its values, and of one with words that nobody expects."""
        for data in ({}, {"status": "melting", "lidStatus": "ajar", "labwareLatchStatus": None}):
            there = [Module(kind, kind, kind, kind, "", data) for kind in MODULES]
            for modules in (there, ()):
                now = Snapshot(modules=modules)
                values = [one.read(now) for one in ENTITIES if isinstance(one, Readable) and one.read]
                assert len(values) == 20
                assert set(values) == {None}
