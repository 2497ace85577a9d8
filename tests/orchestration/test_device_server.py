"""``DeviceServer``, asked by programs that know nothing of lab2mqtt."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
import json
from pathlib import Path
import time
from typing import Any
import uuid

import httpx
import jsonschema
import pytest
from tests.broker.program import PYTHON
from tests.orchestration.http_program import HttpProgram, begin
from tests.orchestration.peer import Peer

from lab2mqtt import wire
from lab2mqtt.core.house import HOUSE_TASKS
from lab2mqtt.orchestration.http_errors import status_of

CALLS = 64
AT_ONCE = 1.0  # s in which what does not wait is answered, on a busy machine
TASKS = ["mix_colors", "echo", "look", "dose", "wait", "wait_badly", "turn", "a/b c", "jam"]
TOKENS = {"LAB2MQTT_TOKENS": "first-token, second-token"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpProgram]:
    """A server that everybody may call."""
    with HttpProgram(tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpProgram]:
    """A server that wants a token."""
    with HttpProgram(tmp_path_factory.mktemp("guarded"), environment=TOKENS) as made:
        yield made


@pytest.fixture
def http(server: HttpProgram) -> Iterator[httpx.Client]:
    """A client of it, in threads or not."""
    with httpx.Client(base_url=server.url, timeout=20) as made:
        yield made


def test_it_tells_what_there_is(server: HttpProgram, http: httpx.Client) -> None:
    """As ever: the names at the root, more of each under ``/tasks``; the house's own tasks are in neither."""
    assert http.get("/").json() == {"message": "Mixer", "available_tasks": TASKS, "docs": "/docs"}
    told = http.get("/tasks").json()
    assert list(told) == TASKS
    needed = {"default": None, "required": True}
    assert told["mix_colors"] == {
        "name": "mix_colors",
        "doc": "Mix a colour in a well.",
        "parameters": {
            **{colour: {"type": "int", **needed} for colour in "rgb"},
            "well": {"type": "str", **needed},
        },
        "is_async": False,
    }
    assert told["look"]["parameters"] == {
        "number": {"type": "int", "default": 1, "required": False},
        "text": {"type": "str | None", "default": None, "required": False},
    }
    assert told["echo"]["is_async"] is True
    assert "text/html" in http.get("/docs").headers["content-type"]
    assert server.program.pid


def test_a_task_is_done(http: httpx.Client) -> None:
    """With what was asked beside the result, and an id; nothing in the body is no parameters."""
    parameters = {"r": 255, "g": 128, "b": 64, "well": "A1"}
    answer = http.post("/execute/mix_colors", json=parameters)
    assert answer.status_code == 200
    assert answer.json() == {
        "task_name": "mix_colors",
        "parameters": parameters,
        "result": "Mixed RGB(255,128,64) in A1",
        "status": "success",
    }
    assert len(answer.headers["request-id"]) == 32
    assert http.post("/execute/look").json()["result"] == {"number": 1, "text": None}
    assert http.post("/execute/a%2Fb%20c").json()["result"] == "done"
    odd = {"größe": "½ µL", "n": 1.0, "list": [None, True]}
    assert http.post("/execute/echo", json=odd).json()["result"] == odd


