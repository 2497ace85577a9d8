"""How a command fails on the robot: a type, a code of four digits, and words."""

from collections.abc import Mapping
from typing import Any
import uuid

GENERAL = "4000"


class CommandFailed(Exception):
    """A command was taken and did not work; the answer is 201 all the same.

    Args:
        error_type: As the engine names it, ``TipNotAttachedError``.
        detail: In words.
        code: Of the robot's list.
        info: More about it.
    """

    def __init__(
        self, error_type: str, detail: str, code: str = GENERAL, info: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail)
        self.error_type, self.detail, self.code, self.info = error_type, detail, code, dict(info or {})

    def told(self, at: str) -> dict[str, Any]:
        """As the server tells it."""
        return occurrence(self.error_type, self.detail, at, self.code, self.info)


class InvalidParameters(Exception):
    """A command that the server does not take at all: 422.

    Args:
        problems: What is wrong, by place in the body.
    """

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("; ".join(f"{where}: {what}" for where, what in problems.items()))
        self.problems = problems


def occurrence(
    error_type: str,
    detail: str,
    at: str,
    code: str = GENERAL,
    info: Mapping[str, Any] | None = None,
    wrapped: tuple[dict[str, Any], ...] = (),
) -> dict[str, Any]:
    """One error of a command, a run or an analysis."""
    return {
        "id": str(uuid.uuid4()),
        "createdAt": at,
        "isDefined": False,
        "errorType": error_type,
        "errorCode": code,
        "detail": detail,
        "errorInfo": dict(info or {}),
        "wrappedErrors": list(wrapped),
    }


def command_failed(error: CommandFailed, told: dict[str, Any], at: str) -> dict[str, Any]:
    """The error of a run whose command failed; ``told`` is the command's own."""
    return occurrence(
        "ProtocolCommandFailedError", f"{error.error_type}: {error.detail}", at, wrapped=(told,)
    )


def protocol_failed(error: CommandFailed, told: dict[str, Any], at: str) -> dict[str, Any]:
    """The error of a protocol, one of whose commands failed."""
    inner = command_failed(error, told, at)
    words = f"Error {GENERAL} GENERAL_ERROR (ProtocolCommandFailedError): {inner['detail']}"
    return occurrence(
        "ExceptionInProtocolError", f"ProtocolCommandFailedError: {words}", at, wrapped=(inner,)
    )


def raised(kind: str, words: str, at: str) -> dict[str, Any]:
    """The error of a protocol, or of what prepares it, that raised an exception of Python."""
    return occurrence(kind, words, at, wrapped=(occurrence("PythonException", words, at),))
