"""What a robot server's refusals mean, in the words and kinds of the rest of this house.

Bodies come in three shapes: ``{"errors": [{id, title, detail, errorCode, meta}]}``, ``{message, errorCode}``
from the older routes, and now and then anything else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from lab2mqtt.core.errors import Fault, Garbled, LabError, Refused, Unreachable

_STARTING: Final = {
    "DatabaseNotYetInitialized": "its database is not ready yet",
    "HardwareNotYetInitialized": "its motor controller is not ready yet",
}
_FAILED: Final = ("DatabaseFailedToInitialize", "HardwareFailedToInitialize")
_BUSY: Final = ("RunAlreadyActive", "RunActive", "RunNotIdle", "LastAnalysisPending", "ProtocolUsedByRun")
_USERS_FILE: Final = ("ProtocolFilesInvalid", "ProtocolRobotTypeMismatch")
_LONGEST = 300  # characters of a body that is no answer


class Off(Unreachable):
    """Nobody listens at the robot's address: it is off, or somewhere else."""


class Starting(Unreachable):
    """The robot has power and is not ready yet."""


class Silent(Unreachable):
    """The robot took the question and did not answer in time; whether it obeyed is unknown."""


class RobotFault(Fault):
    """The robot refused, or something failed in it.

    Attributes:
        status: Of HTTP; 201 where a command was taken and failed.
        name: The error's id or type, ``RunStopped``, ``WellDoesNotExistError``.
        code: Of the robot's own list, four digits; empty where it tells none.
        detail: In the robot's words.
    """

    def __init__(self, what: str, status: int, name: str, code: str, detail: str) -> None:
        told = f"{name} {code}".strip()
        super().__init__(f"{what}: {detail} ({told})" if told else f"{what}: {detail}")
        self.status, self.name, self.code, self.detail = status, name, code, detail


class NotFound(RobotFault):
    """The robot does not have it, or not any more: it keeps 20 runs and 5 unused protocols."""


class StartFailed(RobotFault):
    """The robot's server runs and cannot do anything: its hardware or database did not come up."""


class CommandFailed(RobotFault):
    """A command was taken and did not work.

    Attributes:
        info: What the robot adds, as ``available_volume``.
    """

    def __init__(self, kind: str, error: Mapping[str, Any]) -> None:
        name, code = str(error.get("errorType", "")), str(error.get("errorCode", ""))
        super().__init__(kind, 201, name, code, str(error.get("detail", "no reason given")))
        info = error.get("errorInfo")
        self.info: Mapping[str, Any] = info if isinstance(info, dict) else {}


@dataclass(frozen=True)
class Told:
    """One error as it was told."""

    name: str
    code: str
    detail: str


def read_error(body: object) -> Told | None:
    """Find the error in a body; None where there is none."""
    if not isinstance(body, dict):
        return None
    errors = body.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        first = errors[0]
        detail = str(first.get("detail") or first.get("title") or "no reason given")
        return Told(str(first.get("id", "")), str(first.get("errorCode", "")), detail)
    if "message" in body:
        return Told("", str(body.get("errorCode", "")), str(body["message"]))
    return None


def error_for(what: str, status: int, body: object) -> LabError:
    """The error that an answer means.

    Args:
        what: What was asked, ``GET /health``.
        status: Of HTTP, 400 or more.
        body: As JSON, or text where it was none.
    """
    told = read_error(body)
    if told is None:
        return _unreadable(what, status, body)
    if told.name in _STARTING:
        return Starting(f"the robot is starting: {_STARTING[told.name]}")
    kind = RobotFault
    if told.name in _FAILED:
        kind, what = StartFailed, "the robot did not start; switch it off and on"
    elif told.name in _BUSY:
        return Refused(f"{what}: {told.detail}", "busy")
    elif told.name in _USERS_FILE:
        return Refused(f"the robot does not take the protocol: {told.detail}")
    elif status == HTTPStatus.NOT_FOUND:
        kind = NotFound
    return kind(what, status, told.name, told.code, told.detail)


def _unreadable(what: str, status: int, body: object) -> LabError:
    text = str(body).strip()[:_LONGEST] or "nothing"
    if status in (502, 503, 504):  # the proxy in front of the server, while that one starts
        return Starting(f"the robot is starting: {what} was answered {status}")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return RobotFault(what, status, f"HTTP {status}", "", text)
    return Garbled(f"{what} was answered {status} with {text}")