@pytest.mark.parametrize(
    ("task", "body", "status", "code", "words"),
    [
        ("mix_colours", "{}", 404, "unknown_task", "did you mean 'mix_colors'?"),
        ("mix_colors", '{"r": 1, "g": 2, "b": 3}', 400, "invalid_parameters", "well is missing: a text"),
        (
            "mix_colors",
            '{"r": "1", "g": 2, "b": 3, "well": "A1"}',
            400,
            "invalid_parameters",
            "r '1' is not a",
        ),
        ("dose", '{"volume": 1, "rack": "C"}', 400, "invalid_parameters", "rack 'C' is not one of A, B"),
        ("dose", '{"volum": 1}', 400, "invalid_parameters", "did you mean 'volume'?"),
        ("jam", "{}", 500, "device_error", "the horn is loose"),
        ("look", "[1]", 400, "malformed", "the body [1] is no JSON object"),
        ("look", '{"number": 1', 400, "malformed", "no JSON"),
        ("look", '{"number": NaN}', 400, "malformed", "NaN"),
        ("look", '{"number": 1, "number": 2}', 400, "malformed", "stands twice"),
        ("echo", json.dumps({"text": "x" * wire.MAX_COMMAND}), 413, "malformed", "more than 65536 bytes"),
        ("x" * 65, "{}", 400, "malformed", "1 to 64 printable characters"),
    ],
)
def test_what_is_wrong_is_told(
    http: httpx.Client, task: str, body: str, status: int, code: str, words: str
) -> None:
    """By status, code and words; nothing is done, and the server lives on."""
    answer = http.post(f"/execute/{task}", content=body)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code), answer.text
    assert words in answer.json()["detail"]
    assert answer.headers["request-id"]
    assert http.get("/").status_code == 200


def test_every_error_code_has_a_status() -> None:
    """One of a refusal; what nobody knows is the server's fault."""
    found = {code: status_of(code) for code in wire.ERROR_CODES}
    assert {400, 404, 409, 500, 503, 504} == set(found.values())
    assert {code for code, status in found.items() if status == 500} == {"device_error", "interrupted"}
    assert status_of("something_new") == 500


def test_a_body_without_a_length_is_bounded(http: httpx.Client) -> None:
    """It is read no further than it may be."""
    answer = http.post("/execute/echo", content=(b" " * 4096 for _ in range(17)))
    assert answer.status_code == 413


def test_each_of_many_at_once_gets_its_own_answer(server: HttpProgram) -> None:
    """Asked by a stranger's program; of tasks that wait for each other, and of some that do not."""
    with Peer(Path(PYTHON), "http_client.py", server.url) as stranger:
        for task in ("echo", "look"):
            base = 0 if task == "echo" else 1000
            asked = [
                {
                    "id": base + number,
                    "method": "POST",
                    "path": f"/execute/{task}",
                    "body": {"number": number, "text": str(number)},
                }
                for number in range(CALLS)
            ]
            stranger.send(*asked)
            stranger.wait("id", lambda said, base=base: said >= base, count=CALLS)
        told = dict(zip(stranger.said("id"), stranger.said("body"), strict=True))
    assert len(told) == 2 * CALLS
    for number, body in told.items():
        wanted = number % 1000
        assert body.get("result") == {"number": wanted, "text": str(wanted)}, body


@pytest.mark.parametrize("task", ["wait", "wait_badly"])
def test_nothing_waits_for_a_task(http: httpx.Client, beside: ThreadPoolExecutor, task: str) -> None:
    """Neither for one that blocks, nor for a coroutine that does."""
    called = begin(http, beside, task, seconds=1.5)
    began = time.monotonic()
    for path in ("/", "/tasks", "/docs", "/openapi.json"):
        assert http.get(path).status_code == 200
    assert http.post("/execute/look").status_code == 200
    assert time.monotonic() - began < AT_ONCE
    assert not called.done()
    assert called.result().json()["result"] == "waited 1.5 s"


def test_a_stop_ends_what_runs_and_stays(http: httpx.Client, beside: ThreadPoolExecutor) -> None:
    """It is answered while a task runs; moves are refused until the reset, and reads are not."""
    called = begin(http, beside, "turn", seconds=30)
    waiting = beside.submit(http.post, "/execute/mix_colors", json={"r": 1, "g": 1, "b": 1, "well": "A1"})
    began = time.monotonic()
    stop = http.post("/execute/emergency_stop", json={"reason": "a hand"})
    assert stop.status_code == 200
    for one in (called.result(), waiting.result()):
        assert (one.status_code, one.json()["error_code"]) == (409, "emergency_stopped")
    assert time.monotonic() - began < 2 * AT_ONCE
    refused = http.post("/execute/dose", json={"volume": 1})
    assert (refused.status_code, refused.json()["error_code"]) == (409, "emergency_stopped")
    assert "over HTTP" in refused.json()["detail"]
    assert http.post("/execute/look").status_code == 200
    assert http.post("/execute/reset_emergency_stop").json()["result"]["readiness"] == "ready"


