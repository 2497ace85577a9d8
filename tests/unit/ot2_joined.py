"""A simulated OT-2 and our client of it, opened."""

from collections.abc import AsyncIterator
import contextlib

from tests.unit.ot2_bench import Bench, bench, protocol

from lab2mqtt.drivers.ot2.http import RobotServer
from lab2mqtt.drivers.ot2.protocols import Protocols
from lab2mqtt.drivers.ot2.runs import Runs


class Joined:
    """A robot and our client of it."""

    def __init__(self, robot: Bench, server: RobotServer) -> None:
        self.bench, self.robot, self.server = robot, robot.robot, server
        self.protocols, self.runs = Protocols(server), Runs(server)

    async def uploaded(self, cell: str = "mix_color") -> str:
        """A protocol of the cell, analysed; gives its id."""
        upload = await self.protocols.upload({"cell.py": protocol(cell).encode()})
        assert (await self.protocols.analysis(upload.protocol_id, upload.analysis_id)).result == "ok"
        return upload.protocol_id

    async def ended(self, run_id: str) -> str:
        """Wait for a run; gives how it ended."""
        async for state, _ in self.runs.follow(run_id, every=0.01):
            if state and state.ended:
                return state.status
        raise AssertionError


@contextlib.asynccontextmanager
async def joined(serial: str | None = None, patience: float = 5.0) -> AsyncIterator[Joined]:
    """A robot, and a client that was opened."""
    async with bench() as robot, RobotServer("127.0.0.1", robot.server.port, serial, patience) as server:
        yield Joined(robot, server)
