"""Routes of the robot's body: motion, lights, door, instruments, modules, calibration, camera."""

from typing import Any

from aiohttp import web

from lab2mqtt.simulators.ot2.answers import ApiError, data, listed
from lab2mqtt.simulators.ot2.failure import InvalidParameters
from lab2mqtt.simulators.ot2.labware import Point
from lab2mqtt.simulators.ot2.machine import MustHome, asked_by
from lab2mqtt.simulators.ot2.picture import deck_picture
from lab2mqtt.simulators.ot2.robot import Robot
from lab2mqtt.simulators.ot2.session import Pipette

_AXES = ("x", "y", "z_l", "z_r", "p_l", "p_r")
_MOUNTS = ("left", "right")
_PICTURE = 1.5  # s


class BodyRoutes:
    """What is older than runs, mostly, and plain objects."""

    def __init__(self, robot: Robot) -> None:
        self._robot = robot

    def table(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.post("/identify", self.identify),
            web.get("/robot/lights", self.lights),
            web.post("/robot/lights", self.set_lights),
            web.post("/robot/home", self.home),
            web.get("/robot/positions", self.positions),
            web.post("/robot/move", self.move),
            web.get("/robot/door/status", self.door),
            web.get("/robot/control/estopStatus", self.no_estop),
            web.put("/robot/control/acknowledgeEstopDisengage", self.no_estop),
            web.get("/motors/engaged", self.engaged),
            web.post("/motors/disengage", self.disengage),
            web.get("/instruments", self.instruments),
            web.get("/pipettes", self.pipettes),
            web.get("/modules", self.modules),
            web.get("/deck_configuration", self.deck),
            web.get("/calibration/status", self.calibration),
            web.get("/calibration/pipette_offset", self.no_calibrations),
            web.get("/calibration/tip_length", self.no_calibrations),
            web.post("/camera/picture", self.picture),
        ]

    async def identify(self, request: web.Request) -> web.Response:
        """``POST /identify``: blinks, and answers at once."""
        try:
            seconds = int(request.query["seconds"])
        except (KeyError, ValueError):
            raise InvalidParameters({"query.seconds": "field required"}) from None
        self._robot.blinks_until = self._robot.clock.seconds() + seconds
        return web.json_response({"message": "identifying"})

    async def lights(self, _request: web.Request) -> web.Response:
        """``GET /robot/lights``."""
        return web.json_response({"on": self._robot.truth.lights})

    async def set_lights(self, request: web.Request) -> web.Response:
        """``POST /robot/lights``."""
        on = (await self._plain(request)).get("on")
        if not isinstance(on, bool):
            raise InvalidParameters({"body.on": "field required"})
        self._robot.truth.lights = on
        return await self.lights(request)

    async def home(self, request: web.Request) -> web.Response:
        """``POST /robot/home``: also while a run is active."""
        asked = await self._plain(request)
        target, mount = asked.get("target"), asked.get("mount")
        if target not in ("robot", "pipette"):
            raise InvalidParameters({"body.target": "value is not a valid enumeration member"})
        if target == "pipette" and mount not in _MOUNTS:
            return web.json_response({"message": "Mount not specified for pipette home"}, status=400)
        axes = None if target == "robot" else (f"{mount}Z", f"{mount}Plunger")
        await self._alone(self._robot.machine.home(axes))
        words = "Homing robot." if target == "robot" else f"Homing pipette on {mount}"
        return web.json_response({"message": words})

    async def positions(self, _request: web.Request) -> web.Response:
        """``GET /robot/positions``, deprecated: where ``/robot/move`` can go."""
        change = {"target": "mount", "left": [300, 40, 30], "right": [95, 40, 30]}
        attach = {"target": "pipette", "point": [200, 90, 150]}
        return web.json_response({"positions": {"change_pipette": change, "attach_tip": attach}})

    async def move(self, request: web.Request) -> web.Response:
        """``POST /robot/move``, deprecated."""
        asked = await self._plain(request)
        try:
            to = Point(*(float(value) for value in asked["point"]))
            mount = str(asked["mount"])
        except (KeyError, TypeError, ValueError):
            raise InvalidParameters({"body.point": "field required"}) from None
        try:
            await self._alone(self._robot.machine.move(mount, to, "nowhere"))
        except MustHome:
            return web.json_response({"message": "Must home before moving", "errorCode": "4000"}, status=500)
        return web.json_response({"message": f"Move complete. New position: {tuple(to)}"})

    async def door(self, _request: web.Request) -> web.Response:
        """``GET /robot/door/status``."""
        status = "open" if self._robot.door_open else "closed"
        return data({"status": status, "doorRequiredClosedForProtocol": self._robot.door_matters})

    async def no_estop(self, _request: web.Request) -> web.Response:
        """An OT-2 has no emergency stop in software."""
        raise ApiError(
            403,
            "NotSupportedOnOT2",
            "Not Supported On OT-2",
            "This endpoint is only supported on the Opentrons Flex.",
        )

    async def engaged(self, _request: web.Request) -> web.Response:
        """``GET /motors/engaged``."""
        return web.json_response({axis: {"enabled": self._robot.truth.engaged} for axis in _AXES})

    async def disengage(self, request: web.Request) -> web.Response:
        """``POST /motors/disengage``: the position is lost."""
        axes = [str(axis).lower() for axis in (await self._plain(request)).get("axes", ())]
        if not axes or set(axes) - set(_AXES):
            raise InvalidParameters({"body.axes": "value is not a valid enumeration member"})
        self._robot.machine.disengage(axes)
        return web.json_response({"message": f"Disengaged axes: {', '.join(axes)}"})

    async def instruments(self, _request: web.Request) -> web.Response:
        """``GET /instruments``."""
        return listed([
            {
                "mount": mount,
                "instrumentType": "pipette",
                "instrumentName": pipette.name,
                "instrumentModel": pipette.model,
                "serialNumber": _serial(mount, pipette),
                "ok": True,
                "data": {
                    "channels": pipette.channels,
                    "min_volume": pipette.least,
                    "max_volume": pipette.most,
                    "calibratedOffset": None,
                },
            }
            for mount, pipette in self._robot.mounts.items()
        ])  # fmt: skip

    async def pipettes(self, _request: web.Request) -> web.Response:
        """``GET /pipettes``, the older form."""
        told = {}
        for mount, letter in (("left", "z"), ("right", "a")):
            pipette = self._robot.mounts.get(mount)
            told[mount] = {
                "mount_axis": letter,
                "plunger_axis": "b" if mount == "left" else "c",
                "name": pipette and pipette.name,
                "model": pipette and pipette.model,
                "id": pipette and _serial(mount, pipette),
            }
        return web.json_response(told)

    async def modules(self, _request: web.Request) -> web.Response:
        """``GET /modules``."""
        there = [module for module in self._robot.modules if module.plugged]
        return listed([module.told(port) for port, module in enumerate(there, 1)])

    async def deck(self, _request: web.Request) -> web.Response:
        """``GET /deck_configuration``."""
        fixtures = [
            {"cutoutId": f"cutout{slot}", "cutoutFixtureId": "singleStandardSlot"} for slot in range(1, 12)
        ]
        fixtures.append({"cutoutId": "cutout12", "cutoutFixtureId": "fixedTrashSlot"})
        return data({"cutoutFixtures": fixtures})

    async def calibration(self, _request: web.Request) -> web.Response:
        """``GET /calibration/status``."""
        identity = [[1.0 if row == column else 0.0 for column in range(4)] for row in range(4)]
        nothing: dict[str, Any] = {mount: {"single": [0, 0, 0], "multi": [0, 0, 0]} for mount in _MOUNTS}
        deck = {"status": "IDENTITY", "data": {"type": "attitude", "matrix": identity}}
        return web.json_response({"deckCalibration": deck, "instrumentCalibration": nothing})

    async def no_calibrations(self, _request: web.Request) -> web.Response:
        """``GET /calibration/pipette_offset`` and ``tip_length``."""
        return listed([])

    async def picture(self, _request: web.Request) -> web.Response:
        """``POST /camera/picture``."""
        await self._robot.clock.sleep(_PICTURE)
        if "no_camera" in self._robot.faults:
            return web.json_response(
                {"message": "Camera /dev/video0 not found", "errorCode": "4000"}, status=500
            )
        return web.Response(body=deck_picture(self._robot.truth), content_type="image/jpg")

    # Parts.

    async def _plain(self, request: web.Request) -> dict[str, Any]:
        try:
            found = await request.json()
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found
        raise InvalidParameters({"body": "value is not valid JSON"})

    async def _alone(self, motion: Any) -> None:  # noqa: ANN401 - a coroutine
        """Move, unless another of these requests does: 403."""
        lock = self._robot.legacy_motion
        if lock.locked():
            motion.close()
            raise ApiError(403, "LegacyMotion", "Forbidden", "Another motion is in progress.")
        async with lock:
            with asked_by("legacy"):
                await motion


def _serial(mount: str, pipette: Pipette) -> str:
    return f"SIM{pipette.name.upper().replace('_', '')}{mount.upper()}"
