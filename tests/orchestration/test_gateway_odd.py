"""The gateway and the client among devices that say odd things, and people who send them."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
import json
import socket
from typing import Any
import uuid

import httpx
import pytest
from tests.broker.observer import Observer, until
from tests.orchestration.gateway_bench import GatewayBench

from lab2mqtt.client import Lab, lab_stop
from lab2mqtt.gateway.gate import AT_ONCE
from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.ports import LOOPBACK

READS = {"effect": "read", "timeout": 30, "parameters": {}}


@pytest.fixture(scope="module")
def lab(broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayBench]:
    """A lab of two devices."""
    folder = tmp_path_factory.mktemp("gateway")
    with Mosquitto(broker.program) as own, GatewayBench(own, folder, ("cell-1", "cell-2")) as made:
        yield made


@pytest.fixture(autouse=True)
def _nothing_is_left(lab: GatewayBench) -> Iterator[None]:
    """A test leaves no stop engaged."""
    yield
    lab.call("cell-1", "reset_emergency_stop")
    lab.ask("DELETE", "/emergency_stop?wait=1")


class Odd:
    """A device called ``odd`` that says what it is told to say."""

    def __init__(self, seen: Observer, lab: GatewayBench) -> None:
        self.seen = seen
        self._lab = lab

    def describe(self, **description: Any) -> None:  # noqa: ANN401 - JSON
        """Say what it is, and wait until the gateway has heard it."""
        mark = uuid.uuid4().hex
        self.say("status", {"status": "online"})
        self.say("description", {"device_id": "odd", "name": mark, **description})
        until(
            lambda: self._lab.ask("GET", "/devices").json().get("odd", {}).get("name") == mark, "it is known"
        )

    def say(self, kind: str, message: Any) -> None:  # noqa: ANN401 - JSON
        """Say something, retained unless it is an event or a result."""
        self.seen.publish(f"lab2mqtt/odd/{kind}", message, retain=kind not in ("event", "result"))


@pytest.fixture
def odd(lab: GatewayBench) -> Iterator[Odd]:
    """One that is gone after the test."""
    with Observer(lab.broker.port, "lab2mqtt/odd/command", "lab2mqtt/emergency_stop") as seen:
        yield Odd(seen, lab)
        for kind in ("description", "status", "state"):
            seen.publish(f"lab2mqtt/odd/{kind}", "", retain=True)
        seen.barrier()


@pytest.mark.parametrize(
    "description",
    [
        {"bridge": ["x"]},
        {"tasks": None},
        {"tasks": [1]},
        {"tasks": {"a": None}},
        {"tasks": {"a": {"required": 3, "parameters": 3, "timeout": "long", "effect": []}}},
        {"tasks": {"a": {"required": [[]], "parameters": {"b": 3}, "description": 3, "returns": 3}}},
    ],
)
def test_an_odd_description_breaks_nothing(lab: GatewayBench, odd: Odd, description: dict[str, Any]) -> None:
    """Neither the lab's stop nor what is told of the others."""
    odd.describe(**description)
    for path in ("/openapi.json", "/health", "/devices/odd", "/devices/odd/tasks", "/devices/cell-1/state"):
        assert lab.ask("GET", path).status_code == 200, path
    begun = lab.ask("POST", "/devices/odd/execute/a", {}, prefer="respond-async")
    assert begun.status_code == 202
    stopped = lab.ask("POST", "/emergency_stop?wait=0.3")
    assert stopped.status_code == 200
    assert sorted(stopped.json()["confirmed"]) == ["cell-1", "cell-2"]
    assert stopped.json()["not_confirmed"] == ["odd"]
    until(lambda: lab.ask("GET", "/emergency_stop").json()["engaged"], "it is engaged")


def test_an_odd_stop_task_stops(lab: GatewayBench, odd: Odd) -> None:
    """Whatever stands for its parameters."""
    odd.describe(tasks={"halt": {"effect": "stop", "parameters": 3}})
    asked = lab.ask("POST", "/devices/odd/execute/halt", {"reason": "now"}, prefer="respond-async")
    assert asked.status_code == 202
    odd.seen.wait("lab2mqtt/odd/command", lambda told: told["task"] == "halt")


