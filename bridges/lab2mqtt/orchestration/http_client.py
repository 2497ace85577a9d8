"""``OrchestratorClient`` and ``AsyncOrchestratorClient``: the tasks of one device over HTTP."""

from collections.abc import Mapping
import logging
import math
import re
import ssl
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
import uuid

import httpx

from lab2mqtt import wire
from lab2mqtt.core.seconds import check_timeout
from lab2mqtt.orchestration.task_failed import TaskFailed

_LOGGER = logging.getLogger(__name__)

Verify = bool | str | ssl.SSLContext

CONNECT_WITHIN = 10.0  # s
HEALTHY_WITHIN = 5.0  # s

_TOKEN = re.compile(r"[!-~]+")  # what a header holds

# What a refusal means of a server that tells no error code.
_CODES = {
    400: wire.INVALID_PARAMETERS,
    401: wire.NOT_ALLOWED,
    403: wire.NOT_ALLOWED,
    404: wire.UNKNOWN_TASK,
    422: wire.INVALID_PARAMETERS,
    503: wire.DEVICE_UNAVAILABLE,
    504: wire.TIMEOUT,
}


class _Server:
    """A server, as both clients see it: what is asked of it, and what its answers mean."""

    def __init__(self, base_url: str, token: str | None, timeout: float, verify: Verify) -> None:
        self.url = base_url.rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"base_url {base_url!r} is not http://host:port or https://…")
        if token and not _TOKEN.fullmatch(token):
            raise ValueError("the token is not printable ASCII characters without spaces")
        self.timeout = check_timeout(timeout)
        self.settings: dict[str, Any] = {
            "headers": {"Authorization": f"Bearer {token}"} if token else {},
            "verify": ssl.create_default_context(cafile=verify) if isinstance(verify, str) else verify,
            "limits": httpx.Limits(max_connections=None),
        }
        self.remembers = False  # whether it knows a call that comes again

    def question(
        self,
        task_name: str,
        parameters: Mapping[str, Any] | None,
        timeout: float | None,
        more: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The arguments of the request that calls a task."""
        if twice := sorted(set(parameters or ()) & set(more)):
            raise TypeError(f"{twice[0]} was given twice, in the parameters and as a keyword")
        patience = self.timeout if timeout is None else check_timeout(timeout)
        headers = {"Idempotency-Key": uuid.uuid4().hex, "Prefer": f"wait={math.ceil(patience)}"}
        _LOGGER.debug("%s: %s asked for %s", headers["Idempotency-Key"], self.url, task_name)
        return {
            "method": "POST",
            "url": f"{self.url}/execute/{quote(task_name, safe='')}",
            "json": {**(parameters or {}), **more},
            "headers": headers,
            "timeout": _timeout(patience),
        }

    def tasks_question(self) -> dict[str, Any]:
        """The arguments of the request for the tasks."""
        return {"method": "GET", "url": f"{self.url}/tasks", "timeout": _timeout(self.timeout)}

    def health_question(self) -> dict[str, Any]:
        """The arguments of the request that tells whether it is there."""
        seconds = min(self.timeout, HEALTHY_WITHIN)
        return {"method": "GET", "url": f"{self.url}/", "timeout": _timeout(seconds)}

    def may_repeat(self, error: httpx.TransportError, question: Mapping[str, Any]) -> bool:
        """Whether a request whose answer was lost may be sent once more: nothing is done twice."""
        return (
            self.remembers
            and "Idempotency-Key" in question.get("headers", ())
            and isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError)
        )

    def no_answer(self, error: httpx.TransportError) -> Exception:
        """What is raised where no answer came."""
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return ConnectionError(f"no server at {self.url}: {str(error) or 'no answer'}")
        if isinstance(error, httpx.TimeoutException):
            return TimeoutError(f"{self.url} did not answer in time; whether it was done is not known")
        return ConnectionError(
            f"the link to {self.url} was lost ({str(error) or type(error).__name__}); "
            "whether it was done is not known"
        )

    def read(self, answer: httpx.Response) -> Any:  # noqa: ANN401 - whatever it answers
        """What an answer holds.

        Raises:
            TaskFailed: It is a refusal, or none of ours.
        """
        key = answer.request.headers.get("idempotency-key")
        self.remembers = self.remembers or (key is not None and answer.headers.get("request-id") == key)
        try:
            body = answer.json()
        except ValueError:
            body = None
        if answer.is_success and isinstance(body, dict):
            return body
        told = body if isinstance(body, dict) else {}
        detail = told.get("detail") or answer.text.strip()[:500]
        text = detail if isinstance(detail, str) else wire.encode(detail)
        code = told.get("error_code")
        if code not in wire.ERROR_CODES:
            code = _CODES.get(answer.status_code, wire.DEVICE_ERROR)
        raise TaskFailed(text or f"{self.url} answered {answer.status_code}", code)

    def is_healthy(self, answer: httpx.Response | Exception) -> bool:
        """Whether what came of the question says that it is there."""
        if isinstance(answer, httpx.Response) and answer.is_success:
            return True
        why = f"it answered {answer.status_code}" if isinstance(answer, httpx.Response) else answer
        _LOGGER.warning("%s is not there for us: %s", self.url, why)
        return False


class OrchestratorClient:
    """One device behind a ``DeviceServer``, a gateway, or any server that speaks as they do.

    Calls may come from several threads at once.

        with OrchestratorClient("http://ot2-device:8000") as ot2:
            ot2.execute_task("mix_colors", r=255, g=128, b=64, well="A1")
            ot2("mix_colors", r=0, g=0, b=255, well="A2")
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        timeout: float = 60.0,
        *,
        verify: Verify = True,
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            base_url: Where the server is; of a gateway ``http://host:8080/devices/ot2``.
            token: The bearer token, where one is needed.
            timeout: Seconds that an answer is waited for.
            verify: For ``https://``, the CA's file where the system does not know it; False checks nothing.

        Raises:
            ValueError: The address, the token or the timeout cannot be one.
        """
        self._server = _Server(base_url, token, timeout, verify)
        self._http = httpx.Client(**self._server.settings)

    def execute_task(
        self,
        task_name: str,
        /,
        parameters: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 - whatever the task returns
        """Let the device do a task, and wait for its result.

        Args:
            task_name: Which.
            parameters: By name; the place of one that is called ``timeout`` or ``parameters``.
            timeout: Seconds that the answer is waited for; by default the client's.
            **kwargs: More parameters.

        Returns:
            The task's result.

        Raises:
            TaskFailed: It was refused or failed; a RuntimeError with the server's text.
            TimeoutError: No answer came. Whether it was done is not known.
            ConnectionError: There is no server, or the link was lost; the text tells which.
            TypeError: A parameter was given twice.
        """
        return self._ask(self._server.question(task_name, parameters, timeout, kwargs)).get("result")

    def __call__(self, task_name: str, /, **kwargs: Any) -> Any:  # noqa: ANN401
        """``execute_task``."""
        return self.execute_task(task_name, **kwargs)

    def get_available_tasks(self) -> dict[str, Any]:
        """The device's tasks by name, each with ``name``, ``doc``, ``parameters`` and ``is_async``.

        Raises:
            TaskFailed: The server refuses to tell.
            TimeoutError: No answer came.
            ConnectionError: There is no server.
        """
        tasks: dict[str, Any] = self._ask(self._server.tasks_question())
        return tasks

    def health_check(self) -> bool:
        """Whether the server is there and takes our token; the log tells why it is not."""
        try:
            return self._server.is_healthy(self._http.request(**self._server.health_question()))
        except httpx.TransportError as error:
            return self._server.is_healthy(error)

    def close(self) -> None:
        """Close the connections. Safe to repeat."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, question: dict[str, Any]) -> Any:  # noqa: ANN401
        try:
            try:
                answer = self._http.request(**question)
            except httpx.TransportError as error:
                if not self._server.may_repeat(error, question):
                    raise
                answer = self._http.request(**question)
        except httpx.TransportError as error:
            raise self._server.no_answer(error) from error
        return self._server.read(answer)


class AsyncOrchestratorClient:
    """As ``OrchestratorClient``, for ``async with`` and ``await``."""

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        timeout: float = 60.0,
        *,
        verify: Verify = True,
    ) -> None:
        """Prepare; the arguments are those of ``OrchestratorClient``.

        Raises:
            ValueError: The address or the token cannot be one.
        """
        self._server = _Server(base_url, token, timeout, verify)
        self._http = httpx.AsyncClient(**self._server.settings)

    async def execute_task(
        self,
        task_name: str,
        /,
        parameters: Mapping[str, Any] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as the other client has it
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 - whatever the task returns
        """Let the device do a task, and wait for its result; as ``OrchestratorClient.execute_task``."""
        return (await self._ask(self._server.question(task_name, parameters, timeout, kwargs))).get("result")

    async def __call__(self, task_name: str, /, **kwargs: Any) -> Any:  # noqa: ANN401
        """``execute_task``."""
        return await self.execute_task(task_name, **kwargs)

    async def get_available_tasks(self) -> dict[str, Any]:
        """The device's tasks; as ``OrchestratorClient.get_available_tasks``."""
        tasks: dict[str, Any] = await self._ask(self._server.tasks_question())
        return tasks

    async def health_check(self) -> bool:
        """Whether the server is there and takes our token; the log tells why it is not."""
        try:
            return self._server.is_healthy(await self._http.request(**self._server.health_question()))
        except httpx.TransportError as error:
            return self._server.is_healthy(error)

    async def close(self) -> None:
        """Close the connections. Safe to repeat."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _ask(self, question: dict[str, Any]) -> Any:  # noqa: ANN401
        try:
            try:
                answer = await self._http.request(**question)
            except httpx.TransportError as error:
                if not self._server.may_repeat(error, question):
                    raise
                answer = await self._http.request(**question)
        except httpx.TransportError as error:
            raise self._server.no_answer(error) from error
        return self._server.read(answer)


def _timeout(seconds: float) -> httpx.Timeout:
    # A call that waits for a free connection waits for its answer.
    return httpx.Timeout(seconds, connect=min(seconds, CONNECT_WITHIN))
