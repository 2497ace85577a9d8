"""A device with an entity of every platform: each shows its value, and each that can commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.broker.observer import until
from tests.broker.program import Program, run
from tests.hub.lab import Lab, near, shows

from lab2mqtt.hub.api import Refusal
from lab2mqtt.hub.process import HomeAssistant

# What each shows at first; None where only its being there counts.
SHOWN = {
    "binary_sensor.sink_plugged": "off",
    "button.sink_rinse": "unknown",
    "event.sink_accidents": "unknown",
    "image.sink_picture": None,
    "number.sink_flow": "0.0",
    "select.sink_basin": "left",
    "sensor.sink_drains": "left; right",
    "sensor.sink_program": "off",
    "sensor.sink_temperature": "21.0",
    "switch.sink_light": "off",
    "text.sink_memo": "",
    "text.sink_note": "",
    "update.sink_firmware": "on",
}


@pytest.fixture
def sink(hub: HomeAssistant, lab: Lab, tmp_path: Path) -> Iterator[Program]:
    """The sink's bridge; the hub has all entities. Afterwards the hub has forgotten the sink."""
    folder = tmp_path / "kept"
    program = Program([str(lab.broker.port), str(folder)], tmp_path / "sink.log", "tests.hub.sink")
    program.start()
    until(
        lambda: _shown(hub) >= SHOWN.keys() and "unavailable" not in _states(hub).values(),
        "the sink is there",
        within=10,
        more=program.said,
    )
    yield program
    program.terminate()
    run("forget", "sink", "--broker", f"mqtt://127.0.0.1:{lab.broker.port}")
    until(lambda: not _registered(hub), "the sink is forgotten")


def _states(hub: HomeAssistant) -> dict[str, str]:
    return {entity: state["state"] for entity, state in hub.states().items() if ".sink_" in entity}


def _shown(hub: HomeAssistant) -> set[str]:
    return set(_states(hub))


def _registered(hub: HomeAssistant) -> set[str]:
    return {entry["entity_id"] for entry in hub.entities() if ".sink_" in entry["entity_id"]}


def test_an_entity_of_every_platform_shows_its_value(hub: HomeAssistant, sink: Program) -> None:
    """Lists become words, None unknown or empty, an object what the update page shows."""
    del sink
    until(
        lambda: (
            {entity: state for entity, state in _states(hub).items() if SHOWN.get(entity) is not None}.items()
            >= {entity: state for entity, state in SHOWN.items() if state is not None}.items()
        ),
        "each shows its value",
        more=lambda: str(_states(hub)),
    )
    states = hub.states()
    assert states["update.sink_firmware"]["attributes"]["installed_version"] == "1.0"
    assert states["update.sink_firmware"]["attributes"]["latest_version"] == "1.1"
    assert states["image.sink_picture"]["state"] not in ("unknown", "unavailable")
    assert states["sensor.sink_temperature"]["attributes"]["plugged"] is False
    # Not enabled at first sight: in the registry, for who wants it.
    assert "sensor.sink_label" in _registered(hub) - _shown(hub)


def test_every_platform_that_can_commands_its_task(hub: HomeAssistant, lab: Lab, sink: Program) -> None:
    """With a value of the type that the task wants: a number, a word, true and false, a text."""
    del sink
    hub.call_service("number", "set_value", {"entity_id": "number.sink_flow", "value": 3.5})
    hub.wait_for("number.sink_flow", near(3.5, 0))
    hub.call_service("select", "select_option", {"entity_id": "select.sink_basin", "option": "right"})
    hub.wait_for("select.sink_basin", shows("right"))
    hub.call_service("switch", "turn_on", {"entity_id": "switch.sink_light"})
    hub.wait_for("switch.sink_light", shows("on"))
    hub.call_service("switch", "turn_off", {"entity_id": "switch.sink_light"})
    hub.wait_for("switch.sink_light", shows("off"))
    hub.call_service("text", "set_value", {"entity_id": "text.sink_note", "value": "Milk"})
    hub.wait_for("text.sink_note", shows("Milk"))
    hub.call_service("text", "set_value", {"entity_id": "text.sink_memo", "value": "Eggs"})
    hub.wait_for("text.sink_note", shows("Eggs"))
    since = lab.seen.mark()
    hub.call_service("button", "press", {"entity_id": "button.sink_rinse"})
    answer = lab.seen.wait("lab2mqtt/sink/result", since=since)
    assert answer.json["result"] == "rinsed 5 s hot"


def test_a_text_that_does_not_fit_is_not_even_sent(hub: HomeAssistant, lab: Lab, sink: Program) -> None:
    """The page knows the pattern and the length of the task's parameter."""
    del sink
    since = lab.seen.mark()
    for wrong in ("$$$", "x" * 41):
        with pytest.raises(Refusal):
            hub.call_service("text", "set_value", {"entity_id": "text.sink_note", "value": wrong})
    lab.seen.barrier()
    assert lab.seen.heard("lab2mqtt/sink/command", since) == []


def test_an_event_shows_only_what_it_names(hub: HomeAssistant, sink: Program) -> None:
    """Two event entities share a topic: what is not for one must not trouble it."""
    del sink
    hub.call_service("button", "press", {"entity_id": "button.sink_rinse"})
    hub.wait_for("event.sink_happening", lambda now: now["attributes"].get("event_type") == "task_succeeded")
    assert hub.wait_for("event.sink_accidents")["state"] == "unknown"


def test_what_a_newer_version_no_longer_has_disappears(hub: HomeAssistant, sink: Program) -> None:
    """Also from the registry; what stays is available all the same."""
    gone = {"text.sink_memo", "button.sink_rinse", "event.sink_accidents"}
    before = _registered(hub)
    assert before > gone
    sink.terminate()
    smaller = Program(
        [*sink.command[3:], "memo", "rinse", "accidents"], sink.log.with_name("less.log"), "tests.hub.sink"
    )
    smaller.start()
    try:
        until(lambda: _registered(hub) == before - gone, "they are gone", more=lambda: str(_registered(hub)))
        hub.wait_for("switch.sink_light", shows("off"))
        assert not gone & _shown(hub)
    finally:
        smaller.terminate()
