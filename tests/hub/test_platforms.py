"""A device with an entity of every platform: each shows its value, and each that can commands."""

from collections.abc import Iterator
from pathlib import Path
import time
from typing import Any
import urllib.request

import pytest
from tests.broker.observer import until
from tests.broker.program import Program, run
from tests.hub.lab import Lab, near, shows
from tests.unit import kitchen_sink

from lab2mqtt.discovery.platforms import EXPIRES_AFTER
from lab2mqtt.hub.api import Refusal
from lab2mqtt.hub.process import HomeAssistant

# What each shows at first; None where only its being there counts.
SHOWN = {
    "binary_sensor.sink_plugged": "off",
    "button.sink_dry": "unknown",
    "button.sink_rinse": "unknown",
    "event.sink_accidents": "unknown",
    "image.sink_picture": None,
    "light.sink_lamp": "off",
    "number.sink_flow": "0.0",
    "number.sink_washing_temperature": "50.0",
    "select.sink_basin": "left",
    "sensor.sink_drains": "left; right",
    "sensor.sink_program": "off",
    "sensor.sink_temperature": "21.0",
    "switch.sink_light": "off",
    "text.sink_memo": "",
    "text.sink_note": "",
    "update.sink_firmware": "on",
    "update.sink_valves": "unknown",
}
# Those of the part.
DISHWASHERS = {"button.sink_dry", "number.sink_washing_temperature"}


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


def _devices(hub: HomeAssistant, identifier: str) -> list[dict[str, Any]]:
    return [one for one in hub.devices() if ["mqtt", identifier] in one["identifiers"]]


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
    assert states["update.sink_valves"]["attributes"]["installed_version"] == "7.1"
    assert states["update.sink_valves"]["attributes"]["latest_version"] is None
    assert states["update.sink_valves"]["attributes"]["title"] == "Valves"
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
    number = {"entity_id": "number.sink_washing_temperature", "value": 65}
    hub.call_service("number", "set_value", number)
    hub.wait_for("number.sink_washing_temperature", near(65, 0))
    hub.call_service("text", "set_value", {"entity_id": "text.sink_note", "value": "Milk"})
    hub.wait_for("text.sink_note", shows("Milk"))
    hub.call_service("text", "set_value", {"entity_id": "text.sink_memo", "value": "Eggs"})
    hub.wait_for("text.sink_note", shows("Eggs"))
    since = lab.seen.mark()
    hub.call_service("button", "press", {"entity_id": "button.sink_rinse"})
    answer = lab.seen.wait("lab2mqtt/sink/result", since=since)
    assert answer.json["result"] == "rinsed 5 s hot"


@pytest.mark.parametrize(("service", "on"), [("turn_on", True), ("turn_off", False)])
def test_a_light_is_switched_by_a_command_with_an_id_and_an_end(
    hub: HomeAssistant, lab: Lab, sink: Program, service: str, *, on: bool
) -> None:
    """As everything else: what is delivered too late is refused, and what is delivered twice is done once."""
    del sink
    since = lab.seen.mark()
    hub.call_service("light", service, {"entity_id": "light.sink_lamp"})
    command = lab.seen.wait("lab2mqtt/sink/command", since=since).json
    assert (command["task"], command["parameters"]) == ("set_light", {"on": on})
    assert command["expires_at"] - time.time() == pytest.approx(EXPIRES_AFTER, abs=3)
    answer = lab.seen.wait("lab2mqtt/sink/result", since=since).json
    assert (answer["request_id"], answer["status"]) == (command["request_id"], "success")
    hub.wait_for("light.sink_lamp", shows("on" if on else "off"))


