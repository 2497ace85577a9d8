"""``examples/hybrid_orchestrator.py``: one experiment on an OT-2 by the gateway and on a board by MQTT."""

from collections.abc import Iterator
import os
from pathlib import Path

import httpx
import pytest
from tests.broker.cell import Cell
from tests.broker.observer import Observer, until
from tests.broker.program import Program
import yaml

from lab2mqtt.hub import micropython
from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.ports import LOOPBACK, free_port, listens
from lab2mqtt.orchestration import OrchestratorClient, TaskFailed
from lab2mqtt.orchestration.bearer import hash_of, new_token
from lab2mqtt.simulators import OPENTRONS

EXAMPLE = Path(__file__).parents[2] / "examples" / "hybrid_orchestrator.py"
WITHIN = 30.0  # s
SPEED = 400.0  # times as fast as a real robot


@pytest.fixture(scope="module")
def cell(broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    """An OT-2, fast, and a board; each simulated."""
    micropython.find_or_unpack(print)
    folder = tmp_path_factory.mktemp("hybrid")
    with pytest.MonkeyPatch.context() as patch, Mosquitto(broker.program) as own:
        patch.setenv(OPENTRONS, "")  # without the real package it starts sooner
        made = Cell(own.port, folder, SPEED)
        board = Program(
            [
                *("--node", "lab-sensor", "--device-id", "lab-sensor", "--link", str(folder / "board.link")),
                *("--broker", f"{LOOPBACK}:{own.port}", "--state", str(folder / "board")),
            ],
            folder / "board.log",
            "lab2mqtt.simulators.board",
        )
        with Observer(own.port, "lab2mqtt/#") as seen:
            try:
                board.start()
                made.start()
                seen.wait("lab2mqtt/ot2/state", lambda told: told["readiness"] == "ready", within=WITHIN)
                seen.wait(
                    "lab2mqtt/lab-sensor/status", lambda told: told["status"] == "online", within=WITHIN
                )
                yield made
            finally:
                board.terminate()
                made.close()


@pytest.fixture
def orchestrator(cell: Cell, tmp_path: Path) -> Iterator[OrchestratorClient]:
    """The service, with a token that may use the OT-2 alone."""
    token, port, http_port = new_token(), free_port(), free_port()
    config = tmp_path / "gateway.yaml"
    told = {
        "broker": {"port": cell.port},
        "http": {"port": port},
        "tokens": {"hybrid": {"sha256": hash_of(token), "devices": {"ot2": "use"}}},
    }
    config.write_text(yaml.safe_dump(told))
    gateway = Program(["http", str(config)], tmp_path / "gateway.log")
    service = Program(
        [], tmp_path / "hybrid.log", environment={"TOKEN": token, "XDG_STATE_HOME": str(tmp_path)}
    )
    addresses = ("--gateway", f"http://{LOOPBACK}:{port}", "--broker", f"mqtt://{LOOPBACK}:{cell.port}")
    service.command[1:] = [str(EXAMPLE), *addresses, "--port", str(http_port)]
    gateway.start()
    service.start()
    try:
        until(lambda: listens(http_port), "it listens", within=WITHIN, more=service.said)
        until(lambda: listens(port) and _reachable(port) == 2, "the gateway has its devices", within=WITHIN)
        with OrchestratorClient(f"http://{LOOPBACK}:{http_port}") as client:
            yield client
    finally:
        service.terminate()
        gateway.terminate()


def _reachable(port: int) -> int:
    found: int = httpx.get(f"http://{LOOPBACK}:{port}/health").json()["devices"]["reachable"]
    return found


def test_one_experiment_on_two_devices(cell: Cell, orchestrator: OrchestratorClient) -> None:
    """What was mixed is in the wells; what the OT-2 refuses is told in its words."""
    assert list(orchestrator.get_available_tasks()) == ["read_micropython_sensor", "run_hybrid_experiment"]
    one = orchestrator("read_micropython_sensor", sensor_pin=27)
    assert one["sensor_pin"] == 27
    done = orchestrator(
        "run_hybrid_experiment",
        ot2_colors=[{"R": 100, "Y": 50, "B": 80, "well": "B2"}, {"R": 30, "Y": 30, "B": 0, "well": "B3"}],
        micropython_sensors=[26, 27],
    )
    assert len(done["ot2_results"]) == 2
    assert [reading["sensor_pin"] for reading in done["micropython_results"]] == [26, 27]
    wells = cell.truth()["wells"]
    assert wells["1/B2"] == {"3/B1": 100, "3/B2": 50, "3/B3": 80}
    assert wells["1/B3"] == {"3/B1": 30, "3/B2": 30}
    too_much = {"R": 300, "Y": 50, "B": 0, "well": "B4"}
    with pytest.raises(TaskFailed, match="300"):
        orchestrator("run_hybrid_experiment", ot2_colors=[too_much], micropython_sensors=[])
    assert "1/B4" not in cell.truth()["wells"]


def test_without_an_address_it_tells_which(tmp_path: Path) -> None:
    """In its last line."""
    program = Program([], tmp_path / "log", environment={**os.environ, "XDG_STATE_HOME": str(tmp_path)})
    program.command[1:] = [str(EXAMPLE)]
    program.start()
    assert program.wait(WITHIN) == 2
    assert "name a --broker" in program.said().splitlines()[-1]
