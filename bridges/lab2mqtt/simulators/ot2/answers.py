"""Shapes of the server's answers, and the rules that hold for every request: version, phase, faults."""

import asyncio
import json
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from lab2mqtt.simulators.ot2.failure import GENERAL, InvalidParameters
from lab2mqtt.simulators.ot2.robot import Robot

# Routes from before there was ``data``: plain objects, and ``message`` where something is wrong.
_LEGACY: Final = (
    *("/health", "/identify", "/robot/lights", "/robot/home", "/robot/positions", "/robot/move", "/motors"),
    *("/pipettes", "/calibration/status", "/camera", "/settings", "/networking", "/wifi", "/logs", "/server"),
)
# Errors that take the shape of the route; the others have the newer one everywhere.
_OF_THE_ROUTE: Final = ("UnexpectedError", "BadRequest", "LegacyMotion", "LogNotFound")
# What works with the database alone, before the hardware is there.
_NEEDS_NO_HARDWARE: Final = (
    *("/protocols", "/clientData", "/settings", "/logs", "/dataFiles", "/networking", "/system"),
)
_PHASES: Final = {
    "database": (
        "DatabaseNotYetInitialized",
        "Database Not Yet Initialized",
        "The server's database has not finished initializing.",
    ),
    "hardware": (
        "HardwareNotYetInitialized",
        "Hardware Not Yet Initialized",
        "The device's hardware has not finished initializing.",
    ),
    "failed": (
        "HardwareFailedToInitialize",
        "Hardware Failed to Initialize",
        "Error connecting to motor controller.",
    ),
}


class ApiError(Exception):
    """An answer that is an error.

    Args:
        status: Of HTTP.
        name: The error's id.
        title: In short.
        detail: In words.
        code: Of the robot's list.
        meta: More about it.
    """

    def __init__(
        self,
        status: int,
        name: str,
        title: str,
        detail: str,
        code: str = GENERAL,
        meta: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.code = status, detail, code
        self.told: dict[str, Any] = {"id": name, "title": title, "detail": detail, "errorCode": code}
        if meta:
            self.told["meta"] = meta


def data(value: object, status: int = 200, **more: object) -> web.Response:
    """``{"data": …}``, with ``meta`` or ``links`` beside it."""
    return web.json_response({"data": value, **more}, status=status)


def listed(values: list[Any], status: int = 200, **more: object) -> web.Response:
    """``{"data": [...], "meta": …}``."""
    meta = {"cursor": 0, "totalLength": len(values)}
    return web.json_response({"data": values, "meta": meta, **more}, status=status)


async def body(request: web.Request) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The ``data`` of a request.

    Raises:
        InvalidParameters: There is none.
    """
    try:
        return (await request.json())["data"]
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise InvalidParameters({"body": "value is not valid JSON"}) from None
    except (KeyError, TypeError):
        raise InvalidParameters({"body.data": "field required"}) from None


async def record(request: web.Request) -> dict[str, Any]:
    """The ``data`` of a request where it has to be an object."""
    if isinstance(found := await body(request), dict):
        return found
    raise InvalidParameters({"body.data": "value is not a valid dict"})


def unexpected(error: str) -> ApiError:
    """What the server answers where it did not expect something."""
    return ApiError(500, "UnexpectedError", "Unexpected Internal Error", error)


def rules(robot: Robot) -> Middleware:
    """What holds for every request to a robot."""

    @web.middleware
    async def keep(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked = request.headers.get("Opentrons-Version")
        version = robot.http_api[1]
        try:
            if (slow := _fault(robot, "slow", request.path)) is not None:
                if request.content_type == "application/json":
                    await request.read()  # it has the question, and obeys also where nobody waits any more
                await asyncio.sleep(float(slow.get("seconds", 1)))
            version = _version(asked, *robot.http_api)
            if _fault(robot, "error_500", request.path) is not None:
                raise unexpected("RuntimeError: injected")
            _phase(robot, request.path)
            answer = await handler(request)
        except ApiError as error:
            answer = _told(request.path, error)
        except InvalidParameters as wrong:
            answer = _invalid(request.path, wrong, legacy_always=asked is None)
        except web.HTTPException as error:
            answer = _told(request.path, ApiError(error.status, "BadRequest", "Bad Request", error.reason))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            answer = _told(request.path, unexpected(repr(error)))  # as the real one where it did not look
        answer.headers["Opentrons-Version"] = str(version)
        answer.headers["Opentrons-Min-Version"] = str(robot.http_api[0])
        return answer

    return keep


def _version(asked: str | None, oldest: int, newest: int) -> int:
    if asked is None:
        raise InvalidParameters({"header.opentrons-version": "field required"})
    if asked == "*":
        return newest
    try:
        version = min(newest, int(asked))
    except ValueError:
        raise InvalidParameters({"header.opentrons-version": "value is not a valid integer"}) from None
    if version < oldest:
        raise ApiError(
            400,
            "OutdatedAPIVersion",
            "Requested HTTP API version no longer supported",
            f"The requested API version '{version}' is not supported. 'Opentrons-Version' must be at least"
            f" '{oldest}'. Please upgrade your Opentrons App or other HTTP API client.",
        )
    return version


def _fault(robot: Robot, name: str, path: str) -> dict[str, Any] | None:
    """The options of a fault that this request meets; once more met, where they say how often."""
    options = robot.faults.get(name)
    if options is None or str(options.get("path", "/")) not in path:
        return None
    if "times" in options:
        options["times"] -= 1
        if options["times"] < 1:
            del robot.faults[name]
    return options


def _phase(robot: Robot, path: str) -> None:
    phase = robot.readiness
    if phase not in _PHASES or (phase == "hardware" and path.startswith(_NEEDS_NO_HARDWARE)):
        return
    name, title, detail = _PHASES[phase]
    raise ApiError(500 if phase == "failed" else 503, name, title, detail)


def _told(path: str, error: ApiError) -> web.Response:
    if path.startswith(_LEGACY) and error.told["id"] in _OF_THE_ROUTE:
        return web.json_response({"message": error.detail, "errorCode": error.code}, status=error.status)
    return web.json_response({"errors": [error.told]}, status=error.status)


def _invalid(path: str, wrong: InvalidParameters, *, legacy_always: bool) -> web.Response:
    if legacy_always or path.startswith(_LEGACY):
        return web.json_response({"message": str(wrong), "errorCode": GENERAL}, status=422)
    error = ApiError(
        422, "InvalidRequest", "Invalid Request", str(wrong), meta={"validationErrors": wrong.problems}
    )
    return web.json_response({"errors": [error.told]}, status=422)
