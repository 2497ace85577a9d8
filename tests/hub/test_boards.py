"""Boards that speak for themselves, in Home Assistant: what they say becomes entities that work."""

from collections.abc import Callable, Iterator
from pathlib import Path
import time
from typing import Any

import pytest
from tests.broker.observer import until
from tests.broker.played_board import PlayedBoard
from tests.broker.program import Program, run
from tests.hub.lab import Lab, near, shows
from tests.unit import kitchen_sink
import yaml

from lab2mqtt import wire
from lab2mqtt.core import hub_classes
from lab2mqtt.core.foreign import understand
from lab2mqtt.discovery.announcement import announce
from lab2mqtt.discovery.platforms import EXPIRES_AFTER
from lab2mqtt.hub.process import HomeAssistant

Problems = Callable[[dict[str, Any]], list[dict[str, str]]]

LAMP = "switch.pico_1_lamp"
TEMPERATURE = "sensor.pico_1_temperature"
READINESS = "sensor.pico_1_readiness"
STOP = "button.pico_1_stop"


@pytest.fixture
def board(hub: HomeAssistant, lab: Lab, tmp_path: Path) -> Iterator[PlayedBoard]:
    """A board that a bridge has announced, as the hub sees it. Afterwards the hub has forgotten it."""
    config = tmp_path / "adopter.yaml"
    port = lab.broker.port
    told = {"bridge": "adopter", "broker": {"port": port}, "state": "kept", "adopt": True, "devices": {}}
    config.write_text(yaml.safe_dump(told))
    adopter = Program(["run", str(config)], tmp_path / "adopter.log")
    played = PlayedBoard(port, "lab2mqtt").start()
    adopter.start()
    until(
        lambda: {LAMP, TEMPERATURE, READINESS, STOP} <= hub.states().keys(),
        "the board is there",
        within=10,
        more=adopter.said,
    )
    hub.wait_for(LAMP, shows("off"))
    yield played
    played.switch_off()
    hub.wait_for(LAMP, shows("unavailable"))
    said = run("forget", "pico-1", "--broker", f"mqtt://127.0.0.1:{port}")
    assert said.code == 0, said.err
    until(lambda: not any("pico_1" in entity for entity in hub.states()), "the board is forgotten", within=10)
    adopter.terminate()


def test_a_board_shows_what_it_measures(hub: HomeAssistant, board: PlayedBoard) -> None:
    """Also where its state lacks what its description tells: the hub does not complain."""
    hub.wait_for(TEMPERATURE, near(21.5))
    hub.wait_for(READINESS, shows("ready"))
    device = hub.wait_for_device("lab2mqtt_pico-1")
    assert (device["name"], device["manufacturer"]) == ("Pico", board.description["manufacturer"])


def test_a_control_sends_a_command_that_ends(hub: HomeAssistant, lab: Lab, board: PlayedBoard) -> None:
    """As those of a bridge: with an id and an expiry; the board answers, and its state shows it."""
    since = lab.seen.mark()
    hub.call_service("switch", "turn_on", {"entity_id": LAMP})
    command = lab.seen.wait(board.topic("command"), since=since).json
    assert (command["task"], command["parameters"]) == ("set_lamp", {"on": True})
    assert command["expires_at"] - time.time() == pytest.approx(EXPIRES_AFTER, abs=3)
    answer = lab.seen.wait(board.topic("result"), since=since).json
    assert (answer["request_id"], answer["status"]) == (command["request_id"], "success")
    hub.wait_for(LAMP, shows("on"))


def test_a_board_that_is_off_is_unavailable_with_its_stop_button(
    hub: HomeAssistant, board: PlayedBoard
) -> None:
    """Nobody is there who could obey."""
    board.switch_off()
    for entity in (LAMP, TEMPERATURE, READINESS, STOP):
        hub.wait_for(entity, shows("unavailable"))
    board.start()
    for entity in (LAMP, TEMPERATURE, READINESS, STOP):
        hub.wait_for(entity, lambda now: now["state"] != "unavailable")


def test_what_a_board_says_of_every_platform_is_accepted(discovery_problems: Problems) -> None:
    """By the schemas of this release: nothing is refused, and no key is dropped without a word."""
    told = {key: one for key, one in kitchen_sink.description().items() if key != "announced_by"}
    kept = understand(wire.encode({**told, "bridge": None}).encode(), "sink")
    assert kept
    messages = {
        wire.discovery_topic("homeassistant", "lab2mqtt", "sink", part): payload
        for part, payload in announce(kept).items()
    }
    assert len(messages) == 2
    assert discovery_problems(messages) == []


CONTROL = {"task": "go", "parameter": "it", "minimum": 0, "maximum": 1}


def _with_classes(*, fits: bool) -> dict[str, Any]:
    """A board with every class of every platform and every unit of it, or with a unit that none has."""
    told: list[dict[str, Any]] = []
    for name, units in hub_classes.SENSOR_UNITS.items():
        some = sorted(units) if fits else ["furlong"]
        told += [{"platform": "sensor", "device_class": name, "unit": unit} for unit in some]
    for platform, names in hub_classes.CLASSES.items():
        more = {"event_types": ["it"]} if platform == "event" else CONTROL
        told += [{"platform": platform, "device_class": name, **more} for name in sorted(names) if fits]
    entities = {f"e{number}": {"name": str(number), **one} for number, one in enumerate(told)}
    tasks = {"go": {"open": True}}
    return {"protocol": 1, "device_id": "many", "name": "Many", "entities": entities, "tasks": tasks}


@pytest.mark.parametrize("fits", [True, False], ids=["fitting", "unfitting"])
def test_the_table_of_device_classes_is_that_of_the_hub(discovery_problems: Problems, *, fits: bool) -> None:
    """What it lets through is accepted, and what it leaves out would not have been."""
    whole = _with_classes(fits=fits)
    told = list(whole["entities"].items())
    for start in range(0, len(told), 150):
        some = {**whole, "entities": dict(told[start : start + 150])}
        kept = understand(wire.encode(some).encode(), "many")
        assert kept
        classed = sum("device_class" in one for one in kept["entities"].values())
        assert classed == (len(some["entities"]) if fits else 0)
        assert discovery_problems({"homeassistant/device/lab2mqtt_many/config": announce(kept)[""]}) == []
