"""The robot's HTTP server: a port that is open while the robot has power."""

import asyncio
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from lab2mqtt.simulators.ot2.answers import rules
from lab2mqtt.simulators.ot2.hints import Hints
from lab2mqtt.simulators.ot2.http_protocols import ProtocolRoutes
from lab2mqtt.simulators.ot2.http_robot import BodyRoutes
from lab2mqtt.simulators.ot2.http_runs import RunRoutes
from lab2mqtt.simulators.ot2.http_system import SystemRoutes
from lab2mqtt.simulators.ot2.robot import Robot

HOST: Final = "127.0.0.1"
_CUT = 0.01  # s; 0 would wait for ever
_LARGEST = 32 * 2**20  # bytes of an upload


class Server:
    """Serves one robot on loopback, as a context.

    Attributes:
        port: Where; the one that was found where 0 was asked for.
    """

    def __init__(self, robot: Robot, port: int = 0, hints: str | None = None) -> None:
        """Prepare.

        Args:
            robot: What answers.
            port: Where; 0 finds a free one.
            hints: ``mqtt://…`` of the broker for hints; None publishes none.
        """
        self.robot, self.port = robot, port
        self._hints_at = hints
        self._hints: Hints | None = None
        self._site: web.TCPSite | None = None
        self._runner: web.AppRunner | None = None
        self._changing = asyncio.Lock()
        self._changes: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"

    async def __aenter__(self) -> Self:
        """Begin; the port is open where the robot is on."""
        robot = self.robot
        app = web.Application(middlewares=[rules(robot)], client_max_size=_LARGEST)
        for routes in (SystemRoutes(robot), BodyRoutes(robot), ProtocolRoutes(robot), RunRoutes(robot)):
            app.add_routes(routes.table())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CUT)
        await self._runner.setup()
        if self._hints_at:
            self._hints = Hints(self._hints_at)
            robot.hint = self._hints.tell
        robot.powered = self._powered
        await self._open()  # finds the port, also of a robot that is off
        await self._follow()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all of it."""
        self.robot.powered = lambda: None
        await self.robot.close()
        await asyncio.gather(*self._changes)
        if self._runner:
            await self._runner.cleanup()
        if self._hints:
            self._hints.close()

    def _powered(self) -> None:
        task = asyncio.create_task(self._follow())
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)

    async def _follow(self) -> None:
        """Open or close the port, as the power is."""
        async with self._changing:
            if self.robot.is_on and self._site is None:
                await self._open()
            elif not self.robot.is_on and self._site:
                site, self._site = self._site, None
                await site.stop()
                if self._runner and self._runner.server:
                    await self._runner.server.shutdown(_CUT)  # the connections that are open, too

    async def _open(self) -> None:
        assert self._runner  # noqa: S101 - for the type checker
        self._site = web.TCPSite(self._runner, HOST, self.port, reuse_address=True)
        await self._site.start()
        self.port = int(self._runner.addresses[0][1])
