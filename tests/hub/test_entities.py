"""Which entities there are, what they are called, and that their ids never change."""

from typing import Any

from tests.broker.observer import until
from tests.hub.lab import DEVICE, DISABLED, ENTITIES, EVENT, IDENTIFIER, RESERVED_UNTIL, SELECT, Lab

from lab2mqtt.hub.process import HomeAssistant


def _registered(hub: HomeAssistant, identifier: str = IDENTIFIER) -> dict[str, dict[str, object]]:
    """The registry's entries of a device, by entity id."""
    device = hub.wait_for_device(identifier)
    return {entry["entity_id"]: entry for entry in hub.entities() if entry["device_id"] == device["id"]}


def test_every_entity_appears_with_its_id_and_name(hub: HomeAssistant, lab: Lab) -> None:
    """Automations and dashboards name these ids; a person reads these names beside the device's."""
    states = lab.until_available(hub)
    assert {
        entity: entry["original_name"] for entity, entry in _registered(hub).items()
    } == ENTITIES | DISABLED
    assert {entity for entity, entry in _registered(hub).items() if entry["disabled_by"]} == set(DISABLED)
    assert {entity: state["attributes"]["friendly_name"] for entity, state in states.items()} == {
        entity: f"Plate resort (simulated) {name}" for entity, name in ENTITIES.items()
    }


def test_every_entity_shows_what_is_measured(hub: HomeAssistant, lab: Lab) -> None:
    """None is unknown but what has no value: a button not yet pressed, a hotel when none is there."""
    states = lab.until_available(hub)
    said = lab.state()
    assert states["sensor.plate_resort_temperature"]["state"] == str(said["temperature"])
    assert states["sensor.plate_resort_voltage"]["state"] == str(said["voltage"])
    assert states["sensor.plate_resort_hardware_error"]["state"] == "none"
    assert states["sensor.plate_resort_warnings"]["state"] == "none"
    assert states["sensor.plate_resort_plates"]["state"] == str(said["plates"])
    assert float(states["number.plate_resort_speed"]["state"]) == said["speed"] == 100
    assert states["binary_sensor.plate_resort_connected"]["state"] == "on"
    assert states["binary_sensor.plate_resort_emergency_stop"]["state"] == "off"
    assert states["sensor.plate_resort_readiness"]["attributes"]["readiness_reasons"] == []
    unknown = {entity for entity, state in states.items() if state["state"] == "unknown"}
    may_be = {
        SELECT,
        "number.plate_resort_target",
        RESERVED_UNTIL,
        EVENT,
    }
    assert {entity for entity in unknown if not entity.startswith("button.")} <= may_be


def test_units_classes_and_limits_come_from_the_declaration(hub: HomeAssistant, lab: Lab) -> None:
    """They are typed once, in the driver's hints, and the page enforces them."""
    states = lab.until_available(hub)
    position = states["sensor.plate_resort_position"]["attributes"]
    assert (position["unit_of_measurement"], position["state_class"]) == ("°", "measurement")
    target = states["number.plate_resort_target"]["attributes"]
    assert (target["min"], target["max"], target["step"], target["unit_of_measurement"]) == (0, 360, 0.1, "°")
    assert states[SELECT]["attributes"]["options"] == ["A", "B", "C", "D"]
    assert states["sensor.plate_resort_temperature"]["attributes"]["device_class"] == "temperature"
    readiness = states["sensor.plate_resort_readiness"]["attributes"]
    assert readiness["device_class"] == "enum"
    assert {"ready", "busy", "unreachable", "emergency_stopped"} <= set(readiness["options"])


def test_another_display_name_changes_no_id(hub: HomeAssistant, lab: Lab) -> None:
    """A lab that renames its carousel keeps its automations, dashboards and history."""
    before = {entity: entry["unique_id"] for entity, entry in _registered(hub).items()}
    lab.reconfigure("Old carousel")
    try:
        until(
            lambda: hub.wait_for_device(IDENTIFIER)["name"] == "Old carousel (simulated)",
            "the device has its new name",
        )
        lab.until_available(hub)
        assert {entity: entry["unique_id"] for entity, entry in _registered(hub).items()} == before
    finally:
        lab.reconfigure()
    until(lambda: hub.wait_for_device(IDENTIFIER)["name"] == "Plate resort (simulated)", "it has the old one")


def test_ids_come_from_the_device_id_and_not_from_the_name(hub: HomeAssistant, lab: Lab) -> None:
    """Also at first sight; and a device that is taken out of the configuration leaves nothing behind."""
    spare: dict[str, Any] = {"model": "plate_resort", "name": "Some other thing", "simulated": True}
    lab.reconfigure(more={"spare-2": spare})
    try:
        hub.wait_for("select.spare_2_active_hotel", lambda now: now["state"] != "unavailable")
        expected = {entity.replace("plate_resort", "spare_2", 1) for entity in ENTITIES | DISABLED}
        assert set(_registered(hub, "lab2mqtt_spare-2")) == expected
    finally:
        lab.reconfigure()
    until(lambda: not _of_spare(hub), "the spare's device, entities and states are gone")
    lab.until_available(hub)
    assert not [topic for topic in lab.retained() if "spare-2" in topic]


def _of_spare(hub: HomeAssistant) -> list[str]:
    devices = [
        str(device["name"])
        for device in hub.devices()
        if ["mqtt", "lab2mqtt_spare-2"] in device["identifiers"]
    ]
    entries = [entry["entity_id"] for entry in hub.entities() if "spare_2" in entry["entity_id"]]
    return [*devices, *entries, *(entity for entity in hub.states() if "spare_2" in entity)]


def test_a_hub_that_comes_later_needs_nothing_but_what_is_retained(hub: HomeAssistant, lab: Lab) -> None:
    """The bridge is held still while the hub starts; when the hub is born, all is announced again."""
    announcement = f"homeassistant/device/lab2mqtt_{DEVICE}/config"
    hub.stop()
    since = lab.seen.mark()
    with lab.bridge_held():
        hub.start()
        lab.until_available(hub)
        lab.seen.barrier()
        assert lab.seen.heard(announcement, since) == []
    lab.seen.wait(announcement, since=since, within=20)  # the hub waits for 5 s, the bridge for up to 2
