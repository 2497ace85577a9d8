"""What becomes of a board's outputs, and of what it had to say, when the broker is lost."""

from collections.abc import Iterator
import json
from pathlib import Path
import time
import uuid

import pytest
from tests.broker.brokers import Amqtt, Broker
from tests.broker.observer import Observer, until
from tests.micropython.arms import NODE, Arm
from tests.micropython.conftest import MakeBoard

from lab2mqtt.hub import mosquitto
from lab2mqtt.hub.mosquitto import Mosquitto

SAFE_AFTER = 2.0  # s, of the arm


@pytest.fixture(params=["mosquitto", "amqtt"])
def own_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """A broker of this test alone, which may be killed."""
    if request.param == "amqtt":
        made = Amqtt(tmp_path)
        made.start()
        yield made
        if made.pid:
            made.stop()
    else:
        with Mosquitto(mosquitto.find_or_unpack(print)) as running:
            yield running


def test_a_lost_broker_brings_the_outputs_to_rest(own_broker: Broker, make_board: MakeBoard) -> None:
    """Within the stated time; what ran ends, its answer is kept, and an empty broker is told everything."""
    board = make_board(own_broker, NODE, config={"base": f"b-{uuid.uuid4().hex[:6]}"}, heap="300k")
    with board.observer() as seen:
        board.start()
        board.until_online(seen)
        arm = Arm(board, seen)
        runs = arm.send("sweep", {"seconds": 15})
        waits = arm.send("turn", {"angle": 99})
        arm.progress(runs, "running")
        safe = arm.noted("safe")
        killed = time.time()
        own_broker.kill()
    until(lambda: arm.noted("safe") > safe, "the arm is made safe", within=SAFE_AFTER + 1)
    at = [line["at_us"] for line in board.journal() if line["output"] == "safe"][-1] / 1e6
    assert at - killed < SAFE_AFTER + 0.5
    until(lambda: not _moved_since(arm, at + 0.2) and time.time() > at + 0.7, "the arm rests", within=3)
    assert arm.noted("safe") == safe + 1  # once, until the broker is heard again
    own_broker.start()
    began = time.monotonic()
    with board.observer() as seen:
        board.until_online(seen)
        assert time.monotonic() - began < 4
        arm = Arm(board, seen)
        for request_id in (runs, waits):
            told = arm.result(request_id)
            assert told["error_code"] == "interrupted"
            assert told["error"] == "nothing was heard from the broker for 2 s: the arm rests"
        assert arm.state(bool)["readiness"] == "ready"
        assert json.loads(seen.wait(board.topic("description")).payload)["device_id"] == board.device_id
        assert arm.ask("turn", {"angle": 5})["status"] == "success"
    assert not [line for line in board.journal() if line.get("angle") == 99]


def _moved_since(arm: Arm, at: float) -> bool:
    return any(line["output"] == "arm" and line["at_us"] / 1e6 > at for line in arm.board.journal())


def test_a_result_that_came_about_offline_is_kept(own_broker: Broker, make_board: MakeBoard) -> None:
    """A task that moves nothing goes on meanwhile."""
    board = make_board(own_broker, NODE, config={"base": f"b-{uuid.uuid4().hex[:6]}"}, heap="300k")
    with board.observer() as seen:
        board.start()
        board.until_online(seen)
        arm = Arm(board, seen)
        reads = arm.send("stare")
        time.sleep(0.3)  # it has come; nothing says so of a read
        own_broker.kill()
    own_broker.start()
    with board.observer() as seen:
        assert Arm(board, seen).result(reads, within=15)["status"] == "success"


def test_a_board_that_dies_is_offline(own_broker: Broker, make_board: MakeBoard) -> None:
    """Its will says so."""
    board = make_board(own_broker, NODE, config={"base": f"b-{uuid.uuid4().hex[:6]}"}, heap="300k")
    with Observer(own_broker.port, f"{board.base}/#") as seen:
        board.start()
        board.until_online(seen)
        board.kill_interpreter()
        seen.wait(board.topic("status"), lambda told: told["status"] == "offline")
