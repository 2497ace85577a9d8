"""What somebody else's description may do to the hub and to us: show what it is, and what works."""

import copy
import json
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest
from tests.unit import kitchen_sink

from lab2mqtt.core.foreign import LONGEST, MOST_ENTITIES, understand
from lab2mqtt.core.members import Misfit
from lab2mqtt.discovery.announcement import announce
from lab2mqtt.discovery.platforms import PLATFORMS

LAMP = {"platform": "switch", "name": "Lamp", "task": "set_lamp", "parameter": "on"}
SET_LAMP = {"effect": "set", "parameters": {"on": {"type": "boolean"}}, "required": ["on"]}
SERVO = {"platform": "number", "name": "Servo", "task": "move", "parameter": "angle"}
MOVE = {
    "effect": "move",
    "parameters": {
        "angle": {"type": "number", "minimum": 0, "maximum": 180, "unit": "°"},
        "pattern": {"type": "string", "enum": ["sweep", "hold"], "maxLength": 9, "pattern": "[a-z]+"},
    },
}


def board(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - anything that JSON can be
    """The description of a board with a lamp, a servo and a thermometer; with something changed."""
    told = {
        "protocol": 1,
        "device_id": "pico-1",
        "name": "Pico",
        "kind": "lab_sensor",
        "bridge": None,
        "max_command": 4096,
        "entities": {
            "lamp": LAMP,
            "servo": SERVO,
            "temperature": {
                "platform": "sensor",
                "name": "Temperature",
                "unit": "°C",
                "device_class": "temperature",
                "state_class": "measurement",
            },
        },
        "tasks": {"set_lamp": SET_LAMP, "move": MOVE},
    }
    return {**told, **changed}


def entity(**told: Any) -> dict[str, Any]:  # noqa: ANN401
    """A board with one entity, ``it``, and the tasks of ``board``."""
    return board(entities={"it": told})


def understood(told: object) -> dict[str, Any]:
    """What is kept of a description."""
    kept = understand(json.dumps(told).encode(), "pico-1")
    assert kept is not None
    return kept


def test_what_a_bridge_would_say_is_announced_in_the_same_way() -> None:
    """Nothing that the announcement needs is lost: every platform, parts, limits, attributes."""
    told = kitchen_sink.description("pico-1") | {"bridge": None}
    del told["announced_by"]
    assert {one["platform"] for one in told["entities"].values()} == PLATFORMS.keys()
    assert announce(understood(told)) == announce(told)


def test_a_board_is_kept_with_the_limits_of_its_parameters() -> None:
    """A board that tells them once saves memory."""
    kept = understood(board())
    assert kept["entities"]["servo"] == {**SERVO, "minimum": 0, "maximum": 180, "step": 1, "unit": "°"}
    assert kept["entities"]["lamp"] == LAMP
    assert "tasks" not in kept
    choice = entity(platform="select", name="Pattern", task="move", parameter="pattern")
    assert understood(choice)["entities"]["it"]["options"] == ["sweep", "hold"]
    words = entity(platform="text", name="Pattern", task="move", parameter="pattern")
    assert (
        understood(words)["entities"]["it"] | {"maximum": 9, "pattern": "[a-z]+"}
        == (understood(words)["entities"]["it"])
    )


@pytest.mark.parametrize("key", ["bridge", "announced_by"])
def test_what_another_speaks_for_is_not_ours(key: str) -> None:
    """A bridge announces its devices itself; so may a board."""
    assert understand(json.dumps(board(**{key: "bench"})).encode(), "pico-1") is None


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ({"icon": "mdi:thermometer"}, {"icon": "mdi:thermometer"}),
        ({"icon": "thermometer"}, {}),
        ({"category": "diagnostic"}, {"category": "diagnostic"}),
        ({"category": "config"}, {}),  # the hub adds no sensor with it
        ({"device_class": "invented"}, {}),
        ({"device_class": "voltage", "unit": "V"}, {"device_class": "voltage", "unit": "V"}),
        ({"device_class": "voltage", "unit": "Volt"}, {"unit": "Volt"}),
        ({"unit": "μV"}, {"unit": "µV"}),
        (
            {"device_class": "energy", "unit": "Wh", "state_class": "measurement"},
            {"device_class": "energy", "unit": "Wh"},
        ),
        ({"state_class": "measurement_angle"}, {}),
        ({"enabled": True, "stateless": False, "part": None, "attributes": []}, {}),
        ({"something": {"of": "a later version"}}, {}),
    ],
)
def test_what_the_hub_would_not_take_is_left_out(told: dict[str, Any], kept: dict[str, Any]) -> None:
    """The entity is shown all the same."""
    usual = {"platform": "sensor", "name": "It"}
    assert understood(entity(**usual, **told))["entities"]["it"] == usual | kept


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ([1], "a description is a JSON object"),
        (board(protocol=2), "protocol 2 is not 1"),
        (board(device_id="pico-2"), "device_id 'pico-2' is not 'pico-1'"),
        (board(name=""), "name '' is not a text"),
        (board(name="a\nb"), "name 'a\\nb' is not a text"),
        (board(name="x" * 129), "is not a text of at most 128"),
        (board(model=3), "model 3 is not a text"),
        (board(simulated="yes"), "simulated 'yes' is not true or false"),
        (board(entities=None), "entities is missing"),
        (board(entities=[]), "entities [] is not an object"),
        (board(entities={"it": 1}), "entities.it 1 is not an object"),
        (board(entities={"It": LAMP}), "entities: 'It' is not snake case"),
        (board(entities={f"e{n}": LAMP for n in range(MOST_ENTITIES + 1)}), "has 201 members; at most 200"),
        (board(tasks={"a\n": SET_LAMP}), "is not a name"),
        (
            board(tasks={"set_lamp": SET_LAMP | {"effect": "explode"}}),
            "effect 'explode' is not one of",
        ),
        (
            board(tasks={"set_lamp": SET_LAMP | {"timeout": "long"}}),
            "set_lamp.timeout 'long' is not",
        ),
        (board(tasks={"set_lamp": SET_LAMP | {"required": ["off"]}}), "'off' is none"),
        (entity(name="It"), "entities.it.platform is missing"),
        (entity(platform="knob", name="It"), "entities.it.platform 'knob' is not one of"),
        (entity(platform=["switch"], name="It"), "is not one of"),
        (entity(platform="sensor"), "entities.it.name is missing"),
        (entity(platform="sensor", name="It", part="arm"), "entities.it.part 'arm' is not one of its parts"),
        (entity(platform="sensor", name="It", attributes=["a b"]), "is not a list of keys"),
        (entity(platform="sensor", name="It", precision=1.5), "precision 1.5 is not a whole number"),
        (entity(platform="sensor", name="It", options=["a", "a"]), "different texts"),
        (
            entity(platform="sensor", name="It", options=["a"], unit="V"),
            "unit 'V' is not possible",
        ),
        (entity(platform="event", name="It"), "event_types is missing"),
        (entity(platform="event", name="It", event_types=["Boom!"]), "is not a list of words"),
        (entity(**LAMP | {"task": "fly"}), "entities.it.task 'fly' is not one of the device's tasks"),
        (entity(**LAMP | {"parameter": None}), "entities.it.parameter is missing"),
        (entity(**LAMP | {"parameter": "colour"}), "sends 'colour', which set_lamp does not take"),
        (entity(**LAMP | {"parameters": {"colour": 1}}), "sends 'colour', which set_lamp does not take"),
        (entity(platform="button", name="It", task="set_lamp"), "does not send 'on', which set_lamp needs"),
        (
            entity(**LAMP | {"task": "move", "parameter": "angle"}),
            "'angle' is not one that is true",
        ),
        (entity(**SERVO | {"parameter": "pattern"}), "minimum is missing"),
        (entity(**SERVO | {"minimum": 180}), "entities.it goes from 180 to 180"),
        (entity(**SERVO | {"step": 0}), "step 0 is not a number from 0.001"),
        (entity(**SERVO | {"maximum": True}), "maximum true is not a number"),
        (entity(**SERVO | {"platform": "select"}), "options is missing"),
        (entity(**SERVO | {"platform": "text", "pattern": "("}), "pattern '(' is not a regular expression"),
    ],
)
def test_what_would_break_something_is_refused_in_words(told: object, why: str) -> None:
    """The words tell where and what would be right."""
    with pytest.raises(Misfit) as misfit:
        understood(told)
    assert why in str(misfit.value)


