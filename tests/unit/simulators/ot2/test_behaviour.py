"""The behaviour that decides a bridge's design, as lab.md section 2 numbers it."""

import asyncio

from tests.unit.ot2_bench import VALUES, Bench, bench, protocol, until

BOTTOM = {"origin": "bottom", "offset": {"z": 1}}


class TestStopMoves:
    """1: a stop of a started run homes, drops the tip into the trash, and homes."""

    async def test_with_the_sensor_held(self, robot: Bench) -> None:
        """The sensor ends in the trash."""
        run = await robot.run("measure")
        await robot.act(run, "play")
        await robot.reaches(run, "paused")
        assert robot.truth["sensor"] == "held"
        assert (await robot.act(run, "stop")).status == 201
        assert await robot.reaches(run, "stopped", "failed") == "stopped"
        assert robot.truth["sensor"] == "trash"
        after = robot.moved()
        began = next(index for index, each in enumerate(after) if each["what"] == "halt")
        told = [(each["what"], each.get("place")) for each in after[began:]]
        assert told == [
            ("halt", None),
            ("home", None),
            ("move", "12/A1"),
            ("drop", "12/A1"),
            ("home", None),
        ]

    async def test_while_it_is_under_way(self, robot: Bench) -> None:
        """`stop-requested` until the robot has come to rest."""
        run = await robot.run("mix_color")
        await robot.act(run, "play")
        await until(lambda: "right" in robot.robot.truth.tips)
        await robot.act(run, "stop")
        assert await robot.status(run) == "stop-requested"
        await robot.reaches(run, "stopped")
        assert robot.truth["trash"] == ["9/B1"]

    async def test_after_a_failure_too(self, robot: Bench) -> None:
        """A run that fails ends in the same way."""
        run = await robot.equipped()
        asked = {"pipetteId": "pipette", "labwareId": "tips", "wellName": "B1"}
        wrong = {"pipetteId": "pipette", "labwareId": "plate", "wellName": "Z9"}
        for kind, params in (("pickUpTip", asked), ("moveToWell", wrong)):
            await robot.post(
                f"/runs/{run}/commands", {"commandType": kind, "params": params, "intent": "protocol"}
            )
        await robot.act(run, "play")
        assert await robot.reaches(run, "failed", "succeeded") == "failed"
        told = (await robot.get(f"/runs/{run}")).data["errors"]
        assert [each["wrappedErrors"][0]["errorType"] for each in told] == ["WellDoesNotExistError"]
        assert robot.truth["trash"] == ["9/B1"]

    async def test_after_success_too(self, robot: Bench) -> None:
        """So a sensor can be held in a paused run only, not between two."""
        run = await robot.equipped()
        params = {"pipetteId": "pipette", "labwareId": "sensor", "wellName": "A2"}
        await robot.post(
            f"/runs/{run}/commands", {"commandType": "pickUpTip", "params": params, "intent": "protocol"}
        )
        await robot.act(run, "play")
        assert await robot.reaches(run, "failed", "succeeded") == "succeeded"
        assert robot.truth["sensor"] == "trash"

    async def test_with_paint_in_the_tip(self, robot: Bench) -> None:
        """Legacy homing draws it up into the pipette; nothing refuses that."""
        run = await robot.equipped()
        await robot.command(run, "pickUpTip", pipetteId="pipette", labwareId="tips", wellName="B1")
        vial = {"pipetteId": "pipette", "labwareId": "vials", "wellName": "B1", "wellLocation": BOTTOM}
        await robot.command(run, "aspirate", volume=100, flowRate=92.86, **vial)
        assert (await robot.ask("POST", "/robot/home", {"target": "robot"})).status == 200
        assert [each["by"] for each in robot.moved("plunger_homed_with_liquid")] == ["legacy"]

    async def test_never_started(self, robot: Bench) -> None:
        """No drop, no homing; the motors stay engaged."""
        run = await robot.equipped()
        await robot.command(run, "pickUpTip", pipetteId="pipette", labwareId="sensor", wellName="A2")
        before = len(robot.moved())
        await robot.act(run, "stop")
        await robot.reaches(run, "stopped")
        assert robot.moved()[before:] == []
        assert robot.truth["sensor"] == "held"
        engaged = (await robot.get("/motors/engaged")).body
        assert all(each["enabled"] for each in engaged.values())


