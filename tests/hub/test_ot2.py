"""The OT-2 in Home Assistant: its entities, its module, its form, its lights and its picture."""

from collections.abc import Iterator
from typing import Any
import urllib.request

import pytest
from tests.broker.cell import Cell
from tests.broker.observer import until
from tests.broker.program import run
from tests.hub.lab import available, complaints, near, shows

from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.process import HomeAssistant

NAME = "OT-2 (simulated)"
MODULE = "OT-2 Temperature module (simulated)"

# Every entity, with its name on the device's page, what it shows of a new cell, and its unit.
ENTITIES: dict[str, tuple[str, str, str | None]] = {
    "binary_sensor.ot2_connected": ("Connection", "on", None),
    "binary_sensor.ot2_door": ("Door", "off", None),
    "binary_sensor.ot2_emergency_stop": ("Emergency stop", "off", None),
    "button.ot2_cancel": ("Cancel task", "unknown", None),
    "button.ot2_home": ("Home", "unknown", None),
    "button.ot2_identify": ("Identify", "unknown", None),
    "button.ot2_mix_color": ("Mix", "unknown", None),
    "button.ot2_new_plate": ("New plate is in", "unknown", None),
    "button.ot2_new_tips": ("New tips are in", "unknown", None),
    "button.ot2_new_vials": ("Vials are full", "unknown", None),
    "button.ot2_pause": ("Pause", "unknown", None),
    "button.ot2_picture": ("Take picture", "unknown", None),
    "button.ot2_reset_stop": ("Release stop", "unknown", None),
    "button.ot2_resume": ("Resume", "unknown", None),
    "button.ot2_resume_run": ("Go on with the run", "unknown", None),
    "button.ot2_sensor_parked": ("Sensor is in its port", "unknown", None),
    "button.ot2_stop": ("Stop now", "unknown", None),
    "button.ot2_stop_run": ("End run (drops the tip)", "unknown", None),
    "event.ot2_happening": ("Event", "unknown", None),
    "light.ot2_lights": ("Rail lights", "off", None),
    "number.ot2_mix_color_b": ("Mix blue", "unknown", "µL"),
    "number.ot2_mix_color_r": ("Mix red", "unknown", "µL"),
    "number.ot2_mix_color_y": ("Mix yellow", "unknown", "µL"),
    "select.ot2_mix_color_well": ("Mix well", "unknown", None),
    "sensor.ot2_calibration": ("Deck calibration", "IDENTITY", None),
    "sensor.ot2_firmware": ("Firmware", "Virtual Smoothie", None),
    "sensor.ot2_last_error": ("Last error", "none", None),
    "sensor.ot2_last_result": ("Last result", "none", None),
    "sensor.ot2_pipette_left": ("Left pipette", "none", None),
    "sensor.ot2_pipette_right": ("Right pipette", "p300_single_gen2", None),
    "sensor.ot2_progress": ("Progress", "unknown", "%"),
    "sensor.ot2_readiness": ("Readiness", "ready", None),
    "sensor.ot2_reserved_by": ("Reserved by", "nobody", None),
    "sensor.ot2_reserved_until": ("Reserved until", "unknown", None),
    "sensor.ot2_run_status": ("Run", "none", None),
    "sensor.ot2_sensor": ("Colour sensor", "parked", None),
    "sensor.ot2_step": ("Step", "none", None),
    "sensor.ot2_task": ("Task", "none", None),
    "sensor.ot2_tips_9": ("Tips left, slot 9", "96", None),
    "sensor.ot2_vial_b": ("Blue left", "11.0", "mL"),
    "sensor.ot2_vial_r": ("Red left", "11.0", "mL"),
    "sensor.ot2_vial_y": ("Yellow left", "11.0", "mL"),
    "sensor.ot2_wells_used": ("Wells used", "0", None),
    "switch.ot2_maintenance": ("Maintenance", "off", None),
    "update.ot2_software": ("Software", "unknown", None),
}
CAMERA = "image.ot2_camera"  # shows when its picture was taken
DISABLED = "sensor.ot2_elapsed"
MODULES_ENTITIES: dict[str, tuple[str, str, str | None]] = {
    "button.ot2_deactivate_temperature": ("Deactivate", "unknown", None),
    "number.ot2_temperature_target": ("Target", "unknown", "°C"),
    "sensor.ot2_temperature": ("Temperature", "23.0", "°C"),
    "sensor.ot2_temperature_status": ("Status", "idle", None),
}
JPEG = b"\xff\xd8\xff"


