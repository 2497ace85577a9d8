"""Routes of protocols, their analyses, data files and what clients store."""

from collections.abc import Iterator, Mapping
import contextlib
import json
import re
from typing import Any
import uuid

from aiohttp import BodyPartReader, web

from lab2mqtt.simulators.ot2.answers import ApiError, data, listed, record, unexpected
from lab2mqtt.simulators.ot2.failure import InvalidParameters
from lab2mqtt.simulators.ot2.protocol_file import FilesInvalid, OtherRobot
from lab2mqtt.simulators.ot2.protocols import (
    AnalysisNotFound,
    Kept,
    ProtocolNotFound,
    StillPending,
    UsedByRun,
)
from lab2mqtt.simulators.ot2.robot import Robot

_KEY = re.compile(r"[A-Za-z0-9_-]*")


class ProtocolRoutes:
    """``/protocols``, ``/dataFiles`` and ``/clientData``."""

    def __init__(self, robot: Robot) -> None:
        self._robot = robot

    def table(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.get("/protocols", self.all),
            web.post("/protocols", self.upload),
            web.get("/protocols/{protocol}", self.one),
            web.delete("/protocols/{protocol}", self.delete),
            web.get("/protocols/{protocol}/analyses", self.analyses),
            web.post("/protocols/{protocol}/analyses", self.analyse),
            web.get("/protocols/{protocol}/analyses/{analysis}", self.analysis),
            web.get("/dataFiles", self.data_files),
            web.post("/dataFiles", self.upload_data),
            web.get("/clientData/{key}", self.stored),
            web.put("/clientData/{key}", self.store),
            web.delete("/clientData/{key}", self.forget),
            web.delete("/clientData", self.forget_all),
        ]

    async def all(self, _request: web.Request) -> web.Response:
        """``GET /protocols``."""
        return listed([self._told(kept) for kept in self._robot.protocols.all()])

    async def upload(self, request: web.Request) -> web.Response:
        """``POST /protocols``: 201, or 200 where the same content is there already."""
        files, fields = await _parts(request, "files")
        values = json.loads(fields.get("runTimeParameterValues") or "{}")
        robot = self._robot
        with _translated():
            kept, new = robot.protocols.add(files, values, fields.get("key"), robot.used_protocols())
        return data(self._told(kept), 201 if new else 200)

    async def one(self, request: web.Request) -> web.Response:
        """``GET /protocols/{p}``."""
        kept = self._kept(request)
        referring = [run.run_id for run in self._robot.runs if run.protocol_id == kept.protocol_id]
        links = {"referencingRuns": [{"id": name, "href": f"/runs/{name}"} for name in referring]}
        return data(self._told(kept), links=links)

    async def delete(self, request: web.Request) -> web.Response:
        """``DELETE /protocols/{p}``."""
        with _translated():
            self._robot.protocols.delete(request.match_info["protocol"], self._robot.used_protocols())
        return web.json_response({})

    async def analyses(self, request: web.Request) -> web.Response:
        """``GET /protocols/{p}/analyses``."""
        return listed([self._robot.protocols.told(each) for each in self._kept(request).analyses])

    async def analyse(self, request: web.Request) -> web.Response:
        """``POST /protocols/{p}/analyses``: 200 where nothing new would come out."""
        kept, asked = self._kept(request), await record(request)
        values = asked.get("runTimeParameterValues") or {}
        with _translated():
            started = self._robot.protocols.analyse(kept, values, force=bool(asked.get("forceReAnalyze")))
        return listed([_summary(each) for each in self._analyses(kept)], 201 if started else 200)

    async def analysis(self, request: web.Request) -> web.Response:
        """``GET /protocols/{p}/analyses/{a}``."""
        kept = self._kept(request)
        with _translated():
            found = self._robot.protocols.analysis(kept, request.match_info["analysis"])
        return data(self._robot.protocols.told(found))

    async def data_files(self, _request: web.Request) -> web.Response:
        """``GET /dataFiles``."""
        return listed(list(self._robot.data_files.values()))

    async def upload_data(self, request: web.Request) -> web.Response:
        """``POST /dataFiles``."""
        files, _ = await _parts(request, "file")
        name = next(iter(files))
        for known in self._robot.data_files.values():
            if known["name"] == name:
                return data(known)
        told = {"id": str(uuid.uuid4()), "name": name, "createdAt": self._robot.clock.stamp()}
        self._robot.data_files[told["id"]] = told
        return data(told, 201)

    async def stored(self, request: web.Request) -> web.Response:
        """``GET /clientData/{key}``."""
        return data(self._robot.client_data[self._key(request)])

    async def store(self, request: web.Request) -> web.Response:
        """``PUT /clientData/{key}``."""
        key = request.match_info["key"]
        if not _KEY.fullmatch(key):
            raise InvalidParameters({"path.key": "string does not match regex"})
        self._robot.client_data[key] = await record(request)
        self._robot.hint(f"clientData/{key}", "refetch")
        return data(self._robot.client_data[key])

    async def forget(self, request: web.Request) -> web.Response:
        """``DELETE /clientData/{key}``."""
        key = self._key(request)
        del self._robot.client_data[key]
        self._robot.hint(f"clientData/{key}", "refetch")
        return web.json_response({})

    async def forget_all(self, _request: web.Request) -> web.Response:
        """``DELETE /clientData``."""
        self._robot.client_data.clear()
        return web.json_response({})

    # Parts.

    def _key(self, request: web.Request) -> str:
        key = request.match_info["key"]
        if key in self._robot.client_data:
            return key
        detail = f"Key '{key}' does not exist."
        raise ApiError(404, "ClientDataKeyDoesNotExist", "Client Data Key Does Not Exist", detail)

    def _kept(self, request: web.Request) -> Kept:
        with _translated():
            return self._robot.protocols.get(request.match_info["protocol"])

    def _analyses(self, kept: Kept) -> list[dict[str, Any]]:
        return [self._robot.protocols.told(each) for each in kept.analyses]

    def _told(self, kept: Kept) -> dict[str, Any]:
        told = {
            "id": kept.protocol_id,
            "createdAt": kept.created_at,
            "files": list(kept.file.files),
            "protocolType": "python",
            "robotType": "OT-2 Standard",
            "metadata": dict(kept.file.metadata),
            "analyses": [],
            "analysisSummaries": [_summary(each) for each in self._analyses(kept)],
            "protocolKind": "standard",
        }
        return told | ({"key": kept.key} if kept.key else {})


