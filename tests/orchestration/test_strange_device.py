"""Our MQTT client with a device server that somebody else wrote, on either paho-mqtt."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
import contextlib
import time
from typing import Any
import uuid

import pytest
from tests.broker.observer import Observer
from tests.orchestration import paho_releases
from tests.orchestration.peer import Peer

from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.ports import LOOPBACK
from lab2mqtt.orchestration import MQTTOrchestratorClient

WITHIN = 10.0  # s
CALLS = 64

Client = Callable[[], MQTTOrchestratorClient]


@pytest.fixture(scope="module", params=paho_releases.RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    """The stranger's paho-mqtt."""
    name: str = request.param
    return name


@pytest.fixture(scope="module", params=["ot2", "another-lab"])
def place(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Prefix and id."""
    return request.param, f"stranger-{uuid.uuid4().hex[:6]}"


@pytest.fixture(scope="module")
def device(broker: Mosquitto, release: str, place: tuple[str, str]) -> Iterator[Peer]:
    """The stranger's device."""
    with Peer(paho_releases.python(release), "mqtt_device.py", broker.port, *place) as made:
        made.wait("up")
        yield made


@pytest.fixture
def client(broker: Mosquitto, place: tuple[str, str], device: Peer) -> Iterator[Client]:
    """Our clients of it."""
    assert device.said("up")
    prefix, device_id = place
    with contextlib.ExitStack() as stack:

        def make() -> MQTTOrchestratorClient:
            made = MQTTOrchestratorClient(
                LOOPBACK, device_id, broker.port, topic_prefix=prefix, timeout=WITHIN
            )
            return stack.enter_context(made)

        yield make


def test_a_task_is_done_and_what_is_sent_is_as_it_was(client: Client, device: Peer) -> None:
    """Its parameters as a dict, as keywords or both; QoS 1, four keys."""
    one = client()
    assert one.execute_task("mix_colors", {"r": 255, "g": 128}, b=64, well="A1") == (
        "Mixed RGB(255,128,64) in A1"
    )
    heard = device.wait("command", lambda told: told["parameters"].get("r") == 255)
    assert heard["qos"] == 1
    command = heard["command"]
    assert command.keys() == {"request_id", "task", "parameters", "timestamp"}
    assert command["parameters"] == {"r": 255, "g": 128, "b": 64, "well": "A1"}
    assert command["timestamp"] == pytest.approx(time.time(), abs=60)
    assert one.get_available_tasks() == ["mix_colors", "echo", "wait", "jam"]


def test_what_fails_raises_with_its_words(client: Client) -> None:
    """As a RuntimeError; nothing after the time as a TimeoutError."""
    one = client()
    with pytest.raises(RuntimeError, match=r"^the horn is loose$"):
        one.execute_task("jam")
    with pytest.raises(RuntimeError, match=r"^Unknown task: fly$"):
        one.execute_task("fly")
    with pytest.raises(TimeoutError, match="did not answer wait"):
        one.execute_task("wait", seconds=1, timeout=0.2)


def test_many_at_once_get_each_its_own_answer(client: Client) -> None:
    """Of one client in threads, and of four beside each other."""
    four = [client() for _ in range(4)]
    for clients in (four[:1], four):

        def ask(number: int, clients: list[MQTTOrchestratorClient] = clients) -> Any:  # noqa: ANN401
            return clients[number % len(clients)].execute_task("echo", number=number)

        with ThreadPoolExecutor(CALLS) as threads:
            told = list(threads.map(ask, range(CALLS)))
        assert told == [{"number": number} for number in range(CALLS)]


@pytest.mark.parametrize("release", paho_releases.RELEASES)
def test_its_status_is_retained_and_ends_with_it(broker: Mosquitto, release: str) -> None:
    """In order, and by its will; who waits in vain is told that it is offline."""
    device_id = f"stranger-{uuid.uuid4().hex[:6]}"
    with Observer(broker.port, f"ot2/{device_id}/#") as seen:
        with Peer(paho_releases.python(release), "mqtt_device.py", broker.port, "ot2", device_id) as device:
            seen.wait(f"ot2/{device_id}/status", lambda told: told["status"] == "online")
            with MQTTOrchestratorClient(LOOPBACK, device_id, broker.port) as one:
                assert one.execute_task("echo", a=1) == {"a": 1}
                since = seen.mark()
                device.kill()
                seen.wait(f"ot2/{device_id}/status", lambda told: told["status"] == "offline", since=since)
                with pytest.raises(TimeoutError, match="says that it is offline"):
                    one.execute_task("echo", timeout=0.2)
        seen.publish(f"ot2/{device_id}/status", "", retain=True)
        seen.barrier()


def test_who_asks_for_one_that_never_was_there_is_told_so(broker: Mosquitto) -> None:
    """With the topic on which it would have said something."""
    with (
        MQTTOrchestratorClient(LOOPBACK, "nobody", broker.port, topic_prefix="lab2mqtt") as one,
        pytest.raises(TimeoutError, match="nobody ever said anything on lab2mqtt/nobody/status"),
    ):
        one.execute_task("echo", timeout=0.5)


def test_an_answer_comes_although_the_broker_was_away(broker: Mosquitto) -> None:
    """The broker ends in the midst of a task, and comes back empty."""
    python = paho_releases.python(paho_releases.RELEASES[0])
    with (
        Mosquitto(broker.program) as own,
        Peer(python, "mqtt_device.py", own.port, "ot2", "stranger") as device,
        MQTTOrchestratorClient(LOOPBACK, "stranger", own.port) as one,
        ThreadPoolExecutor(1) as thread,
    ):
        device.wait("up")
        waiting = thread.submit(one.execute_task, "wait", seconds=4)
        device.wait("command")
        own.kill()
        own.start()
        assert waiting.result(WITHIN) == "waited 4 s"
        assert device.said("up") == [1, 2]
