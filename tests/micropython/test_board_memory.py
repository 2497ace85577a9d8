"""The memory of a board: everything in little of it, with words as short as a board's."""

import json
from pathlib import Path

import pytest
from tests.broker.brokers import Broker
from tests.micropython.arms import NODE, Arm
from tests.micropython.conftest import MakeBoard

# Of that the modules that stand in for the board's own (machine, network, world) take 13 KB.
HEAP = "136k"


@pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)
def test_a_board_does_everything_in_little_memory(
    broker: Broker, make_board: MakeBoard, micropython32: Path
) -> None:
    """Without a reset, and without a command that memory was too short for."""
    board = make_board(broker, NODE, interpreter=micropython32, heap=HEAP)
    with board.observer() as seen:
        board.start()
        board.until_online(seen)
        arm = Arm(board, seen)
        assert json.loads(seen.wait(board.topic("description")).payload)["tasks"]["turn"]
        for number in range(40):
            assert arm.ask("turn", {"angle": number})["status"] == "success"
            assert arm.ask("look", {"size": 40 * number})["status"] == "success"
        seen.publish(board.topic("command"), b'{"task": "turn", "more": "' + b"x" * 300_000 + b'"}')
        runs, waits = arm.send("sweep"), arm.send("turn", {"angle": 1})
        arm.progress(waits, "accepted")
        assert arm.ask("emergency_stop")["result"]["confirmed"] is True
        for request_id in (runs, waits):
            assert arm.result(request_id)["error_code"] == "emergency_stopped"
        assert arm.ask("reset_emergency_stop")["status"] == "success"
        assert (
            arm.ask("reserve", {"holder": "anna", "seconds": 60, "reason": "x" * 255})["status"] == "success"
        )
        arm.refused("reserved", "turn", {"angle": 1})
        assert arm.ask("release", {"holder": "anna"})["status"] == "success"
        since = seen.mark()
        board.fault("wifi_off")
        seen.wait(board.topic("status"), lambda told: told["status"] == "offline", since=since, within=40)
        since = seen.mark()
        board.fault("wifi_off", on=False)
        board.until_online(seen, since, within=40)
        seen.wait(board.topic("description"), bool, since=since)
        assert arm.ask("turn", {"angle": 1})["status"] == "success"
    assert board.truth()["starts"] == 1
    assert "MemoryError" not in board.said()
