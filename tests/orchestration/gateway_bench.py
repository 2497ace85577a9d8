"""A lab with a gateway: a broker, devices of functions, and ``lab2mqtt http``; each real, each killable."""

from collections.abc import Iterator, Mapping
import contextlib
from http.client import HTTPConnection, HTTPResponse
import json
import os
from pathlib import Path
import socket
import ssl
import threading
from typing import Any, Self

import httpx
from tests.broker.observer import until
from tests.broker.program import Program
import yaml

from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.ports import LOOPBACK, free_port
from lab2mqtt.orchestration.bearer import hash_of, new_token

DEVICES = ("cell-1", "cell-2", "cell-3", "cell-4")
RIGHTS: dict[str, dict[str, str]] = {
    "anna": {"*": "use"},
    "bob": {"cell-1": "read"},
    "zoe": {"cell-2": "use", "*": "read"},
}
SERVER = Path(__file__).with_name("gateway_cell.py")
WITHIN = 15.0  # s


class Events:
    """What one reader of server-sent events was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.open = threading.Event()

    def of(self, kind: str) -> list[Any]:
        """What was told of one kind."""
        return [told for what, told in list(self.told) if what == kind]

    def wait(self, kind: str, test: Any = bool) -> Any:  # noqa: ANN401 - JSON
        """The first of a kind that passes a test."""
        found = until(
            lambda: [told for told in self.of(kind) if test(told)],
            f"an event {kind}",
            more=lambda: str(self.told),
        )
        return found[0]

    def take(self, answer: HTTPResponse) -> None:
        """Read until the end."""
        kind = ""
        for raw in answer:
            line = raw.decode().rstrip()
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                self.told.append((kind, json.loads(line.removeprefix("data: "))))
                self.open.set()


class GatewayBench:
    """One lab, and a gateway to it.

    Attributes:
        broker: Its broker.
        devices: The processes of its devices, by id.
        gateway: The process.
        url: Where it answers.
        tokens: Those of the people in RIGHTS.
    """

    def __init__(self, broker: Mosquitto, folder: Path, devices: tuple[str, ...] = DEVICES) -> None:
        self.broker = broker
        self.folder = folder
        self.environment = {**os.environ, "XDG_STATE_HOME": str(folder)}
        self.devices = {one: self._device(one) for one in devices}
        self.tokens = {name: new_token() for name in RIGHTS}
        self.config = folder / "gateway.yaml"
        self.port = free_port()
        self.scheme = "http"
        self.gateway = Program(["http", str(self.config)], folder / "gateway.log")
        self.http = httpx.Client(timeout=WITHIN)
        self.configure(RIGHTS)

    def _device(self, device_id: str) -> Program:
        made = Program([], self.folder / f"{device_id}.log", environment=self.environment)
        made.command[1:] = [str(SERVER), str(self.broker.port), device_id]
        return made

    def configure(self, rights: Mapping[str, Mapping[str, str]], **http: Any) -> None:  # noqa: ANN401
        """Write the configuration, with tokens of these people."""
        for name in rights:
            self.tokens.setdefault(name, new_token())
        told = {
            "broker": {"port": self.broker.port},
            "http": {"port": self.port, **http},
            "tokens": {
                name: {"sha256": hash_of(self.tokens[name]), "devices": dict(devices)}
                for name, devices in rights.items()
            },
        }
        self.config.write_text(yaml.safe_dump(told))
        self.scheme = "https" if "certificate" in http else "http"

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{self.scheme}://{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        for one in self.devices.values():
            one.start()
        self.gateway.start()
        try:
            self.until_all_there()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        for one in (self.gateway, *self.devices.values()):
            if one.pid:
                one.terminate()

    def start_gateway(self, verify: ssl.SSLContext | None = None) -> None:
        """Start it anew, and wait until it has its devices."""
        self.http.close()
        self.http = httpx.Client(timeout=WITHIN, verify=verify or True)
        self.gateway.start()
        self.until_all_there()

    def until_all_there(self) -> None:
        """Wait until the gateway can reach all devices."""

        def there() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return bool(self.health()["devices"]["reachable"] == len(self.devices))
            return False

        until(there, "the gateway has its devices", within=WITHIN, more=self.gateway.said)

    def health(self) -> dict[str, Any]:
        """How it says it is."""
        told: dict[str, Any] = self.http.get(f"{self.url}/health").json()
        return told

    def headers(self, who: str) -> dict[str, str]:
        """With somebody's token."""
        return {"Authorization": f"Bearer {self.tokens[who]}"}

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,  # noqa: ANN401 - JSON or rubbish
        who: str = "anna",
        **headers: str,
    ) -> httpx.Response:
        """Ask something; a header ``idempotency_key`` is ``idempotency-key``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        return self.http.request(
            method, f"{self.url}{path}", content=content, headers={**self.headers(who), **named}
        )

    def call(self, device: str, task: str, who: str = "anna", **parameters: Any) -> httpx.Response:  # noqa: ANN401
        """Call a task."""
        return self.ask("POST", f"/devices/{device}/execute/{task}", parameters, who)

    def begin(self, device: str, task: str, **parameters: Any) -> str:  # noqa: ANN401
        """Call a task without waiting for it; gives the path of its result."""
        path = f"/devices/{device}/execute/{task}"
        answer = self.ask("POST", path, parameters, prefer="respond-async")
        assert answer.status_code == 202, answer.text
        return answer.headers["location"]

    def until_running(self, result: str) -> None:
        """Wait until a call that was begun has told of its progress."""
        until(lambda: self.ask("GET", result).json()["status"] == "progress", f"{result} runs", within=WITHIN)

    @contextlib.contextmanager
    def events(self, path: str = "/events", who: str = "anna") -> Iterator[Events]:
        """What happens, from when it is known to be listened to."""
        events = Events()
        link = HTTPConnection(LOOPBACK, self.port, timeout=WITHIN)
        link.request("GET", path, headers=self.headers(who))
        sock = link.sock
        answer = link.getresponse()
        assert answer.status == 200, answer.read()
        thread = threading.Thread(target=events.take, args=(answer,))
        thread.start()
        try:
            assert events.open.wait(WITHIN)
            yield events
        finally:
            with contextlib.suppress(OSError):  # the gateway has ended it
                sock.shutdown(socket.SHUT_RDWR)
            thread.join()
            link.close()