async def test_2_stop_waits_for_a_setup_command(robot: Bench) -> None:
    """A wait of 200 s runs to its end."""
    run = await robot.run()
    waiting = asyncio.create_task(robot.command(run, "waitForDuration", seconds=200))
    await until(lambda: bool(robot.robot.runs.get(run).running))
    began = robot.robot.clock.seconds()
    await robot.act(run, "stop")
    assert await robot.status(run) == "stop-requested"
    await robot.reaches(run, "stopped")
    assert robot.robot.clock.seconds() - began > 60
    assert (await waiting).data["status"] == "succeeded"


async def test_3_pause_shows_at_once_and_comes_later(robot: Bench) -> None:
    """The command under way goes on while the run is told as paused."""
    run = await robot.equipped()
    for seconds in (250, 1):
        await robot.post(
            f"/runs/{run}/commands",
            {"commandType": "waitForDuration", "params": {"seconds": seconds}, "intent": "protocol"},
        )
    await robot.act(run, "play")
    commands = robot.robot.runs.get(run).commands[-2:]
    await until(lambda: commands[0]["status"] == "running")
    await robot.act(run, "pause")
    assert await robot.status(run) == "paused"
    assert commands[0]["status"] == "running"
    await until(lambda: commands[0]["status"] == "succeeded")
    assert commands[1]["status"] == "queued"
    await robot.act(run, "play")
    await robot.reaches(run, "succeeded")


class TestDefaults:
    """4: the commands' defaults are not those of the Python API."""

    async def test_at_the_top(self, robot: Bench) -> None:
        """Without a place in the well it draws air, and succeeds."""
        run = await robot.equipped()
        await robot.command(run, "pickUpTip", pipetteId="pipette", labwareId="tips", wellName="B1")
        where = {"pipetteId": "pipette", "labwareId": "vials", "wellName": "B1"}
        told = await robot.command(run, "aspirate", volume=100, flowRate=92.86, **where)
        assert told.data["status"] == "succeeded"
        assert robot.truth["tips"]["right"]["contents"] == {"air": 100.0}

    async def test_at_the_bottom(self, robot: Bench) -> None:
        """Where it is told, it draws paint."""
        run = await robot.equipped()
        await robot.command(run, "pickUpTip", pipetteId="pipette", labwareId="tips", wellName="B1")
        where = {"pipetteId": "pipette", "labwareId": "vials", "wellName": "B1", "wellLocation": BOTTOM}
        await robot.command(run, "aspirate", volume=100, flowRate=92.86, **where)
        assert robot.truth["tips"]["right"]["contents"] == {"3/B1": 100.0}

    async def test_flow_rate(self, robot: Bench) -> None:
        """It has none."""
        run = await robot.equipped()
        where = {"pipetteId": "pipette", "labwareId": "vials", "wellName": "B1"}
        told = await robot.command(run, "aspirate", volume=100, **where)
        assert told.status == 422
        assert "flowRate" in told.body["errors"][0]["detail"]


async def test_5_waiting_for_a_queued_command(robot: Bench) -> None:
    """It never comes on an idle run; with a time it is told as queued."""
    run = await robot.run()
    asked = {"commandType": "home", "params": {}, "intent": "protocol"}
    told = await robot.post(f"/runs/{run}/commands", asked, waitUntilComplete="true", timeout="50")
    assert (told.status, told.data["status"]) == (201, "queued")
    for_ever = asyncio.create_task(robot.post(f"/runs/{run}/commands", asked, waitUntilComplete="true"))
    done, _ = await asyncio.wait([for_ever], timeout=0.1)
    assert not done
    for_ever.cancel()