@pytest.mark.parametrize(
    "history", [[], {"commands": {"a": 1}}, {"commands": [3]}, {"commands": [{"request_id": "once"}]}]
)
def test_an_odd_history_knows_nothing(
    lab: GatewayBench, odd: Odd, beside: ThreadPoolExecutor, history: object
) -> None:
    """As one in which a call does not stand."""
    odd.describe(tasks={"get_history": READS})
    asking = beside.submit(lab.ask, "GET", "/devices/odd/results/once")
    asked = odd.seen.wait("lab2mqtt/odd/command", lambda told: told["task"] == "get_history").json
    odd.say("result", {"request_id": asked["request_id"], "status": "success", "result": history})
    assert asking.result().status_code == 404


async def test_only_the_proof_of_this_stop_counts(lab: GatewayBench, odd: Odd) -> None:
    """Not that of an earlier one, nor the state of one that stood already; times may be anything."""

    def prove(earlier: str, **times: float) -> None:
        told = odd.seen.wait("lab2mqtt/emergency_stop", lambda one: one["engaged"], since=since).json
        event = {"event_type": "emergency_stopped", "timestamp": 1, "confirmed": True, **times}
        odd.say("state", {"emergency_stop": True, "stop_confirmed": True, "again": 1})
        odd.say("event", {**event, "stop_id": earlier or told["stop_id"]})

    await asyncio.to_thread(odd.describe)
    odd.say("state", {"emergency_stop": True, "stop_confirmed": True})
    odd.seen.barrier()
    async with Lab(f"mqtt://{LOOPBACK}:{lab.broker.port}") as client:
        since = odd.seen.mark()
        proving = asyncio.create_task(asyncio.to_thread(prove, "earlier"))
        engaged = await lab_stop.engage(client, 0.5)
        await proving
        assert engaged.not_confirmed == ["odd"]
        since = odd.seen.mark()
        proving = asyncio.create_task(asyncio.to_thread(prove, "", received_at=-1.7e308, stopped_at=1.7e308))
        engaged = await lab_stop.engage(client, 5)
        await proving
        assert engaged.not_confirmed == []
        assert engaged.confirmed["odd"] is None


def test_what_a_device_has_not_said_is_not_kept(lab: GatewayBench, odd: Odd) -> None:
    """The result of a call stays, whoever takes its id; what was not sent has none."""
    key = uuid.uuid4().hex
    assert lab.ask("POST", "/devices/cell-1/execute/dose", {"volume": 1}, idempotency_key=key).is_success
    other = lab.ask("POST", "/devices/cell-1/execute/look", {}, "bob", idempotency_key=key)
    assert other.status_code == 409
    kept = lab.ask("GET", f"/devices/cell-1/results/{key}").json()
    assert (kept["task"], kept["status"]) == ("dose", "success")

    odd.describe(bridge="away")
    assert lab.ask("POST", "/devices/odd/execute/a", {}, idempotency_key=key).status_code == 503
    assert lab.ask("GET", f"/devices/odd/results/{key}").status_code == 404


def test_a_stop_is_never_one_of_before(lab: GatewayBench) -> None:
    """Whatever id a program sends with all that it asks."""
    key = uuid.uuid4().hex
    assert lab.ask("POST", "/devices/cell-1/execute/dose", {"volume": 1}, idempotency_key=key).is_success
    stopped = lab.ask("POST", "/devices/cell-1/execute/emergency_stop", {}, "bob", idempotency_key=key)
    assert stopped.status_code == 200, stopped.text
    assert lab.call("cell-1", "dose", volume=1).json()["error_code"] == "emergency_stopped"


