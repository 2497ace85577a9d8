"""The gateway while parts of a lab end and come back, and how it ends itself."""

from collections.abc import Iterator
import os
from pathlib import Path
import signal
import threading

import httpx
import pytest
from tests.broker.certificates import Authority
from tests.broker.observer import until
from tests.orchestration.gateway_bench import RIGHTS, GatewayBench

from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.orchestration import OrchestratorClient

END_WITHIN = 5.0  # s
WITHIN = 15.0  # s


@pytest.fixture(scope="module")
def shared_lab(broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayBench]:
    """A lab of one device."""
    with (
        Mosquitto(broker.program) as own,
        GatewayBench(own, tmp_path_factory.mktemp("gateway"), ("cell-1",)) as made,
    ):
        yield made


@pytest.fixture
def lab(shared_lab: GatewayBench) -> GatewayBench:
    """The lab with all that a test may have ended."""
    if shared_lab.broker.pid is None:
        shared_lab.broker.start()
    if shared_lab.gateway.pid is None:
        shared_lab.configure(RIGHTS)
        shared_lab.gateway.start()
    shared_lab.until_all_there()
    return shared_lab


def test_a_broker_that_restarts_costs_no_result(lab: GatewayBench) -> None:
    """Meanwhile everything is told to be away, and why; then what ran is asked for."""
    with lab.events() as events:
        result = lab.begin("cell-1", "turn", seconds=2)
        lab.until_running(result)
        lab.broker.kill()
        until(lambda: lab.health()["status"] == "no link", "the gateway has noticed")
        assert lab.http.get(f"{lab.url}/health").status_code == 503
        assert "reason" not in lab.health()["link"]
        assert "trying again" in lab.ask("GET", "/health").json()["link"]["reason"]
        for method, path in (
            ("GET", "/devices"),
            ("GET", "/devices/cell-1/state"),
            ("DELETE", "/emergency_stop"),
        ):
            refused = lab.ask(method, path)
            assert refused.status_code == 503
            assert "no link to the broker" in refused.json()["detail"]
        refused = lab.call("cell-1", "dose", volume=1)
        assert (refused.status_code, refused.json()["error_code"]) == (503, "device_unavailable")
        events.wait("link", lambda told: not told["up"])
        lab.broker.start()
        lab.until_all_there()
        events.wait("link", lambda told: told["up"])
        until(lambda: lab.ask("GET", result).status_code == 200, "the result is there", within=WITHIN)
    assert lab.ask("GET", result).json()["result"] == "turned"
    assert lab.call("cell-1", "dose", volume=1).status_code == 200


def test_a_stop_without_a_broker_is_told_to_be_none(lab: GatewayBench) -> None:
    """After a moment, in which the link may come back."""
    lab.broker.kill()
    refused = lab.ask("POST", "/emergency_stop")
    assert refused.status_code == 503
    assert "NOT stopped" in refused.json()["detail"]


def test_it_starts_without_a_broker(lab: GatewayBench) -> None:
    """And finds it when it is there."""
    lab.gateway.terminate()
    lab.broker.kill()
    lab.gateway.start()
    until(lambda: _answers(lab), "it listens", within=WITHIN)
    assert lab.health()["status"] == "no link"
    lab.broker.start()
    lab.until_all_there()
    assert lab.call("cell-1", "look").status_code == 200


def _answers(lab: GatewayBench) -> bool:
    try:
        return bool(lab.health())
    except httpx.TransportError:
        return False


def test_who_hangs_up_does_not_end_the_task(lab: GatewayBench) -> None:
    """Its result can be had later."""
    lab_client = OrchestratorClient(f"{lab.url}/devices/cell-1", lab.tokens["anna"], timeout=0.3)
    with lab_client, pytest.raises(TimeoutError):
        lab_client("turn", seconds=1)
    newest = lab.ask("GET", "/devices/cell-1/history?limit=1").json()["commands"][0]
    path = f"/devices/cell-1/results/{newest['request_id']}"
    assert lab.ask("GET", path).status_code == 202
    until(lambda: lab.ask("GET", path).status_code == 200, "it is over")
    assert lab.ask("GET", path).json()["result"] == "turned"