@pytest.fixture(scope="module")
def shared_cell(
    hub: HomeAssistant, hub_broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cell]:
    """The cell of all tests of a version. Afterwards the hub has forgotten it."""
    if hub_broker.pid is None:
        hub_broker.start()
    if hub.pid is None:
        hub.start()
    made = Cell(hub_broker.port, tmp_path_factory.mktemp("cell"), speed=20.0)
    try:
        made.start()
        yield made
    finally:
        made.close()
    run("forget", "ot2", "--broker", f"mqtt://127.0.0.1:{hub_broker.port}")
    until(lambda: not _devices(hub), "the OT-2 is forgotten, and its module too")


@pytest.fixture
def cell(hub: HomeAssistant, shared_cell: Cell) -> Iterator[Cell]:
    """A cell that is ready, as the hub sees it. The hub must not complain about us while a test runs."""
    before = len(hub.log())
    _until_there(hub)
    hub.wait_for("sensor.ot2_readiness", shows("ready"), timeout=30)
    yield shared_cell
    found = complaints(hub.log()[before:])
    assert not found, "\n".join(found)


def _devices(hub: HomeAssistant) -> list[dict[str, Any]]:
    return [one for one in hub.devices() if "lab2mqtt_ot2" in str(one["identifiers"])]


def _registered(hub: HomeAssistant, identifier: str) -> dict[str, dict[str, Any]]:
    device = hub.wait_for_device(identifier)
    return {entry["entity_id"]: entry for entry in hub.entities() if entry["device_id"] == device["id"]}


def _until_there(hub: HomeAssistant) -> None:
    wanted = {*ENTITIES, *MODULES_ENTITIES, CAMERA}
    until(
        lambda: wanted <= available(hub.states()),
        "every entity is there",
        within=30,
        every=0.1,
        more=lambda: str(wanted - available(hub.states())),
    )


def test_every_entity_is_there_with_its_name_its_unit_and_its_state(hub: HomeAssistant, cell: Cell) -> None:
    """None complains, and none is unavailable; what has no value is unknown."""
    del cell
    registered = _registered(hub, "lab2mqtt_ot2")
    assert {entity: one["original_name"] for entity, one in registered.items()} == {
        entity: name for entity, (name, _, _) in ENTITIES.items()
    } | {CAMERA: "Deck camera", DISABLED: "Elapsed"}
    assert [entity for entity, one in registered.items() if one["disabled_by"]] == [DISABLED]
    assert _shown(hub, ENTITIES) == {entity: (shown, unit) for entity, (_, shown, unit) in ENTITIES.items()}
    readiness = hub.state("sensor.ot2_readiness")
    assert readiness
    assert readiness["attributes"]["friendly_name"] == f"{NAME} Readiness"


