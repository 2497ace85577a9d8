"""Every device of a lab behind one HTTP API: what it answers, and to whom."""

import asyncio
from collections.abc import AsyncIterator, Iterator
import contextlib
import time
import uuid

import httpx
import pytest
from tests.broker.observer import until
from tests.orchestration.gateway_bench import DEVICES, GatewayBench

from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.orchestration import AsyncOrchestratorClient, OrchestratorClient, TaskFailed

LONG = b'{"a": "' + b"x" * 65_500 + b'"}'  # with what is around it too long for a command
STOPPED_WITHIN = 1.5  # s; beside 64 calls that run


@pytest.fixture(scope="module")
def lab(broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayBench]:
    """A lab of four devices."""
    with (
        Mosquitto(broker.program) as own,
        GatewayBench(own, tmp_path_factory.mktemp("gateway")) as made,
    ):
        yield made


@pytest.fixture(autouse=True)
def _nothing_is_left(lab: GatewayBench) -> Iterator[None]:
    """A test leaves no stop engaged."""
    yield
    if lab.ask("GET", "/emergency_stop").json()["engaged"]:
        lab.ask("DELETE", "/emergency_stop")


def _client(lab: GatewayBench, device: str, who: str = "anna") -> OrchestratorClient:
    return OrchestratorClient(f"{lab.url}/devices/{device}", lab.tokens[who])


def test_a_device_answers_as_a_device_server_does(lab: GatewayBench) -> None:
    """So that the client of one is a client of the other."""
    with _client(lab, "cell-1") as cell:
        assert cell.health_check()
        tasks = cell.get_available_tasks()
        assert tasks["mix_colors"]["parameters"]["r"] == {"type": "int", "default": None, "required": True}
        assert "emergency_stop" not in tasks
        assert cell("mix_colors", r=1, g=2, b=3, well="A1") == "Mixed RGB(1,2,3) in A1"
        with pytest.raises(TaskFailed, match="the horn is loose"):
            cell("jam")
    answer = lab.call("cell-1", "look", number=3)
    assert answer.json() == {
        "task_name": "look",
        "parameters": {"number": 3},
        "result": {"number": 3, "text": ""},
        "status": "success",
    }
    told = lab.ask("GET", "/devices/cell-1").json()
    assert told["docs"] == "/docs"
    assert "mix_colors" in told["available_tasks"]
    assert "reserve" not in told["available_tasks"]


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "words"),
    [
        ("/devices/cell-11/execute/look", {}, 404, "unknown_device", "did you mean 'cell-1'?"),
        ("/devices/cell-11/state", None, 404, "unknown_device", "there are: cell-1, cell-2"),
        ("/devices/cell-1/execute/lok", {}, 404, "unknown_task", "did you mean 'look'?"),
        ("/devices/cell-1/execute/mix_colors", {"r": 1, "g": 2, "b": 3}, 400, "invalid_parameters", "well"),
        ("/devices/cell-1/execute/look", {"number": "x"}, 400, "invalid_parameters", "number 'x'"),
        ("/devices/cell-1/execute/look", [1], 400, "malformed", "no JSON object"),
        ("/devices/cell-1/execute/look", b"{", 400, "malformed", "no JSON"),
        ("/devices/cell-1/execute/echo", LONG + b" " * 100, 413, "malformed", "65536 bytes"),
        ("/devices/cell-1/execute/echo", LONG, 400, "malformed", "at most 65536"),
        ("/devices/cell-1/execute/jam", {}, 500, "device_error", "the horn is loose"),
        ("/devices/cell-1/results/never", None, 404, "unknown_task", "knows no call 'never'"),
        ("/devices/cell-1/history?limit=0", None, 400, "invalid_parameters", "limit"),
    ],
)
def test_what_is_wrong_is_told(
    lab: GatewayBench,
    path: str,
    body: object,
    status: int,
    code: str,
    words: str,
) -> None:
    """By status, code and text, which a person understands."""
    answer = lab.ask("GET" if body is None else "POST", path, body)
    assert answer.status_code == status
    assert answer.json()["error_code"] == code
    assert words in answer.json()["detail"]


def test_without_a_token_or_with_a_wrong_one_nothing_is_told(lab: GatewayBench) -> None:
    """But that the gateway is there."""
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YW5uYTp4"}):
        for path in ("/devices", "/devices/cell-1/state", "/events", "/openapi.json", "/docs"):
            answer = httpx.get(f"{lab.url}{path}", headers=headers)
            assert answer.status_code == 401
            assert "WWW-Authenticate" in answer.headers
            assert "cell-1" not in answer.text
        assert httpx.post(f"{lab.url}/emergency_stop", headers=headers).status_code == 401
    assert httpx.get(f"{lab.url}/health").json()["status"] == "ok"
    assert httpx.get(f"{lab.url}/").status_code == 200