@pytest.mark.parametrize(
    "told",
    [
        entity(platform="sensor", name="It", none="{{ states('lock.door') }}"),
        entity(platform="button", name="It", task="{% if %}") | {"tasks": {"{% if %}": {}}},
        entity(platform="button", name="It", task="move", parameters={"angle": "{{ now() }}"}),
        entity(platform="button", name="It", task="any", parameters={"{# x": 1})
        | {"tasks": {"any": {"open": True}}},
    ],
)
def test_nothing_of_it_runs_in_the_hub(told: dict[str, Any]) -> None:
    """Words become a part of the hub's templates; one who writes a description must not program the hub."""
    with pytest.raises(Misfit, match="which the hub would run"):
        understood(told)


def test_a_task_that_declares_nothing_takes_anything() -> None:
    """The guide's tasks tell of no parameters."""
    told = entity(**LAMP) | {"tasks": {"set_lamp": {"open": True}}}
    assert understood(told)["entities"]["it"] == LAMP


@pytest.mark.parametrize("payload", [b"{", b'{"a": 1, "a": 2}', b"\xff", b" " * (LONGEST + 1), b"[" * 40])
def test_what_is_no_json_or_too_long_is_refused(payload: bytes) -> None:
    """By the rules of every message."""
    with pytest.raises(Misfit):
        understand(payload, "pico-1")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def _places(told: object) -> list[list[str]]:
    """The path of every member."""
    if not isinstance(told, dict):
        return []
    return [path for key, one in told.items() for path in ([key], *([key, *rest] for rest in _places(one)))]


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_whatever_stands_anywhere_is_announced_or_refused(data: st.DataObject) -> None:
    """Never an error of ours."""
    told = copy.deepcopy(board(parts={"arm": {"name": "Arm"}}))
    told["entities"] |= {
        "go": {"platform": "button", "name": "Go", "task": "move", "parameters": {"angle": 3}},
        "how": {"platform": "select", "name": "How", "task": "move", "parameter": "pattern", "part": "arm"},
        "word": {"platform": "text", "name": "Word", "task": "move", "parameter": "pattern"},
        "what": {"platform": "event", "name": "What", "event_types": ["boom"]},
    }
    *path, last = data.draw(st.sampled_from(_places(told)))
    place = told
    for key in path:
        place = place[key]
    place[last] = data.draw(_JSON)
    try:
        kept = understand(json.dumps(told).encode(), "pico-1")
    except Misfit as misfit:
        kept = None
        words = str(misfit)
    else:
        words = json.dumps(announce(kept)) if kept else "another speaks for it"
    assert words
