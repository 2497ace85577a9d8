"""Server-sent events of the gateway: who hears what, and one who reads too slowly."""

from collections.abc import Iterator
import json
import socket

import pytest
from tests.broker.observer import until
from tests.orchestration.gateway_bench import GatewayBench

from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.ports import LOOPBACK

MANY = 300  # results of LARGE bytes
LARGE = 60_000
GROWN_AT_MOST = 14_000_000  # bytes, of 18 million that a slow reader did not take


@pytest.fixture(scope="module")
def lab(broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayBench]:
    """A lab of two devices."""
    folder = tmp_path_factory.mktemp("gateway")
    with Mosquitto(broker.program) as own, GatewayBench(own, folder, ("cell-1", "cell-2")) as made:
        yield made


def test_what_happens_is_told_to_who_may_know_it(lab: GatewayBench) -> None:
    """Of all devices, or of one; the lab's stop is told to everybody."""
    with (
        lab.events() as all_of_it,
        lab.events("/devices/cell-2/events") as of_one,
        lab.events("/events?device=cell-1", "zoe") as of_the_other,
        lab.events(who="bob") as bobs,
    ):
        everybody = (all_of_it, of_one, of_the_other, bobs)
        for one in everybody:
            assert one.told[0] == ("link", {"up": True})
        key = lab.call("cell-1", "turn", seconds=0.5).headers["request-id"]
        for one in (all_of_it, of_the_other, bobs):
            result = one.wait("result", lambda told: told["message"]["request_id"] == key)
            assert result["device"] == "cell-1"
            steps = [told["message"] for told in one.of("progress") if told["message"]["request_id"] == key]
            assert [step["status"] for step in steps[:2]] == ["running", "progress"]
            done = one.wait("event", lambda told: told["message"].get("request_id") == key)
            assert done["message"]["event_type"] == "task_succeeded"
        assert lab.call("cell-2", "dose", volume=1).status_code == 200
        of_one.wait("result")
        lab.ask("POST", "/emergency_stop", {"reason": "to see"})
        for one in everybody:
            assert one.wait("stop")["reason"] == "to see"
        lab.ask("DELETE", "/emergency_stop")
        for one in everybody:
            one.wait("stop", lambda told: not told["engaged"])
        for one, devices in ((of_one, {"cell-2"}), (of_the_other, {"cell-1"}), (bobs, {"cell-1"})):
            assert {told["device"] for kind, told in one.told if kind not in ("link", "stop")} == devices
        assert {told["device"] for told in all_of_it.of("state")} == {"cell-1", "cell-2"}
    assert lab.ask("GET", "/devices/cell-2/events", who="bob").status_code == 404
    assert lab.ask("GET", "/events?device=cell-3").status_code == 404


def test_a_call_can_be_answered_by_events(lab: GatewayBench) -> None:
    """Its progress, then its result; one that is refused has only that."""

    def told(task: str, **parameters: object) -> list[tuple[str, dict[str, object]]]:
        answer = lab.ask("POST", f"/devices/cell-1/execute/{task}", parameters, accept="text/event-stream")
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["location"].endswith(answer.headers["request-id"])
        found = []
        for block in answer.text.strip().split("\n\n"):
            kind, data = block.splitlines()
            found.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
        return found

    steps = told("turn", seconds=0.5)
    assert {kind for kind, _ in steps[:-1]} == {"progress"}
    assert steps[-1][0] == "result"
    assert steps[-1][1]["result"] == "turned"
    refused = told("turn", seconds="long")
    assert [kind for kind, _ in refused] == ["result"]
    assert refused[0][1]["error_code"] == "invalid_parameters"


def test_who_reads_too_slowly_costs_no_memory_and_is_told(lab: GatewayBench) -> None:
    """What waits for one reader is bounded, and the others hear all."""
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((LOOPBACK, lab.port))
        head = f"GET /events HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {lab.tokens['anna']}\r\n\r\n"
        slow.sendall(head.encode())
        assert slow.recv(15).startswith(b"HTTP/1.1 200")
        with lab.events("/devices/cell-2/events") as quick:
            began = _memory(lab)
            for number in range(MANY):
                answer = lab.call("cell-2", "look", number=number, text="x" * 200)
                assert answer.status_code == 200
            for _ in range(MANY):
                assert lab.call("cell-2", "echo", text="x" * LARGE).status_code == 200
            assert _memory(lab) - began < GROWN_AT_MOST
            until(lambda: len(quick.of("result")) == 2 * MANY, "the quick one has heard all", within=10)
            assert not quick.of("missed")
        slow.settimeout(10)
        told = b""
        while b"event: missed\n" not in told[-200_000:]:
            more = slow.recv(1 << 20)
            assert more, "it was not told what it missed"
            told += more
    assert lab.health()["status"] == "ok"


def _memory(lab: GatewayBench) -> int:
    """Bytes that the gateway has."""
    with open(f"/proc/{lab.gateway.pid}/statm", encoding="ascii") as told:  # noqa: PTH123 - no file
        return int(told.read().split()[1]) * 4096


def test_who_has_gone_is_forgotten(lab: GatewayBench) -> None:
    """Who hangs up frees the room, of which one token has 256."""
    head = f"GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {lab.tokens['bob']}\r\n\r\n"
    listening = []
    for _ in range(256):
        one = socket.create_connection((LOOPBACK, lab.port))
        one.sendall(head.encode())
        listening.append(one)
    for one in listening:
        assert one.recv(15).startswith(b"HTTP/1.1 200")
    full = lab.ask("GET", "/devices", who="bob")
    assert full.status_code == 429
    assert full.json()["error_code"] == "busy"
    assert full.headers["retry-after"] == "1"
    assert lab.ask("GET", "/devices").status_code == 200  # of somebody else
    stopped = lab.ask("POST", "/devices/cell-1/execute/emergency_stop", who="bob")
    assert stopped.status_code == 200  # for that there is always room
    for one in listening:
        one.close()
    # It is noticed at the next word.
    lab.call("cell-1", "reset_emergency_stop")
    until(lambda: lab.ask("GET", "/devices", who="bob").status_code == 200, "there is room again", within=10)