def test_a_token_has_rights_to_each_device(lab: GatewayBench) -> None:
    """Bob may read one, zoe may read all and use one."""
    assert list(lab.ask("GET", "/devices", who="bob").json()) == ["cell-1"]
    rows = lab.ask("GET", "/devices", who="zoe").json()
    assert {name: row["right"] for name, row in rows.items()} == {
        name: "use" if name == "cell-2" else "read" for name in DEVICES
    }
    assert lab.call("cell-1", "look", "bob").status_code == 200
    refused = lab.call("cell-1", "dose", "bob", volume=1)
    assert refused.status_code == 403
    assert refused.json()["detail"] == "bob may read cell-1; the task dose needs the right to use it"
    assert lab.call("cell-1", "lok", "bob").status_code == 404
    assert lab.call("cell-2", "look", "bob").status_code == 404
    assert lab.ask("GET", "/devices/cell-2/state", who="bob").status_code == 404
    unknown = lab.ask("GET", "/devices/cell-22/state", who="bob").json()["detail"]
    assert unknown.endswith("there are: cell-1")  # and not the others' ids
    assert lab.call("cell-2", "dose", "zoe", volume=1).status_code == 200
    assert lab.call("cell-3", "dose", "zoe", volume=1).status_code == 403
    assert lab.call("cell-3", "reset_emergency_stop", "zoe").status_code == 403


def test_any_token_stops_and_only_who_may_use_all_releases(lab: GatewayBench) -> None:
    """A device by its task, the lab by its own path; whatever stands in the body."""
    stopped = lab.ask("POST", "/devices/cell-4/execute/emergency_stop", b"{not json", who="bob")
    assert stopped.status_code == 200, stopped.text
    assert lab.call("cell-4", "dose", volume=1).json()["error_code"] == "emergency_stopped"
    assert lab.call("cell-4", "reset_emergency_stop").status_code == 200

    told = lab.ask("POST", "/emergency_stop?wait=soon", {"reason": "smoke\n"}, who="bob").json()
    assert list(told["confirmed"]) == ["cell-1"]  # which is all that bob may read
    assert told["not_confirmed"] == told["unreachable"] == []
    for device in DEVICES:
        until(lambda d=device: lab.ask("GET", f"/devices/{d}/state").json()["stop_confirmed"], "it stands")
    engaged = lab.ask("GET", "/emergency_stop").json()
    assert (engaged["by"], engaged["reason"], engaged["stop_id"]) == ("bob", "smoke", told["stop_id"])
    assert lab.call("cell-1", "dose", volume=1).status_code == 409
    assert lab.ask("DELETE", "/emergency_stop", who="zoe").status_code == 403
    released = lab.ask("DELETE", "/emergency_stop").json()
    assert released["released"] is True
    assert sorted(released["devices"]) == list(DEVICES)
    assert released["still_stopped"] == []
    assert lab.call("cell-1", "dose", volume=1).status_code == 200
    assert lab.ask("DELETE", "/emergency_stop").json()["released"] is False


def test_a_call_has_an_id_and_is_done_once(lab: GatewayBench) -> None:
    """Again while it runs, and again when it is over."""
    key = uuid.uuid4().hex
    path = "/devices/cell-1/execute/dose"
    first = lab.ask("POST", path, {"volume": 1}, idempotency_key=key)
    again = lab.ask("POST", path, {"volume": 1}, idempotency_key=key)
    assert first.headers["request-id"] == again.headers["request-id"] == key
    assert first.json()["result"] == again.json()["result"]
    other = lab.ask("POST", path, {"volume": 2}, idempotency_key=key)
    assert (other.status_code, other.json()["error_code"]) == (409, "conflict")
    # The same id is another call of another device.
    assert lab.ask("POST", "/devices/cell-2/execute/look", {}, idempotency_key=key).status_code == 200

    running = uuid.uuid4().hex
    path = "/devices/cell-1/execute/turn"
    begun = lab.ask("POST", path, {"seconds": 0.6}, idempotency_key=running, prefer="respond-async")
    other = lab.ask("POST", path, {"seconds": 0.1}, idempotency_key=running)
    assert (other.status_code, other.json()["error_code"]) == (409, "conflict")
    same = lab.ask("POST", path, {"seconds": 0.6}, idempotency_key=running)
    assert same.json()["result"] == "turned"
    assert lab.ask("GET", begun.headers["location"]).json()["result"] == "turned"
    history = lab.ask("GET", f"/devices/cell-1/history?request_id={running}").json()["commands"]
    assert [one["issued_by"] for one in history] == ["anna"]


