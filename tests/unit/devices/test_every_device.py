"""What holds for every device there is, and for the next one before it exists."""

from dataclasses import dataclass, fields
import inspect
import json
import re
import subprocess
import sys
from typing import Any

import pytest
from tests.unit import kitchen_sink

from lab2mqtt import wire
from lab2mqtt.core.description import Instance, bind, describe, entities_of
from lab2mqtt.core.device import Device
from lab2mqtt.core.entities import Happening
from lab2mqtt.core.house import HOUSE_TASKS, STATE_KEYS
from lab2mqtt.core.page import page
from lab2mqtt.core.parameters import parameters_of
from lab2mqtt.discovery.announcement import announce
from lab2mqtt.runtime.config import DeviceSettings, known_models, load_device, load_driver, make_device
from lab2mqtt.runtime.state import measured

# What only a driver needs.
HARDWARE = ("dynamixel_sdk", "serial")


@dataclass(frozen=True)
class Model:
    """A model, with all that is known of one."""

    device: Device[Any]
    driver: type
    settings: Any

    def described(self, name: str = "Somebody's", device_id: str = "the-one") -> dict[str, Any]:
        """The description of one of them, with every part that it can have."""
        tasks = bind(self.device, self.driver, self.settings)
        parts = {entity.part: {"name": entity.part} for entity in entities_of(self.device) if entity.part}
        return describe(self.device, tasks, Instance(device_id, name, "bench"), {"parts": parts})

    def components(self, name: str = "Somebody's", device_id: str = "the-one") -> dict[str, dict[str, Any]]:
        """What Home Assistant is told of each of its entities."""
        messages = announce(self.described(name, device_id))
        return {key: one for message in messages.values() for key, one in message["components"].items()}


@pytest.fixture(params=[*known_models(), "kitchen_sink"])
def model(request: pytest.FixtureRequest) -> Model:
    """Every model in turn; the sink has what no instrument has yet."""
    made = (
        kitchen_sink.make_config()
        if request.param == "kitchen_sink"
        else make_device("the-one", "bench", DeviceSettings(request.param, simulated=True))
    )
    return Model(made.device, made.driver, made.settings)


@pytest.fixture(params=known_models())
def shipped(request: pytest.FixtureRequest) -> Device[Any]:
    """The declaration of every model that is shipped."""
    return load_device(request.param)


def test_the_file_is_named_after_the_model(shipped: Device[Any]) -> None:
    """The word in a configuration leads to the file."""
    assert known_models()[shipped.model] == f"lab2mqtt.devices.{shipped.model}"


def test_the_driver_has_what_the_runtime_calls(model: Model) -> None:
    """Open, close, read, info, the stop, and the method of every task."""
    methods = ["open", "close", "read", "info", *(task.method for task in model.device.tasks)]
    methods += [model.device.stop] if model.device.stop else []
    assert [name for name in methods if not callable(getattr(model.driver, name, None))] == []


def test_the_driver_is_made_of_settings_and_a_file_of_its_own(model: Model) -> None:
    """The bridge makes every driver alike; making one opens nothing."""
    assert model.driver(model.settings, None) is not None


def test_every_setting_is_described(model: Model) -> None:
    """The configuration is written by a person."""
    assert [one.name for one in parameters_of(type(model.settings)) if not one.description] == []


def test_the_setting_that_says_where_it_is_reached_exists(shipped: Device[Any]) -> None:
    """A simulated one is given its simulator there."""
    _, settings = load_driver(shipped)
    assert shipped.link_setting in {field.name for field in fields(settings)}


def test_every_task_and_each_of_its_parameters_has_words(model: Model) -> None:
    """They are the documentation that a client shows."""
    tasks = model.described()["tasks"]
    assert [name for name, task in tasks.items() if not task["description"]] == []
    silent = [
        f"{name}({parameter})"
        for name, task in tasks.items()
        for parameter, schema in task["parameters"].items()
        if not schema.get("description")
    ]
    assert silent == []


def test_every_task_ends_some_day(model: Model) -> None:
    """A task without a limit would hold the queue for ever; a robot may need hours for a protocol."""
    assert [
        name for name, task in model.described()["tasks"].items() if not 0 < task["timeout"] <= 86400
    ] == []


def test_every_settable_number_has_limits(model: Model) -> None:
    """Without, Home Assistant offers 1 to 100, whatever the instrument takes."""
    numbers = [one for one in model.components().values() if one["platform"] == "number"]
    assert all(one["min"] < one["max"] and one["step"] >= 0.001 for one in numbers)


def test_every_choice_is_a_text(model: Model) -> None:
    """Home Assistant sends back the text that it shows; a number would be refused by the task."""
    described = model.described()
    for one in described["entities"].values():
        if one["platform"] == "select":
            parameter = described["tasks"][one["task"]]["parameters"][one["parameter"]]
            assert parameter["type"] == "string"


def test_the_fixed_parameters_of_a_button_are_what_its_task_takes(model: Model) -> None:
    """Nobody who presses it could put them right."""
    tasks = bind(model.device, model.driver, model.settings)
    buttons = [one for one in model.described()["entities"].values() if one["platform"] == "button"]
    for button in buttons:
        assert tasks[button["task"]].schema.problems(button.get("parameters", {}))[1] == {}


