"""The message by which Home Assistant makes a device: what matters of each platform."""

import copy
import json
import re
from typing import Any

import pytest
from tests.unit import kitchen_sink

from lab2mqtt import wire
from lab2mqtt.core.description import bind
from lab2mqtt.discovery.announcement import announce, components_of
from lab2mqtt.discovery.platforms import EXPIRES_AFTER, PLATFORMS

NOW = 1_763_690_000


@pytest.fixture
def payload() -> dict[str, Any]:
    """The announcement of a sink itself, without its parts."""
    return announce(kitchen_sink.description(), version="1.2.3")[""]


@pytest.fixture
def components() -> dict[str, dict[str, Any]]:
    """Its entities, and those of its parts."""
    messages = announce(kitchen_sink.description())
    return {key: one for message in messages.values() for key, one in message["components"].items()}


def with_parts(**parts: dict[str, Any]) -> dict[str, Any]:
    """A sink that has an entity in each of two parts, if these are there."""
    told = kitchen_sink.description()
    entities: dict[str, dict[str, Any]] = {
        "left_heat": {"platform": "sensor", "name": "Heat", "unit": "°C", "part": "left_tap"},
        "sprays": {"platform": "event", "name": "Spray", "event_types": ["sprayed"], "part": "sprayer"},
    }
    there = {key: entity for key, entity in entities.items() if entity["part"] in parts}
    own = {key: one for key, one in told["entities"].items() if "part" not in one}
    return {**told, "entities": own | there, "parts": parts}


LEFT = {"name": "left tap", "model": "Tap 3", "manufacturer": "Somebody", "serial": "T-7", "sw_version": "4"}
SPRAYER = {"name": "Sprayer", "model": "Spray 1"}


def rendered(template: str, value: object = None) -> dict[str, Any]:
    """What Home Assistant sends for a value, by the few expressions that our templates are made of.

    The tests with a real Home Assistant let its own Jinja do it.
    """
    expressions = {
        "(now().timestamp() * 1000) | int": str(NOW * 1000),
        "range(0, 100000) | random": "4711",
        "now().timestamp() | int": str(NOW),
        f"(now().timestamp() | int) + {EXPIRES_AFTER}": str(NOW + EXPIRES_AFTER),
        "value | tojson": json.dumps(value),
        "true | tojson": "true",
        "false | tojson": "false",
        "(value == 'ON') | tojson": json.dumps(value == "ON"),
    }
    text = re.sub(r"\{\{ (.*?) \}\}", lambda found: expressions[found[1]], template)
    return wire.read_command(text.encode())


# The device


def test_the_device_is_one_for_all_its_entities(payload: dict[str, Any]) -> None:
    """One message, one device page."""
    assert payload["device"] == {
        "identifiers": ["lab2mqtt_sink"],
        "name": "Kitchen sink",
        "manufacturer": "Nobody",
        "model": "Sink 2",
        "serial_number": "S-1",
        "sw_version": "1.0",
    }
    assert payload["origin"] == {"name": "lab2mqtt", "sw_version": "1.2.3"}


def test_a_simulated_device_says_so_in_its_name() -> None:
    """Nobody should wait for a simulated carousel to bring a real plate."""
    told = kitchen_sink.description() | {"simulated": True, "area": "Lab 2"}
    device = announce(told)[""]["device"]
    assert (device["name"], device["suggested_area"]) == ("Kitchen sink (simulated)", "Lab 2")
    assert announce(told | {"name": "Simulated sink"})[""]["device"]["name"] == "Simulated sink"


def test_a_base_of_several_levels_gives_ids_without_slashes() -> None:
    """Two labs on one broker; Home Assistant's node ids know no slash."""
    payload = announce(kitchen_sink.description(), base="site/lab2")[""]
    assert payload["device"]["identifiers"] == ["site_lab2_sink"]
    flow = payload["components"]["flow"]
    assert flow["unique_id"] == "site_lab2_sink_flow"
    assert flow["state_topic"] == "site/lab2/sink/state"
    assert flow["command_topic"] == "site/lab2/sink/command"
    assert flow["availability"][0]["topic"] == "site/lab2/bridge/bench/status"
    assert wire.discovery_topic("homeassistant", "site/lab2", "sink") == (
        "homeassistant/device/site_lab2_sink/config"
    )


def test_it_is_a_pure_function_of_the_description() -> None:
    """What was announced is compared with what would be."""
    told = kitchen_sink.description()
    before = copy.deepcopy(told)
    assert announce(told) == announce(told)
    assert told == before