def test_a_picture_is_shown(hub: HomeAssistant, sink: Program) -> None:
    """Byte for byte, as a browser gets it."""
    del sink
    shown = hub.wait_for(
        "image.sink_picture", lambda now: now["state"] not in ("unknown", "unavailable"), timeout=5
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(hub.url + shown["attributes"]["entity_picture"], timeout=10) as response:
        picture = response.read()
        assert response.headers["Content-Type"] == "image/jpeg"
    expected = kitchen_sink.KitchenSinkDriver(kitchen_sink.KitchenSinkSettings()).picture
    assert expected
    assert picture == expected.content


def test_a_part_is_a_device_behind_the_device(hub: HomeAssistant, sink: Program) -> None:
    """With its own make and its own entities, while its device is what it is reached by."""
    del sink
    device = hub.wait_for_device("lab2mqtt_sink")
    part = hub.wait_for_device("lab2mqtt_sink_dishwasher")
    assert part["via_device_id"] == device["id"]
    assert [part[key] for key in ("name", "manufacturer", "model", "serial_number", "sw_version")] == [
        "Kitchen sink Dishwasher",
        "Nobody",
        "Washer 3",
        "W-1",
        "2.0",
    ]
    owners = {entry["entity_id"]: entry["device_id"] for entry in hub.entities()}
    assert {entity for entity, owner in owners.items() if owner == part["id"]} == DISHWASHERS
    assert owners["light.sink_lamp"] == device["id"]


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


def test_a_part_that_is_detached_goes_and_comes_back(hub: HomeAssistant, sink: Program) -> None:
    """Its entities and its page; what the device has itself is not touched."""
    before = _registered(hub)
    sink.terminate()
    smaller = Program([*sink.command[3:], "dishwasher"], sink.log.with_name("less.log"), "tests.hub.sink")
    smaller.start()
    try:
        until(
            lambda: _registered(hub) == before - DISHWASHERS,
            "they are gone",
            more=lambda: str(_registered(hub)),
        )
        until(lambda: not _devices(hub, "lab2mqtt_sink_dishwasher"), "the part is gone")
        hub.wait_for("light.sink_lamp", shows("off"))
    finally:
        smaller.terminate()
    sink.start()
    until(lambda: _registered(hub) == before, "they are back", within=10, more=sink.said)
    hub.wait_for("number.sink_washing_temperature", near(50, 0))
    part, device = _devices(hub, "lab2mqtt_sink_dishwasher"), hub.wait_for_device("lab2mqtt_sink")
    assert [one["via_device_id"] for one in part] == [device["id"]]


def test_a_part_stays_while_nobody_knows_whether_it_is_there(
    hub: HomeAssistant, lab: Lab, sink: Program
) -> None:
    """A bridge that starts while the instrument is off has not heard of any part."""
    before = _registered(hub)
    sink.terminate()
    since = lab.seen.mark()
    silent = Program([*sink.command[3:], "unplugged"], sink.log.with_name("off.log"), "tests.hub.sink")
    silent.start()
    try:
        lab.seen.wait("lab2mqtt/sink/description", lambda told: "parts" not in told, since=since)
        lab.seen.wait("lab2mqtt/sink/state", lambda told: told["readiness"] == "unreachable", since=since)
        hub.wait_for("button.sink_stop", shows("unknown"))  # the bridge is there
        assert _states(hub)["number.sink_washing_temperature"] == "unavailable"
        assert _registered(hub) == before
        assert _devices(hub, "lab2mqtt_sink_dishwasher")
    finally:
        silent.terminate()
    sink.start()
    hub.wait_for("number.sink_washing_temperature", near(50, 0))


def test_a_device_that_goes_takes_its_parts_along(hub: HomeAssistant, sink: Program) -> None:
    """No page stays of which nothing would ever be heard again."""
    hub.wait_for_device("lab2mqtt_sink_dishwasher")
    sink.terminate()
    nothing = Program([*sink.command[3:], "sink"], sink.log.with_name("none.log"), "tests.hub.sink")
    nothing.start()
    try:
        until(lambda: not _registered(hub), "all entities are gone", more=lambda: str(_registered(hub)))
        until(
            lambda: not _devices(hub, "lab2mqtt_sink") + _devices(hub, "lab2mqtt_sink_dishwasher"),
            "both devices are gone",
        )
    finally:
        nothing.terminate()
