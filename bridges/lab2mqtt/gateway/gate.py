"""Who comes in: every request shows a token, unless there are none, and nobody takes all the room."""

import base64
import binascii
from collections import Counter
from collections.abc import Sequence
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from lab2mqtt import wire
from lab2mqtt.adopt.known_tasks import STOPS
from lab2mqtt.gateway.rights import Person, anybody
from lab2mqtt.orchestration.bearer import Bearer
from lab2mqtt.orchestration.http_errors import HttpRefused, refusal
from lab2mqtt.orchestration.listener import is_loopback

AT_ONCE = 256  # requests of one token, those that listen to events included
OPEN = ("/", "/health")  # told to everybody
BY_PASSWORD = ("/docs", "/openapi.json")  # a browser asks for name and password, and knows no bearer


class Keys:
    """The tokens that are good now, and who they stand for."""

    def __init__(self, people: Sequence[Person]) -> None:
        """Prepare; ``change`` takes others."""
        self.change(people)

    def change(self, people: Sequence[Person]) -> None:
        """Take other tokens; none lets everybody in."""
        self._people = {person.name: person for person in people}
        self._bearer = Bearer({person.name: person.digest for person in people})

    @property
    def are_needed(self) -> bool:
        """Whether a token is needed."""
        return self._bearer.is_needed

    def who(self, request: Request) -> Person:
        """Who sent a request.

        Raises:
            HttpRefused: 401, no token is shown or a wrong one; 403, a page of another site sent it.
        """
        if self.are_needed:
            return self._people[self._bearer.who(request)]
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        if not is_loopback(host):  # some other name for this machine, which a page in a browser has made up
            text = f"without tokens this gateway is http://127.0.0.1 or http://localhost alone, not {host!r}"
            raise HttpRefused(403, text, wire.NOT_ALLOWED)
        self._bearer.who(request)
        return anybody(request.client.host if request.client else "a socket")


class Gate:
    """Lets requests in, with ``request.state.person``; a part of an ASGI application."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        """Prepare.

        Args:
            app: What lies behind.
            keys: The tokens.
        """
        self._app = app
        self._keys = keys
        self._under_way: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in BY_PASSWORD:
            scope = {**scope, "headers": _with_bearer(scope["headers"])}
        request = Request(scope)
        try:
            person = self._person(request)
        except HttpRefused as error:
            await self._refused(request, error)(scope, receive, send)
            return
        if self._under_way[person.name] >= AT_ONCE and not _stops(request):
            text = f"{AT_ONCE} requests of {person.name} are under way; that is the most"
            full = refusal(429, text, wire.BUSY, {"Retry-After": "1"})
            await full(scope, receive, send)
            return
        self._under_way[person.name] += 1
        request.state.person = person
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way[person.name] -= 1

    def _person(self, request: Request) -> Person:
        silent = "authorization" not in request.headers
        if self._keys.are_needed and silent and request.scope["path"] in OPEN:
            return Person("")
        return self._keys.who(request)

    def _refused(self, request: Request, error: HttpRefused) -> JSONResponse:
        headers = dict(error.headers or {})
        if error.status_code == 401 and request.scope["path"] in BY_PASSWORD:  # noqa: PLR2004 - as HTTP calls it
            headers["WWW-Authenticate"] = 'Basic realm="lab2mqtt: name and token"'
        return refusal(error.status_code, error.detail, error.error_code or wire.NOT_ALLOWED, headers)


def _stops(request: Request) -> bool:
    """Whether a request asks for a stop, for which there is always room."""
    path: str = request.scope["path"].rstrip("/")  # the URL would have the Host header in it
    last = path.rpartition("/")[2]
    return request.method == "POST" and (path == "/emergency_stop" or ("/execute/" in path and last in STOPS))


def _with_bearer(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The password of a browser as the token that it is."""
    found = []
    for name, value in headers:
        scheme, _, told = value.partition(b" ")
        if name == b"authorization" and scheme.lower() == b"basic":
            try:
                password = base64.b64decode(told, validate=True).partition(b":")[2]
            except binascii.Error:
                password = b""
            found.append((name, b"Bearer " + password))
        else:
            found.append((name, value))
    return found
