"""The gateway as a process: one link to the broker, one port for HTTP, and an end in order."""

import asyncio
from collections.abc import AsyncIterator, Iterator
import contextlib
import logging
import math
from pathlib import Path
import signal
import socket
import time
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
import uvicorn

from lab2mqtt import __version__, wire
from lab2mqtt.client import BrokerError, Lab
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.gateway.calls import Calls
from lab2mqtt.gateway.device_routes import DeviceRoutes
from lab2mqtt.gateway.document import TITLE, document_routes
from lab2mqtt.gateway.events import Events
from lab2mqtt.gateway.gate import Gate, Keys
from lab2mqtt.gateway.lab_stop import stop_routes
from lab2mqtt.gateway.link import no_link
from lab2mqtt.gateway.settings import Gateway, load
from lab2mqtt.orchestration.http_errors import add_error_answers, refusal
from lab2mqtt.orchestration.listener import listen
from lab2mqtt.runtime.systemd import Condition, telling

_LOGGER = logging.getLogger(__name__)

LOOK_EVERY = 0.5  # s between two looks at the link
END_WITHIN = 2.0  # s for answers that are being written
_METHODS = ("GET", "POST", "DELETE")
_ASKED = ("Authorization", "Content-Type", "Idempotency-Key", "Prefer", "Reservation")
_TOLD = ("Request-Id", "Location", "Preference-Applied")


class Server:
    """One gateway."""

    def __init__(self, file: Path, gateway: Gateway) -> None:
        """Prepare; ``run`` serves.

        Args:
            file: The configuration, whose tokens are read again on SIGHUP.
            gateway: The same, as it was read.
        """
        self._file = file
        self._gateway = gateway
        self._lab = Lab(gateway.broker, base=gateway.base, connect_within=math.inf)
        self._calls = Calls(self._lab)
        self._events = Events(self._lab)
        self._keys = Keys(gateway.people)
        self._began = time.monotonic()
        self.app = self._app()

    def _app(self) -> FastAPI:
        app = FastAPI(title=TITLE, version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
        add_error_answers(app)

        @app.exception_handler(BrokerError)
        async def no_broker(_: Request, error: BrokerError) -> JSONResponse:
            return refusal(503, str(error), wire.DEVICE_UNAVAILABLE)

        @app.get("/", tags=["lab"])
        async def overview() -> dict[str, str]:
            """What this is."""
            return {"message": TITLE, "version": __version__, "devices": "/devices", "docs": "/docs"}

        @app.get("/health", tags=["lab"])
        async def health(request: Request) -> JSONResponse:
            """How the gateway is; 503 while there is no link to the broker."""
            told = self._health()
            if not request.state.person.name:  # who shows no token is told no address
                told["link"].pop("reason", None)
            return JSONResponse(told, 200 if self._lab.up else 503)

        app.include_router(stop_routes(self._lab))
        app.include_router(DeviceRoutes(self._lab, self._calls, self._events).router)
        app.include_router(document_routes(app, self._lab, self._keys))
        app.add_middleware(Gate, keys=self._keys)
        if origins := self._gateway.http.origins:
            app.add_middleware(
                CORSMiddleware,
                allow_origins=origins,
                allow_methods=_METHODS,
                allow_headers=_ASKED,
                expose_headers=_TOLD,
            )
        return app

    def _health(self) -> dict[str, Any]:
        up = self._lab.up
        link = {"up": True} if up else {"up": False, "reason": no_link(self._lab)}
        reachable = sum(device.reachable for device in self._lab.devices.values()) if up else 0
        return {
            "status": "ok" if up else "no link",
            "link": link,
            "devices": {"known": len(self._lab.devices), "reachable": reachable},
            "calls_under_way": len(self._calls),
            "uptime_s": round(time.monotonic() - self._began),
            "version": __version__,
        }

    async def run(self) -> None:
        """Serve until cancelled; then tell all who wait, and end.

        Raises:
            Misconfigured: The port cannot be had.
        """
        http = self._gateway.http
        config = uvicorn.Config(
            self.app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ssl_certfile=http.certificate,
            ssl_keyfile=http.key,
            timeout_graceful_shutdown=round(END_WITHIN),
        )
        server = _Quiet(config)
        with self._listener() as listener, self._lab.listening(self._events.hear):
            async with self._linked(), telling(self._condition):
                serving = asyncio.create_task(server.serve(sockets=[listener]))
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload)
                _LOGGER.info(
                    "%s answers at %s, for the lab on %s", TITLE, self._gateway.url, self._lab.broker
                )
                try:
                    await asyncio.shield(serving)
                except asyncio.CancelledError:
                    self._calls.end()
                    self._events.end()
                    server.should_exit = True
                    await serving

    def _listener(self) -> socket.socket:
        http = self._gateway.http
        try:
            return listen(http.host, http.port)
        except OSError as error:
            text = f"http: cannot listen on port {http.port} of {http.host}: {error.strerror}"
            raise Misconfigured(text) from error

    @contextlib.asynccontextmanager
    async def _linked(self) -> AsyncIterator[None]:
        """With the link to the broker, and what looks after it; the broker may come and go."""
        tasks = [asyncio.create_task(self._keep_link()), asyncio.create_task(self._look())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_link(self) -> None:
        async with self._lab:
            await asyncio.Event().wait()

    async def _look(self) -> None:
        """Tell when the link comes and goes, and learn what was missed meanwhile."""
        catching_up: asyncio.Task[None] | None = None
        while True:
            self._events.tell_link()
            if catching_up is None or catching_up.done():
                catching_up = asyncio.create_task(self._calls.catch_up())
            await asyncio.sleep(LOOK_EVERY)

    def _condition(self) -> Condition:
        if not self._lab.up:
            return Condition(no_link(self._lab), online=False)
        return Condition(f"At {self._gateway.url} for {len(self._lab.devices)} devices", online=True)

    def _reload(self) -> None:
        """Take other tokens; whoever listens comes again, with one that is good now."""
        try:
            told = load(self._file)
        except Misconfigured as error:
            _LOGGER.error("The tokens stay as they were: %s", error)
            return
        if bool(told.people) != self._keys.are_needed:
            _LOGGER.error("The tokens stay as they were: whether any are needed takes a restart")
            return
        self._keys.change(told.people)
        self._events.cut()
        _LOGGER.info("The tokens are those of %s now: %d", self._file, len(told.people))


class _Quiet(uvicorn.Server):
    """Leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
