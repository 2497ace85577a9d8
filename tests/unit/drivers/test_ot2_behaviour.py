"""What our driver makes of each behaviour of a robot server: lab.md section 2, rules 13 to 18 of section 5.

First where tests/unit/simulators/ot2 shows that the simulated robot behaves so, then where it is tested what
we make of it: in this file, or in test_ot2_<name> beside it.

    Basics
    versions, a missing header     routes.TestVersion            TestWhichRobot, http.TestOpen
    shapes of errors               routes.TestErrors             http.TestErrors
    model and serial               routes.TestHealth             TestWhichRobot, http.TestOpen, discovery
    starting, off, failed          faults.TestStarting           play.TestLost, watch.TestLost
    Endpoints
    homing, also during a run      routes.TestBody               TestBody, play.TestRefused
    door                           faults.TestDoor               TestDoor
    no emergency stop              routes.TestBody               play.TestEnded: ours is a pause
    motors, lights, instruments    routes.TestBody               http.TestBody, watch.TestSeen
    modules                        routes.TestModules            modules, TestModule
    calibration, settings, logs    routes.TestServer             http.TestBody
    camera                         faults.test_no_camera         TestBody, http.TestBody
    protocols and analyses         protocols                     runs.TestProtocols, TestKept
    runs, actions, 409             routes.TestRuns               runs.TestRuns, TestPositions
    stateless commands             faults, routes.TestModules    runs.TestCommands, modules.TestRefused
    maintenance runs               routes.TestRuns               TestMaintenance
    clients' data                  routes.TestServer             TestWhoseItIs, watch.TestReboot
    reboot; it homes by itself     faults.TestPower              play.TestLost, TestRules
    We ask for no error recovery, deck layout, data file, time, network or name.
    Behaviour; of the simulated robot: behaviour, by the same numbers
    1 a stop moves                 play.TestEnded, steps; what else is to end a run: rest
    2 setup commands do not stop   TestPositions: the only ones that we send, and they move nothing
    3 a pause comes late           TestPause
    4 defaults of commands         we send no aspirate or dispense; what the cell's protocols do: TestPause
    5 waits that never end         runs.TestCommands
    6 201, and failed              runs.TestCommands, TestModule
    7 no setup after the start     TestPositions; we send no fixit
    8 ghosts                       runs.TestRuns, play.TestLost
    9 upload once, run many        play.TestPlayed, TestKept
    10 20 runs, 5 protocols        TestKept
    11 dense racks                 TestDense
    MQTT hints                     hints, watch
    Faults
    slow, 500                      faults                        rest, watch.TestProblems
    tip lost, module unplugged     faults                        TestUnnoticed, TestModule
    Rules
    13 before a run                deck, play.TestRefused
    14 tips are state              deck, deck_file, deck_history
    15 no homing with liquid       TestRules
    16 the sensor is state         play.TestEnded, play.TestLost, TestRules
    17 whose run it is             play.TestRefused, TestWhoseItIs, TestMaintenance
    18 paused is not at rest       TestPause
"""

import asyncio

from aiohttp import web
import pytest
from tests.unit.ot2_bench import protocol, until
from tests.unit.ot2_driven import MEASURE, MIX, driven

from lab2mqtt.core.errors import Fault, Misconfigured, Refused
from lab2mqtt.drivers.ot2 import play
from lab2mqtt.drivers.ot2.errors import CommandFailed, RobotFault
from lab2mqtt.drivers.ot2.robot import Ot2, Ot2Settings
from lab2mqtt.runtime.run import TaskRun

FAST = 60.0  # times as fast as a real one


