"""Clients that somebody else wrote, on either paho-mqtt, with our MQTT device server."""

from collections.abc import Callable, Iterator
import contextlib
import itertools
import json
import re
import time
from typing import Any
import uuid

import pytest
from tests.orchestration import paho_releases
from tests.orchestration.our_device import OurDevice
from tests.orchestration.peer import Peer

from lab2mqtt.hub.mosquitto import Mosquitto

KEEPALIVE = 15  # s, of our server
LONG = 1.6 * KEEPALIVE  # s
CALLS = 64
TASKS = ["mix_colors", "echo", "look", "dose", "wait", "wait_badly", "turn", "jam"]


MakeDevice = Callable[..., OurDevice]
MakePeer = Callable[..., Peer]


@pytest.fixture(scope="module")
def make_device(broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeDevice]:
    """Servers of ours, each a process with a state of its own."""
    with contextlib.ExitStack() as stack:

        def make(prefix: str = "ot2") -> OurDevice:
            made = OurDevice(broker.port, tmp_path_factory.mktemp("device"), prefix)
            return stack.enter_context(made)

        yield make


@pytest.fixture(scope="module", autouse=True)
def long_tasks(broker: Mosquitto, make_device: MakeDevice) -> Iterator[dict[str, tuple[OurDevice, Peer]]]:
    """Two long tasks, which run while the other tests do."""
    with contextlib.ExitStack() as stack:
        found = {}
        for release, task in zip(paho_releases.RELEASES, ("wait", "wait_badly"), strict=True):
            device = make_device()
            arguments = (broker.port, device.prefix, device.device_id)
            peer = stack.enter_context(Peer(paho_releases.python(release), "mqtt_client.py", *arguments))
            peer.wait("up")
            peer.send({"call": {"task": task, "parameters": {"seconds": LONG}, "timeout": LONG + 20}})
            found[task] = device, peer
        yield found


@pytest.fixture(scope="module", params=["ot2", "another-lab"])
def device(request: pytest.FixtureRequest, make_device: MakeDevice) -> OurDevice:
    """A server of ours, with one prefix or another."""
    return make_device(request.param)


@pytest.fixture(params=paho_releases.RELEASES)
def make_client(request: pytest.FixtureRequest, broker: Mosquitto) -> Iterator[MakePeer]:
    """The stranger's clients of a device."""
    python = paho_releases.python(request.param)
    with contextlib.ExitStack() as stack:

        def make(device: OurDevice) -> Peer:
            arguments = (broker.port, device.prefix, device.device_id)
            made = stack.enter_context(Peer(python, "mqtt_client.py", *arguments))
            made.wait("up")
            return made

        yield make


_NUMBERS = itertools.count()