class TestChecks:
    """6: what the engine checks comes as 201 with a failed command, and the rest is not checked."""

    async def failed(self, robot: Bench, run: str, kind: str, **params: object) -> tuple[str, str]:
        """The error of a command that is taken and fails."""
        told = await robot.command(run, kind, **params)
        assert (told.status, told.data["status"]) == (201, "failed")
        return told.data["error"]["errorType"], told.data["error"]["errorCode"]

    async def test_checked(self, robot: Bench) -> None:
        """Tips, volumes, wells."""
        run = await robot.equipped()
        vial = {"pipetteId": "pipette", "labwareId": "vials", "wellName": "B1", "wellLocation": BOTTOM}
        tip = {"pipetteId": "pipette", "labwareId": "tips", "wellName": "B1"}
        flow = {"flowRate": 92.86}
        assert await self.failed(robot, run, "aspirate", volume=10, **flow, **vial) == (
            "TipNotAttachedError",
            "3005",
        )
        await robot.command(run, "pickUpTip", **tip)
        assert await self.failed(robot, run, "pickUpTip", **tip) == ("UnexpectedTipAttachError", "3012")
        assert (await self.failed(robot, run, "dispense", volume=10, **flow, **vial))[0] == (
            "InvalidDispenseVolumeError"
        )
        assert (await self.failed(robot, run, "moveToWell", **{**vial, "wellName": "Z9"}))[0] == (
            "WellDoesNotExistError"
        )
        told = await robot.command(run, "aspirate", volume=301, **flow, **vial)
        assert told.data["error"]["errorType"] == "InvalidAspirateVolumeError"
        assert told.data["error"]["errorInfo"]["available_volume"] == 300

    async def test_not_checked(self, robot: Bench) -> None:
        """No tip to drop, a used tip, an empty vial, a microlitre with a P300."""
        run = await robot.equipped()
        tip = {"pipetteId": "pipette", "labwareId": "tips", "wellName": "B1"}
        robot.robot.truth.wells["3/B1"] = {}
        vial = {"pipetteId": "pipette", "labwareId": "vials", "wellName": "B1", "wellLocation": BOTTOM}
        for kind, params in (
            ("dropTip", tip),
            ("pickUpTip", tip),
            ("dropTip", tip),
            ("pickUpTip", tip),
            ("aspirate", {**vial, "volume": 1, "flowRate": 92.86}),
        ):
            told = await robot.command(run, kind, **params)
            assert told.data["status"] == "succeeded", (kind, told)
        assert robot.truth["tips"]["right"]["contents"] == {"air": 1.0}
        assert robot.truth["picked"]["9/B1"] == 2

    async def test_unknown(self, robot: Bench) -> None:
        """422, listing all."""
        run = await robot.run()
        told = await robot.command(run, "makeCoffee")
        assert (told.status, told.error) == (422, "InvalidRequest")
        assert "'moveToWell'" in told.body["errors"][0]["detail"]


async def test_7_setup_after_start_and_fixit(robot: Bench) -> None:
    """409, and 500 where one would expect 409."""
    run = await robot.run("measure")
    assert (await robot.command(run, "home", "fixit")).status == 500
    await robot.act(run, "play")
    told = await robot.command(run, "home")
    assert (told.status, told.error) == (409, "SetupCommandNotAllowed")


