"""What Home Assistant offers its clients: REST, and the commands of its websocket."""

from collections.abc import Callable
import json
import time
from typing import Any
import urllib.error
import urllib.request

from lab2mqtt.hub.errors import HubError
from lab2mqtt.hub.ports import LOOPBACK
from lab2mqtt.hub.websocket import WebSocket

State = dict[str, Any]

# Straight to loopback, whatever proxy the environment names.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_TIMEOUT = 60.0
_IDLE = 30.0  # s; it asks every 55 s whether we are there, and hangs up on whoever does not listen


class Refusal(HubError):
    """Home Assistant answered, with an error."""


class Api:
    """One Home Assistant on loopback, spoken to as its owner. For one thread at a time.

    Every method raises ``Refusal`` if Home Assistant says no and ``OSError`` if it does not answer.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://{LOOPBACK}:{port}"
        self.token = ""
        self._websocket: WebSocket | None = None
        self._last_id = 0
        self._used = 0.0  # when the websocket was used last

    def get(self, path: str) -> Any:  # noqa: ANN401, JSON
        """GET a path: the answer's JSON."""
        return json.loads(self.request("GET", path))

    def post(self, path: str, body: object = None) -> Any:  # noqa: ANN401, JSON
        """POST a JSON body to a path: the answer's JSON."""
        return json.loads(self.request("POST", path, json.dumps({} if body is None else body).encode()))

    def request(
        self, method: str, path: str, body: bytes | None = None, content_type: str = "application/json"
    ) -> str:
        """Any HTTP request: the answer's text."""
        headers = {"Content-Type": content_type}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.url + path, body, headers, method=method)  # noqa: S310, loopback
        try:
            with _OPENER.open(request, timeout=_TIMEOUT) as response:
                text: str = response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                raise Refusal(
                    f"{method} {path}: {error.code} {error.read().decode(errors='replace')}"
                ) from error
        return text

    def ws(self, command: str, **fields: object) -> Any:  # noqa: ANN401, JSON
        """One websocket command and its result, on a connection that is kept."""
        if time.monotonic() > self._used + _IDLE:
            self.disconnect()
        if self._websocket is None:
            self._websocket = self._connect()
        self._used = time.monotonic()
        self._last_id += 1
        try:
            self._websocket.send({"id": self._last_id, "type": command, **fields})
            while True:
                reply = self._websocket.receive()
                if reply.get("id") == self._last_id and reply["type"] == "result":
                    break
        except OSError:
            self.disconnect()
            raise
        if not reply["success"]:
            raise Refusal(f"{command}: {reply['error']}")
        return reply["result"]

    def disconnect(self) -> None:
        """Let the websocket go; the next command opens another."""
        if self._websocket:
            self._websocket.close()
            self._websocket = None

    def states(self) -> dict[str, State]:
        """Every state, by entity id."""
        return {state["entity_id"]: state for state in self.get("/api/states")}

    def state(self, entity_id: str) -> State | None:
        """One state, or None while there is no such entity."""
        try:
            state: State = self.get(f"/api/states/{entity_id}")
        except Refusal:
            return None
        return state

    def wait_for(
        self, entity_id: str, test: Callable[[State], bool] = lambda _: True, timeout: float = 10
    ) -> State:
        """Wait until an entity exists and its state passes the test.

        Args:
            entity_id: The entity.
            test: Takes the state: ``lambda now: now["state"] == "B"``.
            timeout: Seconds.

        Raises:
            TimeoutError: It did not; the text holds its last state.
        """
        deadline = time.monotonic() + timeout
        while True:
            state = self.state(entity_id)
            if state is not None and test(state):
                return state
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {timeout:g} s {entity_id} is {state}")
            time.sleep(0.05)

    def call_service(
        self,
        domain: str,
        service: str,
        data: dict[str, object] | None = None,
        *,
        return_response: bool = False,
    ) -> Any:  # noqa: ANN401, JSON
        """Call an action: the states that it changed, or with ``return_response`` its own answer."""
        reply = self.post(
            f"/api/services/{domain}/{service}{'?return_response' if return_response else ''}", data
        )
        return reply["service_response"] if return_response else reply

    def template(self, text: str) -> str:
        """Have a template rendered."""
        return self.request("POST", "/api/template", json.dumps({"template": text}).encode())

    def devices(self) -> list[dict[str, Any]]:
        """The device registry."""
        devices: list[dict[str, Any]] = self.ws("config/device_registry/list")
        return devices

    def entities(self) -> list[dict[str, Any]]:
        """The entity registry."""
        entities: list[dict[str, Any]] = self.ws("config/entity_registry/list")
        return entities

    def _connect(self) -> WebSocket:
        websocket = WebSocket(LOOPBACK, self.port, "/api/websocket", _TIMEOUT)
        websocket.receive()  # auth_required
        websocket.send({"type": "auth", "access_token": self.token})
        reply = websocket.receive()
        if reply["type"] != "auth_ok":
            websocket.close()
            raise Refusal(f"websocket: {reply}")
        return websocket
