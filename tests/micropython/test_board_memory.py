"""The memory of a board: its whole firmware at work in 96 KB, on an interpreter with a board's word."""

from collections.abc import Iterator
import json
from pathlib import Path
import tempfile
from typing import Any
import uuid

import pytest
from tests.broker.brokers import Broker
from tests.broker.observer import Observer

from lab2mqtt.boards import firmware, image
from lab2mqtt.hub import child
from lab2mqtt.hub.ports import LOOPBACK
from lab2mqtt.simulators.board.power import Hardware

HERE = Path(__file__).parent
HEAP = "96k"  # a Pico W has 190 KB; TLS takes 40 KB of them, and a node has its own parts


class Bare:
    """A board without a supervisor, whose stand-ins for its own modules take next to nothing."""

    device_id = "bare"

    def __init__(self, interpreter: Path, folder: Path, port: int) -> None:
        flash, stand_ins = folder / "flash", folder / "bare"
        config = {
            "device_id": self.device_id,
            "broker": {"host": LOOPBACK, "port": port},
            "watchdog": False,
        }
        image.build(HERE / "four_tasks", flash, config, {})
        for file in [*(HERE / "bare").glob("*.py"), firmware() / "simulated" / "os.py"]:
            image.compiled(file.read_text("utf-8"), stand_ins / file.name)
        self.log = folder / "log"
        self.hardware = Hardware(interpreter, flash, folder, HEAP, stand_ins)
        self.process = child.start(self.hardware.command(), self.log)

    def topic(self, kind: str) -> str:
        """One of its topics."""
        return f"lab2mqtt/{self.device_id}/{kind}"

    def said(self) -> str:
        """What it printed."""
        return self.log.read_text(errors="replace")


pytestmark = pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)


@pytest.fixture
def bare(micropython32: Path, broker: Broker) -> Iterator[Bare]:
    """The board, switched on. Its folder has a short path: what that takes of the heap, a board has not."""
    with tempfile.TemporaryDirectory() as folder:
        board = Bare(micropython32, Path(folder), broker.port)
        yield board
        print(board.said())  # noqa: T201 - shown where the test fails
        child.stop(board.process, 5)


def test_a_board_does_everything_in_little_memory(bare: Bare, broker: Broker) -> None:
    """Without a reset, and without a command that memory was too short for."""
    with Observer(broker.port, f"lab2mqtt/{bare.device_id}/#") as seen:

        def send(task: str, **parameters: object) -> str:
            request_id = uuid.uuid4().hex
            seen.publish(
                bare.topic("command"), {"request_id": request_id, "task": task, "parameters": parameters}
            )
            return request_id

        def result(request_id: str) -> Any:  # noqa: ANN401 - JSON
            return seen.wait(bare.topic("result"), lambda told: told["request_id"] == request_id).json

        def done(task: str, **parameters: object) -> None:
            told = result(send(task, **parameters))
            assert told["status"] == "success", told

        def refused(code: str, task: str, **parameters: object) -> None:
            assert result(send(task, **parameters))["error_code"] == code

        def online(since: int) -> None:
            seen.wait(bare.topic("status"), lambda told: told["status"] == "online", since=since, within=20)

        online(0)
        assert "turn" in json.loads(seen.wait(bare.topic("description")).payload)["tasks"]
        for number in range(40):
            done("turn", angle=number)
            done("look", size=8 * number)
        refused("invalid_parameters", "turn", angle=181, speed=1)
        seen.publish(bare.topic("command"), b'{"task": "turn", "more": "' + b"x" * 300_000 + b'"}')
        runs, waits = send("sweep"), send("turn", angle=1)
        seen.wait(bare.topic("progress"), lambda told: told["request_id"] == waits)
        done("emergency_stop")
        for request_id in (runs, waits):
            assert result(request_id)["error_code"] == "emergency_stopped"
        refused("emergency_stopped", "turn", angle=1)
        done("reset_emergency_stop")
        done("reserve", holder="anna", seconds=60, reason="calibration")
        refused("reserved", "turn", angle=1)
        done("release", holder="anna")
        done("set_maintenance", on=True)
        refused("maintenance", "rest")
        done("set_maintenance", on=False)
    broker.kill()
    broker.start()
    with Observer(broker.port, f"lab2mqtt/{bare.device_id}/#") as seen:
        online(0)
        seen.wait(bare.topic("description"), bool)
        done("turn", angle=1)
        told = result(send("get_device_status"))["result"]
        assert told["free_memory"] > 4096  # room for the largest command
    assert bare.process.poll() is None, bare.said()
    assert "MemoryError" not in bare.said()
