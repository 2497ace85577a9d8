"""Routes of runs, their actions and their commands."""

from collections.abc import Iterator
import contextlib
from typing import Any

from aiohttp import web

from lab2mqtt.simulators.ot2.answers import ApiError, body, data, listed, record, unexpected
from lab2mqtt.simulators.ot2.commands import check
from lab2mqtt.simulators.ot2.failure import InvalidParameters
from lab2mqtt.simulators.ot2.labware import Labware
from lab2mqtt.simulators.ot2.parameters import WrongValue
from lab2mqtt.simulators.ot2.protocols import ProtocolNotFound
from lab2mqtt.simulators.ot2.robot import Robot
from lab2mqtt.simulators.ot2.run import NotAllowed, RecoveryOnly, Run
from lab2mqtt.simulators.ot2.runs import AlreadyActive, RunNotFound

_PAGE = 20
_STATELESS = ("home", "setRailLights", "setStatusBar")
_HIDDEN = {"result"}  # what a summary of a command leaves out


class RunRoutes:
    """``/runs``, ``/maintenance_runs`` and ``/commands``."""

    def __init__(self, robot: Robot) -> None:
        self._robot = robot

    def table(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.get("/runs", self.all),
            web.post("/runs", self.create),
            web.get("/runs/{run}", self.one),
            web.patch("/runs/{run}", self.release),
            web.delete("/runs/{run}", self.delete),
            web.post("/runs/{run}/actions", self.act),
            web.get("/runs/{run}/commands", self.commands),
            web.post("/runs/{run}/commands", self.command),
            web.get("/runs/{run}/commands/{command}", self.one_command),
            web.get("/runs/{run}/currentState", self.current_state),
            web.get("/runs/{run}/commandErrors", self.command_errors),
            web.post("/runs/{run}/labware_definitions", self.define),
            web.post("/runs/{run}/labware_offsets", self.offset),
            web.put("/runs/{run}/errorRecoveryPolicy", self.recovery_policy),
            web.post("/commands", self.stateless),
            web.get("/commands/{command}", self.one_stateless),
            web.post("/maintenance_runs", self.maintain),
            web.get("/maintenance_runs/current_run", self.maintained),
            web.delete("/maintenance_runs/{run}", self.end_maintenance),
            web.post("/maintenance_runs/{run}/commands", self.maintenance_command),
        ]

    # Runs.

    async def all(self, request: web.Request) -> web.Response:
        """``GET /runs``: the newest ones where a page length is given, oldest first."""
        runs = [self._told(run, summary=True) for run in self._robot.runs]
        if length := request.query.get("pageLength"):
            runs = runs[-int(length) :]
        current = self._robot.runs.current_id
        return listed(runs, links={"current": {"href": f"/runs/{current}"}} if current else {})

    async def create(self, request: web.Request) -> web.Response:
        """``POST /runs``: values that do not fit make a ghost of it, and a 500."""
        asked = await record(request) if request.can_read_body else {}
        robot, protocol_id = self._robot, asked.get("protocolId")
        with _translated():
            if protocol_id:
                robot.protocols.get(protocol_id)
            try:
                await robot.runs.make_room()
            except RunNotFound as gone:
                raise unexpected(f"RunNotFoundError: {gone}") from gone
            plan = None
            if protocol_id:
                try:
                    plan = await robot.protocols.plan(protocol_id, asked.get("runTimeParameterValues") or {})
                except WrongValue as wrong:
                    robot.runs.haunt()
                    raise unexpected(f"ParameterValueError: {wrong}") from wrong
            run = robot.new_run(protocol_id, plan)
        run.offsets = list(asked.get("labwareOffsets") or ())
        return data(self._told(run), 201)

    async def one(self, request: web.Request) -> web.Response:
        """``GET /runs/{r}``."""
        return data(self._told(self._run(request)))

    async def release(self, request: web.Request) -> web.Response:
        """``PATCH /runs/{r}``."""
        run = self._run(request)
        if (await record(request)).get("current") is False:
            with _not_idle(), _translated("RunStopped"):
                await self._robot.runs.release(run.run_id)
        return data(self._told(run))

    async def delete(self, request: web.Request) -> web.Response:
        """``DELETE /runs/{r}``."""
        with _not_idle(), _translated():
            await self._robot.runs.delete(request.match_info["run"])
        return web.json_response({})

    async def act(self, request: web.Request) -> web.Response:
        """``POST /runs/{r}/actions``."""
        run, kind = self._run(request), (await record(request)).get("actionType")
        robot = self._robot
        if run.run_id != robot.runs.current_id:
            raise ApiError(409, "RunStopped", "Run Stopped", f"Run {run.run_id} is not the current run")
        with _translated("RunActionNotAllowed"):
            match kind:
                case "play":
                    run.play(door_open=robot.door_open and robot.door_matters)
                case "pause":
                    run.pause()
                case "stop":
                    run.stop()
                case "resume-from-recovery" | "resume-from-recovery-assuming-false-positive":
                    raise NotAllowed("Cannot resume from recovery when not in recovery.")
                case _:
                    raise InvalidParameters({"body.data.actionType": f"{kind!r} is not a valid action"})
        action = {
            "id": f"{run.run_id}-{len(run.actions)}",
            "createdAt": run.clock.stamp(),
            "actionType": kind,
        }
        run.actions.append(action)
        return data(action, 201)

    # Commands.

    async def commands(self, request: web.Request) -> web.Response:
        """``GET /runs/{r}/commands``."""
        run = self._run(request)
        length, running = int(request.query.get("pageLength", _PAGE)), run.running
        last = running[0] if running else len(run.commands) - 1
        cursor = int(request.query.get("cursor", max(0, last - length + 1)))
        links = {}
        if running:
            index, command = running
            href = f"/runs/{run.run_id}/commands/{command['id']}"
            meta = {
                "runId": run.run_id,
                "commandId": command["id"],
                "index": index,
                "key": command["key"],
                "createdAt": command["createdAt"],
            }
            links = {"current": {"href": href, "meta": meta}}
        return data(
            [_summary(each) for each in run.commands[cursor : cursor + length]],
            meta={"cursor": cursor, "totalLength": len(run.commands)},
            links=links,
        )

    async def command(self, request: web.Request) -> web.Response:
        """``POST /runs/{r}/commands``."""
        run = self._current(request)
        return await self._take(request, run)

    async def one_command(self, request: web.Request) -> web.Response:
        """``GET /runs/{r}/commands/{c}``."""
        return data(_find(self._run(request), request.match_info["command"]))

    async def current_state(self, request: web.Request) -> web.Response:
        """``GET /runs/{r}/currentState``."""
        run = self._current(request)
        tips = {each: {"hasTip": each in run.session.tips} for each in run.session.pipettes}
        return data({"estopEngaged": False, "activeNozzleLayouts": {}, "tipStates": tips}, links={})

    async def command_errors(self, request: web.Request) -> web.Response:
        """``GET /runs/{r}/commandErrors``."""
        return listed([each["error"] for each in self._current(request).commands if "error" in each])

    async def stateless(self, request: web.Request) -> web.Response:
        """``POST /commands``: only without a run that is under way."""
        kind, _ = check(await body(request))
        if kind not in _STATELESS and "/" not in kind:
            raise InvalidParameters({"body.data.commandType": f"{kind!r} is not a stateless command"})
        run = self._robot.runs.current
        if run and run.started_at and not run.completed_at:
            raise ApiError(
                409,
                "RunActive",
                "Run Active",
                "There is an active run. Stop it before issuing stateless commands.",
            )
        return await self._take(request, self._robot.stateless())

    async def one_stateless(self, request: web.Request) -> web.Response:
        """``GET /commands/{c}``."""
        return data(_find(self._robot.stateless(), request.match_info["command"]))

    # What a run is given.

    async def define(self, request: web.Request) -> web.Response:
        """``POST /runs/{r}/labware_definitions``."""
        run = self._current(request)
        try:
            uri = run.session.define(Labware.read(await record(request)))
        except ValueError as wrong:
            raise InvalidParameters({"body.data": str(wrong)}) from wrong
        return data({"definitionUri": uri}, 201)

    async def offset(self, request: web.Request) -> web.Response:
        """``POST /runs/{r}/labware_offsets``."""
        run = self._current(request)
        run.offsets.append({"id": f"offset-{len(run.offsets)}", **await record(request)})
        return data(run.offsets[-1], 201)

    async def recovery_policy(self, request: web.Request) -> web.Response:
        """``PUT /runs/{r}/errorRecoveryPolicy``: taken, and never used on an OT-2."""
        self._current(request)
        return web.json_response({})

    # Maintenance runs: the same, beside the others.

    async def maintain(self, _request: web.Request) -> web.Response:
        """``POST /maintenance_runs``."""
        robot = self._robot
        if robot.maintenance:
            await robot.maintenance.end()
        robot.maintenance = Run(robot.session())
        robot.hint("maintenance_runs/current_run", "refetch")
        return data(self._told(robot.maintenance, current=True), 201)

    async def maintained(self, _request: web.Request) -> web.Response:
        """``GET /maintenance_runs/current_run``."""
        if run := self._robot.maintenance:
            return data(self._told(run, current=True))
        raise ApiError(404, "NoCurrentRunFound", "No current run found", "No current maintenance run.")

    async def end_maintenance(self, request: web.Request) -> web.Response:
        """``DELETE /maintenance_runs/{r}``."""
        run = self._maintenance(request)
        if run.active:
            raise _busy()
        await run.end()
        self._robot.maintenance = None
        self._robot.hint("maintenance_runs/current_run", "refetch")
        return web.json_response({})

    async def maintenance_command(self, request: web.Request) -> web.Response:
        """``POST /maintenance_runs/{r}/commands``."""
        return await self._take(request, self._maintenance(request))

    # Parts.

    async def _take(self, request: web.Request, run: Run) -> web.Response:
        asked = await body(request)
        kind, params = check(asked)
        with _translated("SetupCommandNotAllowed"):
            try:
                command = run.add(kind, params, str(asked.get("intent") or "setup"), asked.get("key"))
            except RecoveryOnly as only:
                raise unexpected(f"CommandNotAllowedError: {only}") from only
        if request.query.get("waitUntilComplete", "").lower() in ("true", "1"):
            seconds = float(request.query["timeout"]) / 1000 if "timeout" in request.query else None
            await run.wait(command, seconds)
        return data(command, 201)

    def _run(self, request: web.Request) -> Run:
        with _translated():
            return self._robot.runs.get(request.match_info["run"])

    def _current(self, request: web.Request) -> Run:
        run = self._run(request)
        if run.run_id != self._robot.runs.current_id:
            raise ApiError(409, "RunStopped", "Run Stopped", f"Run {run.run_id} is not the current run")
        return run

    def _maintenance(self, request: web.Request) -> Run:
        run = self._robot.maintenance
        if run and run.run_id == request.match_info["run"]:
            return run
        raise ApiError(404, "RunNotFound", "Run Not Found", f"Run {request.match_info['run']} was not found.")

    def _told(self, run: Run, *, summary: bool = False, current: bool | None = None) -> dict[str, Any]:
        if current is None:
            current = run.run_id == self._robot.runs.current_id
        told: dict[str, Any] = {
            "id": run.run_id,
            "ok": not run.lost,
            "createdAt": run.created_at,
            "status": run.status,
            "current": current,
            "actions": run.actions,
            "errors": run.errors,
            "hasEverEnteredErrorRecovery": False,
            "runTimeParameters": run.parameters,
            "labwareOffsets": run.offsets,
            "liquids": [],
        }
        optional = {
            "protocolId": run.protocol_id,
            "startedAt": None if run.lost else run.started_at,
            "completedAt": None if run.lost else run.completed_at,
        }
        told |= {name: value for name, value in optional.items() if value}
        if run.lost:
            told["dataError"] = {
                "id": "RunDataError",
                "title": "Run Data Error",
                "detail": "There was no engine state data for this run.",
                "errorCode": "4008",
            }
        if not summary:
            loaded = {"pipettes": [], "labware": [], "modules": []} if run.lost else run.session.told()
            told |= loaded
        return told


