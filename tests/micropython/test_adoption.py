"""Boards with our firmware, adopted: a bridge announces them, and the lab's clients use them."""

from collections.abc import Iterator
import json
from pathlib import Path
from typing import Any

import pytest
from tests.broker.adopting_lab import AdoptingLab
from tests.broker.brokers import Broker
from tests.broker.observer import until
from tests.micropython.conftest import MakeBoard

from lab2mqtt import wire
from lab2mqtt.boards import nodes
from lab2mqtt.core.foreign import understand

HEAP = "400k"  # of 64 bits


@pytest.fixture
def lab(broker: Broker, tmp_path: Path) -> Iterator[AdoptingLab]:
    """A lab without anything."""
    made = AdoptingLab(broker, tmp_path)
    try:
        yield made
    finally:
        made.close()


def _config(lab: AdoptingLab, base: str) -> dict[str, Any]:
    return {"base": base, "stop_topic": wire.emergency_stop_topic(lab.base), "keepalive": 5}


@pytest.mark.parametrize("node", nodes())
def test_a_node_is_understood_whole(lab: AdoptingLab, make_board: MakeBoard, node: str) -> None:
    """Nothing that it tells of its entities is left out, and the state holds what they show."""
    board = make_board(lab.broker, node=node, heap=HEAP, config=_config(lab, lab.base))
    with board, board.observer() as seen:
        said = seen.wait(board.topic("description"))
        state = seen.wait(board.topic("state")).json
        kept = understand(said.payload, board.device_id)
        assert kept
        for key, told in said.json["entities"].items():
            of_bridges = {"availability"}  # means nothing of a device with a link of its own
            assert {name: kept["entities"][key].get(name) for name in told.keys() - of_bridges} == {
                name: one for name, one in told.items() if name not in of_bridges
            }
            assert key in state or told.get("stateless") or told["platform"] in ("button", "event")


def test_a_board_is_adopted_used_and_forgotten(lab: AdoptingLab, make_board: MakeBoard) -> None:
    """Under the base of the older dialect: announced, called, stopped, reset, gone."""
    bridge = lab.bridge()
    board = make_board(
        lab.broker, node="lab-sensor", device_id="pico-1", heap=HEAP, config=_config(lab, lab.prefix)
    )
    board.start_online()
    told = lab.until_announced(base=lab.prefix)
    availability = [{"topic": board.topic("status"), "value_template": "{{ value_json.status }}"}]
    assert all(
        one["availability"] == availability
        for one in told["components"].values()
        if one["platform"] != "device_automation"
    )
    where = ("--base", lab.prefix)
    (row,) = json.loads(lab.run("devices", "--json", *where).out).values()
    assert (row["device"], row["bridge"], row["readiness"]) == ("pico-1", None, "ready")
    said = lab.run("call", "pico-1", "move_servo", "pin=15", "angle=90", *where)
    assert said.code == 0, said.err
    assert "1500000" in json.dumps(board.journal())  # ns: the middle

    assert lab.run("stop").code == 0  # of the lab's own base, which the board listens to as well
    with board.observer() as seen:
        seen.wait(board.topic("state"), lambda state: bool(state) and state["emergency_stop"])
    assert "emergency_stopped" in lab.run("call", "pico-1", "move_servo", "pin=15", "angle=0", *where).err
    assert lab.run("reset").code == 0
    assert lab.run("call", "pico-1", "move_servo", "pin=15", "angle=0", *where).code == 0

    board.kill()
    with board.observer() as seen:
        seen.wait(board.topic("status"), lambda status: status["status"] == "offline", within=15)
    said = lab.run("forget", "pico-1", "--discovery", lab.discovery, *where)
    assert said.code == 0, said.err
    until(lambda: not [topic for topic in lab.kept() if "pico-1" in topic], "it is forgotten", within=10)
    assert lab.until_health(adopted=0)["refused"] == {}
    assert "Traceback" not in bridge.said()