def test_it_ends_in_order_and_tells_who_waits(lab: GatewayBench) -> None:
    """What runs on the device goes on; the next gateway has its result."""
    with lab.events() as events:
        result = lab.begin("cell-1", "turn", seconds=2)
        key = result.rpartition("/")[2]
        lab.until_running(result)
        answers: list[httpx.Response] = []

        def ask() -> None:
            path = "/devices/cell-1/execute/turn"
            answers.append(lab.ask("POST", path, {"seconds": 2}, idempotency_key=key, connection="close"))

        waiting = threading.Thread(target=ask)
        waiting.start()
        until(lambda: len(events.of("progress")) > 3, "it runs")
        ended = lab.gateway.terminate()
        waiting.join()
    assert ended.code == 0, lab.gateway.said()
    assert ended.seconds < END_WITHIN
    assert answers[0].json()["error_code"] == "interrupted"
    assert "goes on" in answers[0].json()["detail"]
    assert "Traceback" not in lab.gateway.said()
    lab.start_gateway()
    until(lambda: lab.ask("GET", result).status_code == 200, "it is over", within=WITHIN)
    assert lab.ask("GET", result).json()["result"] == "turned"


def test_tokens_are_read_again_on_sighup(lab: GatewayBench) -> None:
    """Those of a file that is wrong are not."""
    assert lab.gateway.pid
    with lab.events(who="bob"):
        lab.configure({"anna": {"*": "use"}, "carl": {"*": "read"}})
        os.kill(lab.gateway.pid, signal.SIGHUP)
        until(lambda: lab.ask("GET", "/devices", who="carl").status_code == 200, "carl is known")
    assert lab.ask("GET", "/devices", who="bob").status_code == 401
    lab.configure({"anna": {"*": "everything"}})
    os.kill(lab.gateway.pid, signal.SIGHUP)
    lab.gateway.until_said("'everything' is not one of read, use")
    assert lab.ask("GET", "/devices", who="carl").status_code == 200
    lab.gateway.terminate()


def test_https_and_pages_of_other_sites(lab: GatewayBench, tmp_path: Path) -> None:
    """With a certificate of a CA; only the pages that are named may use it."""
    lab.gateway.terminate()
    authority = Authority(tmp_path)
    certificate, key = authority.sign("gateway", "IP:127.0.0.1")
    page = "https://lab.example"
    lab.configure(RIGHTS, certificate=str(certificate), key=str(key), origins=[page])
    lab.start_gateway(authority.context())
    try:
        with OrchestratorClient(
            f"{lab.url}/devices/cell-1", lab.tokens["anna"], verify=str(authority.certificate)
        ) as cell:
            assert cell("look", number=7)["number"] == 7
        asked = {"Origin": page, "Access-Control-Request-Method": "POST"}
        allowed = lab.http.options(f"{lab.url}/devices/cell-1/execute/look", headers=asked)
        assert allowed.headers["access-control-allow-origin"] == page
        other = lab.http.options(f"{lab.url}/devices", headers={**asked, "Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
    finally:
        lab.gateway.terminate()
        lab.configure(RIGHTS)
        lab.start_gateway()


def test_without_tokens_this_machine_alone_is_let_in(lab: GatewayBench) -> None:
    """Not a page in a browser, whatever name it has for this machine."""
    lab.gateway.terminate()
    lab.configure({})
    lab.gateway.start()
    lab.until_all_there()
    assert "no tokens" in lab.gateway.said()
    path = f"{lab.url}/devices/cell-1/execute/dose"
    assert lab.http.post(path, json={"volume": 1}).status_code == 200
    history = lab.http.get(f"{lab.url}/devices/cell-1/history?limit=1").json()["commands"]
    assert history[0]["issued_by"] == "127.0.0.1 over HTTP"
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        refused = lab.http.post(path, json={"volume": 1}, headers=headers)
        assert (refused.status_code, refused.json()["error_code"]) == (403, "not_allowed")
    assert lab.gateway.terminate(signal.SIGINT).code == 0