class TestGhost:
    """8: a value that does not fit makes a 500 and a ghost; the next one fails too, the third works."""

    async def test_out_of_range_and_unknown(self, robot: Bench) -> None:
        """Both are the same."""
        protocol_id = await robot.analysed(protocol())
        for values in ({"R": 301.0}, {"G": 1.0}):
            asked = {"protocolId": protocol_id, "runTimeParameterValues": values}
            first = await robot.post("/runs", asked)
            assert (first.status, first.error) == (500, "UnexpectedError")
            told = (await robot.get("/runs")).body
            ghost = told["links"]["current"]["href"]
            assert ghost.removeprefix("/runs/") not in [each["id"] for each in told["data"]]
            assert (await robot.get(ghost)).error == "RunNotFound"
            good = {"protocolId": protocol_id, "runTimeParameterValues": VALUES}
            second = await robot.post("/runs", good)
            assert second.status == 500
            assert "not found" in second.body["errors"][0]["detail"]
            assert (await robot.post("/runs", good)).status == 201


async def test_9_the_whole_experiment_in_one_run(robot: Bench) -> None:
    """Upload once, run many: mix, sensor over the well, resume, sensor back."""
    protocol_id = await robot.analysed(protocol("mix_and_measure"))
    for well in ("B2", "C2"):
        asked = {"protocolId": protocol_id, "runTimeParameterValues": {**VALUES, "well": well}}
        run = (await robot.post("/runs", asked)).data["id"]
        await robot.act(run, "play")
        await robot.reaches(run, "paused")
        assert robot.truth["sensor"] == "held"
        assert robot.truth["place"] == f"1/{well}"
        await robot.act(run, "play")
        assert await robot.reaches(run, "succeeded", "failed") == "succeeded"
        assert robot.truth["sensor"] == "parked"
        assert robot.truth["wells"][f"1/{well}"] == {"3/B1": 100.0, "3/B2": 50.0, "3/B3": 80.0}
        told = (await robot.get(f"/runs/{run}/commands", pageLength="3")).body
        assert told["meta"]["totalLength"] == 25
        assert told["links"]["current"]["meta"]["index"] == 24
        assert [each["commandType"] for each in told["data"]][-1] == "dropTip"
        assert len(told["data"]) == 3
    assert robot.truth["away"] == []
    assert robot.truth["picked"] == {"9/B1": 2, "9/B2": 2, "9/B3": 2, "10/A2": 2}


class TestKept:
    """10: at most 20 runs, and 5 protocols that no run uses."""

    async def test_runs(self, robot: Bench) -> None:
        """The oldest goes."""
        made = [await robot.run() for _ in range(23)]
        told = (await robot.get("/runs")).body
        assert [each["id"] for each in told["data"]] == made[-20:]
        assert (await robot.get(f"/runs/{made[0]}")).status == 404
        assert [each["id"] for each in (await robot.get("/runs", pageLength="2")).data] == made[-2:]

    async def test_protocols(self, robot: Bench) -> None:
        """One that a run uses stays."""
        used = await robot.analysed(protocol(note="used"))
        await robot.post("/runs", {"protocolId": used})
        made = [await robot.analysed(protocol(note=str(number))) for number in range(7)]
        told = (await robot.get("/protocols")).data
        assert [each["id"] for each in told] == [used, *made[-5:]]


class TestSparseRack:
    """11: the two places of the sensor's port are taken by 8.1, and not by 8.5.1 and later."""

    async def test_old(self, robot: Bench) -> None:
        """Works."""
        run = await robot.equipped()
        told = await robot.command(run, "pickUpTip", pipetteId="pipette", labwareId="sensor", wellName="A2")
        assert told.data["status"] == "succeeded"

    async def test_new(self) -> None:
        """Refused, also by the analysis."""
        async with bench(software="8.5.1") as newer:
            run = await newer.equipped()
            told = await newer.command(
                run, "pickUpTip", pipetteId="pipette", labwareId="sensor", wellName="A2"
            )
            assert "less dense than SBS 96" in told.data["error"]["detail"]
            protocol_id = await newer.analysed(protocol("measure"))
            done = newer.robot.protocols.get(protocol_id).analyses[-1].done
            assert done
            assert done.result == "not-ok"
