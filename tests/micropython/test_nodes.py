"""Every node of the firmware, as a board on a broker: it comes up, says what it can do, and does it."""

from collections.abc import Callable, Iterator
import time
from typing import Any

import pytest
from tests.asyncapi import fault
from tests.broker.brokers import Broker
from tests.broker.observer import Observer
from tests.micropython.conftest import MakeBoard
from tests.micropython.rig import Board

from lab2mqtt.boards import nodes
from lab2mqtt.discovery.announcement import announce

HEAP = "400k"  # of 64 bits, whose words have twice the size of a board's
QUICK = {  # settings that need no long wait
    "motion": {"warm_up": 0.5, "hold": 0.2},
    "relay": {"max_on": 1, "min_off": 0.2},
    "jumper": {"solenoid": 0.4, "action": 0.8, "lockout": 0.5},
    "pipette": {"flow": 3000, "flow_max": 12000},
}


Up = Callable[..., tuple[Board, Observer]]


@pytest.fixture
def up(broker: Broker, make_board: MakeBoard) -> Iterator[Up]:
    """Start a board of a node, some of its settings quick; gives it, and who hears it."""
    seen: list[Observer] = []

    def up(node: str, *settings: str) -> tuple[Board, Observer]:
        config = {"keepalive": 5, "settings": {name: QUICK[name] for name in settings}}
        board = make_board(broker, node=node, heap=HEAP, config=config)
        heard = Observer(broker.port, f"{board.base}/{board.device_id}/#", f"{board.base}/emergency_stop")
        seen.append(heard)
        board.start()
        board.until_online(heard)
        return board, heard

    yield up
    for each in seen:
        each.close()
    told = [one for each in seen for one in each.heard() if not one.topic.startswith("observer/")]
    assert not {why for one in told if (why := fault(one.topic, one.payload))}


def _state(board: Board, seen: Observer, since: int = 0, **wanted: object) -> dict[str, Any]:
    """Wait for a state with these values."""

    def fits(told: dict[str, Any] | None) -> bool:
        return bool(told) and all(told.get(key, "") == value for key, value in wanted.items())

    state: dict[str, Any] = seen.wait(board.topic("state"), fits, since=since, within=10).json
    return state


@pytest.mark.parametrize("node", nodes())
def test_a_node_comes_up_and_tells_what_it_can_do(up: Up, node: str) -> None:
    """Its description can be announced, all its values are in the state, and what it reads it answers."""
    board, seen = up(node)
    told = seen.wait(board.topic("description"), bool, within=5).json
    ((part, message),) = announce(told).items()
    assert part == ""
    assert message["device"]["name"].endswith("(simulated)")
    for key, entity in told["entities"].items():
        component = message["components"][key]
        assert component["platform"] == entity["platform"]
        for task in [entity["task"]] if "task" in entity else []:
            assert task in told["tasks"]
            parameters = told["tasks"][task]["parameters"]
            assert {entity.get("parameter"), *entity.get("parameters", {})} - {None} <= set(parameters)
    shown = {
        key
        for key, entity in told["entities"].items()
        if entity["platform"] not in ("button", "event") and not entity.get("stateless")
    }
    state = _state(board, seen, readiness="ready")
    assert shown <= set(state)
    for name, task in told["tasks"].items():
        if task["effect"] != "read":
            continue
        for value in task["parameters"].get("sensor_pin", {"enum": [None]})["enum"]:
            answer = board.ask(seen, name, {} if value is None else {"sensor_pin": value})
            assert answer["status"] == "success", answer


def test_the_lab_sensor_is_the_device_of_the_guide(up: Up) -> None:
    """The tasks by their names and with their results; pins that are not wired are refused."""
    board, seen = up("lab-sensor")
    board.world(voltage_26=1.65, temperature=27.5, humidity=40)
    seen.wait(board.topic("state"), lambda told: bool(told) and told["voltage_26"] == 1.65, within=10)

    read = board.ask(seen, "read_sensor", {"sensor_pin": 26})["result"]
    assert abs(read.pop("timestamp") - time.time()) < 5
    assert read == {"sensor_pin": 26, "raw_value": pytest.approx(32768, abs=1), "voltage": 1.65}
    air = board.ask(seen, "read_environmental_sensors")["result"]
    assert air == {"temperature": pytest.approx(27.5, abs=0.01), "humidity": pytest.approx(40, abs=0.01)}
    status = board.ask(seen, "get_device_status")["result"]
    assert status["device_id"] == board.device_id
    assert status["platform"] == "micropython"
    assert {"read_sensor", "control_led", "move_servo", "get_device_status"} <= set(status["tasks_available"])
    assert status["free_memory"] > 0 < status["uptime_ms"]

    since = seen.mark()
    assert board.ask(seen, "control_led", {"pin": 25, "state": True})["result"] == "LED on pin 25 is on"
    _state(board, seen, since, led=True)
    assert board.outputs()["pin_LED"] == {"value": 1}
    moved = board.ask(seen, "move_servo", {"pin": 15, "angle": 90})
    assert moved["result"] == "servo on pin 15 was driven to 90 °"
    pulses = [line["duty_ns"] for line in board.journal() if line["output"] == "pin_15"]
    assert pulses == [0, 1_500_000, 0]

    for task, parameters, words in (
        ("read_sensor", {"sensor_pin": 15}, "sensor_pin 15 is not one of 26, 27, 28"),
        ("control_led", {"pin": 0, "state": True}, "pin 0 is not one of 25"),
        ("move_servo", {"pin": 15, "angle": 181}, "angle 181 is out of range: a number, 0 to 180 °"),
        ("move_servo", {"pin": 14, "angle": 90}, "pin 14 is not one of 15"),
    ):
        answer = board.ask(seen, task, parameters)
        assert (answer["error_code"], answer["error"]) == ("invalid_parameters", words)
    assert [line["duty_ns"] for line in board.journal() if line["output"] == "pin_15"] == pulses


