"""Who may call over HTTP: bearer tokens, kept as their SHA-256 only."""

from collections.abc import Mapping
import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
from urllib.parse import urlsplit

from fastapi import Request

from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.orchestration.http_errors import HttpRefused

_HASH = re.compile("[0-9a-f]{64}")
_TOKEN = re.compile(r"[!-~]+")  # what a header holds


def new_token() -> str:
    """A token that nobody guesses: 43 characters."""
    return secrets.token_urlsafe(32)


def hash_of(token: str) -> str:
    """What is kept of a token: its SHA-256, in hex.

    Raises:
        Misconfigured: A header cannot hold it.
    """
    if not _TOKEN.fullmatch(token):
        raise Misconfigured("a token is one or more printable ASCII characters without spaces")
    return hashlib.sha256(token.encode()).hexdigest()


class Bearer:
    """Checks the header ``Authorization: Bearer TOKEN`` of requests; a dependency for FastAPI.

    Where there are no tokens everybody may call, but no page of another site in somebody's browser.
    """

    def __init__(self, hashes: Mapping[str, str]) -> None:
        """Prepare.

        Args:
            hashes: The SHA-256 of each token in hex, by the name of who has it; empty where none is needed.

        Raises:
            Misconfigured: One is no SHA-256.
        """
        for name, one in hashes.items():
            if not _HASH.fullmatch(one):
                raise Misconfigured(f"the token of {name} is not a SHA-256 of 64 digits 0-9 and a-f")
        self._hashes = dict(hashes)

    @property
    def is_needed(self) -> bool:
        """Whether a token is needed."""
        return bool(self._hashes)

    async def __call__(self, request: Request) -> str:
        """The name of who calls; empty where no token is needed.

        Raises:
            HttpRefused: 401, there is no token or a wrong one; 403, another site's page sent it.
        """
        return self.who(request)

    async def unless_silent(self, request: Request) -> str:
        """As a call of it, but who shows no token at all may pass: for what is told to everybody."""
        return self.who(request) if "authorization" in request.headers else ""

    def who(self, request: Request) -> str:
        """The name of who sent a request."""
        if not self._hashes:
            _check_site(request)
            return ""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _unknown("a token is needed: send the header 'Authorization: Bearer TOKEN'")
        shown = hashlib.sha256(token.strip().encode()).hexdigest()
        # All of them, so that the time tells nothing.
        found = [name for name, one in self._hashes.items() if hmac.compare_digest(one, shown)]
        if not found:
            raise _unknown("this token is not known here")
        return found[0]


def _unknown(detail: str) -> HttpRefused:
    return HttpRefused(401, detail, headers={"WWW-Authenticate": "Bearer"})


def _check_site(request: Request) -> None:
    """A page that somebody looks at could else move what only this machine reaches."""
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    if origin is None:  # no browser
        return
    if urlsplit(origin).netloc != host or not _is_ours(urlsplit(f"//{host}").hostname or ""):
        raise HttpRefused(403, f"a page of {origin} may not call this server; with a token it may")


def _is_ours(host: str) -> bool:
    """Whether a name is this machine's, and none that a page has made up for it."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        name = socket.gethostname().lower()
        first = name.partition(".")[0]
        return host in ("localhost", name, first, f"{first}.local")
    return True