class TestWhichRobot:
    """It is the one that was meant, and speaks as we do; nothing is asked of another one."""

    async def test_another_serial(self) -> None:
        """The configuration is wrong, and says which robot is there."""
        async with driven() as there:
            there.robot.serial = "SIM-OT2-9"
            driver = Ot2(Ot2Settings(address=there.settings.address, serial="SIM-OT2-1", hints_port=0))
            with pytest.raises(Misconfigured, match="is the robot SIM-OT2-9, not SIM-OT2-1"):
                await driver.open()

    async def test_another_model(self) -> None:
        """A Flex has the same API, and is none."""

        async def health(_: web.Request) -> web.Response:
            told = {"name": "flex", "robot_model": "OT-3 Standard", "api_version": "8.1.0"}
            return web.json_response(told, headers={"Opentrons-Version": "4", "Opentrons-Min-Version": "2"})

        app = web.Application()
        app.add_routes([web.get("/health", health)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            driver = Ot2(Ot2Settings(address=f"127.0.0.1:{runner.addresses[0][1]}", hints_port=0))
            with pytest.raises(Misconfigured, match="model 'OT-3 Standard', not an OT-2"):
                await driver.open()
        finally:
            await runner.cleanup()

    async def test_too_old(self) -> None:
        """Its software has to be updated."""
        async with driven() as there:
            there.robot.http_api = (1, 1)
            with pytest.raises(Fault, match="versions 1 to 1 of its HTTP API: its software is too old"):
                await there.driver.open()


class TestBody:
    """What moves and is seen."""

    async def test_homing_twice_at_once(self) -> None:
        """The robot does not take the second one."""
        async with driven(FAST) as there:
            first = asyncio.create_task(there.driver.home())
            await there.does("home")
            with pytest.raises(Fault, match="Another motion is in progress"):
                await there.driver.home()
            assert await first == {"status": "homed"}

    async def test_no_camera(self) -> None:
        """It works without one."""
        async with driven() as there:
            there.robot.fault("no_camera", on=True)
            await there.restart()
            with pytest.raises(Fault, match="video0 not found"):
                await there.driver.take_picture()
            now = await there.now()
            assert (now.picture, now.faults) == (None, ())


class TestDoor:
    """Open, where the robot's setting says that it matters."""

    async def test_before(self) -> None:
        """Refused, and the robot does not even hear of it."""
        async with driven() as there:
            await there.bench.ask("POST", "/settings", {"id": "enableDoorSafetySwitch", "value": True})
            there.robot.fault("door_open", on=True)
            with pytest.raises(Refused, match="the door is open"):
                await there.play("mix_color", **MIX)
            assert any("the door is open" in words for words in (await there.now()).faults)
            assert there.robot.runs.current is None
            there.robot.fault("door_open", on=False)
            assert (await there.play("mix_color", **MIX))["status"] == "succeeded"

    async def test_in_mid_run(self) -> None:
        """The task holds with the run; it goes on where somebody resumes it with the door closed."""
        async with driven(FAST) as there:
            await there.bench.ask("POST", "/settings", {"id": "enableDoorSafetySwitch", "value": True})
            doing = there.start("mix_color", **MIX)
            await there.does("aspirate")
            there.robot.fault("door_open", on=True)
            await until(lambda: doing.held == ["the door is open: close it, then resume"])
            doing.run.paused = False
            await until(lambda: len(doing.held) == 2)
            assert "currently open" in doing.held[1]
            assert doing.run.paused
            there.robot.fault("door_open", on=False)
            doing.run.paused = False
            assert (await doing.done())["status"] == "succeeded"


class TestMaintenance:
    """Somebody calibrates with the App: the robot takes runs meanwhile, and we give it none."""

    async def test_only_read(self) -> None:
        """Until it has ended."""
        async with driven() as there:
            made = (await there.bench.post("/maintenance_runs", {})).data["id"]
            for work in (
                there.play("mix_color", **MIX),
                there.driver.home(),
                there.driver.adjust_cooling(20.0),
            ):
                with pytest.raises(Refused, match="somebody maintains the robot") as raised:
                    await work
                assert raised.value.error_code == "busy"
            assert "end it there, or restart the robot" in (await there.now()).occupied[0]
            assert (await there.driver.get_position())["positions"] == {}
            assert there.robot.runs.current is None
            assert not there.bench.moved("home", "move")
            await there.bench.ask("DELETE", f"/maintenance_runs/{made}")
            assert (await there.play("mix_color", **MIX))["status"] == "succeeded"
            assert (await there.now()).occupied == []


class TestWhoseItIs:
    """The mark in the clients' data."""

    async def test_marked(self) -> None:
        """With the run, before it plays."""
        async with driven(FAST) as there:
            doing = there.start("mix_color", **MIX)
            await there.does("move")
            mark = there.robot.client_data["lab2mqtt"]
            assert mark["run"] == there.robot.runs.current_id
            assert mark["owner"].startswith("lab2mqtt on ")
            await doing.done()

    async def test_of_another_bridge(self) -> None:
        """A mark alone is no reason to be busy: its run is."""
        async with driven() as there:
            other = {"data": {"owner": "lab2mqtt on other", "run": None}}
            await there.bench.ask("PUT", "/clientData/lab2mqtt", other)
            assert (await there.play("mix_color", **MIX))["status"] == "succeeded"


class TestPositions:
    """Where the pipettes are can only be asked in a run of its own: setup commands, which nothing stops."""

    async def test_moves_nothing(self) -> None:
        """And leaves no run behind that is current."""
        async with driven() as there:
            told = await there.driver.get_position()
            assert told["positions"].keys() == {"right"}  # type: ignore[attr-defined]
            (run,) = there.robot.runs
            assert [each["commandType"] for each in run.commands] == ["loadPipette", "savePosition"]
            assert there.robot.runs.current_id is None
            assert not there.bench.moved()

    async def test_not_while_somebody_prepares_a_run(self) -> None:
        """An idle run would be replaced without a word."""
        async with driven() as there:
            prepared = await there.bench.run("mix_color")
            assert (await there.driver.get_position())["positions"] == {}
            assert there.robot.runs.current_id == prepared

    async def test_not_in_mid_run(self) -> None:
        """It sends no setup command, which the robot would refuse."""
        async with driven(FAST) as there:
            doing = there.start("mix_color", **MIX)
            await there.does("move")
            assert (await there.driver.get_position())["positions"] == {}
            (run,) = there.robot.runs
            assert {each["intent"] for each in run.commands} == {"protocol"}
            with pytest.raises(RobotFault, match="SetupCommandNotAllowed"):
                await there.driver._runs.command(run.run_id, "home", {}, 1.0)
            await doing.done()


class TestPause:
    """Told as paused, and still moving."""

    async def test_the_command_under_way_goes_on(self) -> None:
        """What it does is noted when it has happened; nobody is told that it is safe to reach in."""
        async with driven(FAST) as there:
            doing = there.start("mix_color", **MIX)
            await there.does("aspirate")
            there.robot.clock.speed = 1.0
            doing.run.paused = True
            run = there.robot.runs.current
            assert run
            await until(lambda: run.status == "paused")
            assert run.running
            under_way = run.running[1]
            assert (under_way["commandType"], under_way["status"]) == ("dispense", "running")
            assert there.well("B2")["volume"] == 0
            await until(lambda: under_way["status"] == "succeeded")
            assert not any("safe" in words for words in [*doing.told, *doing.held])
            await there.shows(lambda now: now.run and now.run.status == "paused")
            there.robot.clock.speed = FAST
            doing.run.paused = False
            await doing.done()
            assert there.bench.truth["wells"]["1/B2"] == {"3/B1": 100.0, "3/B2": 50.0, "3/B3": 80.0}
            assert there.well("B2")["volume"] == 230.0


class TestModule:
    """Pulled."""

    async def test_in_mid_run(self) -> None:
        """A run that does not need it goes on; the next is refused where the settings want it."""
        async with driven(FAST, settings={"modules": ("temperatureModuleV2",)}) as there:
            doing = there.start("mix_color", **MIX)
            await there.does("aspirate")
            await there.driver._watch.stop()  # or it would see that in a moment
            there.robot.fault("module_unplugged", on=True)
            assert (await doing.done())["status"] == "succeeded"
            with pytest.raises(CommandFailed, match="is not attached"):  # 201, and failed
                await there.driver.adjust_cooling(20.0)
            with pytest.raises(Refused, match="temperatureModuleV2 is not attached: plug it in"):
                await there.play("mix_color", **MIX | {"well": "B3"})
            assert (await there.driver.info())["parts"] == {}


class TestUnnoticed:
    """What no OT-2 notices."""

    async def test_a_lost_tip(self) -> None:
        """It has no sensor for tips: the run succeeds, and we say what it says. docs/ot2.md tells so."""
        async with driven() as there:
            there.robot.fault("tip_lost", on=True)
            assert (await there.play("mix_color", **MIX))["status"] == "succeeded"
            assert there.bench.truth["wells"].get("1/B2", {}) == {}
            assert there.well("B2")["volume"] == 230.0
            there.robot.fault("tip_lost", on=False)
            await there.driver.reset_tips(wells=["B1", "B2", "B3"], there=False)
            with pytest.raises(Refused, match="has no tip in B1"):
                await there.play("mix_color", **MIX | {"well": "B3"})


class TestKept:
    """The robot keeps 20 runs and 5 protocols that none of them uses."""

    async def test_many_in_a_row(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """More than it keeps, with new plates, and with others who make it forget our protocol."""
        monkeypatch.setattr(play, "_LOOK", 0.02)
        async with driven() as there:
            values = {"R": 20.0, "Y": 0.0, "B": 0.0}
            for number in range(25):
                if number == 12:
                    for _ in range(20):
                        await there.bench.run()
                    others = [await there.bench.analysed(protocol(note=str(each))) for each in range(5)]
                    told = (await there.bench.get("/protocols")).data
                    assert [each["id"] for each in told] == others
                well = f"A{number % 5 + 1}"
                told = await there.play("mix_color", **values, well=well, experiment_id=str(number))
                assert (told["status"], told["well"]) == ("succeeded", well)
                if number % 5 == 4:
                    with pytest.raises(Refused, match="is used"):
                        await there.play("mix_color", **values, well=well)
                    await there.driver.reset_plate()
            assert len(there.bench.moved("dispense")) == 25
            assert len((await there.bench.get("/runs")).data) == 20

    async def test_a_protocol_that_is_gone(self) -> None:
        """What is asked for by an id of before is refused, with what there is."""
        async with driven() as there:
            first = await there.bench.analysed(protocol(note="first"))
            for note in "abcde":
                await there.bench.analysed(protocol(note=note))
            run = TaskRun(lambda _percent, _words: None, lambda _words: None)
            with pytest.raises(
                Refused, match=f"there is no protocol '{first}'.*: mix_and_measure, mix_color"
            ):
                await there.driver.run_protocol(first, run)


@pytest.mark.parametrize("software", ["8.1.0", "9.0.0"])
class TestDense:
    """From 8.5.1 on a rack of the sensor's two places is refused: our definition is padded to 96."""

    async def test_there_and_back(self, software: str) -> None:
        """With every software."""
        async with driven(software=software) as there:
            assert (await there.play(MEASURE, well="B2"))["status"] == "in_place"
            assert there.bench.truth["sensor"] == "held"
            assert (await there.start_putting_back().done())["status"] == "charging"
            assert there.bench.truth["sensor"] == "parked"


class TestRules:
    """Of liquid handling, section 5."""

    async def test_no_homing_with_liquid_in_a_tip(self) -> None:
        """15: a person takes the tip off first, and says so."""
        async with driven(FAST) as there:
            await there.bench.ask("POST", "/settings", {"id": "disableHomeOnBoot", "value": True})
            doing = there.start("mix_color", **MIX)
            await there.does("aspirate")
            there.robot.reboot()
            with pytest.raises(Fault, match="the robot was restarted while it ran"):
                await doing.done()
            await there.driver.open()
            assert (await there.now()).homing
            await until(lambda: there.driver.deck.reserved is None)
            with pytest.raises(Refused, match="take it off, then reset tips"):
                await there.driver.home()
            assert there.bench.truth["tips"]["right"]["contents"]
            there.robot.truth.tips.clear()
            await there.driver.reset_tips()
            await there.driver.home()
            assert not there.bench.moved("plunger_homed_with_liquid")

    async def test_no_homing_with_the_sensor_in_hand(self) -> None:
        """16: after a restart a person says where it is."""
        async with driven(FAST) as there:
            await there.play(MEASURE, well="B2")
            there.robot.reboot()
            await until(lambda: there.robot.phase == "ready")
            await there.driver.open()
            assert (await there.now()).homing
            await until(lambda: there.driver.deck.reserved is None)
            with pytest.raises(Refused, match="put it into its port, then reset"):
                await there.driver.home()
            there.robot.truth.tips.clear()
            await there.driver.reset_sensor()
            await there.driver.reset_tips()
            assert await there.driver.home() == {"status": "homed"}
