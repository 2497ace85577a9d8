"""``DeviceServer``: the functions of a program as a device, over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
import contextlib
from dataclasses import replace
import logging
import os
from pathlib import Path
import socket
import threading
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send
import uvicorn

import lab2mqtt
from lab2mqtt import wire
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.orchestration import http_task_routes as routes
from lab2mqtt.orchestration.bearer import Bearer, hash_of, new_token
from lab2mqtt.orchestration.http_errors import HttpRefused, add_error_answers
from lab2mqtt.orchestration.listener import is_loopback, listen
from lab2mqtt.orchestration.openapi import complete, task_paths
from lab2mqtt.orchestration.served import Served
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.systemd import Condition, say, telling

_LOGGER = logging.getLogger("uvicorn.error")  # which uvicorn and gunicorn show

TOKENS = "LAB2MQTT_TOKENS"
BROKER = "LAB2MQTT_BROKER"


class DeviceServer:
    """Every ``@task`` of the program as one device.

        server = DeviceServer()
        server.run()  # http://localhost:8000, with its tasks at /docs

    With a broker it is a device of the lab as well: announced to Home Assistant, called over MQTT, too.

    Attributes:
        app: The FastAPI app, for ``gunicorn -w 1 -k uvicorn.workers.UvicornWorker program:server``. One
            robot, one process: of several workers all but one refuse to start.
        device_id: Its id in the lab.
        host: Where it listens.
        port: The port; after ``run`` with port 0 the one that was free.
    """

    def __init__(  # noqa: PLR0913 - what scripts know, and by name what a lab adds
        self,
        title: str = "",
        description: str = "",
        version: str = lab2mqtt.__version__,
        host: str = "127.0.0.1",
        port: int = 8000,
        require_auth: bool = False,  # noqa: FBT001, FBT002 - the shape that scripts know
        *,
        device_id: str | None = None,
        tokens: Iterable[str] = (),
        certificate: str | Path | None = None,
        key: str | Path | None = None,
        broker: str | Broker | None = None,
        base: str = wire.DEFAULT_BASE,
    ) -> None:
        """Prepare; ``run``, or a server that takes ``app``, serves.

        Args:
            title: What people call it.
            description: What it is, for its documentation.
            version: Of the program.
            host: Where it listens; ``0.0.0.0`` lets other machines in.
            port: The port.
            require_auth: Whether it is an error if there is no token.
            device_id: What it is called in the lab; the machine's name unless told.
            tokens: Bearer tokens, beside those in ``$LAB2MQTT_TOKENS`` (with commas between them). Where
                there is any, callers must show one.
            certificate: The server's certificate, with which it speaks HTTPS.
            key: Its key, where that is not in the same file.
            broker: The lab's broker, ``mqtt://user@host``; ``$LAB2MQTT_BROKER`` unless told. Without either
                it is no part of a lab.
            base: The lab's base topic.

        Raises:
            Misconfigured: ``require_auth`` without a token, a key without a certificate, or a file that is
                not there.
            ValueError: An id, a topic or the broker's address is none.
        """
        self.host = host
        self.port = port
        self._bearer = Bearer(_hashes(tokens, required=require_auth))
        self._files = _tls_files(certificate, key)
        address = broker or os.environ.get(BROKER)
        self._served = Served(
            device_id,
            name=title,
            broker=Broker.parse(address) if isinstance(address, str) else address,
            base=base,
        )
        self.device_id = self._served.device_id
        self._starting = threading.Lock()
        self._started = False
        self.app = _App(
            self._complete,
            title=title or f"Device server of {self.device_id}",
            description=description,
            version=version,
            lifespan=self._lifespan,
        )
        self._add_routes()

    @property
    def description(self) -> dict[str, object]:
        """What it is and can do, as on the wire."""
        return self._served.description

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ``app`` does: gunicorn takes ``program:server``, and cannot read ``…:server.app``."""
        await self.app(scope, receive, send)

    def get_app(self) -> FastAPI:
        """The FastAPI app."""
        return self.app

    def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C; what runs then is ended, and answered.

        Raises:
            Misconfigured: The port is taken, or another process serves this device, here or elsewhere.
            ValueError: There is no task.
        """
        if not self._bearer.is_needed and not is_loopback(self.host):
            logging.getLogger(__name__).warning(
                "whoever reaches %s may move this device; DeviceServer(require_auth=True) wants a token",
                self.host,
            )
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop()
            raise Misconfigured(
                "an event loop runs here already, as in a notebook: "
                "threading.Thread(target=server.run, daemon=True).start()"
            )
        certificate, key = self._files
        config = uvicorn.Config(self.app, ssl_certfile=certificate, ssl_keyfile=key)
        with self._listen() as listener:
            self._start()
            scheme = "https" if certificate else "http"
            host = f"[{self.host}]" if ":" in self.host else self.host
            _LOGGER.info("%s at %s://%s:%d, its tasks at /docs", self.device_id, scheme, host, self.port)
            with contextlib.suppress(KeyboardInterrupt):
                _EndsTasksFirst(config, self._served).run(sockets=[listener])
        self._served.check()

    async def do(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do a command, and give its result; both as on the wire. It goes on when nobody waits any more."""
        self._check()
        return await asyncio.shield(asyncio.wrap_future(self._served.submit(command)))

    def _add_routes(self) -> None:
        app = self.app
        add_error_answers(app)

        @app.get("/", summary="What this is", openapi_extra={"security": []})
        async def overview(_: Annotated[str, Depends(self._bearer.unless_silent)]) -> dict[str, Any]:
            self._check()
            return routes.overview(self.description, app.title, "/docs")

        @app.get("/tasks", summary="The device's own tasks, with their parameters")
        async def tasks(_: Annotated[str, Depends(self._bearer)]) -> dict[str, Any]:
            told = self.description
            coroutines = [name for name, one in self._served.functions.items() if one.is_coroutine]
            return routes.task_list(told, coroutines)

        @app.post("/execute/{task:path}", include_in_schema=False)
        async def execute(
            task: str, request: Request, who: Annotated[str, Depends(self._bearer)]
        ) -> JSONResponse:
            if not self._started:  # no lifespan ran, as in FastAPI's TestClient without ``with``
                await asyncio.to_thread(self._start)
            host = request.client.host if request.client else "a socket"
            return await routes.execute(self, task, request, who or f"{host} over HTTP")

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(self._start)
        try:
            yield
        finally:
            await asyncio.to_thread(self._served.stop)

    def _complete(self, document: dict[str, Any]) -> dict[str, Any]:
        return complete(document, task_paths(self.description), with_tokens=self._bearer.is_needed)

    def _check(self) -> None:
        """See that it has not ended, as where another machine has this device by now."""
        try:
            self._served.check()
        except Misconfigured as error:
            raise HttpRefused(503, str(error), wire.DEVICE_UNAVAILABLE) from None

    def _start(self) -> None:
        with self._starting:
            self._served.start()
            self._started = True

    def _listen(self) -> socket.socket:
        try:
            listener = listen(self.host, self.port)
        except OSError as error:
            text = f"cannot listen on port {self.port} of {self.host}: {error.strerror}"
            raise Misconfigured(f"{text}; DeviceServer(host=…, port=…) tells another place") from error
        self.port = listener.getsockname()[1]
        return listener