def test_a_stop_is_done_whatever_is_around_it(http: httpx.Client) -> None:
    """A key that was used before, and a body that is none, are no reason to go on."""
    key = {"Idempotency-Key": "an experiment"}
    assert http.post("/execute/dose", json={"volume": 1}, headers=key).status_code == 200
    for body in (b"", b"{", b"[1]", b'{"reason": 5}'):
        stopped = http.post("/execute/emergency_stop", content=body, headers=key)
        assert (stopped.status_code, stopped.json()["result"]["confirmed"]) == (200, True)
        assert http.post("/execute/dose", json={"volume": 1}).json()["error_code"] == "emergency_stopped"
        assert http.post("/execute/reset_emergency_stop").status_code == 200
    assert http.post("/execute/dose", json={"volume": 1}).status_code == 200


def test_the_same_key_does_nothing_twice(http: httpx.Client, beside: ThreadPoolExecutor) -> None:
    """One after the other, and at once; with another content it is a conflict."""
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first = http.post("/execute/dose", json={"volume": 2}, headers=key)
    assert first.headers["request-id"] == key["Idempotency-Key"]
    assert http.post("/execute/dose", json={"volume": 2.0}, headers=key).json() == first.json()
    other = http.post("/execute/dose", json={"volume": 3}, headers=key)
    assert (other.status_code, other.json()["error_code"]) == (409, "conflict")

    key = {"Idempotency-Key": uuid.uuid4().hex}
    held = begin(http, beside, "turn", seconds=0.5)
    several = [beside.submit(http.post, "/execute/dose", json={"volume": 4}, headers=key) for _ in range(8)]
    other = http.post("/execute/dose", json={"volume": 5}, headers=key)
    results = {one.result().text for one in several}
    assert held.result().status_code == 200
    # Which of the nine came first is open; each content has one answer, and one of them was done.
    assert len(results) == 1
    done = other.status_code == 200
    assert done != ('"status":"success"' in results.pop())
    after = http.post("/execute/dose", json={"volume": 9}).json()["result"]
    assert int(after.split()[1]) == int(first.json()["result"].split()[1]) + 2


def test_a_task_goes_on_when_its_caller_has_gone(http: httpx.Client) -> None:
    """Its result is told to who asks again by the same key."""
    key = {"Idempotency-Key": uuid.uuid4().hex}
    with pytest.raises(httpx.ReadTimeout):
        http.post("/execute/turn", json={"seconds": 0.6}, headers=key, timeout=0.2)
    assert http.post("/execute/turn", json={"seconds": 0.6}, headers=key).json()["result"] == "turned"


def test_what_nobody_waits_for_is_not_begun(http: httpx.Client, beside: ThreadPoolExecutor) -> None:
    """Who says how long he waits is not served later."""
    before = http.post("/execute/dose", json={"volume": 1}).json()["result"]
    held = begin(http, beside, "turn", seconds=2.2)
    late = http.post("/execute/dose", json={"volume": 1}, headers={"Prefer": "respond-async, wait=1"})
    assert (late.status_code, late.json()["error_code"]) == (409, "expired")
    assert held.result().status_code == 200
    after = http.post("/execute/dose", json={"volume": 1}).json()["result"]
    assert int(after.split()[1]) == int(before.split()[1]) + 1


