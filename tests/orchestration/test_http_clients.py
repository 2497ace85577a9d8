"""``OrchestratorClient`` and ``AsyncOrchestratorClient``, with our server and with a stranger's."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
import contextlib
import http.server
import json
from pathlib import Path
import threading
from typing import Any

import pytest
from tests.broker.certificates import Authority
from tests.broker.program import PYTHON
from tests.orchestration.http_program import HttpProgram
from tests.orchestration.peer import Peer

from lab2mqtt.hub.ports import LOOPBACK, free_port
from lab2mqtt.orchestration import AsyncOrchestratorClient, OrchestratorClient, TaskFailed

CALLS = 64
WITHIN = 20.0  # s
TOKEN = "a-token"  # noqa: S105 - of a test


@pytest.fixture(scope="module", params=["ours", "a stranger's"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Each server in turn; it wants a token."""
    if request.param == "ours":
        environment = {"LAB2MQTT_TOKENS": TOKEN}
        with HttpProgram(tmp_path_factory.mktemp("server"), environment=environment) as server:
            yield server.url
        return
    port = free_port()
    with Peer(Path(PYTHON), "http_device.py", port, TOKEN) as stranger:
        stranger.wait("up")
        yield f"http://{LOOPBACK}:{port}/"


@pytest.fixture
def client(url: str) -> Iterator[OrchestratorClient]:
    """A client of it."""
    with OrchestratorClient(url, TOKEN, timeout=WITHIN) as made:
        yield made


def test_parameters_are_given_as_a_dict_as_keywords_or_both(client: OrchestratorClient) -> None:
    """And one that stands in both is a mistake of the script; the client itself can be called."""
    done = "Mixed RGB(255,128,64) in A1"
    assert client.execute_task("mix_colors", r=255, g=128, b=64, well="A1") == done
    assert client.execute_task("mix_colors", {"r": 255, "g": 128}, b=64, well="A1") == done
    assert client("mix_colors", r=255, g=128, b=64, well="A1") == done
    with pytest.raises(TypeError, match="r was given twice"):
        client.execute_task("mix_colors", {"r": 255}, r=1)


def test_it_tells_what_there_is(client: OrchestratorClient) -> None:
    """The tasks with their parameters, and that all is well."""
    tasks = client.get_available_tasks()
    assert {"mix_colors", "wait", "jam"} <= set(tasks)
    assert tasks["mix_colors"]["parameters"]["well"]["required"] is True
    assert client.health_check() is True


def test_what_fails_raises_with_the_servers_words(client: OrchestratorClient) -> None:
    """As a RuntimeError, with a code."""
    with pytest.raises(RuntimeError, match="the horn is loose") as raised:
        client.execute_task("jam")
    assert isinstance(raised.value, TaskFailed)
    assert raised.value.error_code == "device_error"
    with pytest.raises(TaskFailed, match="mix_colours") as raised:
        client.execute_task("mix_colours")
    assert raised.value.error_code == "unknown_task"
    with pytest.raises(TaskFailed, match="well") as raised:
        client.execute_task("mix_colors", r=1, g=1, b=1)
    assert raised.value.error_code == "invalid_parameters"


def test_nothing_after_the_time_is_a_timeout(client: OrchestratorClient) -> None:
    """A call may have a time of its own."""
    with pytest.raises(TimeoutError, match="did not answer in time; whether it was done is not known"):
        client.execute_task("wait", timeout=0.2, seconds=0.8)
    assert client.execute_task("wait", seconds=0.1) == "waited 0.1 s"


