"""How tasks are told and called over HTTP, of a device in this process as of one behind a broker."""

from collections.abc import Collection, Mapping
import json
import math
import re
import time
from typing import Any, Protocol
import uuid

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from lab2mqtt import wire
from lab2mqtt.core.errors import LabError
from lab2mqtt.core.house import HOUSE_TASKS
from lab2mqtt.orchestration.http_errors import HttpRefused, refusal, status_of
from lab2mqtt.orchestration.stop_request import lenient_reason

_TYPES = {
    "integer": "int",
    "number": "float",
    "string": "str",
    "boolean": "bool",
    "array": "list",
    "object": "dict",
    "null": "None",
}
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,9})")


class TaskSource(Protocol):
    """Something that has a description and does commands."""

    @property
    def description(self) -> Mapping[str, Any]:
        """What it is and can do, as on the wire."""

    async def do(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do a command, and give its result; both as on the wire.

        Raises:
            LabError: It cannot be asked.
        """


def overview(description: Mapping[str, Any], message: str, docs: str) -> dict[str, Any]:
    """The answer to ``GET /``: who this is, the names of its own tasks, and where more is told."""
    return {"message": message, "available_tasks": list(_own(description)), "docs": docs}


def task_list(description: Mapping[str, Any], coroutines: Collection[str] = ()) -> dict[str, Any]:
    """The answer to ``GET /tasks``: the device's own tasks, by name.

    Args:
        description: As on the wire.
        coroutines: Names of those that are coroutine functions, as far as is known.
    """
    return {
        name: {
            "name": name,
            "doc": doc if isinstance(doc := task.get("description"), str) else "",
            "parameters": _parameters(task),
            "is_async": name in coroutines,
        }
        for name, task in _own(description).items()
    }


async def execute(source: TaskSource, task: str, request: Request, issued_by: str = "") -> JSONResponse:
    """The answer to ``POST /execute/{task}``: does it, and tells how it ended.

    Args:
        source: Who does it.
        task: Its name.
        request: Its body is the parameters.
        issued_by: Who asks, for the record.

    Raises:
        HttpRefused: The request cannot be read.
    """
    if task == "emergency_stop":
        command = await _read_stop(request, issued_by)
    else:
        command = await read_command(request, task, issued_by)
    headers = request_id_header(command)
    try:
        result = await source.do(command)
    except LabError as error:
        return refusal(status_of(error.error_code), str(error), error.error_code, headers)
    return answer(command, result)


async def _read_stop(request: Request, issued_by: str) -> dict[str, Any]:
    """The command for a stop; a new one each time, as one that comes again is to stop again."""
    reason = await lenient_reason(request)
    return wire.command(
        "emergency_stop",
        {"reason": reason} if reason else {},
        request_id=uuid.uuid4().hex,
        timestamp=int(time.time()),
        issued_by=issued_by[: wire.MAX_NAME] or None,
    )


async def read_command(request: Request, task: str, issued_by: str = "") -> dict[str, Any]:
    """The command that a request asks for, checked by the rules of the wire but for what the device knows.

    Raises:
        HttpRefused: It cannot be read, with the request's id where that can be.
    """
    request_id = request.headers.get("idempotency-key", uuid.uuid4().hex)
    headers = {"Request-Id": request_id}
    now = time.time()
    found = _WAIT.search(request.headers.get("prefer", ""))
    wait = int(found[1]) if found else 0
    command = wire.command(
        task,
        await _body(request, headers),
        request_id=request_id,
        timestamp=int(now),
        # What nobody waits for any more is not begun. A longer one would be taken for a wrong clock.
        expires_at=math.ceil(now + wait) if 0 < wait < wire.MAX_EXPIRY_AHEAD else None,
        issued_by=issued_by or None,
        reservation=request.headers.get("reservation"),
    )
    try:
        wire.read_command(wire.encode(command).encode())
    except wire.WireError as error:
        # As HTTP calls it.
        text = error.message.replace("request_id", "Idempotency-Key").replace("reservation", "Reservation")
        raise HttpRefused(status_of(error.code), text, error.code, headers) from None
    return command


def answer(command: Mapping[str, Any], result: Mapping[str, Any]) -> JSONResponse:
    """The answer that a result becomes; both as on the wire."""
    headers = request_id_header(command)
    if result["status"] == "error":
        code = result["error_code"]
        return refusal(status_of(code), result["error"], code, headers)
    done = {
        "task_name": command["task"],
        "parameters": command["parameters"],
        "result": result.get("result"),
        "status": "success",
    }
    return JSONResponse(done, headers=headers)


def request_id_header(command: Mapping[str, Any]) -> dict[str, str]:
    """The header that stands in every answer to a command."""
    return {"Request-Id": command["request_id"]}


async def _body(request: Request, headers: Mapping[str, str]) -> dict[str, Any]:
    """The parameters: a JSON object, or nothing. The headers are those of a refusal."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > wire.MAX_COMMAND:
                text = (
                    f"the body has more than {wire.MAX_COMMAND} bytes, which is the most a command may have"
                )
                raise HttpRefused(413, text, wire.MALFORMED, headers)
    except ClientDisconnect:
        raise HttpRefused(400, "the body ends early", wire.MALFORMED, headers) from None
    if not body.strip():
        return {}
    try:
        parameters = wire.decode(bytes(body))
    except wire.WireError as error:
        raise HttpRefused(400, f"the body is {error.message}", error.code, headers) from None
    if not isinstance(parameters, dict):
        shown = json.dumps(parameters)[:60]
        text = f'the body {shown} is no JSON object; it holds the parameters by name: {{"well": "A1"}}'
        raise HttpRefused(400, text, wire.MALFORMED, headers)
    return parameters


def _own(description: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The tasks but for those that every device has."""
    return {name: task for name, task in description.get("tasks", {}).items() if name not in HOUSE_TASKS}


def _parameters(task: Mapping[str, Any]) -> dict[str, Any]:
    told, required = task.get("parameters"), task.get("required")
    needed = required if isinstance(required, list | tuple) else ()
    return {
        name: {"type": _type(schema), "default": schema.get("default"), "required": name in needed}
        for name, schema in (told if isinstance(told, Mapping) else {}).items()
        if isinstance(schema, Mapping)
    }


def _type(schema: Mapping[str, Any]) -> str:
    """A type as Python spells it: ``int``, ``str | None``."""
    told = schema.get("type")
    names = told if isinstance(told, list) else [told]
    return " | ".join(_TYPES.get(str(one), "Any") for one in names)
