"""Runs on the robot, and commands in them.

A run is checked by an analysis before it is made, because a value that does not fit makes the real server
answer 500 and keep a ghost of a run, which has to be driven out.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
import time
from typing import Any, Final

from lab2mqtt.core.errors import Fault, Garbled, Refused, Unreachable
from lab2mqtt.drivers.ot2.answers import Analysis, RunState, Step, field
from lab2mqtt.drivers.ot2.errors import CommandFailed, NotFound, RobotFault
from lab2mqtt.drivers.ot2.http import RobotServer
from lab2mqtt.drivers.ot2.protocols import Protocols

_ACTIONS: Final = ("play", "pause", "stop")
_CREATE = 60.0  # s
_PAGE = 200  # commands
_SLICE = 20.0  # s that one question waits for a command
_MARGIN = 5.0  # s that an answer may take beyond that


class StillRunning(Fault):
    """A command was not done in time, and goes on.

    Attributes:
        command_id: Under which it can be looked at.
    """

    def __init__(self, kind: str, command_id: str, within: float) -> None:
        super().__init__(f"{kind} is not done after {within:g} s, and goes on")
        self.command_id = command_id


def maintained(run_id: str) -> str:
    """In words that, and how long, a robot is somebody else's."""
    return (
        f"somebody maintains the robot, as with the Opentrons App (maintenance run {run_id}):"
        " end it there, or restart the robot"
    )