def _shown(hub: HomeAssistant, entities: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    states = hub.states()
    return {
        entity: (states[entity]["state"], states[entity]["attributes"].get("unit_of_measurement"))
        for entity in entities
    }


def test_the_module_is_a_device_of_its_own_by_way_of_the_robot(hub: HomeAssistant, cell: Cell) -> None:
    """It goes when it is unplugged, and comes back with its values; its target can be set."""
    robot, module = (hub.wait_for_device(f"lab2mqtt_ot2{part}") for part in ("", "_temperature"))
    assert (robot["name"], module["name"]) == (NAME, MODULE)
    assert module["via_device_id"] == robot["id"]
    assert (module["manufacturer"], module["model"]) == ("Opentrons", "temperatureModuleV2")
    assert (module["serial_number"], module["sw_version"]) == ("SIMTEMPERATURE1", "v2.1.0")
    registered = _registered(hub, "lab2mqtt_ot2_temperature")
    assert {entity: one["original_name"] for entity, one in registered.items()} == {
        entity: name for entity, (name, _, _) in MODULES_ENTITIES.items()
    }
    assert _shown(hub, MODULES_ENTITIES) == {
        entity: (shown, unit) for entity, (_, shown, unit) in MODULES_ENTITIES.items()
    }

    hub.call_service("number", "set_value", {"entity_id": "number.ot2_temperature_target", "value": 40})
    hub.wait_for("number.ot2_temperature_target", near(40))
    hub.wait_for("sensor.ot2_temperature", near(40, 2), timeout=30)
    hub.call_service("button", "press", {"entity_id": "button.ot2_deactivate_temperature"})
    hub.wait_for("sensor.ot2_temperature_status", shows("idle"))

    cell.truth(fault="module_unplugged")
    until(lambda: len(_devices(hub)) == 1, "the module has gone", within=15)
    assert not MODULES_ENTITIES.keys() & hub.states().keys()
    cell.truth(fault="module_unplugged", on=False)
    until(lambda: len(_devices(hub)) == 2, "the module is back", within=15)
    hub.wait_for("sensor.ot2_temperature", lambda now: now["state"] not in ("unavailable", "unknown"))


def test_a_form_is_filled_in_and_mixed(hub: HomeAssistant, cell: Cell) -> None:
    """What is filled in is shown; the button does it; the well is marked used, and refused after that."""
    for key, value in (("r", 100), ("y", 50), ("b", 80)):
        hub.call_service("number", "set_value", {"entity_id": f"number.ot2_mix_color_{key}", "value": value})
    hub.call_service("select", "select_option", {"entity_id": "select.ot2_mix_color_well", "option": "B2"})
    hub.wait_for("select.ot2_mix_color_well", shows("B2"))
    for key, value in (("r", 100), ("y", 50), ("b", 80)):
        hub.wait_for(f"number.ot2_mix_color_{key}", near(value))
    assert cell.truth()["wells"].get("1/B2") is None

    hub.call_service("button", "press", {"entity_id": "button.ot2_mix_color"})
    hub.wait_for("sensor.ot2_task", lambda now: now["state"].startswith("mix_color"))
    hub.wait_for("sensor.ot2_step", lambda now: "3/B" in now["state"] or "1/B2" in now["state"])
    hub.wait_for("sensor.ot2_wells_used", shows("1"), timeout=20)
    hub.wait_for("sensor.ot2_last_result", shows("succeeded"), timeout=20)
    assert cell.truth()["wells"]["1/B2"] == {"3/B1": 100, "3/B2": 50, "3/B3": 80}
    used = hub.state("sensor.ot2_wells_used")
    assert used
    assert used["attributes"]["plate"]["1/B2"]["contents"] == "red 100, yellow 50, blue 80"
    hub.wait_for("sensor.ot2_vial_r", near(10.9, 0.001))

    hub.call_service("button", "press", {"entity_id": "button.ot2_mix_color"})
    refused = hub.wait_for(
        "event.ot2_happening", lambda now: now["attributes"].get("event_type") == "task_failed"
    )
    assert "well B2 is used" in refused["attributes"]["error"]


def test_the_lights_are_switched(hub: HomeAssistant, cell: Cell) -> None:
    """And shown as they are."""
    for service, shown in (("turn_on", "on"), ("turn_off", "off")):
        hub.call_service("light", service, {"entity_id": "light.ot2_lights"})
        hub.wait_for("light.ot2_lights", shows(shown))
        assert cell.truth()["lights"] is (shown == "on")


def test_the_picture_is_shown(hub: HomeAssistant, cell: Cell) -> None:
    """Another one when one is taken."""
    del cell
    first = hub.state(CAMERA)
    assert first
    hub.call_service("button", "press", {"entity_id": "button.ot2_picture"})
    now = hub.wait_for(CAMERA, lambda now: now["state"] not in (first["state"], "unavailable"))
    url = f"http://127.0.0.1:{hub.port}{now['attributes']['entity_picture']}"
    with urllib.request.urlopen(url) as answer:
        assert answer.headers.get_content_type() == "image/jpeg"
        assert answer.read().startswith(JPEG)