def test_a_result_can_be_had_later(lab: GatewayBench) -> None:
    """Out of memory, and out of the device's own history where the gateway knows nothing of it."""
    result = lab.begin("cell-1", "turn", seconds=0.5)
    lab.until_running(result)
    told = lab.ask("GET", result)
    assert told.status_code == 202
    assert told.json()["message"] == "turning"
    until(lambda: lab.ask("GET", result).status_code == 200, "it is over")
    assert lab.ask("GET", result).json()["result"] == "turned"

    with OrchestratorClient(f"{lab.url}/devices/cell-1", lab.tokens["anna"]) as cell:
        cell("dose", volume=4)
    lab.gateway.terminate()
    lab.start_gateway()
    newest = lab.ask("GET", "/devices/cell-1/history?limit=1").json()["commands"][0]
    assert newest["parameters"] == {"volume": 4}
    kept = lab.ask("GET", f"/devices/cell-1/results/{newest['request_id']}").json()
    assert (kept["status"], kept["result"]) == ("success", newest["result"])
    failed = lab.call("cell-1", "jam").headers["request-id"]
    assert lab.ask("GET", f"/devices/cell-1/results/{failed}").json()["error"] == "the horn is loose"


def test_the_document_has_every_task_of_every_device_that_one_may_see(lab: GatewayBench) -> None:
    """With its own parameters; a browser shows name and token as it shows passwords."""
    told = lab.ask("GET", "/openapi.json").json()
    assert told["openapi"].startswith("3.")
    for device in DEVICES:
        body = told["paths"][f"/devices/{device}/execute/mix_colors"]["post"]["requestBody"]
        schema = body["content"]["application/json"]["schema"]
        assert schema["properties"]["r"] == {"type": "integer"}
        assert schema["required"] == ["r", "g", "b", "well"]
        assert f"/devices/{device}/execute/emergency_stop" in told["paths"]
    assert {"/health", "/devices", "/events", "/emergency_stop"} <= told["paths"].keys()
    operations = [one["operationId"] for path in told["paths"].values() for one in path.values()]
    assert len(operations) == len(set(operations))
    bobs = httpx.get(f"{lab.url}/openapi.json", auth=("bob", lab.tokens["bob"])).json()
    assert {path.split("/")[2] for path in bobs["paths"] if "/execute/" in path} == {"cell-1"}
    assert "swagger" in httpx.get(f"{lab.url}/docs", auth=("bob", lab.tokens["bob"])).text
    # A password opens the documentation alone: a browser would send it with whatever another page asks for.
    assert httpx.get(f"{lab.url}/devices", auth=("bob", lab.tokens["bob"])).status_code == 401


@pytest.fixture
async def clients(lab: GatewayBench) -> AsyncIterator[list[AsyncOrchestratorClient]]:
    """One for each device."""
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                AsyncOrchestratorClient(f"{lab.url}/devices/{device}", lab.tokens["anna"])
            )
            for device in DEVICES
        ]


async def test_64_calls_at_once_to_four_devices(clients: list[AsyncOrchestratorClient]) -> None:
    """None is lost or mixed up."""
    answers = await asyncio.gather(
        *(clients[number % 4]("echo", number=number, device=number % 4) for number in range(64))
    )
    assert answers == [{"number": number, "device": number % 4} for number in range(64)]


async def test_a_stop_passes_64_calls(lab: GatewayBench, clients: list[AsyncOrchestratorClient]) -> None:
    """And all of them end by it."""
    calls = [asyncio.ensure_future(clients[number % 4]("turn", seconds=50)) for number in range(64)]
    await asyncio.to_thread(until, lambda: lab.health()["calls_under_way"] == 64, "all calls are under way")
    began = time.monotonic()
    told = (await asyncio.to_thread(lab.ask, "POST", "/emergency_stop", {}, "zoe")).json()
    took = time.monotonic() - began
    assert sorted(told["confirmed"]) == list(DEVICES)
    assert took < STOPPED_WITHIN
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert {end.error_code for end in ends if isinstance(end, TaskFailed)} == {"emergency_stopped"}
    assert len(ends) == 64
    assert not [end for end in ends if not isinstance(end, TaskFailed)]