def _find(run: Run, wanted: str) -> dict[str, Any]:
    for command in run.commands:
        if command["id"] == wanted:
            return command
    raise ApiError(404, "CommandNotFound", "Run Command Not Found", f"Command {wanted} was not found.")


def _summary(command: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in command.items() if name not in _HIDDEN}


def _busy() -> ApiError:
    return ApiError(
        409,
        "RunNotIdle",
        "Run is not idle.",
        "Run is currently active. Allow the run to finish or stop it with a `stop` action before"
        " attempting to modify it.",
    )


@contextlib.contextmanager
def _not_idle() -> Iterator[None]:
    try:
        yield
    except ApiError as error:
        if error.told["id"] == "RunAlreadyActive":
            raise _busy() from error
        raise


@contextlib.contextmanager
def _translated(not_allowed: str = "") -> Iterator[None]:
    """Errors of runs as answers; ``not_allowed`` is the id of the 409 for what cannot be done now."""
    try:
        yield
    except RunNotFound as error:
        raise ApiError(404, "RunNotFound", "Run Not Found", str(error)) from error
    except ProtocolNotFound as error:
        raise ApiError(404, "ProtocolNotFound", "Protocol Not Found", str(error)) from error
    except AlreadyActive as error:
        raise ApiError(409, "RunAlreadyActive", "Run Already Active", str(error)) from error
    except NotAllowed as error:
        raise ApiError(409, not_allowed, "Not Allowed", str(error)) from error