def test_a_wrong_token_is_told(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """As what it is; and nothing is well for this one."""
    for token in ("wrong", None):
        with OrchestratorClient(url, token) as client:
            with pytest.raises(TaskFailed, match=r"(?i)token") as raised:
                client.execute_task("jam")
            assert raised.value.error_code == "not_allowed"
            with pytest.raises(TaskFailed, match=r"(?i)token"):
                client.get_available_tasks()
    with OrchestratorClient(url, "wrong") as client:
        assert client.health_check() is False
    assert "it answered 401" in caplog.text


def test_many_at_once_get_each_its_own_answer(client: OrchestratorClient, url: str) -> None:
    """From threads on one client, and from one loop."""

    def wanted(number: int) -> str:
        return f"Mixed RGB({number},0,{number}) in W{number}"

    def ask(number: int) -> Any:  # noqa: ANN401
        return client("mix_colors", r=number, g=0, b=number, well=f"W{number}")

    with ThreadPoolExecutor(CALLS) as threads:
        assert list(threads.map(ask, range(CALLS))) == [wanted(number) for number in range(CALLS)]

    async def all_at_once() -> list[Any]:
        async with AsyncOrchestratorClient(url, TOKEN, timeout=WITHIN) as one:
            calls = [one("mix_colors", r=n, g=0, b=n, well=f"W{n}") for n in range(CALLS)]
            return await asyncio.gather(*calls)

    assert asyncio.run(all_at_once()) == [wanted(number) for number in range(CALLS)]


async def test_the_other_client_does_the_same(url: str) -> None:
    """Results, tasks, health and errors."""
    async with AsyncOrchestratorClient(url, TOKEN, timeout=WITHIN) as client:
        assert await client.execute_task("wait", {"seconds": 0.01}) == "waited 0.01 s"
        assert "mix_colors" in await client.get_available_tasks()
        assert await client.health_check() is True
        with pytest.raises(TaskFailed, match="the horn is loose"):
            await client("jam")
        with pytest.raises(TimeoutError, match="whether it was done is not known"):
            await client.execute_task("wait", timeout=0.2, seconds=0.5)
    async with AsyncOrchestratorClient(f"http://{LOOPBACK}:{free_port()}") as client:
        with pytest.raises(ConnectionError, match="no server at"):
            await client("jam")
        assert await client.health_check() is False


def test_no_server_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """As a ConnectionError, with where it should be; what is no address at once."""
    url = f"http://{LOOPBACK}:{free_port()}"
    with OrchestratorClient(url) as client:
        with pytest.raises(ConnectionError, match=f"no server at {url}"):
            client.execute_task("jam")
        assert client.health_check() is False
    assert f"{url} is not there for us" in caplog.text
    with pytest.raises(ValueError, match="is not http://"):
        OrchestratorClient("ot2-device:8000")
    with pytest.raises(ValueError, match="the token is not") as raised:
        OrchestratorClient(url, "se cret")
    assert "se cret" not in str(raised.value)


def test_it_checks_the_servers_certificate(tmp_path: Path) -> None:
    """Against the system's authorities, a file, or nothing."""
    authority = Authority(tmp_path)
    certificate, key = authority.sign("server", f"IP:{LOOPBACK}")
    with HttpProgram(tmp_path, environment={"CERTIFICATE": str(certificate), "KEY": str(key)}) as server:
        url = server.url.replace("http:", "https:")
        for verify in (str(authority.certificate), authority.context(), False):
            with OrchestratorClient(url, verify=verify) as client:
                assert client("look", number=2) == {"number": 2, "text": None}
        with (
            OrchestratorClient(url) as client,
            pytest.raises(ConnectionError, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            client("look")


@contextlib.contextmanager
def hanging_up(*, remembers: bool) -> Iterator[tuple[str, list[str]]]:
    """A server that hangs up at the second call, and answers the others; gives the keys that it saw."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            key = self.headers["Idempotency-Key"]
            seen.append(key)
            self.close_connection = True
            if len(seen) == 2:
                return
            said = json.dumps({"result": len(seen)}).encode()
            self.send_response(200)
            if remembers:
                self.send_header("Request-Id", key)
            self.send_header("Content-Length", str(len(said)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer((LOOPBACK, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


def test_a_lost_answer_is_asked_for_again_where_nothing_is_done_twice() -> None:
    """By the same key, of a server that has shown that it knows it."""
    with hanging_up(remembers=True) as (url, seen), OrchestratorClient(url) as client:
        assert [client("dose"), client("dose")] == [1, 3]
        assert seen[0] != seen[1] == seen[2]


def test_a_lost_answer_is_told_where_it_could_be_done_twice() -> None:
    """Once asked is once asked."""
    with hanging_up(remembers=False) as (url, seen), OrchestratorClient(url) as client:
        assert client("dose") == 1
        with pytest.raises(ConnectionError, match=r"was lost .* whether it was done is not known"):
            client("dose")
        assert len(seen) == 2
