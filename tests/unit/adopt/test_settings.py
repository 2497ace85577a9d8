"""What a configuration may say of a device of the older dialect."""

from typing import Any

import pytest

from lab2mqtt.adopt.declaration import declare
from lab2mqtt.adopt.old_device import OldDevice
from lab2mqtt.adopt.settings import OldSettings, undeclared
from lab2mqtt.core.description import BoundTask, bind
from lab2mqtt.core.errors import Misconfigured, Refused


class Port:
    """A way to nowhere."""

    up = False

    def command(self, message: object, *, qos: int) -> None:
        """Nothing is sent."""
        raise AssertionError((message, qos))


def bound(settings: OldSettings, told: tuple[str, ...] | None = None) -> dict[str, BoundTask]:
    """The tasks of a device, bound as the bridge does."""
    return bind(declare(OldDevice("pico", settings, Port(), told)), OldDevice, None)


@pytest.mark.parametrize(
    ("tasks", "text"),
    [
        ({"wave": {"efect": "set"}}, "tasks.wave: a task has no 'efect' (did you mean 'effect'?)"),
        ({"wave": {"effect": "stop"}}, "tasks.wave: effect 'stop' is not one of read, set, move"),
        ({"wave": {"timeout": 0}}, "tasks.wave: timeout 0 is out of range"),
        ({"wave": 3}, "tasks.wave 3 is not a set of keys with values"),
        ({"wave": {"parameters": {"pin": {}}}}, "tasks.wave.parameters.pin: type is missing: one of integer"),
        ({"wave": {"parameters": {"pin": {"type": "int"}}}}, "tasks.wave.parameters.pin: type 'int' is not"),
        ({"reserve": {}}, "tasks.reserve: a task that every device has"),
        ({"": {}}, "a name has 1 to 64 printable characters"),
    ],
)
def test_what_is_wrong_is_told(tasks: dict[str, Any], text: str) -> None:
    """With its place, and what would be right."""
    with pytest.raises(Misconfigured) as raised:
        OldSettings(tasks=tasks)
    assert text in str(raised.value)


def test_a_parameter_without_a_default_is_needed() -> None:
    """And its limits hold."""
    angle = {"type": "number", "minimum": 0, "maximum": 90, "unit": "°"}
    turn = {"parameters": {"angle": angle, "slowly": {"type": "boolean", "default": False}}, "effect": "move"}
    task = bound(OldSettings(tasks={"turn": turn}))["turn"]
    assert task.arguments({"angle": 45}) == {"task": "turn", "arguments": {"angle": 45.0}}
    with pytest.raises(Refused, match="angle is missing"):
        task.arguments({})
    with pytest.raises(Refused, match="angle 91 is out of range"):
        task.arguments({"angle": 91})
    with pytest.raises(Refused, match="turn has no 'speed'"):
        task.arguments({"angle": 1, "speed": 2})


def test_a_task_of_which_nothing_is_known_takes_anything_and_may_move() -> None:
    """One with a known name takes what that takes."""
    tasks = bound(OldSettings(tasks={"move_servo": {"timeout": 3}}), ("blink", "read_sensor", "stop"))
    assert tasks["blink"].as_json()["open"] is True
    assert tasks["blink"].effect == "move"
    assert tasks["blink"].arguments({"x": [1]}) == {"task": "blink", "arguments": {"x": [1]}}
    assert (tasks["move_servo"].effect, tasks["move_servo"].timeout) == ("move", 3)
    assert "open" not in tasks["read_sensor"].as_json()
    with pytest.raises(Refused, match="sensor_pin is missing"):
        tasks["read_sensor"].arguments({})
    assert tasks["stop"].effect == "set"  # not refused while it is stopped


def test_what_every_device_has_is_not_taken_from_it() -> None:
    """Its own stop is sent by ours."""
    device = OldDevice("pico", OldSettings(), Port(), ("emergency_stop", "reserve", "blink"))
    assert device.stop_task == "emergency_stop"
    assert [task.name for task in declare(device).tasks] == ["blink"]
    assert undeclared("blink").is_open
