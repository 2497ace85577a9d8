"""A declaration that contradicts itself is refused when it is made."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.kitchen_sink import DEVICE

from lab2mqtt.core.device import Device, Task
from lab2mqtt.core.entities import Button, Number, Sensor


def scales(**changed: Any) -> Device[Any]:  # noqa: ANN401 - fields of a device
    """The smallest declaration, with something changed."""
    told = {"entities": (Sensor("mass", "Mass"),), "tasks": (Task("tare"),)} | changed
    return Device("scales", "Scales", "Nobody", "S1", "nowhere:Scales", **told)


@pytest.mark.parametrize("key", ["Mass", "1st", "mass-1", "mäss", "", "a" * 65, "mass\n"])
def test_a_key_that_is_not_snake_case_is_refused(key: str) -> None:
    """It becomes part of topics, templates and ids that never change."""
    with pytest.raises(ValueError, match="is not snake case"):
        Sensor(key, "Mass")


def test_a_key_that_stands_twice_is_refused() -> None:
    """The second value would silently replace the first in the state."""
    with pytest.raises(ValueError, match="scales: entity 'mass' is declared twice"):
        scales(entities=(Sensor("mass", "Mass"), Sensor("mass", "Gross")))


def test_a_task_that_stands_twice_is_refused() -> None:
    """Which of the two would run?"""
    with pytest.raises(ValueError, match="scales: task 'tare' is declared twice"):
        scales(tasks=(Task("tare"), Task("tare", run="other")))


def test_an_entity_that_calls_no_task_of_the_device_is_refused() -> None:
    """Its button would be answered with an error for ever."""
    with pytest.raises(ValueError, match="scales: zero calls 'zreo', which is no task of it"):
        scales(entities=(Button("zero", "Zero", task="zreo"),))


def test_what_moves_and_cannot_stop_is_refused() -> None:
    """The emergency stop reaches everything that moves."""
    with pytest.raises(ValueError, match="scales: it moves and has no stop"):
        scales(tasks=(Task("lift", effect="move"),))
    assert scales(tasks=(Task("lift", effect="move"),), stop="halt").stop == "halt"


def test_a_task_calls_the_method_of_its_own_name_unless_told() -> None:
    """Most words of an instrument are its driver's too."""
    assert Task("tare").method == "tare"
    assert Task("tare", run="set_zero").method == "set_zero"


def test_a_declaration_does_not_change_under_those_who_share_it() -> None:
    """Two devices of one model hold the same object."""
    with pytest.raises(AttributeError):
        DEVICE.name = "Bath tub"  # type: ignore[misc]
    assert replace(DEVICE, name="Bath tub").tasks is DEVICE.tasks


def test_an_entity_that_commands_has_to_say_what() -> None:
    """A number without a task would be a dead control."""
    with pytest.raises(TypeError, match="task"):
        Number("flow", "Flow")  # type: ignore[call-arg]