def test_who_has_reserved_it_says_so(http: httpx.Client) -> None:
    """In a header, as MQTT has it in the command."""
    assert http.post("/execute/reserve", json={"holder": "run 7", "seconds": 60}).status_code == 200
    other = http.post("/execute/dose", json={"volume": 1})
    assert (other.status_code, other.json()["error_code"]) == (409, "reserved")
    own = http.post("/execute/dose", json={"volume": 1}, headers={"Reservation": "run 7"})
    assert own.status_code == 200
    assert http.post("/execute/release", json={"holder": "run 7"}).status_code == 200


def test_a_page_of_another_site_moves_nothing(http: httpx.Client, server: HttpProgram) -> None:
    """A browser tells where it comes from; the server's own documentation may call."""
    elsewhere = http.post("/execute/dose", json={"volume": 1}, headers={"Origin": "https://example.org"})
    assert elsewhere.status_code == 403
    assert "https://example.org" in elsewhere.json()["detail"]
    assert http.post("/execute/look", headers={"Origin": server.url}).status_code == 200
    # A name that a page has made lead to this machine.
    made_up = {"Origin": "http://localhost.example.org:8000", "Host": "localhost.example.org:8000"}
    assert http.post("/execute/dose", json={"volume": 1}, headers=made_up).status_code == 403


def test_the_document_has_each_task_with_its_parameters(http: httpx.Client) -> None:
    """Every reference leads somewhere, every schema is one, and no id stands twice."""
    document = http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    operations = {path: one["post"] for path, one in document["paths"].items() if "post" in one}
    house = [name for name in HOUSE_TASKS if name not in ("pause", "resume")]
    names = [name.replace("/", "%2F").replace(" ", "%20") for name in (*TASKS, *house)]
    assert set(operations) >= {f"/execute/{name}" for name in names}
    body = operations["/execute/dose"]["requestBody"]
    assert body["required"] is True
    assert body["content"]["application/json"]["schema"] == {
        "type": "object",
        "properties": {
            "volume": {"type": "number"},
            "rack": {"type": "string", "enum": ["A", "B"], "default": "A"},
        },
        "required": ["volume"],
        "additionalProperties": False,
    }
    assert operations["/execute/dose"]["tags"] == ["tasks"]
    assert operations["/execute/reserve"]["tags"] == ["every device"]
    assert len({one["operationId"] for one in operations.values()}) == len(operations)
    for one in operations.values():
        schema = one["requestBody"]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator.check_schema(schema)
    for reference in _references(document):
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
    assert "security" not in document


def _references(part: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        part = list(part.values())
    for one in part if isinstance(part, list) else ():
        yield from _references(one)


@pytest.mark.parametrize("shown", ["", "Bearer wrong", "Bearer", "Basic Zmlyc3QtdG9rZW46", "first-token"])
def test_without_a_token_nothing_is_done(guarded: HttpProgram, shown: str) -> None:
    """Nor told of the device, nor stopped; what the documentation tells is open."""
    headers = {"Authorization": shown} if shown else {}
    with httpx.Client(base_url=guarded.url, headers=headers, timeout=20) as http:
        asked = [http.get("/tasks")]
        asked += [http.post(f"/execute/{task}") for task in ("look", "emergency_stop", "no_such_task")]
        for answer in asked:
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "token" in answer.json()["detail"]
        assert http.get("/").status_code == (401 if shown else 200)
        document = http.get("/openapi.json").json()
    assert document["security"] == [{"bearer": []}]
    assert document["components"]["securitySchemes"]["bearer"] == {"type": "http", "scheme": "bearer"}


def test_each_token_is_taken(guarded: HttpProgram) -> None:
    """And who called by which stands in the history; the token itself is nowhere."""
    for number, token in enumerate(("first-token", "second-token"), 1):
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=guarded.url, headers=headers, timeout=20) as http:
            assert http.post("/execute/echo", json={"number": number}).status_code == 200
            last = http.post("/execute/get_history", json={"limit": 1}).json()["result"]["commands"][0]
            assert last["issued_by"] == f"token {number}"
            assert http.get("/").status_code == 200
    assert "first-token" not in guarded.program.said()
