"""The colour cell's first dialect, translated: no broker, no robot."""

import json
from typing import Any

import pytest

from lab2mqtt.core.dialect import Topics, Unreadable
from lab2mqtt.drivers.ot2.dialect import LONGEST, PipetteDialect
from lab2mqtt.drivers.ot2.settings import Ot2Settings

MIX = {"R": 100, "Y": 50, "B": 80, "well": "B2"}
IDS = {"experiment_id": "e-1", "session_id": "s-1"}
FAILED = {"status": {"sensor_status": "error"}, **IDS}


def dialect(serial: str = "OT2CEP1", *, older_dialect: bool = True) -> PipetteDialect:
    """A translator for a robot."""
    return PipetteDialect(Ot2Settings(address="127.0.0.1", serial=serial, older_dialect=older_dialect))


def payload(command: object, **more: object) -> bytes:
    """A message."""
    return json.dumps({"command": command, **IDS, **more}).encode()


def read(command: object, **more: object) -> Any:  # noqa: ANN401 - an Order
    """A message, read."""
    return dialect().read(payload(command, **more))


def test_the_serial_number_names_the_topics() -> None:
    """That of the settings, else the robot's own, as soon as it has told it."""
    ours = Topics("command/ot2/OT2CEP1/pipette", "status/ot2/OT2CEP1/complete")
    assert dialect().topics({}) == ours
    assert dialect().topics({"serial": "OT2OTHER"}) == ours
    assert dialect("").topics({"serial": "OT2CEP1"}) == ours
    assert dialect("").topics({}) is None
    assert dialect(older_dialect=False).topics({}) is None


@pytest.mark.parametrize("serial", ["#", "+", "a/b", "a\n", "$SYS"])
def test_a_serial_number_that_is_no_level_of_a_topic_names_none(serial: str) -> None:
    """It would listen to others' messages."""
    assert dialect("").topics({"serial": serial}) is None
    assert dialect(serial).topics({}) is None


def test_a_mix_places_the_sensor_as_well() -> None:
    """One task does both, and is given the ids."""
    order = read(MIX)
    assert list(order.steps) == [("mix_and_measure", {**MIX, **IDS})]
    assert order.done == {"status": {"sensor_status": "in_place"}, **IDS}
    assert order.failed == FAILED


@pytest.mark.parametrize(
    ("word", "tasks"),
    [
        ("read", ["move_sensor_back"]),
        ("sensor_timeout", ["move_sensor_back", "home"]),
        ("", ["move_sensor_back"]),
    ],
)
def test_a_sensor_status_puts_it_back_and_after_a_timeout_homes(word: str, tasks: list[str]) -> None:
    """Whatever the status is."""
    order = read({"sensor_status": word})
    assert [(task, dict(parameters)) for task, parameters in order.steps] == [(task, {}) for task in tasks]
    assert order.done == {"status": {"sensor_status": "charging"}, **IDS}
    assert order.failed == FAILED


def test_a_message_without_a_session_has_one_answered_as_null() -> None:
    """And the task is not given any."""
    order = dialect().read(json.dumps({"command": MIX, "experiment_id": "e-1"}).encode())
    assert list(order.steps) == [("mix_and_measure", {**MIX, "experiment_id": "e-1"})]
    assert order.done["session_id"] is None


def test_the_same_message_has_the_same_key() -> None:
    """However its keys are ordered and its numbers written; anything else in it makes it another."""
    key = read(MIX).key
    assert read({"well": "B2", "B": 80.0, "Y": 5e1, "R": 100}).key == key
    others = [
        read({**MIX, "R": 101}),
        read({**MIX, "well": "B3"}),
        read({**MIX, "R": True}),
        read(MIX, experiment_id="e-2"),
        read(MIX, session_id="s-2"),
        read(MIX, session_id=None),
        read({"sensor_status": "read"}),
        read({"sensor_status": "sensor_timeout"}),
    ]
    assert len({key, *(order.key for order in others)}) == 1 + len(others)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (None, "command null is not an object"),
        ("mix", "command 'mix' is not an object"),
        ([], "is not an object with R, Y, B and well, or sensor_status"),
        ({}, "here it has nothing"),
        ({"R": 1, "Y": 1, "B": 1}, "here it has R, Y, B"),
        ({**MIX, "G": 1}, "here it has R, Y, B, well, G"),
        ({**MIX, "sensor_status": "x"}, "here it has R, Y, B, well, sensor_status"),
        ({"sensor_status": None}, "sensor_status null is not a text"),
    ],
)
def test_what_is_not_asked_properly_is_answered(command: object, told: str) -> None:
    """Who sent it waits for an answer."""
    with pytest.raises(Unreadable) as refused:
        read(command)
    assert told in str(refused.value)
    assert refused.value.failed == FAILED


@pytest.mark.parametrize("session", ["", 7, "s" * 129, {}])
def test_a_session_that_is_no_text_is_answered_without_it(session: object) -> None:
    """The experiment is known."""
    with pytest.raises(Unreadable, match="session_id") as refused:
        read(MIX, session_id=session)
    assert refused.value.failed == {**FAILED, "session_id": None}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (b"", "empty"),
        (b"[1]", "is a JSON object"),
        (b"{", "no JSON"),
        (b'{"a": 1, "a": 2}', "stands twice"),
        (payload(MIX, experiment_id=None), "experiment_id is missing"),
        (payload(MIX, experiment_id=""), "experiment_id '' is not a text of 1 to 128 characters"),
        (payload(MIX, experiment_id=7), "experiment_id 7 is not a text"),
        (payload(MIX, experiment_id="e" * 129), "is not a text of 1 to 128 characters"),
        (payload({**MIX, "well": "B" * LONGEST}), f"at most {LONGEST} are allowed"),
    ],
)
def test_a_message_of_nobody_cannot_be_answered(message: bytes, told: str) -> None:
    """Without an experiment nobody can match an answer, nor tell whether the message came before."""
    with pytest.raises(Unreadable) as refused:
        dialect().read(message)
    assert told in str(refused.value)
    assert refused.value.failed is None
