"""What goes wrong, over HTTP: a status by the wire's error code, and a body that tells why."""

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import JSONResponse

from lab2mqtt import wire
from lab2mqtt.core.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATUS = {
    wire.MALFORMED: 400,
    wire.INVALID_PARAMETERS: 400,
    wire.UNKNOWN_TASK: 404,
    wire.CONFLICT: 409,
    wire.EXPIRED: 409,
    wire.RESERVED: 409,
    wire.INTERLOCKED: 409,
    wire.MAINTENANCE: 409,
    wire.NOT_ALLOWED: 409,
    wire.EMERGENCY_STOPPED: 409,
    wire.CANCELLED: 409,
    wire.RETAINED_COMMAND: 409,
    wire.DEVICE_ERROR: 500,
    wire.INTERRUPTED: 500,
    wire.BUSY: 503,
    wire.DEVICE_UNAVAILABLE: 503,
    wire.TIMEOUT: 504,
}


def status_of(error_code: str) -> int:
    """The HTTP status of one of ``wire.ERROR_CODES``; of any other 500."""
    return _STATUS.get(error_code, 500)


class HttpRefused(HTTPException):
    """A request that is refused before any device hears of it."""

    def __init__(
        self,
        status: int,
        detail: str,
        error_code: str = "",
        headers: "Mapping[str, str] | None" = None,
    ) -> None:
        """Refuse.

        Args:
            status: The HTTP status.
            detail: What was wrong, and what would be right.
            error_code: One of ``wire.ERROR_CODES``, where one fits.
            headers: Of the answer.
        """
        super().__init__(status, detail, dict(headers or {}))
        self.error_code = error_code


def refusal(
    status: int, detail: str, error_code: str = "", headers: "Mapping[str, str] | None" = None
) -> JSONResponse:
    """The answer to what was refused or failed: ``{"detail": text, "error_code": code}``."""
    body = {"detail": detail, "error_code": error_code} if error_code else {"detail": detail}
    return JSONResponse(body, status, dict(headers or {}))


def add_error_answers(app: FastAPI) -> None:
    """Answer with ``refusal`` whatever a route raises."""

    @app.exception_handler(HttpRefused)
    async def refused(_: Request, error: HttpRefused) -> JSONResponse:
        return refusal(error.status_code, error.detail, error.error_code, error.headers)

    @app.exception_handler(LabError)
    async def failed(_: Request, error: LabError) -> JSONResponse:
        return refusal(status_of(error.error_code), str(error), error.error_code)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return refusal(400, "; ".join(map(_told, error.errors())), wire.INVALID_PARAMETERS)

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        return refusal(500, f"the server failed at this: {type(error).__name__}; its log tells more")


def _told(problem: "Mapping[str, Any]") -> str:
    """One finding of FastAPI, as ``limit: Input should be a valid integer``."""
    return f"{problem['loc'][-1]}: {problem['msg']}"
