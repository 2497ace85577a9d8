"""The routes that a bridge needs, their shapes, and the rules that hold for all of them."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.ot2_bench import Bench, bench, until


class TestVersion:
    """The header ``Opentrons-Version``."""

    async def test_missing(self, robot: Bench) -> None:
        """The older shape, whatever the route."""
        told = await robot.ask("GET", "/runs", version=None)
        assert told.status == 422
        assert told.body.keys() == {"message", "errorCode"}

    async def test_too_old(self, robot: Bench) -> None:
        """Refused."""
        told = await robot.ask("GET", "/health", version="1")
        assert (told.status, told.error) == (400, "OutdatedAPIVersion")

    @pytest.mark.parametrize(("asked", "told"), [("2", "2"), ("4", "4"), ("9", "4"), ("*", "4")])
    async def test_told(self, robot: Bench, asked: str, told: str) -> None:
        """The one in use, and the oldest."""
        answer = await robot.ask("GET", "/health", version=asked)
        assert answer.headers["Opentrons-Version"] == told
        assert answer.headers["Opentrons-Min-Version"] == "2"


class TestErrors:
    """Shapes of errors."""

    async def test_newer_routes(self, robot: Bench) -> None:
        """A list."""
        told = await robot.get("/runs/none")
        assert told.status == 404
        assert told.body["errors"][0].keys() == {"id", "title", "detail", "errorCode"}

    async def test_older_routes(self, robot: Bench) -> None:
        """A message."""
        told = await robot.ask("POST", "/robot/home", {"target": "moon"})
        assert told.status == 422
        assert told.body.keys() == {"message", "errorCode"}

    @pytest.mark.parametrize("path", ["/runs", "/clientData/key"])
    async def test_no_data(self, robot: Bench, path: str) -> None:
        """A body without ``data``."""
        told = await robot.ask("POST" if path == "/runs" else "PUT", path, {"protocolId": "x"})
        assert (told.status, told.error) == (422, "InvalidRequest")

    async def test_no_such_route(self, robot: Bench) -> None:
        """404."""
        assert (await robot.get("/coffee")).error == "BadRequest"


class TestHealth:
    """``GET /health``."""

    async def test_told(self, robot: Bench) -> None:
        """Identity and versions; and that nothing of it is real."""
        told = (await robot.get("/health")).body
        assert told["robot_model"] == "OT-2 Standard"
        assert told["robot_serial"] == "SIM-OT2-1"
        assert told["api_version"] == "8.1.0"
        assert told["simulator"]["real_engine"] is False
        assert "not the real opentrons engine" in told["simulator"]["engine"]


class TestBody:
    """What moves, shines and is attached."""

    async def test_lights_and_identify(self, robot: Bench) -> None:
        """Set and told."""
        assert (await robot.get("/robot/lights")).body == {"on": False}
        assert (await robot.ask("POST", "/robot/lights", {"on": True})).body == {"on": True}
        assert robot.truth["lights"] is True
        assert (await robot.ask("POST", "/identify", seconds="60")).body == {"message": "identifying"}
        assert robot.robot.blinks_until > robot.robot.clock.seconds()
        assert (await robot.ask("POST", "/identify")).status == 422

    async def test_disengage(self, robot: Bench) -> None:
        """The position is lost; moving needs homing."""
        run = await robot.equipped()
        assert (await robot.ask("POST", "/motors/disengage", {"axes": ["x", "y"]})).status == 200
        assert robot.truth["position"] is None
        where = {"pipetteId": "pipette", "labwareId": "plate", "wellName": "A1"}
        told = await robot.command(run, "moveToWell", **where)
        assert told.data["error"]["errorType"] == "MustHomeError"
        await robot.command(run, "home")
        assert (await robot.command(run, "moveToWell", **where)).data["status"] == "succeeded"

    async def test_no_estop(self, robot: Bench) -> None:
        """An OT-2 has none in software."""
        told = await robot.get("/robot/control/estopStatus")
        assert (told.status, told.error) == (403, "NotSupportedOnOT2")

    async def test_legacy_homing_during_a_run(self, robot: Bench) -> None:
        """Is accepted, and moves; a second one meanwhile is not."""
        run = await robot.run("mix_color")
        await robot.act(run, "play")
        await until(lambda: "right" in robot.robot.truth.tips)
        assert (await robot.ask("POST", "/robot/home", {"target": "robot"})).status == 200
        assert "legacy" in [each["by"] for each in robot.moved("home")]
        async with robot.robot.legacy_motion:
            assert (await robot.ask("POST", "/robot/home", {"target": "robot"})).status == 403

    async def test_instruments(self, robot: Bench) -> None:
        """The pipette with its volumes."""
        (told,) = (await robot.get("/instruments")).data
        assert (told["mount"], told["instrumentName"]) == ("right", "p300_single_gen2")
        assert told["data"]["min_volume"] == 20
        older = (await robot.get("/pipettes")).body
        assert older["left"]["name"] is None
        assert older["right"]["id"] == told["serialNumber"]

    async def test_picture(self, robot: Bench) -> None:
        """A JPEG of 640 by 480 that shows what is in the wells."""
        empty = await robot.ask("POST", "/camera/picture")
        assert empty.headers["Content-Type"] == "image/jpg"
        assert empty.body.startswith(b"\xff\xd8\xff")
        assert empty.body.endswith(b"\xff\xd9")
        assert b"\x08\x01\xe0\x02\x80\x03" in empty.body
        robot.robot.truth.pour("1/B2", {"3/B1": 100.0})
        assert (await robot.ask("POST", "/camera/picture")).body != empty.body

    @pytest.mark.parametrize(
        "path", ["/calibration/status", "/calibration/pipette_offset", "/calibration/tip_length"]
    )
    async def test_calibration(self, robot: Bench, path: str) -> None:
        """Is there."""
        assert (await robot.get(path)).status == 200

    async def test_deck(self, robot: Bench) -> None:
        """Single slots and the trash."""
        told = (await robot.get("/deck_configuration")).data["cutoutFixtures"]
        assert len(told) == 12


class TestServer:
    """Settings, logs, time, names, what clients store."""

    async def test_settings(self, robot: Bench) -> None:
        """Off until set; unknown ones are refused."""
        told = await robot.ask("POST", "/settings", {"id": "disableHomeOnBoot", "value": True})
        values = {each["id"]: each["value"] for each in told.body["settings"]}
        assert values["disableHomeOnBoot"] is True
        assert values["enableDoorSafetySwitch"] is None
        assert (await robot.ask("POST", "/settings", {"id": "coffee", "value": True})).status == 400

    async def test_logs(self, robot: Bench) -> None:
        """As text, and as records."""
        await robot.ask("POST", "/robot/home", {"target": "robot"})
        assert b"home" in (await robot.get("/logs/api.log")).body
        assert (await robot.get("/logs/api.log", format="json", records="1")).body[0]["MESSAGE"]
        assert (await robot.get("/logs/coffee.log")).status == 404

    async def test_time(self, robot: Bench) -> None:
        """Can be set."""
        wanted = datetime.now(UTC) + timedelta(days=3)
        told = await robot.ask("PUT", "/system/time", {"data": {"systemTime": wanted.isoformat()}})
        assert abs(datetime.fromisoformat(told.data["systemTime"]) - wanted) < timedelta(seconds=5)
        assert (await robot.ask("PUT", "/system/time", {"data": {"systemTime": "noon"}})).status == 422

    async def test_client_data(self, robot: Bench) -> None:
        """Any object under a key."""
        assert (await robot.get("/clientData/mark")).error == "ClientDataKeyDoesNotExist"
        await robot.ask("PUT", "/clientData/mark", {"data": {"owner": "us"}})
        assert (await robot.get("/clientData/mark")).data == {"owner": "us"}
        assert (await robot.ask("PUT", "/clientData/mark", {"data": "us"})).status == 422
        assert (await robot.ask("DELETE", "/clientData/mark")).status == 200
        assert (await robot.get("/clientData/mark")).status == 404

    async def test_name(self, robot: Bench) -> None:
        """Can be changed."""
        await robot.ask("POST", "/server/name", {"name": "otto"})
        assert (await robot.get("/health")).body["name"] == "otto"

    async def test_recovery(self, robot: Bench) -> None:
        """Can be set, and never happens."""
        await robot.ask("PATCH", "/errorRecovery/settings", {"data": {"enabled": False}})
        assert (await robot.get("/errorRecovery/settings")).data == {"enabled": False}


class TestRuns:
    """What is allowed when."""

    async def test_already_active(self, robot: Bench) -> None:
        """409 while a run is started and not over; it can be neither released nor deleted."""
        run = await robot.run("measure")
        await robot.act(run, "play")
        assert (await robot.post("/runs", {})).error == "RunAlreadyActive"
        told = await robot.ask("PATCH", f"/runs/{run}", {"data": {"current": False}})
        assert (told.status, told.error) == (409, "RunNotIdle")
        assert (await robot.ask("DELETE", f"/runs/{run}")).error == "RunNotIdle"
        assert (await robot.post("/commands", {"commandType": "home", "params": {}})).error == "RunActive"

    async def test_idle_is_replaced(self, robot: Bench) -> None:
        """Without a word."""
        first = await robot.run()
        second = await robot.run()
        assert (await robot.get(f"/runs/{first}")).data["current"] is False
        assert (await robot.status(first), await robot.status(second)) == ("stopped", "idle")
        told = await robot.act(first, "play")
        assert (told.status, told.error) == (409, "RunStopped")
        assert (await robot.get(f"/runs/{first}/currentState")).error == "RunStopped"
        assert (await robot.get(f"/runs/{first}/commandErrors")).status == 409

    async def test_actions(self, robot: Bench) -> None:
        """Play twice is fine, pause while idle is not, stop after the end is."""
        run = await robot.run("mix_color")
        assert (await robot.act(run, "pause")).error == "RunActionNotAllowed"
        assert (await robot.act(run, "play")).status == 201
        assert (await robot.act(run, "play")).status == 201
        assert (await robot.act(run, "resume-from-recovery")).status == 409
        assert (await robot.act(run, "dance")).status == 422
        await robot.reaches(run, "succeeded")
        assert (await robot.act(run, "stop")).status == 201
        assert (await robot.act(run, "play")).status == 409
        assert await robot.status(run) == "succeeded"

    async def test_release(self, robot: Bench) -> None:
        """After its end."""
        run = await robot.run("mix_color")
        await robot.act(run, "play")
        await robot.reaches(run, "succeeded")
        told = await robot.ask("PATCH", f"/runs/{run}", {"data": {"current": False}})
        assert told.data["current"] is False
        assert (await robot.get("/runs")).body["links"] == {}

    async def test_what_it_is_given(self, robot: Bench) -> None:
        """Labware, and offsets."""
        run = await robot.run()
        definition = {
            "namespace": "custom_beta",
            "version": 1,
            "metadata": {"displayName": "One"},
            "parameters": {"loadName": "one_well"},
            "wells": {"A1": {"x": 1, "y": 1, "z": 1, "depth": 1, "totalLiquidVolume": 1}},
        }
        told = await robot.post(f"/runs/{run}/labware_definitions", definition)
        assert told.data == {"definitionUri": "custom_beta/one_well/1"}
        assert (await robot.post(f"/runs/{run}/labware_definitions", {"version": 1})).status == 422
        offset = {"definitionUri": "custom_beta/one_well/1", "location": {"slotName": "1"}}
        await robot.post(f"/runs/{run}/labware_offsets", offset | {"vector": {"x": 0, "y": 0, "z": 1}})
        assert (await robot.get(f"/runs/{run}")).data["labwareOffsets"][0]["vector"]["z"] == 1

    async def test_pipette_that_is_not_there(self, robot: Bench) -> None:
        """A run notices; an analysis does not."""
        run = await robot.run()
        told = await robot.command(run, "loadPipette", pipetteName="p1000_single_gen2", mount="left")
        assert told.data["error"]["errorType"] == "FailedToLoadPipetteError"

    async def test_maintenance(self, robot: Bench) -> None:
        """Beside the others."""
        run = (await robot.post("/maintenance_runs", {})).data["id"]
        assert (await robot.post("/runs", {})).status == 201
        asked = {"commandType": "home", "params": {}}
        told = await robot.post(
            f"/maintenance_runs/{run}/commands", asked, waitUntilComplete="true", timeout="2000"
        )
        assert told.data["status"] == "succeeded"
        assert (await robot.get("/maintenance_runs/current_run")).data["id"] == run
        assert (await robot.ask("DELETE", f"/maintenance_runs/{run}")).status == 200
        assert (await robot.get("/maintenance_runs/current_run")).error == "NoCurrentRunFound"


class TestModules:
    """Modules and their commands."""

    async def test_each(self) -> None:
        """Does what it is told, and tells."""
        names = ["temperature", "magnetic", "heater_shaker", "thermocycler"]
        async with bench(modules=names, speed=2000.0) as robot:
            there = (await robot.get("/modules")).data
            assert [each["moduleType"].removesuffix("ModuleType") for each in there] == [
                "temperature",
                "magnetic",
                "heaterShaker",
                "thermocycler",
            ]
            temperature, magnet, shaker, cycler = (each["id"] for each in there)
            commands = (
                ("temperatureModule/setTargetTemperature", {"moduleId": temperature, "celsius": 4}),
                ("temperatureModule/waitForTemperature", {"moduleId": temperature}),
                ("magneticModule/engage", {"moduleId": magnet, "height": 7}),
                ("heaterShaker/closeLabwareLatch", {"moduleId": shaker}),
                ("heaterShaker/setAndWaitForShakeSpeed", {"moduleId": shaker, "rpm": 500}),
                ("thermocycler/closeLid", {"moduleId": cycler}),
                ("thermocycler/setTargetLidTemperature", {"moduleId": cycler, "celsius": 100}),
            )
            for kind, params in commands:
                told = await robot.post(
                    "/commands",
                    {"commandType": kind, "params": params},
                    waitUntilComplete="true",
                    timeout="2000",
                )
                assert told.data["status"] == "succeeded", told
            data = [each["data"] for each in (await robot.get("/modules")).data]
            assert data[0]["currentTemperature"] == pytest.approx(4, abs=0.5)
            assert data[0]["targetTemperature"] == 4
            assert (data[1]["engaged"], data[1]["height"]) == (True, 7)
            assert (data[2]["currentSpeed"], data[2]["labwareLatchStatus"]) == (500, "idle_closed")
            assert (data[3]["lidStatus"], data[3]["lidTargetTemperature"]) == ("closed", 100)

    @pytest.mark.parametrize(
        ("kind", "params", "error"),
        [
            ("temperatureModule/setTargetTemperature", {"celsius": 200}, "InvalidTargetTemperatureError"),
            ("temperatureModule/waitForTemperature", {}, "NoTargetTemperatureSetError"),
            ("magneticModule/engage", {"height": 5}, "WrongModuleTypeError"),
        ],
    )
    async def test_refused(self, robot: Bench, kind: str, params: dict[str, object], error: str) -> None:
        """201, failed."""
        module = (await robot.get("/modules")).data[0]["id"]
        asked = {"commandType": kind, "params": {"moduleId": module, **params}}
        told = await robot.post("/commands", asked, waitUntilComplete="true", timeout="2000")
        assert told.data["error"]["errorType"] == error