def test_who_hangs_up_in_the_body_has_stopped(lab: GatewayBench) -> None:
    """But has released nothing."""

    def send(method: str) -> None:
        with socket.create_connection((LOOPBACK, lab.port)) as line:
            head = f"{method} /emergency_stop HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n"
            line.sendall(f'{head}Authorization: Bearer {lab.tokens["anna"]}\r\n\r\n{{"rea'.encode())

    send("POST")
    until(lambda: lab.ask("GET", "/emergency_stop").json()["engaged"], "it is engaged")
    with lab.events() as events:
        send("DELETE")
        assert lab.call("cell-2", "look").is_success
        events.wait("result")
        assert lab.ask("GET", "/emergency_stop").json()["engaged"]


def test_a_large_body_of_a_stop_is_not_read(lab: GatewayBench) -> None:
    """It stops all the same."""
    body = json.dumps({"reason": "large", "more": "x" * 65_536}).encode()
    assert lab.ask("POST", "/emergency_stop", body).status_code == 200
    assert lab.ask("GET", "/emergency_stop").json()["reason"] == ""


def test_a_slash_at_the_end_stops_too(lab: GatewayBench) -> None:
    """Of a device and of the lab."""
    stopped = lab.ask("POST", "/devices/cell-1/execute/emergency_stop/", {}, "bob")
    assert stopped.json()["task_name"] == "emergency_stop"
    assert lab.ask("POST", "/emergency_stop/", {}, "bob").status_code == 200
    assert lab.ask("GET", "/emergency_stop/").json()["engaged"]
    assert lab.ask("DELETE", "/emergency_stop/").json()["released"]


def test_one_token_has_so_many_calls_under_way(lab: GatewayBench, odd: Odd) -> None:
    """Also where it does not wait for them; a stop is always let through."""
    odd.describe(tasks={"look": READS})
    path = "/devices/odd/execute/look"
    for _ in range(AT_ONCE):
        assert lab.ask("POST", path, {}, "zoe", prefer="respond-async").status_code == 202
    full = lab.ask("POST", path, {}, "zoe", prefer="respond-async")
    assert (full.status_code, full.json()["error_code"]) == (429, "busy")
    assert full.headers["retry-after"] == "1"
    assert lab.call("cell-1", "look").status_code == 200  # of somebody else
    assert lab.call("cell-1", "emergency_stop", "zoe").status_code == 200


def test_an_id_with_a_slash_has_its_result(lab: GatewayBench) -> None:
    """And one that a path cannot hold is refused."""
    path = "/devices/cell-1/execute/look"
    key = f"plate/{uuid.uuid4().hex}"
    begun = lab.ask("POST", path, {}, idempotency_key=key, prefer="respond-async")
    until(lambda: lab.ask("GET", begun.headers["location"]).status_code == 200, "it is over")
    assert lab.ask("GET", begun.headers["location"]).json()["request_id"] == key
    for key in (".", ".."):
        refused = lab.ask("POST", path, {}, idempotency_key=key)
        assert (refused.status_code, refused.json()["error_code"]) == (400, "malformed")
        assert "Idempotency-Key" in refused.json()["detail"]


def test_a_device_without_a_right_is_not_there(lab: GatewayBench) -> None:
    """It is told of in the same words as one that there is not."""
    for path, body in (("/state", None), ("/events", None), ("/execute/look", {})):
        method = "GET" if body is None else "POST"
        there, not_there = (
            lab.ask(method, f"/devices/{one}{path}", body, "bob") for one in ("cell-2", "cell-3")
        )
        assert there.status_code == not_there.status_code == 404
        assert there.text.replace("cell-2", "cell-3") == not_there.text
    assert list(lab.ask("POST", "/emergency_stop", {}, "bob").json()["confirmed"]) == ["cell-1"]


def test_a_made_up_host_or_path_opens_nothing(lab: GatewayBench) -> None:
    """The path that is answered says what is told to everybody, not one that a URL is read as."""
    assert httpx.get(f"{lab.url}/hea%0Alth").status_code == 401
    for host in ("127.0.0.1/health?", "a/health#", "/?"):
        answer = httpx.get(f"{lab.url}/emergency_stop", headers={"Host": host})
        assert answer.status_code == 401