def _summary(analysis: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: analysis[name] for name in ("id", "status", "result", "runTimeParameters") if name in analysis
    }


async def _parts(request: web.Request, field: str) -> tuple[dict[str, bytes], dict[str, str]]:
    """The files and the other fields of a form."""
    if not request.content_type.startswith("multipart/"):
        raise InvalidParameters({f"body.{field}": "field required"})
    files: dict[str, bytes] = {}
    fields: dict[str, str] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        if part.name == field and part.filename:
            files[part.filename] = bytes(await part.read(decode=True))
        elif part.name:
            fields[part.name] = await part.text()
    if not files:
        raise InvalidParameters({f"body.{field}": "field required"})
    return files, fields


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ProtocolNotFound as error:
        raise ApiError(404, "ProtocolNotFound", "Protocol Not Found", str(error)) from error
    except AnalysisNotFound as error:
        raise ApiError(404, "AnalysisNotFound", "Protocol Analysis Not Found", str(error)) from error
    except FilesInvalid as error:
        raise ApiError(422, "ProtocolFilesInvalid", "Protocol File(s) Invalid", str(error)) from error
    except OtherRobot as error:
        raise ApiError(
            422, "ProtocolRobotTypeMismatch", "Protocol For Different Robot Type", str(error)
        ) from error
    except UsedByRun as error:
        raise ApiError(409, "ProtocolUsedByRun", "Protocol Used by Run", str(error)) from error
    except StillPending as error:
        raise ApiError(503, "LastAnalysisPending", "Last Analysis Still Pending.", str(error)) from error
    except ValueError as error:
        raise unexpected(repr(error)) from error
