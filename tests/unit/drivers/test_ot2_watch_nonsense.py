"""A watched robot that answers nonsense, or nothing to one question."""

import asyncio
from collections.abc import AsyncIterator
import contextlib

from aiohttp import web
import pytest

from lab2mqtt.drivers.ot2.http import RobotServer
from lab2mqtt.drivers.ot2.runs import Runs
from lab2mqtt.drivers.ot2.watch import Watch


class Strange:
    """A server that takes itself for a robot: what it says can be chosen for each path.

    Attributes:
        silent: The paths where it says nothing.
    """

    def __init__(self) -> None:
        self.silent: set[str] = set()
        self.says: object = [1]

    async def answer(self, request: web.Request) -> web.Response:
        """Anything but its health makes no sense."""
        if request.path in self.silent:
            await asyncio.Event().wait()
        health = {"name": "strange", "api_version": "8.1.0"}
        told = health if request.path == "/health" else self.says
        versions = {"Opentrons-Version": "4", "Opentrons-Min-Version": "2"}
        return web.json_response(told, headers=versions)


@contextlib.asynccontextmanager
async def strange(patience: float = 5.0) -> AsyncIterator[tuple[Strange, Watch]]:
    """A strange robot that is watched."""
    robot, app = Strange(), web.Application()
    app.router.add_route("*", "/{path:.*}", robot.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with RobotServer("127.0.0.1", runner.addresses[0][1], patience=patience) as server:
            yield robot, Watch(server, Runs(server), 0)
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "says", [[1], {}, {"data": None}, {"data": [1], "links": 1}, {"data": {"status": 1}}, None, "no", 5]
)
async def test_every_route(says: object) -> None:
    """All is unknown but its health, and told; nothing fails."""
    async with strange() as (robot, watch):
        robot.says = says
        await watch.look()
        seen = watch.seen
        assert seen.health
        assert seen.lost is None
        assert (seen.door, seen.lights, seen.instruments, seen.calibration) == (None, None, None, None)
        told = {problem.split()[0] for problem in seen.problems}
        assert told >= {"door", "lights", "modules", "instruments", "calibration"}


async def test_silent_once() -> None:
    """One route that says nothing is no reason to give up the rest."""
    async with strange(0.1) as (robot, watch):
        robot.silent = {"/robot/lights"}
        await watch.look()
        assert (watch.seen.lost, watch.seen.lights) == (None, None)
        assert watch.seen.health