class _App(FastAPI):
    """Has every task in its document."""

    def __init__(self, completed: Callable[[dict[str, Any]], dict[str, Any]], **told: Any) -> None:  # noqa: ANN401
        super().__init__(**told)
        self._completed = completed

    def openapi(self) -> dict[str, Any]:
        """The document."""
        document = get_openapi(
            title=self.title, version=self.version, description=self.description, routes=self.routes
        )
        return self._completed(document)


class _EndsTasksFirst(uvicorn.Server):
    """Ends the device before it waits for answers, which a long task would hold up; ends with it, too."""

    def __init__(self, config: uvicorn.Config, served: Served) -> None:
        super().__init__(config)
        self._served = served

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve, and tell systemd how it goes."""
        async with telling(self._condition):
            await super().serve(sockets)

    def _condition(self) -> Condition:
        found = self._served.condition()
        return replace(found, online=found.online and self.started)

    async def on_tick(self, counter: int) -> bool:
        """Tell whether it is to end."""
        return await super().on_tick(counter) or not self._served.running

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all."""
        say("STOPPING=1")
        await asyncio.to_thread(self._served.stop)
        await super().shutdown(sockets)


def _hashes(tokens: Iterable[str], *, required: bool) -> dict[str, str]:
    """The tokens' hashes, by a name for each."""
    told = [tokens] if isinstance(tokens, str) else list(tokens)
    told += [one.strip() for one in os.environ.get(TOKENS, "").split(",") if one.strip()]
    if required and not told:
        raise Misconfigured(
            f"require_auth=True needs a token: DeviceServer(tokens=[…]), or {TOKENS} in the environment. "
            f"A new one: {new_token()}"
        )
    return {f"token {number}": hash_of(one) for number, one in enumerate(told, 1)}


def _tls_files(certificate: str | Path | None, key: str | Path | None) -> tuple[str | None, str | None]:
    """What uvicorn is told of them."""
    if key and not certificate:
        raise Misconfigured("a key needs its certificate: DeviceServer(certificate=…, key=…)")
    for path in (certificate, key):
        if path and not Path(path).is_file():
            raise Misconfigured(f"there is no file {path}, which DeviceServer(certificate=…, key=…) names")
    return str(certificate) if certificate else None, str(key) if key else None
