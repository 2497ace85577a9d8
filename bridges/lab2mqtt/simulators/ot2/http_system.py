"""Routes of the server itself: health, settings, logs, time, network, restart."""

import asyncio
from datetime import datetime
from typing import Any

from aiohttp import web

from lab2mqtt.simulators.ot2.answers import ApiError, data, record
from lab2mqtt.simulators.ot2.failure import InvalidParameters
from lab2mqtt.simulators.ot2.robot import SETTINGS, Robot

_ANSWERED = 0.05  # s until the answer is out
_LOGS = ("api.log", "server.log", "serial.log", "combined_api_server.log", "update_server.log")


class SystemRoutes:
    """``/health`` and the like."""

    def __init__(self, robot: Robot) -> None:
        self._robot = robot

    def table(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.get("/health", self.health),
            web.get("/settings", self.settings),
            web.post("/settings", self.set_setting),
            web.post("/settings/reset", self.reset),
            web.get("/logs/{name}", self.log),
            web.get("/system/time", self.time),
            web.put("/system/time", self.set_time),
            web.get("/networking/status", self.network),
            web.get("/wifi/list", self.wifi),
            web.get("/errorRecovery/settings", self.recovery),
            web.patch("/errorRecovery/settings", self.set_recovery),
            web.post("/server/restart", self.restart),
            web.get("/server/name", self.name),
            web.post("/server/name", self.set_name),
        ]

    async def health(self, _request: web.Request) -> web.Response:
        """``GET /health``."""
        robot = self._robot
        return web.json_response({
            "name": robot.name,
            "robot_model": "OT-2 Standard",
            "robot_serial": robot.serial,
            "api_version": robot.software,
            "fw_version": "Virtual Smoothie",
            "system_version": f"v{robot.software}",
            "board_revision": "2.1",
            "maximum_protocol_api_version": [2, 20],
            "minimum_protocol_api_version": [2, 0],
            "logs": [f"/logs/{name}" for name in _LOGS],
            "links": {
                "apiLog": "/logs/api.log",
                "serialLog": "/logs/serial.log",
                "serverLog": "/logs/server.log",
                "apiSpec": "/openapi.json",
                "systemTime": "/system/time",
            },
            # No robot has this one.
            "simulator": {"engine": robot.engine.words, "real_engine": robot.engine.real},
        })  # fmt: skip

    async def settings(self, _request: web.Request) -> web.Response:
        """``GET /settings``."""
        told = [
            {
                "id": name,
                "old_id": None,
                "title": title,
                "description": title,
                "restart_required": False,
                "value": self._robot.settings[name] or None,
            }
            for name, title in SETTINGS.items()
        ]
        return web.json_response({"settings": told, "links": {}})

    async def set_setting(self, request: web.Request) -> web.Response:
        """``POST /settings``."""
        asked = await request.json()
        if asked.get("id") not in SETTINGS:
            return web.json_response(
                {"message": f"{asked.get('id')} is not recognized", "errorCode": "4000"}, status=400
            )
        self._robot.settings[asked["id"]] = bool(asked.get("value"))
        return await self.settings(request)

    async def reset(self, request: web.Request) -> web.Response:
        """``POST /settings/reset``."""
        asked: dict[str, Any] = await request.json()
        if asked.get("runsHistory"):
            for run in list(self._robot.runs):
                if not run.active:
                    await self._robot.runs.delete(run.run_id)
        return web.json_response({"message": "Options reset"})

    async def log(self, request: web.Request) -> web.Response:
        """``GET /logs/{name}``: what moved, as a log would tell it."""
        if request.match_info["name"] not in _LOGS:
            raise ApiError(404, "LogNotFound", "Log Not Found", f"No log {request.match_info['name']}.")
        records = int(request.query.get("records", 500))
        journal = list(self._robot.truth.journal)[-records:]
        if request.query.get("format") == "json":
            return web.json_response([{"MESSAGE": f"{each['at']} {each['what']}"} for each in journal])
        return web.Response(text="\n".join(f"{each['at']:.3f} {each['what']}" for each in journal))

    async def time(self, _request: web.Request) -> web.Response:
        """``GET /system/time``."""
        return data({"id": "time", "systemTime": self._robot.clock.stamp()})

    async def set_time(self, request: web.Request) -> web.Response:
        """``PUT /system/time``."""
        clock = self._robot.clock
        try:
            wanted = datetime.fromisoformat(str((await record(request))["systemTime"]))
            clock.ahead += wanted - clock.calendar()
        except (KeyError, ValueError, TypeError):
            raise InvalidParameters({"body.data.systemTime": "invalid datetime format"}) from None
        return await self.time(request)

    async def network(self, _request: web.Request) -> web.Response:
        """``GET /networking/status``."""
        wired = {"ipAddress": "127.0.0.1/8", "macAddress": "00:00:00:00:00:00", "gatewayAddress": None}
        told = {"eth0": {**wired, "state": "connected", "type": "ethernet"}}
        return web.json_response({"status": "full", "interfaces": told})

    async def wifi(self, _request: web.Request) -> web.Response:
        """``GET /wifi/list``."""
        return web.json_response({"list": []})

    async def recovery(self, _request: web.Request) -> web.Response:
        """``GET /errorRecovery/settings``."""
        return data({"enabled": self._robot.recovery_enabled})

    async def set_recovery(self, request: web.Request) -> web.Response:
        """``PATCH /errorRecovery/settings``."""
        self._robot.recovery_enabled = bool((await record(request)).get("enabled", True))
        return await self.recovery(request)

    async def restart(self, _request: web.Request) -> web.Response:
        """``POST /server/restart``."""
        asyncio.get_running_loop().call_later(_ANSWERED, self._robot.reboot)
        return web.json_response({"message": "Restarting in 1s"})

    async def name(self, _request: web.Request) -> web.Response:
        """``GET /server/name``."""
        return web.json_response({"name": self._robot.name})

    async def set_name(self, request: web.Request) -> web.Response:
        """``POST /server/name``."""
        name = (await request.json()).get("name")
        if not isinstance(name, str) or not name:
            raise InvalidParameters({"body.name": "field required"})
        self._robot.name = name
        return web.json_response({"name": name})
