"""The description: what a device is and can do, made of its declaration and its settings."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit import kitchen_sink
from tests.unit.kitchen_sink import DEVICE, KitchenSinkDriver, KitchenSinkSettings

from lab2mqtt import wire
from lab2mqtt.core.description import MARGIN, Instance, bind, describe, retained_topics
from lab2mqtt.core.device import Device, Task
from lab2mqtt.core.entities import Detail, Light, Number, Select, Sensor, Switch, TextInput
from lab2mqtt.core.house import HOUSE_TASKS

HERE = Instance("sink", "Kitchen sink", "bench")


def described(
    device: Device[Any] = DEVICE,
    settings: KitchenSinkSettings | None = None,
    instance: Instance = HERE,
    info: dict[str, object] | None = None,
) -> dict[str, Any]:
    """The description of a sink, with something changed."""
    tasks = bind(device, KitchenSinkDriver, settings or KitchenSinkSettings())
    return describe(device, tasks, instance, info)


def test_it_says_who_the_device_is_and_who_speaks_for_it() -> None:
    """Clients and the hub know the device from here alone."""
    instance = Instance("sink", "Big sink", "bench", area="Lab 2", simulated=True)
    told = described(instance=instance, info={"product": "Sink 3", "serial": "S-1", "sw_version": "1.0"})
    del told["entities"], told["tasks"]
    assert told == {
        "protocol": wire.PROTOCOL,
        "device_id": "sink",
        "name": "Big sink",
        "kind": "kitchen_sink",
        "manufacturer": "Nobody",
        "model": "Sink 3 (simulated)",
        "serial": "S-1",
        "sw_version": "1.0",
        "bridge": "bench",
        "announced_by": "bench",
        "area": "Lab 2",
        "simulated": True,
    }


def test_what_is_not_known_is_left_out() -> None:
    """An empty serial number would be shown as one."""
    told = described(info={"serial": None, "sw_version": ""})
    assert not {"serial", "sw_version", "area"} & set(told)
    assert told["model"] == "Sink 2"


def test_a_number_takes_limits_and_unit_from_the_parameter_it_sets() -> None:
    """They stand once, in the driver, and follow the configuration of this device."""
    told = described(settings=KitchenSinkSettings(most_flow=7.0))
    assert told["entities"]["flow"] == {
        "platform": "number",
        "name": "Flow",
        "device_class": "volume_flow_rate",
        "task": "set_flow",
        "parameter": "flow",
        "minimum": 0,
        "maximum": 7.0,
        "step": 0.5,
        "mode": "slider",
        "unit": "L/min",
    }
    assert told["tasks"]["set_flow"]["parameters"]["flow"]["maximum"] == 7.0


def test_a_select_takes_its_words_from_the_parameter_it_sets() -> None:
    """A hotel that the configuration adds appears on the dashboard by itself."""
    told = described(settings=KitchenSinkSettings(basins=("one", "two", "three")))
    assert told["entities"]["basin"]["options"] == ["one", "two", "three"]


def test_a_text_takes_length_and_pattern_from_the_parameter_it_sets() -> None:
    """Home Assistant then refuses what the device would."""
    note = described()["entities"]["note"]
    assert (note["minimum"], note["maximum"], note["pattern"]) == (1, 40, "^(?:[A-Za-z0-9 ]+)$")


def test_what_commands_and_shows_nothing_says_so() -> None:
    """Discovery must not read a key that is never in the state."""
    entities = described()["entities"]
    assert {key for key, one in entities.items() if one.get("stateless")} == {"memo"}


def test_a_task_says_all_that_a_client_needs_to_call_it() -> None:
    """Words, effect, parameters, time and what comes back, from the driver's own docstring."""
    assert described()["tasks"]["set_flow"] == {
        "description": "Open the tap.",
        "effect": "set",
        "parameters": {
            "flow": {
                "type": "number",
                "description": "How far.",
                "unit": "L/min",
                "minimum": 0,
                "maximum": 12.0,
            }
        },
        "required": ["flow"],
        "returns": "The flow, in L/min.",
        "timeout": 10.0,
    }


def test_a_timeout_that_a_setting_holds_leaves_the_driver_a_margin() -> None:
    """The driver's own limit ends the task first, because it can tell how far it came."""
    told = described(settings=KitchenSinkSettings(longest_fill=5.0))
    assert told["tasks"]["fill"]["timeout"] == 5.0 + MARGIN


def test_a_task_that_is_data_says_the_same_of_itself() -> None:
    """A client cannot tell the two kinds apart."""
    assert described()["tasks"]["wash"] == {
        "description": "Wash the dishes.",
        "effect": "set",
        "parameters": {
            "temperature": {
                "type": "number",
                "description": "Of the water.",
                "unit": "°C",
                "minimum": 30,
                "maximum": 70,
            },
            "salt": {"type": "boolean", "description": "Whether to add some."},
        },
        "required": ["temperature"],
        "returns": "What was done.",
        "timeout": 10.0,
    }
    assert described()["tasks"]["dry"]["parameters"] == {}


PARTS: dict[str, object] = {
    "parts": {"dishwasher": {"name": "Dishwasher", "model": "Washer 3", "serial": ""}}
}


def test_an_entity_takes_its_limits_from_a_task_that_is_data_too() -> None:
    """A lab's own protocol becomes a number with a range."""
    number = described(info=PARTS)["entities"]["washing_temperature"]
    assert (number["minimum"], number["maximum"], number["unit"]) == (30, 70, "°C")