# Every entity


def test_the_sink_has_every_platform_of_the_table(components: dict[str, dict[str, Any]]) -> None:
    """A platform without a test of its own would be found missing here."""
    assert {one["platform"] for one in components.values()} == {*PLATFORMS, "device_automation"}


def test_ids_are_made_of_device_and_key(components: dict[str, dict[str, Any]]) -> None:
    """Never of a name, which people change; hyphens are no part of an entity id."""
    flow = announce(kitchen_sink.description("sink-2"))[""]["components"]["flow"]
    assert flow["unique_id"] == "lab2mqtt_sink-2_flow"
    assert flow["object_id"] == "sink_2_flow"
    assert flow["default_entity_id"] == "number.sink_2_flow"
    assert components["flow"]["name"] == "Flow"


def test_available_means_that_bridge_and_device_are_reached(components: dict[str, dict[str, Any]]) -> None:
    """A dead bridge cannot say that its devices are gone."""
    assert components["flow"]["availability_mode"] == "all"
    assert components["flow"]["availability"] == [
        {"topic": "lab2mqtt/bridge/bench/status", "value_template": "{{ value_json.status }}"},
        {"topic": "lab2mqtt/sink/status", "value_template": "{{ value_json.status }}"},
    ]


def test_the_stop_can_be_pressed_while_the_instrument_is_gone(components: dict[str, dict[str, Any]]) -> None:
    """It is stopped before anybody uses it again."""
    for key in ("stop", "reset_stop", "readiness", "connected", "emergency_stop"):
        assert [one["topic"] for one in components[key]["availability"]] == ["lab2mqtt/bridge/bench/status"]


# Each platform


def fields(component: dict[str, Any], *names: str) -> list[Any]:
    """Some fields of a component; what is not there is None."""
    return [component.get(name) for name in names]


def test_a_sensor_has_unit_class_and_statistics(components: dict[str, dict[str, Any]]) -> None:
    """A measured number with a unit is what statistics are for."""
    names = ("state_topic", "value_template", "unit_of_measurement", "device_class", "state_class")
    assert fields(components["temperature"], *names, "suggested_display_precision") == [
        "lab2mqtt/sink/state",
        '{{ value_json["temperature"] }}',
        "°C",
        "temperature",
        "measurement",
        1,
    ]


def test_a_sensor_shows_further_keys_as_attributes(components: dict[str, dict[str, Any]]) -> None:
    """The reasons stand beside the readiness."""
    assert components["readiness"]["json_attributes_topic"] == "lab2mqtt/sink/state"
    assert components["readiness"]["json_attributes_template"] == (
        '{{ {"readiness_reasons": value_json["readiness_reasons"]} | tojson }}'
    )


def test_a_sensor_with_options_is_an_enum(components: dict[str, dict[str, Any]]) -> None:
    """Home Assistant then offers the words in automations, and takes neither unit nor statistics."""
    program = components["program"]
    assert (program["device_class"], list(program["options"])) == ("enum", ["off", "wash", "rinse"])
    assert not {"unit_of_measurement", "state_class"} & set(program)


@pytest.mark.parametrize("key", ["label", "drains"])
def test_a_text_or_list_is_shown_as_words_and_cut_to_what_a_state_holds(
    components: dict[str, dict[str, Any]], key: str
) -> None:
    """Home Assistant drops a state of more than 255 characters; unknown stays unknown."""
    template = components[key]["value_template"]
    assert f'value_json["{key}"]' in template
    assert "None if value is none" in template
    assert "join('; ')" in template
    assert "[:255]" in template


def test_category_and_first_sight_are_passed_on(components: dict[str, dict[str, Any]]) -> None:
    """Diagnostics do not crowd a device page."""
    assert fields(components["label"], "entity_category", "enabled_by_default") == ["diagnostic", False]
    assert "enabled_by_default" not in components["drains"]
    assert components["drains"]["icon"] == "mdi:pipe"


def test_a_binary_sensor_is_on_off_or_unknown(components: dict[str, dict[str, Any]]) -> None:
    """Unknown is not off: a lid of which nothing is known is not closed."""
    assert fields(components["plugged"], "payload_on", "payload_off", "device_class", "value_template") == [
        "ON",
        "OFF",
        "plug",
        "{{ None if value_json[\"plugged\"] is none else ('ON' if value_json[\"plugged\"] else 'OFF') }}",
    ]


