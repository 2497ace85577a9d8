"""Power, starting, and each fault."""

import asyncio

import aiohttp
import pytest
from tests.unit.ot2_bench import Bench, until

from lab2mqtt.hub.ports import listens


class TestPower:
    """Off, on, rebooted."""

    async def test_off(self, robot: Bench) -> None:
        """Nobody listens; on again it starts and homes."""
        robot.robot.fault("off", on=True)
        await until(lambda: not listens(robot.server.port))
        with pytest.raises(aiohttp.ClientConnectionError):
            await robot.get("/health")
        robot.robot.fault("off", on=False)
        await until(lambda: robot.robot.phase == "ready" and robot.robot.truth.place == "home")
        assert (await robot.get("/health")).status == 200

    async def test_reboot_in_a_run(self, robot: Bench) -> None:
        """The run is lost, the position unknown, what clients stored is gone; then it homes."""
        run = await robot.run("measure")
        await robot.ask("PUT", "/clientData/mark", {"data": {}})
        await robot.act(run, "play")
        await robot.reaches(run, "paused")
        robot.robot.reboot()
        assert robot.truth["position"] is None
        await until(lambda: robot.robot.phase == "ready")
        told = (await robot.get(f"/runs/{run}")).data
        assert (told["ok"], told["status"], told["current"]) == (False, "stopped", False)
        assert told["dataError"]["id"] == "RunDataError"
        assert (await robot.get("/clientData/mark")).status == 404
        assert robot.truth["sensor"] == "held"  # nothing told it to let go
        await until(lambda: robot.robot.truth.place == "home")
        assert [each["by"] for each in robot.moved("home")][-1] == "boot"

    async def test_reboot_without_homing(self, robot: Bench) -> None:
        """Where the setting says so."""
        await robot.ask("POST", "/settings", {"id": "disableHomeOnBoot", "value": True})
        await robot.ask("POST", "/server/restart")
        await until(lambda: robot.robot.phase == "off")
        await until(lambda: robot.robot.phase == "ready")
        await asyncio.sleep(0)
        assert robot.moved("home") == []
        assert robot.truth["position"] is None


class TestStarting:
    """The phases of a start."""

    async def test_database(self, robot: Bench) -> None:
        """Nothing answers, not even health."""
        robot.robot.fault("booting", on=True)
        for path in ("/health", "/runs", "/clientData/x"):
            told = await robot.get(path)
            assert (told.status, told.error) == (503, "DatabaseNotYetInitialized")

    async def test_hardware(self, robot: Bench) -> None:
        """What needs no hardware answers."""
        robot.robot.fault("booting", on=True, options={"phase": "hardware"})
        for path in ("/health", "/runs", "/modules"):
            told = await robot.get(path)
            assert (told.status, told.error) == (503, "HardwareNotYetInitialized")
        assert (await robot.get("/protocols")).status == 200

    async def test_failed(self, robot: Bench) -> None:
        """Says so for ever."""
        robot.robot.fault("booting", on=True, options={"phase": "failed"})
        assert (await robot.get("/health")).error == "HardwareFailedToInitialize"


class TestDoor:
    """The door."""

    async def test_told_only(self, robot: Bench) -> None:
        """By default it stops nothing."""
        robot.robot.fault("door_open", on=True)
        told = (await robot.get("/robot/door/status")).data
        assert told == {"status": "open", "doorRequiredClosedForProtocol": False}
        run = await robot.run("mix_color")
        await robot.act(run, "play")
        assert await robot.reaches(run, "succeeded", "failed") == "succeeded"

    async def test_with_the_safety_switch(self, robot: Bench) -> None:
        """A run waits for it, and goes on when somebody resumes."""
        await robot.ask("POST", "/settings", {"id": "enableDoorSafetySwitch", "value": True})
        run = await robot.run("mix_color")
        await robot.act(run, "play")
        robot.robot.fault("door_open", on=True)
        assert await robot.status(run) == "blocked-by-open-door"
        assert (await robot.act(run, "play")).status == 409
        robot.robot.fault("door_open", on=False)
        assert await robot.status(run) == "paused"
        await robot.act(run, "play")
        await robot.reaches(run, "succeeded")


async def test_tip_lost(robot: Bench) -> None:
    """The robot mixes on and notices nothing; the well stays empty."""
    robot.robot.fault("tip_lost", on=True)
    run = await robot.run("mix_color")
    await robot.act(run, "play")
    assert await robot.reaches(run, "succeeded", "failed") == "succeeded"
    assert robot.truth["wells"].get("1/B2", {}) == {}
    assert [each["tip"] for each in robot.moved("tip_lost")] == ["9/B1", "9/B2", "9/B3"]


async def test_module_unplugged(robot: Bench) -> None:
    """It is gone from the list, and commands to it fail."""
    (module,) = (await robot.get("/modules")).data
    robot.robot.fault("module_unplugged", on=True)
    assert (await robot.get("/modules")).data == []
    asked = {"commandType": "temperatureModule/deactivate", "params": {"moduleId": module["id"]}}
    told = await robot.post("/commands", asked, waitUntilComplete="true", timeout="2000")
    assert told.data["error"]["errorType"] == "ModuleNotAttachedError"
    robot.robot.fault("module_unplugged", on=False)
    assert len((await robot.get("/modules")).data) == 1


async def test_error_500(robot: Bench) -> None:
    """Below a path, so often; in the shape of the route."""
    robot.robot.fault("error_500", on=True, options={"path": "/runs", "times": 2})
    assert (await robot.get("/modules")).status == 200
    assert (await robot.get("/runs")).error == "UnexpectedError"
    assert (await robot.get("/runs")).status == 500
    assert (await robot.get("/runs")).status == 200
    robot.robot.fault("error_500", on=True)
    assert (await robot.get("/robot/lights")).body.keys() == {"message", "errorCode"}


async def test_slow(robot: Bench) -> None:
    """Every answer."""
    robot.robot.fault("slow", on=True, options={"seconds": 0.15})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await robot.get("/health")


async def test_slow_to_one_question(robot: Bench) -> None:
    """It obeys late, too, whether anybody still waits for the answer or not; others go past it."""
    run = await robot.run("measure")
    robot.robot.fault("slow", on=True, options={"seconds": 0.2, "path": "/actions", "times": 1})
    playing = asyncio.create_task(robot.act(run, "play"))
    await until(lambda: "slow" not in robot.robot.faults)
    playing.cancel()
    assert (await robot.act(run, "pause")).status == 409
    assert await robot.status(run) == "idle"
    await robot.reaches(run, "paused")
    assert robot.truth["sensor"] == "held"


async def test_no_camera(robot: Bench) -> None:
    """500, in the older shape."""
    robot.robot.fault("no_camera", on=True)
    told = await robot.ask("POST", "/camera/picture")
    assert told.status == 500
    assert "message" in told.body


def test_unknown_fault(robot: Bench) -> None:
    """Is refused, with what there is."""
    with pytest.raises(ValueError, match=r"'coffee' is not one of off, booting"):
        robot.robot.fault("coffee", on=True)
