"""What a board says of itself: description, status, state."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.broker.brokers import Broker
from tests.broker.observer import Observer, retained
from tests.micropython.arms import Arm, arm, shared_arm
from tests.micropython.rig import Script

from lab2mqtt import wire
from lab2mqtt.boards import image

__all__ = ["arm", "shared_arm"]


def test_the_description_tells_all(arm: Arm) -> None:
    """It is said in pieces; what every device has comes from the house."""
    topic = arm.board.topic("description")
    kept = retained(arm.board.port, topic)[topic]
    told = json.loads(kept)
    assert wire.decode(kept, wire.MAX_MESSAGE) == told
    for key, value in {
        "protocol": 1,
        "device_id": "arm",
        "name": "Arm",
        "kind": "arm",
        "model": "Test arm (simulated)",
        "simulated": True,
        "bridge": None,
        "node": "arm",
        "max_command": 4096,
        "at_most_once": "until_reset",
        "remembered_ids": 16,
        "safe_state": {"arm": {"after_s": 2, "words": "the arm rests"}},
    }.items():
        assert told[key] == value
    assert "announced_by" not in told
    house = image.house()
    assert json.loads("{" + house["entities"] + "}").items() <= told["entities"].items()
    assert json.loads("{" + house["tasks"] + "}").items() <= told["tasks"].items()
    assert {"angle", "free_memory", "rssi", "uptime", "reset_cause", "last_crash"} <= told["entities"].keys()
    assert told["tasks"]["turn"] == {
        "description": "Turn it.",
        "effect": "move",
        "parameters": {"angle": {"type": "number", "minimum": 0, "maximum": 180, "unit": "°"}},
        "required": ["angle"],
        "timeout": 10,
    }
    assert told["tasks"]["choose"]["required"] == ["well"]
    assert told["tasks"]["anything"]["open"] is True


def test_the_status_is_retained_and_names_the_tasks(arm: Arm) -> None:
    """As the older dialect has it, too."""
    topic = arm.board.topic("status")
    told = json.loads(retained(arm.board.port, topic)[topic])
    assert (told["device_id"], told["status"], told["bridge"]) == ("arm", "online", None)
    assert {"turn", "look", "emergency_stop", "reserve"} <= set(told["data"]["tasks"])


def test_the_state_has_what_every_device_has(arm: Arm) -> None:
    """And health."""
    state = arm.state(bool)
    assert state["readiness"] in wire.READINESS
    assert state["connected"] is True
    assert state["reset_cause"] == "power on"
    assert state["last_crash"] is None
    assert state["free_memory"] > 1000
    assert state["rssi"] < 0
    assert state["updated_at"] <= arm.now() + 1


def test_the_state_is_said_though_nothing_changes(arm: Arm) -> None:
    """Of a board that can move, at the latest every 10 s."""
    since = arm.seen.mark()
    first = arm.state(bool, since=since, within=10)
    since = arm.seen.mark()
    second = arm.state(bool, since=since, within=10)
    assert 0 < second["uptime"] - first["uptime"] <= 10


def test_what_does_not_answer_is_unknown_and_a_fault(arm: Arm) -> None:
    """The reason stands there."""
    arm.ask("turn", {"angle": 45})
    since = arm.seen.mark()
    arm.board.world(arm_gone=True)
    try:
        state = arm.state(lambda told: told["readiness"] == "fault", since=since)
        assert state["angle"] is None
        assert state["readiness_reasons"] == ["arm: the arm does not answer"]
    finally:
        arm.board.world(arm_gone=False)
    arm.state(lambda told: told["readiness"] == "ready" and told["angle"] == 45, since=since)


def test_not_a_number_is_not_known(arm: Arm) -> None:
    """JSON has none."""
    arm.ask("turn", {"angle": 45})
    since = arm.seen.mark()
    arm.board.world(arm_dizzy=True)
    try:
        arm.state(lambda told: told["angle"] is None, since=since)
    finally:
        arm.board.world(arm_dizzy=False)
    arm.state(lambda told: told["angle"] == 45, since=since)


@pytest.mark.parametrize(
    ("pins", "chip", "wanted", "words"),
    [
        ({"servo": 15}, "", "servo", "15"),
        ({"led": 25}, "rp2", "led", "LED"),
        ({"led": 25}, "esp32", "led", "25"),
        ({"servo": 15}, "", "fan", "no pin 'fan' in config.json; its pins are servo"),
        ({"fan": 23}, "rp2", "fan", "pin 23 for 'fan': the Pico W's Wi-Fi chip needs it"),
        ({"fan": 6}, "esp32", "fan", "pin 6 for 'fan': the ESP32's flash or serial port needs it"),
        ({"fan": 40}, "esp32", "fan", "pin 40 for 'fan': this board has 0 to 39"),
        ({"fan": 15, "servo": 15}, "", "servo", "pin 15 for 'servo' is in use as 'fan'"),
    ],
)
def test_only_pins_of_the_configuration_are_used(
    micropython: Path, tmp_path: Path, pins: dict[str, int], chip: str, wanted: str, words: str
) -> None:
    """And none that the board needs itself."""
    first = "pins.number('fan')\n    " if len(pins) > 1 else ""
    main = (
        "from labboard.pins import Pins, WrongPin\n"
        f"pins = Pins({pins}, {chip!r})\n"
        f"try:\n    {first}print(pins.number({wanted!r}))\n"
        "except WrongPin as error:\n    print(error)\n"
    )
    assert Script(micropython, tmp_path, main, config={}).run().strip() == words


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "device_id None is not 1 to 64 of a-z"),
        ({"device_id": "Pico 1"}, "device_id 'Pico 1' is not 1 to 64 of a-z"),
        ({"device_id": "p", "broker": "pi"}, "broker 'pi' is not an object"),
        ({"device_id": "p", "broker": {}}, "broker's host None is not a host's name or address"),
        (
            {"device_id": "p", "broker": {"host": "h", "port": 0}, "pins": {"led": "LED"}},
            "broker's port 0 is not a whole number, 1 to 65535; pins' led 'LED' is not the number of a pin",
        ),
        (
            {"device_id": "p", "broker": {"host": "h"}, "transport": "umqtt"},
            "'umqtt' is not one of own, mqtt_as",
        ),
        (
            {"device_id": "p", "broker": {"host": "h"}, "base": "a/#"},
            "base 'a/#' is not a topic without wildcards",
        ),
    ],
)
def test_a_configuration_that_cannot_be_used_is_told(
    micropython: Path, tmp_path: Path, config: dict[str, Any], words: str
) -> None:
    """Everything that is wrong in one text."""
    main = (
        "from labboard import settings\n"
        "try:\n    print(settings.read())\nexcept settings.WrongSettings as error:\n    print(error)\n"
    )
    said = Script(micropython, tmp_path, main, config=config).run()
    assert said.startswith("/config.json: ")
    assert words in said


def test_secrets_are_never_shown(micropython: Path, tmp_path: Path) -> None:
    """Not even wrong ones."""
    main = (
        "from labboard import settings\n"
        "try:\n    print(settings.read())\nexcept settings.WrongSettings as error:\n    print(error)\n"
    )
    config = {"device_id": "p", "broker": {"host": "h"}}
    said = Script(micropython, tmp_path, main, config=config, secrets={"password": 4711}).run()
    assert "password in /secrets.json is not a text" in said
    assert "4711" not in said


def test_a_plain_main_py_is_a_board(broker: Broker, micropython: Path, tmp_path: Path) -> None:
    """Without a start program, folders of applications, or parts."""
    config = {
        "device_id": "plain",
        "broker": {"host": "127.0.0.1", "port": broker.port},
        "base": "plain-test",
    }
    main = "from labboard import Board\nBoard().run()\n"
    with (
        Observer(broker.port, "plain-test/#") as seen,
        Script(micropython, tmp_path, main, config={**config, "watchdog": False}),
    ):
        seen.wait("plain-test/plain/status", lambda told: told["status"] == "online", within=15)
        state = seen.wait("plain-test/plain/state").json
        assert state["readiness"] == "ready"


def test_who_lives_says_so(arm: Arm) -> None:
    """The will of its last link may come after the birth on the new one."""
    topic = arm.board.topic("status")
    since = arm.seen.mark()
    arm.seen.publish(topic, {"device_id": "arm", "status": "offline", "timestamp": 0}, retain=True)
    arm.seen.wait(topic, lambda told: told["status"] == "online", since=since)