def test_a_number_has_the_limits_of_its_parameter(components: dict[str, dict[str, Any]]) -> None:
    """A slider that reaches where the instrument does, and no further."""
    names = ("min", "max", "step", "mode", "unit_of_measurement", "state_topic")
    expected = [0, 12.0, 0.5, "slider", "L/min", "lab2mqtt/sink/state"]
    assert fields(components["flow"], *names) == expected


def test_a_select_has_the_choices_of_its_parameter(components: dict[str, dict[str, Any]]) -> None:
    """What it offers is what the task takes."""
    assert components["basin"]["options"] == ["left", "right"]


def test_a_switch_shows_what_was_measured(components: dict[str, dict[str, Any]]) -> None:
    """Never what was asked: it has a state of its own, and is not optimistic."""
    names = ("state_topic", "payload_on", "payload_off", "state_on", "state_off")
    assert fields(components["light"], *names) == ["lab2mqtt/sink/state", "ON", "OFF", "ON", "OFF"]
    assert "'ON' if" in components["light"]["value_template"]


def test_a_button_has_no_state(components: dict[str, dict[str, Any]]) -> None:
    """It is pressed, and that is all."""
    assert not {"state_topic", "value_template"} & set(components["rinse"])


def test_a_text_that_is_shown_may_be_empty(components: dict[str, dict[str, Any]]) -> None:
    """A text knows no unknown, and Home Assistant raises at a state that is too short or off the pattern."""
    note = components["note"]
    assert note["value_template"] == '{{ \'\' if value_json["note"] is none else value_json["note"] }}'
    assert (note["min"], note["max"]) == (0, 40)
    assert re.match(note["pattern"], "")
    assert re.match(note["pattern"], "Milk and 2 eggs")
    assert not re.match(note["pattern"], "Milk, eggs")


def test_a_text_that_only_commands_is_always_empty(components: dict[str, dict[str, Any]]) -> None:
    """Else the word "unknown" would stand in the field, and a barcode scanner would write behind it."""
    memo = components["memo"]
    assert memo["value_template"] == "{{ '' }}"
    assert (memo["min"], memo["max"], memo["pattern"]) == (0, 40, "^$|^(?:[A-Za-z0-9 ]+)$")


def test_an_event_listens_to_events_and_lets_those_of_others_pass(
    components: dict[str, dict[str, Any]],
) -> None:
    """Home Assistant logs an error for a type that the entity does not have."""
    accidents = components["accidents"]
    assert accidents["state_topic"] == "lab2mqtt/sink/event"
    assert list(accidents["event_types"]) == ["overflowed", "clogged"]
    assert accidents["value_template"] == (
        '{{ value if value_json.event_type in ["overflowed", "clogged"] else \'\' }}'
    )


def test_an_update_gets_both_versions_in_one_value(components: dict[str, dict[str, Any]]) -> None:
    """Installed and latest, as an object without what is null: of that the hub would complain.

    No command: MQTT's update has no template for one.
    """
    firmware = components["firmware"]
    assert fields(firmware, "state_topic", "title") == ["lab2mqtt/sink/state", "Firmware"]
    assert firmware["value_template"] == (
        "{{ dict((value_json[\"firmware\"] or {}).items() | rejectattr(1, 'none')) | tojson }}"
    )
    assert "command_topic" not in firmware


def test_a_picture_has_a_topic_of_its_own() -> None:
    """Its bytes are no part of the state."""
    told = kitchen_sink.description()
    told["entities"] = {"view": {"platform": "image", "name": "View", "attributes": ["program"]}}
    names = ("image_topic", "content_type", "url_topic", "state_topic", "json_attributes_template")
    assert fields(announce(told, base="lab")[""]["components"]["view"], *names) == [
        "lab/sink/picture/view",
        "image/jpeg",
        None,
        None,
        '{{ {"program": value_json["program"]} | tojson }}',
    ]


LAMP = {"platform": "light", "name": "Lamp", "task": "set_light", "parameter": "on"}