def call(client: Peer, task: str, parameters: Any = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Call a task; gives the answer's message."""
    request_id = f"call-{next(_NUMBERS)}"
    told = {"task": task, "parameters": parameters or {}, "request_id": request_id}
    client.send({"call": told | more})
    found: dict[str, Any] = client.wait("answer", lambda told: told["request_id"] == request_id)["answer"]
    return found


def test_a_task_is_done_and_the_answer_is_as_it_was(device: OurDevice, make_client: MakePeer) -> None:
    """QoS 1, not retained, five keys; the status is retained and names the tasks."""
    client = make_client(device)
    answer = call(client, "mix_colors", {"r": 255, "g": 128, "b": 64, "well": "A1"})
    assert answer.keys() == {"request_id", "task", "status", "result", "timestamp"}
    assert (answer["task"], answer["status"]) == ("mix_colors", "success")
    assert answer["result"] == "Mixed RGB(255,128,64) in A1"
    assert answer["timestamp"] == pytest.approx(time.time(), abs=60)
    heard = client.wait("result", lambda told: told["request_id"] == answer["request_id"])
    assert (heard["qos"], heard["retained"]) == (1, False)
    said = client.wait("status")
    assert said["retained"] is True
    status = said["status"]
    assert (status["device_id"], status["status"]) == (device.device_id, "online")
    assert status["data"]["tasks"] == TASKS
    assert status["timestamp"] == pytest.approx(time.time(), abs=600)


def test_what_fails_is_told(device: OurDevice, make_client: MakePeer) -> None:
    """The function's own words; a wrong or missing parameter by its name; the nearest name of a task."""
    client = make_client(device)
    failed = call(client, "jam")
    assert (failed["status"], failed["error"]) == ("error", "the horn is loose")
    assert failed.keys() >= {"request_id", "task", "status", "error", "timestamp"}
    assert "result" not in failed
    for parameters, name in (({"r": "x"}, "r"), ({"r": 1, "g": 2, "b": 3}, "well"), ({"rr": 1}, "rr")):
        assert re.search(rf"\b{name}\b", call(client, "mix_colors", parameters)["error"])
    assert "mix_colors" in call(client, "mix_color", {})["error"]


def test_what_is_no_command_harms_nobody(device: OurDevice, make_client: MakePeer) -> None:
    """Nonsense is answered where it has an id, and dropped where it has none; then all goes on."""
    client = make_client(device)
    nonsense = ["", "{", "\u0000", "[1, 2]", '{"task": "echo"}', '{"request_id": 7, "task": "echo"}', "null"]
    deep = '{"request_id": "deep", "task": "echo", "parameters": ' + "[" * 5000 + "]" * 5000 + "}"
    client.send(*({"say": one} for one in (*nonsense, deep)))
    malformed = f"bad-{uuid.uuid4().hex}"
    client.send({"say": json.dumps({"request_id": malformed, "task": "echo", "parameters": [1]})})
    told = client.wait("result", lambda told: told["request_id"] == malformed)["result"]
    assert told["status"] == "error"
    assert "parameters" in told["error"]
    assert call(client, "echo", {"a": 1})["result"] == {"a": 1}
    assert device.program.pid


def test_the_same_id_twice_is_done_once(device: OurDevice, make_client: MakePeer) -> None:
    """And answered twice, alike; with other parameters it is refused."""
    client = make_client(device)
    first = call(client, "dose", {"volume": 20.0})
    again = {"task": "dose", "parameters": {"volume": 20.0}, "request_id": first["request_id"]}
    client.send({"call": again})
    told = client.wait("result", lambda told: told["request_id"] == first["request_id"], count=2)["result"]
    assert told["result"] == first["result"]
    client.send({"call": {**again, "parameters": {"volume": 30.0}}})
    told = client.wait("result", lambda told: told["request_id"] == first["request_id"], count=3)["result"]
    assert told["status"] == "error"
    assert call(client, "dose", {"volume": 20.0})["result"] == first["result"] + 1


def test_a_retained_command_is_refused(device: OurDevice, make_client: MakePeer) -> None:
    """One that lay on the broker when the server came; it lies there no more."""
    client = make_client(device)
    before = call(client, "dose", {"volume": 1.0})["result"]
    assert device.program.terminate().code == 0
    device.seen.barrier()
    request_id = uuid.uuid4().hex
    command = {"request_id": request_id, "task": "dose", "parameters": {"volume": 1.0}}
    since = device.seen.mark()
    client.send({"say": json.dumps(command), "retain": True})
    device.seen.wait(device.topic("command"), lambda told: told == command, since=since)
    device.program.start()
    told = client.wait("result", lambda told: told["request_id"] == request_id)["result"]
    assert told["status"] == "error"
    assert "retained" in told["error"]
    device.seen.wait(device.topic("command"), read=lambda heard: not heard.payload, since=since)
    assert before >= 1
    assert call(client, "dose", {"volume": 1.0})["result"] == 1  # the process is a new one


@pytest.mark.parametrize("task", ["echo", "look"])
def test_many_at_once_get_each_their_own_answer(device: OurDevice, make_client: MakePeer, task: str) -> None:
    """Of one client, and of four at once: one after the other, and beside each other."""
    clients = [make_client(device) for _ in range(4)]
    for chosen in (clients[:1], clients):
        wanted = {}
        for number in range(CALLS):
            request_id = f"{len(chosen)}-{number}-{uuid.uuid4().hex[:8]}"
            wanted[request_id] = {"number": number, "text": "x" * number}
        each = len(wanted) // len(chosen)
        parts = [list(wanted.items())[at * each : (at + 1) * each] for at in range(len(chosen))]
        for client, part in zip(chosen, parts, strict=True):
            client.send(
                *(
                    {"call": {"task": task, "parameters": given, "request_id": request_id}}
                    for request_id, given in part
                )
            )
        for client, part in zip(chosen, parts, strict=True):
            ids = {request_id for request_id, _ in part}
            client.wait("answer", lambda told, ids=ids: told["request_id"] in ids, count=each)
            answers = [one for one in client.said("answer") if one["request_id"] in ids]
            assert {one["request_id"]: one["result"] for one in answers} == dict(part)
        call(clients[0], "echo")  # by now it has heard what others were answered, too
        heard = [one["request_id"] for one in clients[0].said("result")]
        assert sorted(one for one in heard if one in wanted) == sorted(wanted)  # each once
    assert not any(client.said("timeout") for client in clients)


def test_its_status_ends_with_it(make_device: MakeDevice, make_client: MakePeer) -> None:
    """In order, and by its will; retained, so that who comes later knows."""
    device = make_device()
    since = device.seen.mark()
    assert device.program.terminate().code == 0
    device.until("offline", since)
    assert make_client(device).wait("status")["status"]["status"] == "offline"
    device.program.start()
    device.until("online", since)
    since = device.seen.mark()
    device.program.kill()
    device.until("offline", since)
    said = make_client(device).wait("status")
    assert (said["status"]["status"], said["retained"]) == ("offline", True)


def test_a_long_task_does_not_cost_the_link(long_tasks: dict[str, tuple[OurDevice, Peer]]) -> None:
    """Longer than one and a half keep-alives, in a plain function and in a coroutine that blocks."""
    for task, (device, client) in long_tasks.items():
        answer = client.wait("answer", within=LONG + 20)["answer"]
        assert answer["task"] == task
        assert answer["result"] == f"waited {LONG:g} s"
        assert client.said("up") == [1]
        said = [one.json["status"] for one in device.seen.heard(device.topic("status"))]
        assert said == ["online"]