class Runs:
    """The runs of one robot; it keeps 20."""

    def __init__(self, server: RobotServer) -> None:
        self._server = server
        self._protocols = Protocols(server)

    # Runs.

    async def create(
        self,
        protocol_id: str | None = None,
        values: Mapping[str, object] | None = None,
        analysis: Analysis | None = None,
    ) -> tuple[RunState, Analysis | None]:
        """Make a run, not started. An idle one that is current is replaced without a word.

        Args:
            protocol_id: What to play; None for commands only.
            values: Of run-time parameters.
            analysis: With these values, where it was made already and was all right.

        Returns:
            The run, and what it is going to do.

        Raises:
            Refused: The analysis fails, with the reasons; or another run is under way.
        """
        if protocol_id and analysis is None:
            analysis = await self._protocols.checked(protocol_id, values)
        asked: dict[str, object] = {}
        if protocol_id:
            asked = {"protocolId": protocol_id, "runTimeParameterValues": dict(values or {})}
        try:
            return await self._post(asked), analysis
        except RobotFault as fault:
            if fault.status != HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
        try:  # a ghost is gone after the question that stumbled over it
            return await self._post(asked), analysis
        except RobotFault:
            await self.drive_out()
            raise

    async def drive_out(self) -> bool:
        """Drive out a ghost: a current run that does not exist. Gives whether there was one."""
        current = await self._current_id()
        if current is None:
            return False
        try:
            await self.state(current)
        except NotFound:
            pass
        else:
            return False
        try:
            made = await self._post({})
        except RobotFault:
            return True
        await self.release(made.run_id)
        return True

    async def state(self, run_id: str) -> RunState:
        """How a run stands.

        Raises:
            NotFound: The robot has forgotten it.
        """
        return RunState.read((await self._server.get(f"/runs/{run_id}")).data)

    async def current(self) -> RunState | None:
        """The run that the robot holds, whoever made it; None also for a ghost."""
        if (run_id := await self._current_id()) is None:
            return None
        try:
            return await self.state(run_id)
        except NotFound:
            return None

    async def act(self, run_id: str, action: str) -> None:
        """``play``, ``pause`` or ``stop``.

        A pause comes after the command under way. A stop of a run that was started homes, and drops into the
        trash what it believes to be on the pipettes; of one that was not started it waits for the command.

        Raises:
            RobotFault: Not now, as a pause of a run that is not running.
        """
        if action not in _ACTIONS:
            raise Refused(f"action {action!r} is not one of {', '.join(_ACTIONS)}")
        await self._server.post(f"/runs/{run_id}/actions", {"actionType": action})

    async def hold(self, run_id: str) -> None:
        """See that a run begins nothing more: pause it, or let it go where it has not begun.

        An idle run may have been told to play a moment ago, by words that the robot has yet to read. Once it
        is let go they come too late.

        Raises:
            LabError: It may go on.
        """
        try:
            await self.act(run_id, "pause")
        except RobotFault:
            match (await self.state(run_id)).status:
                case "idle":
                    await self.release(run_id)
                case "running":
                    raise

    async def maintenance(self) -> str | None:
        """The run with which somebody maintains the robot, as the App does while it calibrates.

        The robot takes other runs and motions meanwhile, so whoever moves it has to ask.
        """
        try:
            return str(field((await self._server.get("/maintenance_runs/current_run")).data, "id", str))
        except NotFound:
            return None

    async def release(self, run_id: str) -> None:
        """Let the robot go after a run.

        Raises:
            Refused: It is under way.
        """
        try:
            await self._server.ask("PATCH", f"/runs/{run_id}", {"data": {"current": False}})
        except RobotFault as fault:
            if fault.name != "RunStopped":  # it was not current any more
                raise

    async def delete(self, run_id: str) -> None:
        """Forget one."""
        await self._server.ask("DELETE", f"/runs/{run_id}")

    async def step(self, run_id: str) -> Step:
        """Which command of how many is under way."""
        return Step.read((await self._server.get(f"/runs/{run_id}/commands", pageLength=1)).body)

    async def commands(self, run_id: str) -> list[dict[str, Any]]:
        """Everything that a run did or is doing, in order.

        Raises:
            NotFound: The robot has forgotten it.
        """
        found: list[dict[str, Any]] = []
        while True:
            answer = await self._server.get(f"/runs/{run_id}/commands", cursor=len(found), pageLength=_PAGE)
            page = field(answer.body, "data", list)
            found += page
            if not page or len(found) >= field(field(answer.body, "meta", dict), "totalLength", int):
                return found

    async def follow(
        self, run_id: str, changed: asyncio.Event | None = None, every: float = 1.0, patience: float = 240.0
    ) -> AsyncIterator[tuple[RunState | None, Step | None]]:
        """Tell of a run until it has ended, the end included, each time that something is different.

        Args:
            run_id: Which.
            changed: Set by a hint that something may have changed; looked at all the same every so often.
            every: s between two looks without a hint.
            patience: s for which the robot may be out of reach, or answer with errors only.

        Yields:
            The run and where it is; None and None where the robot does not tell.

        Raises:
            LabError: It does not for longer than that.
            NotFound: The robot knows nothing of it.
        """
        before: tuple[RunState | None, Step | None] | None = None
        lost_at: float | None = None
        while True:
            if changed:
                changed.clear()
            now: tuple[RunState | None, Step | None]
            try:
                now = await self.state(run_id), await self.step(run_id)
                lost_at = None
            except NotFound:
                raise
            except (Garbled, RobotFault, Unreachable):  # the run goes on, whatever becomes of our questions
                lost_at = lost_at or time.monotonic()
                if time.monotonic() - lost_at > patience:
                    raise
                now = None, None
            if now != before:
                yield now
                before = now
            if now[0] and now[0].ended:
                return
            await _wait(changed, every)

    # Commands.

    async def command(
        self, run_id: str, kind: str, params: Mapping[str, object], within: float, intent: str = "setup"
    ) -> dict[str, Any]:
        """Do one command in a run, and wait for its end.

        Args:
            run_id: Which.
            kind: ``moveToWell``. The defaults of these commands are not those of the Python API: say
                ``wellLocation`` and ``flowRate`` always.
            params: Of the command.
            within: s.
            intent: ``setup`` before the run is started, ``protocol`` for its queue.

        Returns:
            The command's result.

        Raises:
            CommandFailed: It was taken and did not work, which the robot answers with 201.
            StillRunning: It is not done in time.
            RobotFault: It was not taken.
        """
        asked = {"commandType": kind, "params": dict(params), "intent": intent}
        return await self._do(f"/runs/{run_id}/commands", asked, within)

    async def stateless(self, kind: str, params: Mapping[str, object], within: float) -> dict[str, Any]:
        """Do one command outside of runs: ``home``, lights and modules.

        Raises:
            Refused: A run is under way, also while it is paused, or somebody maintains the robot.
            CommandFailed: It did not work.
        """
        if maintenance := await self.maintenance():
            raise Refused(maintained(maintenance), "busy")
        return await self._do("/commands", {"commandType": kind, "params": dict(params)}, within)

    async def _do(self, path: str, asked: Mapping[str, object], within: float) -> dict[str, Any]:
        end = time.monotonic() + within
        wait = min(within, _SLICE)
        query: dict[str, str | int] = {"waitUntilComplete": "true", "timeout": max(1, int(wait * 1000))}
        answer = await self._server.post(path, asked, wait + _MARGIN, query)
        told = answer.data
        kind = str(asked["commandType"])
        while True:
            match field(told, "status", str):
                case "succeeded":
                    return dict(told.get("result") or {})
                case "failed":
                    raise CommandFailed(kind, told.get("error") or {})
            if time.monotonic() >= end:
                raise StillRunning(kind, field(told, "id", str), within)
            await asyncio.sleep(min(0.5, max(0.0, end - time.monotonic())))
            told = (await self._server.get(f"{path}/{field(told, 'id', str)}")).data

    # Parts.

    async def _post(self, asked: Mapping[str, object]) -> RunState:
        return RunState.read((await self._server.post("/runs", asked, _CREATE)).data)

    async def _current_id(self) -> str | None:
        answer = (await self._server.get("/runs", pageLength=1)).body
        link = (answer.get("links") or {}).get("current")
        return str(field(link, "href", str)).rpartition("/")[2] if link else None


async def _wait(changed: asyncio.Event | None, every: float) -> None:
    if changed is None:
        await asyncio.sleep(every)
        return
    try:
        async with asyncio.timeout(every):
            await changed.wait()
    except TimeoutError:
        return