def test_a_part_is_told_of_with_its_entities_while_it_is_there() -> None:
    """None is something else than not known, as before the instrument has answered."""
    there, none, unknown = described(info=PARTS), described(info={"parts": {}}), described()
    assert there["parts"] == {"dishwasher": {"name": "Dishwasher", "model": "Washer 3"}}
    assert there["entities"]["dry"]["part"] == "dishwasher"
    assert none["parts"] == {}
    assert "parts" not in unknown
    assert none["entities"] == unknown["entities"]
    assert there["entities"].keys() - none["entities"].keys() == {"washing_temperature", "dry"}
    assert there["tasks"] == none["tasks"]


def test_what_the_broker_keeps_of_a_device_is_known_from_its_description() -> None:
    """It is cleared when the device is no more."""
    assert retained_topics("lab", "sink", described()["entities"]) == [
        "lab/sink/description",
        "lab/sink/status",
        "lab/sink/state",
        "lab/sink/picture/picture",
    ]


def test_a_detail_is_in_the_state_and_no_entity() -> None:
    """It stands beside another one, as its attribute."""
    detail: Detail[Any] = Detail("recipe", "Recipe", read=lambda now: now.program)
    device = replace(DEVICE, entities=(*DEVICE.entities, detail))
    assert described(device) == described()
    with pytest.raises(ValueError, match="'readiness' is a key that every device has"):
        described(replace(DEVICE, entities=(Detail("readiness", "Mine"),)))


@pytest.mark.parametrize("kind", [Switch, Light])
def test_what_is_on_or_off_sets_nothing_else(kind: type) -> None:
    """It sends true or false, which the task would refuse each time."""
    entity = kind("flow", "Flow", task="set_flow", parameter="flow")
    with pytest.raises(ValueError, match="flow sets set_flow's flow, which is not on or off"):
        described(replace(DEVICE, entities=(entity,)))


def test_a_task_with_a_name_of_the_house_is_refused() -> None:
    """The house's would be done in its place."""
    with pytest.raises(ValueError, match="kitchen_sink: 'reserve' is a task that every device has"):
        described(replace(DEVICE, tasks=(*DEVICE.tasks, Task("reserve", run="rinse"))))


def test_every_device_has_the_tasks_and_entities_of_the_house() -> None:
    """Whoever knows one device can stop and reset every other."""
    told = described()
    assert set(HOUSE_TASKS) <= set(told["tasks"])
    house = {"readiness", "task", "connected", "emergency_stop", "happening", "stop", "reset_stop"}
    assert house | {"pause", "resume", "cancel"} <= set(told["entities"])
    assert tuple(told["entities"]["readiness"]["options"]) == wire.READINESS
    assert "overflowed" in told["entities"]["happening"]["event_types"]


def test_a_device_that_cannot_hold_offers_no_pause() -> None:
    """A button that is refused each time is worse than none."""
    told = described(replace(DEVICE, pausable=False))
    assert not {"pause", "resume"} & {*told["tasks"], *told["entities"]}


def test_what_matters_while_the_instrument_is_gone_stays_available() -> None:
    """Above all the stop, and the word why it is gone."""
    entities = described()["entities"]
    alive = {key for key, one in entities.items() if one.get("availability") == "bridge"}
    always = {"readiness", "connected", "emergency_stop", "stop", "reset_stop"}
    assert alive == always | {"reserved_by", "reserved_until", "maintenance"}


@pytest.mark.parametrize("key", ["readiness", "updated_at", "emergency_stop", "cancel", "stop"])
def test_an_entity_with_a_key_of_the_house_is_refused(key: str) -> None:
    """Two values under one key of the state."""
    with pytest.raises(ValueError, match=f"kitchen_sink: '{key}' is a key that every device has"):
        described(replace(DEVICE, entities=(Sensor(key, "Mine"),)))


def test_a_number_without_limits_is_refused() -> None:
    """Home Assistant would offer 1 to 100, whatever the instrument takes."""

    class Driver(KitchenSinkDriver):
        def set_flow(self, flow: float) -> None:  # type: ignore[override]
            """Open the tap."""

    number: Number[Any] = Number("flow", "Flow", task="set_flow", parameter="flow")
    device = replace(DEVICE, entities=(number,))
    with pytest.raises(ValueError, match="flow sets set_flow's flow, which has no limits"):
        describe(device, bind(device, Driver, KitchenSinkSettings()), HERE)


@pytest.mark.parametrize("kind", [Number, Select, TextInput])
def test_an_entity_that_sets_a_parameter_which_the_task_lacks_is_refused(kind: type) -> None:
    """Each use of it would be an unknown parameter."""
    entity = kind("flow", "Flow", task="set_flow", parameter="flwo")
    with pytest.raises(ValueError, match="flow sets 'flwo', which set_flow does not take"):
        described(replace(DEVICE, entities=(entity,)))


def test_a_task_without_a_method_is_refused() -> None:
    """The configuration check finds it, not the first call."""
    with pytest.raises(AttributeError, match="levitate"):
        described(replace(DEVICE, tasks=(*DEVICE.tasks, Task("levitate"))))


def test_it_can_be_written_to_the_wire_and_is_the_same_each_time() -> None:
    """It is compared to know whether something changed, and retained."""
    assert wire.encode(kitchen_sink.description()) == wire.encode(kitchen_sink.description())