def test_whatever_moves_has_a_stop_that_takes_nothing(model: Model) -> None:
    """The emergency stop calls it past everything, with nothing in its hands."""
    if any(task.effect == "move" for task in model.device.tasks):
        stop = inspect.signature(getattr(model.driver, model.device.stop))
        required = [one for one in stop.parameters.values() if one.default is one.empty]
        assert [one.name for one in required] == ["self"]


def test_no_task_takes_the_name_of_one_of_the_house(model: Model) -> None:
    """It would replace the emergency stop, or its reset."""
    assert {task.name for task in model.device.tasks} & set(HOUSE_TASKS) == set()


def test_its_simulator_can_be_started_by_a_person(shipped: Device[Any]) -> None:
    """``python -m`` of it explains itself."""
    told = subprocess.run(
        [sys.executable, "-m", shipped.simulator, "--help"], capture_output=True, text=True, check=True
    )
    assert "--link" in told.stdout
    assert "--parent" in told.stdout


def test_the_description_goes_over_the_wire_and_is_the_same_each_time(model: Model) -> None:
    """It is retained, and compared to know whether something changed."""
    told = wire.encode(model.described())
    assert told == wire.encode(model.described())
    assert wire.decode(told.encode()) == json.loads(told)


def test_the_announcement_is_the_same_each_time_and_spells_every_key_out(model: Model) -> None:
    """A person reads it in a broker's browser; abbreviations are for boards with little memory."""
    messages = announce(model.described())
    assert messages == announce(model.described())
    assert {frozenset(message) for message in messages.values()} == {
        frozenset({"device", "origin", "components"})
    }
    for one in model.components().values():
        assert [key for key in one if not re.fullmatch("[a-z]+(_[a-z]+)*", key)] == []
        assert {"platform", "unique_id", "name", "availability"} <= set(one) or (
            one["platform"] == "device_automation"
        )


def test_ids_do_not_follow_the_display_name(model: Model) -> None:
    """A renamed device keeps its history, its dashboards and its automations."""
    ids = ("unique_id", "object_id", "default_entity_id")
    before, after = model.components("Old name"), model.components("Neuer Name")
    assert {key: [one.get(name) for name in ids] for key, one in before.items()} == {
        key: [one.get(name) for name in ids] for key, one in after.items()
    }


def test_two_devices_of_a_model_share_no_id(model: Model) -> None:
    """Home Assistant drops the second entity of an id."""
    one, other = model.components(device_id="one"), model.components(device_id="other")
    unique = [part["unique_id"] for part in [*one.values(), *other.values()] if "unique_id" in part]
    assert len(unique) == len(set(unique))


def test_every_key_that_home_assistant_reads_is_in_the_state(model: Model) -> None:
    """A key that is missing is an error in the hub's log at every message, and an entity that never shows."""
    state = {*measured(entities_of(model.device), None), *STATE_KEYS}
    for key, one in model.components().items():
        if one.get("state_topic") != "lab2mqtt/the-one/state":
            continue
        templates = [
            told for name, told in one.items() if name.endswith("_template") and name[:7] != "command"
        ]
        read = {name for told in templates for name in re.findall(r'value_json(?:\[|\.get\()"(\w+)"', told)}
        assert read or "{{ '' }}" in templates, key
        assert read <= state, key


def test_everything_that_commands_writes_to_the_one_command_topic(model: Model) -> None:
    """There is no second path past the checks; and at QoS 0, so that nothing moves minutes later."""
    commanding = [one for one in model.components().values() if "command_topic" in one]
    assert commanding
    for one in commanding:
        assert (one["command_topic"], one["qos"]) == ("lab2mqtt/the-one/command", 0)
        assert {name for name in one if name.startswith("command") and name.endswith("template")} == (
            {"command_on_template", "command_off_template"}
            if one["platform"] == "light"
            else {"command_template"}
        )


def test_every_value_is_unknown_before_the_first_reading(model: Model) -> None:
    """An instrument that has not answered has no temperature of 0."""
    assert set(measured(entities_of(model.device), None).values()) == {None}


def test_every_event_of_the_driver_has_a_trigger(model: Model) -> None:
    """An automation can start from whatever is said to happen."""
    types = {
        one
        for entity in entities_of(model.device)
        if isinstance(entity, Happening)
        for one in entity.event_types
    }
    triggers = [one for one in model.components().values() if one["platform"] == "device_automation"]
    assert {one["payload"] for one in triggers} == types


def test_its_page_tells_every_task_entity_and_setting(model: Model) -> None:
    """The documentation is made of the declaration; a row with a cell too many would be no table."""
    described = model.described()
    written = page(described, parameters_of(type(model.settings)))
    names = [*described["tasks"], *described["entities"], *(field.name for field in fields(model.settings))]
    assert [name for name in names if f"`{name}`" not in written] == []
    tables = [part for part in written.split("\n\n") if part.startswith("|")]
    assert len(tables) == 3
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.strip().splitlines()}) == 1


def test_every_device_is_listed_and_declared_without_the_libraries_of_its_driver() -> None:
    """A machine that only looks, such as the hub's, needs no serial port."""
    program = f"""
import json, sys
sys.modules.update(dict.fromkeys({HARDWARE!r}))
from lab2mqtt.runtime.config import known_models, load_device
found = {{name: [task.name for task in load_device(name).tasks] for name in known_models()}}
assert not any(name.startswith("lab2mqtt.drivers.") for name in sys.modules), "a driver was loaded"
print(json.dumps(found))
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(told.stdout).keys() == known_models().keys()
