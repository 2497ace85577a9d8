"""The clients of the older orchestration scripts: with a device of their own time, and with ours."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
import threading
import time
from typing import Any
import uuid

import pytest
from tests.broker.brokers import Broker
from tests.broker.old_bench import OldBench
from tests.broker.old_board import OldBoard

from lab2mqtt.hub.ports import LOOPBACK, free_port
from lab2mqtt.orchestration import MicroPythonOrchestrator, MQTTOrchestratorClient, TaskFailed

WITHIN = 10.0  # s
Client = Callable[..., MQTTOrchestratorClient]


@pytest.fixture(scope="module")
def bench(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldBench]:
    """A bridge that adopts what it hears of."""
    with OldBench(broker, tmp_path_factory.mktemp("orchestration")) as made:
        yield made


@pytest.fixture(scope="module")
def board(bench: OldBench) -> Iterator[OldBoard]:
    """A device of the older dialect, adopted by the bridge."""
    go = threading.Event()

    def echo(**given: Any) -> dict[str, Any]:  # noqa: ANN401
        return given

    def jam(**_: object) -> None:
        raise ValueError("the horn is loose")

    tasks = {"echo": echo, "jam": jam, "wait": lambda: go.wait(60), "nothing": lambda: float("nan")}
    with OldBoard(bench.broker.port, f"pico-{uuid.uuid4().hex[:6]}", tasks, prefix=bench.prefix) as made:
        made.go = go
        bench.until_ready(made.device_id)
        yield made
        go.set()


@pytest.fixture(params=["old", "ours"])
def client(request: pytest.FixtureRequest, bench: OldBench, board: OldBoard) -> Iterator[Client]:
    """Clients of the device itself, and of what our bridge makes of it."""
    prefix = bench.prefix if request.param == "old" else bench.name
    made: list[MQTTOrchestratorClient] = []

    def make(**more: Any) -> MQTTOrchestratorClient:  # noqa: ANN401
        told = {"timeout": WITHIN, "topic_prefix": prefix, **more}
        one = MQTTOrchestratorClient(LOOPBACK, board.device_id, bench.broker.port, **told)
        made.append(one)
        one.connect()
        return one

    yield make
    for one in made:
        one.disconnect()


def test_parameters_are_given_as_a_dict_as_keywords_or_both(client: Client) -> None:
    """And one that stands in both is a mistake of the script."""
    device = client()
    assert device.execute_task("echo", {"a": 1}) == {"a": 1}
    assert device.execute_task("echo", a=1, name="x", task="y") == {"a": 1, "name": "x", "task": "y"}
    assert device.execute_task("echo", {"a": 1}, WITHIN, b=2) == {"a": 1, "b": 2}
    with pytest.raises(TypeError, match="a was given twice"):
        device.execute_task("echo", {"a": 1}, a=2)


def test_what_fails_raises_with_the_devices_words(client: Client) -> None:
    """As a RuntimeError; with its code where it tells one."""
    device = client()
    with pytest.raises(RuntimeError, match=r"^the horn is loose$") as raised:
        device.execute_task("jam")
    assert isinstance(raised.value, TaskFailed)
    assert raised.value.error_code == "device_error"
    with pytest.raises(RuntimeError, match=r"Task 'fly' not found|no task 'fly'"):
        device.execute_task("fly")


def test_an_answer_that_cannot_be_read_is_told_at_once(client: Client) -> None:
    """The device has written NaN, which JSON has not."""
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="whether it was done is not known"):
        client().execute_task("nothing")
    assert time.monotonic() - began < WITHIN / 2


def test_no_answer_is_a_timeout(client: Client, board: OldBoard) -> None:
    """The answer that comes later is nobody's."""
    device = client()
    with pytest.raises(TimeoutError, match=r"did not answer wait within 0.5 s.*not known"):
        device.execute_task("wait", timeout=0.5)
    board.go.set()
    assert device.execute_task("echo", a=1) == {"a": 1}
    board.go.clear()


def test_without_a_broker_it_is_a_connection_error(client: Client) -> None:
    """At the start, and after disconnect; both can be repeated."""
    nobody = MQTTOrchestratorClient(LOOPBACK, "pico", free_port())
    with pytest.raises(ConnectionError, match=f"no broker at {LOOPBACK}"):
        nobody.connect()
    with pytest.raises(ConnectionError, match="no link"):
        nobody.execute_task("echo", timeout=0.1)
    nobody.disconnect()
    device = client()
    device.connect()
    device.disconnect()
    device.disconnect()
    with pytest.raises(ConnectionError, match="no link"):
        device.execute_task("echo", timeout=0.1)
    device.connect()
    assert device.execute_task("echo") == {}


def test_many_calls_from_many_threads_get_each_its_own_answer(client: Client) -> None:
    """On one connection."""
    device = client(timeout=30.0)
    with ThreadPoolExecutor(12) as threads:
        told = list(threads.map(lambda number: device.execute_task("echo", number=number), range(12)))
    assert told == [{"number": number} for number in range(12)]


def test_the_tasks_of_a_device_are_found(client: Client, board: OldBoard) -> None:
    """Out of its status, or by asking it."""
    assert {"echo", "jam", "read_sensor"} < set(client().get_available_tasks())
    assert board.go


def test_who_waits_is_told_of_the_disconnect(client: Client, board: OldBoard) -> None:
    """At once."""
    device = client(timeout=60.0)
    asked = len(board.asked)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(device.execute_task, "wait")
        deadline = time.monotonic() + WITHIN
        while len(board.asked) == asked:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        device.disconnect()
        with pytest.raises(ConnectionError, match="disconnected"):
            waiting.result(WITHIN)
    board.go.set()
    assert client().execute_task("echo", a=1) == {"a": 1}
    board.go.clear()


def test_a_board_method_by_method(bench: OldBench, board: OldBoard) -> None:
    """The guide's orchestrator; an experiment without sensors is a mistake, and leaves the LED alone."""
    with MicroPythonOrchestrator(
        LOOPBACK, board.device_id, bench.broker.port, topic_prefix=bench.name
    ) as pico:
        assert pico.read_sensor_data(26)["voltage"] == 1.65
        found = pico.run_sensor_experiment([26, 27], led_pin=25)
        assert (found["sensors_tested"], found["average_voltage"]) == (2, 1.65)
        assert board.lamp is False
        asked = len(board.asked)
        with pytest.raises(ValueError, match="one sensor at least"):
            pico.run_sensor_experiment([], led_pin=25)
        assert len(board.asked) == asked


def test_a_lost_broker_comes_back(client: Client, bench: OldBench, board: OldBoard) -> None:
    """Subscribed anew; what was asked before it went is answered by a device that remembers."""
    device = client(timeout=40.0)
    assert device.execute_task("echo", a=1) == {"a": 1}
    bench.lose_broker()
    bench.until_ready(board.device_id)
    deadline = time.monotonic() + 30
    while True:
        try:
            assert device.execute_task("echo", a=2, timeout=2) == {"a": 2}
        except (TimeoutError, ConnectionError, TaskFailed):  # until the device is back, too
            assert time.monotonic() < deadline
        else:
            break