def test_a_fan_blows_for_the_cell(up: Up) -> None:
    """As an OT-2 asks for it; an emergency stop ends it."""
    board, seen = up("fan")
    since = seen.mark()
    assert board.ask(seen, "set_speed", {"speed": 100})["result"] == {"speed": 100}
    seen.wait(
        board.topic("state"),
        lambda told: bool(told) and told["fan_speed"] == 100 and (told["fan_rpm"] or 0) > 2500,
        since=since,
        within=10,
    )
    assert board.ask(seen, "emergency_stop")["status"] == "success"
    assert board.outputs()["pin_16"]["duty_ns"] == 0
    assert board.ask(seen, "set_speed", {"speed": 50})["error_code"] == "emergency_stopped"
    assert board.outputs()["pin_16"]["duty_ns"] == 0


def test_a_pipette_moves_a_volume(up: Up) -> None:
    """Refused before it is homed; the volume stands in the state before the answer comes."""
    board, seen = up("digital-pipette", "pipette")
    refused = board.ask(seen, "aspirate", {"volume": 600})
    assert refused["error_code"] == "not_allowed"
    assert "home it first" in refused["error"]
    assert board.ask(seen, "home")["result"] == {"volume": 0}
    since = seen.mark()
    assert board.ask(seen, "aspirate", {"volume": 600})["result"] == {"volume": 600}
    answered = seen.heard(board.topic("result"), since)[0]
    state = _state(board, seen, since, volume=600)
    assert state["homed"]
    first = next(one for one in seen.heard(board.topic("state"), since) if one.json["volume"] == 600)
    assert seen.place(first) < seen.place(answered)


def test_the_coffin_jumps_and_obeys(up: Up) -> None:
    """A whole cycle by motion and by command; a stop ends it, and no motion begins one before the reset."""
    board, seen = up("coffin-jumper", "motion", "relay", "jumper")
    _state(board, seen, jumper="armed", motion=False)
    since = seen.mark()
    board.world(motion=True)
    for word in ("action", "lockout", "armed"):
        _state(board, seen, since, jumper=word)
    events = [one.json for one in seen.heard(board.topic("event"), since)]
    assert [one["event_type"] for one in events] == ["motion_detected", "action_began", "action_ended"]
    assert _solenoid(board) == [0, 1, 0]
    board.world(motion=False)
    _state(board, seen, since, motion=False, jumper="armed")

    since = seen.mark()
    assert board.ask(seen, "set_volume", {"volume": 12})["result"] == {"volume": 12}
    assert board.ask(seen, "trigger")["result"] == {"state": "action"}
    assert board.ask(seen, "emergency_stop")["status"] == "success"
    assert _solenoid(board) == [0, 1, 0, 1, 0]
    _state(board, seen, since, jumper="blocked", solenoid=False)
    assert board.ask(seen, "trigger")["error_code"] == "emergency_stopped"
    since = seen.mark()
    board.world(motion=True)
    _state(board, seen, since, motion=True)
    board.world(motion=False)
    _state(board, seen, since, motion=False, jumper="blocked")
    assert _solenoid(board) == [0, 1, 0, 1, 0]
    assert board.ask(seen, "reset_emergency_stop")["status"] == "success"
    _state(board, seen, since, jumper="armed")
    assert _solenoid(board) == [0, 1, 0, 1, 0]


def test_the_coffin_lies_still_without_a_link(up: Up) -> None:
    """Nobody could stop it: motion begins nothing until the link is back."""
    board, seen = up("coffin-jumper", "motion", "relay", "jumper")
    _state(board, seen, jumper="armed", motion=False)
    since = seen.mark()
    board.fault("wifi_off")
    seen.wait(board.topic("status"), lambda told: told["status"] == "offline", since=since, within=20)
    board.world(motion=True)
    board.fault("wifi_off", on=False)
    board.until_online(seen, since)
    _state(board, seen, since, motion=True)
    assert _solenoid(board) == [0]


def _solenoid(board: Board) -> list[int]:
    return [line["value"] for line in board.journal() if line["output"] == "pin_25"]