def lamp(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """What is announced of a light."""
    told = kitchen_sink.description()
    told["entities"] = {"lamp": {**LAMP, **more}}
    found: dict[str, Any] = announce(told)[""]["components"]["lamp"]
    return found


@pytest.mark.parametrize(("command", "on"), [("command_on_template", True), ("command_off_template", False)])
def test_a_light_commands_as_everything_does(command: str, on: bool) -> None:  # noqa: FBT001
    """With an id and an end, which a light of the basic schema could not have."""
    assert (lamp()["schema"], lamp()["command_topic"]) == ("template", "lab2mqtt/sink/command")
    told = rendered(lamp(parameters={"colour": "red"})[command])
    assert (told["task"], told["parameters"]) == ("set_light", {"colour": "red", "on": on})
    assert re.fullmatch(r"ha-\d+-\d+", told["request_id"])
    assert told["expires_at"] == NOW + EXPIRES_AFTER


def test_a_light_shows_what_was_measured() -> None:
    """On, off or unknown; its platform has no other value template, and wants small letters."""
    assert fields(lamp(), "state_topic", "state_template", "value_template") == [
        "lab2mqtt/sink/state",
        "{{ None if value_json[\"lamp\"] is none else ('on' if value_json[\"lamp\"] else 'off') }}",
        None,
    ]
    assert not {"state_topic", "state_template"} & set(lamp(stateless=True))


# Its parts


def test_each_part_is_a_device_behind_the_device() -> None:
    """A pipette that is taken off takes its entities with it; the page of the robot stays short."""
    messages = announce(with_parts(left_tap=LEFT, sprayer=SPRAYER), version="1")
    assert list(messages) == ["", "left_tap", "sprayer"]
    assert messages["left_tap"]["device"] == {
        "identifiers": ["lab2mqtt_sink_left_tap"],
        "name": "Kitchen sink left tap",
        "via_device": "lab2mqtt_sink",
        "manufacturer": "Somebody",
        "model": "Tap 3",
        "serial_number": "T-7",
        "sw_version": "4",
    }
    assert messages["left_tap"]["origin"] == messages[""]["origin"]
    assert list(messages["left_tap"]["components"]) == ["left_heat"]
    assert list(messages["sprayer"]["components"]) == ["sprays", "on_sprayed"]
    assert not {"left_heat", "sprays", "on_sprayed"} & set(messages[""]["components"])


def test_the_ids_of_a_part_s_entities_are_the_device_s() -> None:
    """An entity keeps its history if a later version makes a part of what it belongs to."""
    heat = announce(with_parts(left_tap=LEFT))["left_tap"]["components"]["left_heat"]
    names = ("unique_id", "default_entity_id", "state_topic")
    assert fields(heat, *names) == [
        "lab2mqtt_sink_left_heat",
        "sensor.sink_left_heat",
        "lab2mqtt/sink/state",
    ]


def test_a_part_that_is_not_in_the_state_does_not_trouble_the_hub() -> None:
    """A bridge that has just started does not know it yet; the hub still does."""
    heat = announce(with_parts(left_tap=LEFT))["left_tap"]["components"]["left_heat"]
    assert heat["value_template"] == '{{ value_json.get("left_heat") }}'


def test_a_part_of_a_simulated_device_says_so_and_is_where_the_device_is() -> None:
    """It has a page of its own, and an area of its own."""
    told = with_parts(left_tap=LEFT) | {"simulated": True, "area": "Lab 2"}
    device = announce(told)["left_tap"]["device"]
    assert (device["name"], device["suggested_area"]) == ("Kitchen sink left tap (simulated)", "Lab 2")


def test_a_part_without_an_entity_is_no_device() -> None:
    """The hub would refuse or forget one that has nothing."""
    assert list(announce(with_parts(drain={"name": "Drain", "model": "D"}))) == [""]


def test_a_part_that_is_gone_is_told_by_the_platforms_of_what_it_had() -> None:
    """The hub removes these, and then the device that has nothing any more."""
    gone = {"": {"sponge": "sensor"}, "sprayer": {"sprays": "event", "on_sprayed": "device_automation"}}
    messages = announce(with_parts(left_tap=LEFT), gone=gone)
    assert list(messages) == ["", "left_tap", "sprayer"]
    assert messages["sprayer"]["components"] == {
        "sprays": {"platform": "event"},
        "on_sprayed": {"platform": "device_automation"},
    }
    assert messages["sprayer"]["device"]["identifiers"] == ["lab2mqtt_sink_sprayer"]
    assert announce(with_parts(), gone=gone).keys() == {"", "sprayer"}


def test_of_parts_that_are_not_known_nothing_is_said() -> None:
    """A bridge that starts while the instrument is off would otherwise have its parts removed."""
    told = with_parts()
    del told["parts"]
    assert announce(told, gone={"left_tap": {"left_heat": "sensor"}}).keys() == {""}


# What happens


def test_each_event_type_is_a_trigger_of_automations(components: dict[str, dict[str, Any]]) -> None:
    """Picked from a list on the device, without a template."""
    assert components["on_overflowed"] == {
        "platform": "device_automation",
        "automation_type": "trigger",
        "type": "overflowed",
        "subtype": "device",
        "topic": "lab2mqtt/sink/event",
        "value_template": "{{ value_json.event_type }}",
        "payload": "overflowed",
    }


# Commands


@pytest.mark.parametrize(
    ("key", "value", "task", "parameters"),
    [
        ("flow", 4.5, "set_flow", {"flow": 4.5}),
        ("basin", "right", "choose_basin", {"basin": "right"}),
        ("light", "ON", "set_light", {"on": True}),
        ("light", "OFF", "set_light", {"on": False}),
        ("note", "Milk", "write_note", {"note": "Milk"}),
        ("memo", "Eggs", "write_note", {"note": "Eggs"}),
        ("rinse", "PRESS", "rinse", {"seconds": 5, "hot": True}),
        ("stop", "PRESS", "emergency_stop", {}),
        ("reset_stop", "PRESS", "reset_emergency_stop", {}),
        ("pause", "PRESS", "pause", {}),
        ("resume", "PRESS", "resume", {}),
        ("cancel", "PRESS", "cancel", {}),
    ],
)
def test_what_a_person_does_becomes_a_command_that_the_task_takes(
    components: dict[str, dict[str, Any]], key: str, value: object, task: str, parameters: dict[str, Any]
) -> None:
    """The same command as from a script, with an id and an expiry of its own."""
    command = rendered(components[key]["command_template"], value)
    assert (command["task"], command["parameters"]) == (task, parameters)
    assert re.fullmatch(r"ha-\d+-\d+", command["request_id"])
    assert command["issued_by"] == "home-assistant"
    assert (command["timestamp"], command["expires_at"]) == (NOW, NOW + EXPIRES_AFTER)
    tasks = bind(kitchen_sink.DEVICE, kitchen_sink.KitchenSinkDriver, kitchen_sink.KitchenSinkSettings())
    tasks[task].schema.check(command["parameters"])


@pytest.mark.parametrize("value", ['say "hi"', "back\\slash", "two\nlines", "°C", "{{ 1 }}", "'", "</b>"])
def test_no_text_that_a_person_types_breaks_out_of_the_command(
    components: dict[str, dict[str, Any]], value: str
) -> None:
    """A quote in a barcode must not become another parameter."""
    command = rendered(components["note"]["command_template"], value)
    assert (command["task"], command["parameters"]) == ("write_note", {"note": value})


def test_everything_that_commands_is_sent_at_most_once(components: dict[str, dict[str, Any]]) -> None:
    """At QoS 1 a hub that was offline would deliver it later, and the carousel would turn by itself."""
    assert {one["qos"] for one in [*components.values(), lamp()] if "command_topic" in one} == {0}


# What is no longer there


def test_what_is_gone_is_removed_by_its_platform_alone() -> None:
    """Home Assistant removes a component only when it is told exactly that."""
    told = kitchen_sink.description()
    payload = announce(told, gone={"": {"sponge": "sensor", "flow": "number"}})[""]
    assert payload["components"]["sponge"] == {"platform": "sensor"}
    assert payload["components"]["flow"]["min"] == 0  # it is there, whatever was remembered


def test_what_lives_is_remembered_and_what_is_gone_is_not() -> None:
    """The next announcement has to know what this one made."""
    payload = announce(kitchen_sink.description(), gone={"": {"sponge": "sensor"}})[""]
    live = components_of(payload)
    assert live["flow"] == "number"
    assert live["on_overflowed"] == "device_automation"
    assert "sponge" not in live


# Devices with a link of their own


def test_a_board_is_available_by_its_own_word_alone() -> None:
    """Every entity of it: no bridge keeps its stop button alive."""
    told = kitchen_sink.description() | {"bridge": None}
    for message in announce(told, base="ot2").values():
        for component in message["components"].values():
            if "availability" in component:
                assert component["availability"] == [
                    {"topic": "ot2/sink/status", "value_template": "{{ value_json.status }}"}
                ]
    assert json.dumps(announce(told)).count("lab2mqtt/bridge/") == 0


def test_the_state_of_a_board_may_lack_a_key() -> None:
    """Else the hub would log an error with every message, for a mistake of somebody else."""
    told = json.dumps(announce(kitchen_sink.description() | {"bridge": None}))
    assert "value_json[" not in told
    assert "value_json.get(" in told
