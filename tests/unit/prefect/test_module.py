"""The module that is made out of a description."""

import inspect
from pathlib import Path
import subprocess
import sys
from types import ModuleType
from typing import Any

from prefect.flows import Flow
import pytest

from lab2mqtt.core.description import Instance, bind, describe
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.prefect import ot2, plate_resort
from lab2mqtt.prefect.module import module
from lab2mqtt.runtime.config import DeviceSettings, make_device

# Of the shared specification: flows, and what calls them.
FLOWS = (
    "connect",
    "disconnect",
    "status",
    "health",
    "activate-hotel",
    "go-home",
    "move-to-angle",
    "set-speed",
    "emergency-stop",
    "get-hotels",
    "get-position",
)


def described(model: str, device_id: str) -> dict[str, Any]:
    """The description of a device as it is delivered."""
    made = make_device(device_id, "bench", DeviceSettings(model, simulated=True))
    tasks = bind(made.device, made.driver, made.settings)
    return describe(made.device, tasks, Instance(device_id, made.device.name, "bench"))


@pytest.mark.parametrize("packaged", [plate_resort, ot2])
def test_the_packaged_modules_are_what_is_made(packaged: ModuleType) -> None:
    """Nothing in them was written by hand."""
    model = packaged.__name__.rpartition(".")[2]
    made = module(described(model, model.replace("_", "-")), packaged.__name__)
    assert made == Path(str(packaged.__file__)).read_text(encoding="utf-8")


def test_every_name_that_users_know_is_there() -> None:
    """Flows by their names, and functions of the tasks' names."""
    for name in FLOWS:
        word = name.replace("-", "_")
        flow = getattr(plate_resort, f"{word}_flow")
        assert isinstance(flow, Flow)
        assert flow.name == name
        called = getattr(plate_resort, word)
        assert called.deployment == f"{name}/plate-resort-{name}"
        assert called.__doc__ == flow.fn.__doc__
        assert inspect.signature(called) == inspect.signature(flow.fn)
    assert plate_resort.get_status is plate_resort.status
    assert plate_resort.get_health is plate_resort.health
    assert str(inspect.signature(plate_resort.connect)).startswith("(device: ")


def test_a_flow_tells_its_limits() -> None:
    """The form in the UI, and the check before a run."""
    schema = plate_resort.move_to_angle_flow.parameters.properties["angle"]
    assert (schema["minimum"], schema["maximum"]) == (0, 360)
    assert schema["description"] == "In °. Where to; 360 is 0."
    assert plate_resort.activate_hotel_flow.parameters.properties["hotel"]["enum"] == ["A", "B", "C", "D"]


STRANGE = {
    "device_id": "strange-1",
    "name": 'A """strange""" \\ one',
    "tasks": {
        "in": {"description": "", "parameters": {}, "required": []},
        "two words": {"description": "x", "parameters": {}, "required": []},
        "caller": {"parameters": {}},
        "set": {
            "description": "No end mark",
            "effect": "set",
            "parameters": {
                "mode": {"type": "string", "enum": ["a", "b\n", "c", "d", "e", 'f"', "g"]},
                "on": {"type": "boolean", "default": False},
                "list": {"type": "array", "items": {"type": "integer", "minimum": 1}},
                "any": {"description": "whatever " * 30},
                "level": {"type": ["number", "null"], "default": 0.5, "minimum": 0.25},
            },
            "required": ["any"],
            "returns": "Something " * 20,
        },
        "other": {"parameters": {"mode": {"enum": [1, 2, 3, 4, 5, 6, 7]}}, "required": ["mode"]},
        "reset_emergency_stop": {"parameters": {}},
        "pass_it": {"parameters": {"return_state": {"type": "string"}}, "required": []},
    },
}


def test_whatever_a_device_says_it_is_python_that_ruff_leaves_as_it_is(tmp_path: Path) -> None:
    """What cannot be a function is left out with the reason; a stop is not released by a flow."""
    text = module(STRANGE)
    for name in ("in", "two words", "caller", "return_state"):
        assert f"'{name}'" in text
    assert "reset_emergency_stop" not in text
    space: dict[str, Any] = {"__name__": "made"}
    exec(compile(text, "made.py", "exec"), space)  # noqa: S102 - that it can be is the test
    parameters = inspect.signature(space["set_flow"].fn).parameters
    assert list(parameters) == ["any", "mode", "on", "list", "level"]
    assert parameters["on"].default is False
    assert parameters["mode"].default is None
    file = tmp_path / "made.py"
    file.write_text(text)
    ruff = str(Path(sys.executable).with_name("ruff"))
    for arguments in (
        ["format", "--check"],
        ["check", "--select", "D,E,F,I,UP"],
    ):  # the names are the device's
        command = [ruff, *arguments, "--config", "pyproject.toml", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_a_device_without_tasks_has_no_module() -> None:
    """And is told so."""
    with pytest.raises(Misconfigured, match="no task"):
        module({"device_id": "mute", "tasks": {}})


MANY_CHOICES = [f"m{number}" for number in range(8)]
ODD_SCHEMAS: dict[str, Any] = {
    **{
        name: {"type": "string", "enum": [*MANY_CHOICES, name]}
        for name in ("field", "any", "literal", "annotated", "result", "none", "mode", "device")
    },
    "limited": {"type": "integer", "minimum": 1},
    "no_choice": {"type": "number", "enum": []},
    "null_choice": {"enum": [None]},
    "list_choice": {"enum": [[1], [2]]},
    "items_list": {"type": "array", "items": [{"type": "integer"}]},
    "items_whole": {"type": "array", "items": {"type": "array", "items": None}},
    "text_limit": {"type": "integer", "minimum": "1", "maximum": None},
    "other_limit": {"type": "boolean", "minimum": 1},
    "type_number": {"type": 5},
    "type_list": {"type": [["integer"]]},
    "no_schema": None,
}


def made_of(tasks: dict[str, Any], **more: str) -> dict[str, Any]:
    """What is in the module of a device with these tasks."""
    space: dict[str, Any] = {"__name__": "made"}
    text = module({"device_id": "odd", "tasks": tasks}, **more)
    exec(compile(text, "made.py", "exec"), space)  # noqa: S102 - that it can be is the test
    return space | {"text": text}


def test_odd_schemas_are_any_value() -> None:
    """And names of choices hide nothing."""
    space = made_of(
        {
            "see": {
                "parameters": ODD_SCHEMAS,
                "required": [["x"], None],
                "description": "\x00",
                "effect": [],
            },
            "Mode": {"parameters": None, "required": None},
            "nothing": None,
        }
    )
    hints = {name: one.annotation for name, one in inspect.signature(space["see_flow"].fn).parameters.items()}
    for name in ("null_choice", "list_choice", "type_number", "type_list", "no_schema"):
        assert hints[name] is Any
    assert hints["items_list"] == list[Any] | None
    assert hints["items_whole"] == list[list[Any]] | None
    assert hints["text_limit"] == int | None
    assert hints["other_limit"] == bool | None
    assert hints["no_choice"] == float | None
    assert space["Mode"].deployment == "Mode/odd-Mode"
    assert space["nothing_flow"].effect == space["see_flow"].effect == "move"
    properties = space["see_flow"].parameters.properties
    for name in ("field", "any", "literal", "annotated", "result", "none", "mode", "device"):
        assert name in str(properties[name])


def test_no_task_hides_another_or_what_the_module_uses() -> None:
    """It is left out with the reason; an older name is there only where no task has it."""
    meant = ("DEVICE", "Result", "Annotated", "Any", "Literal", "Field")
    built_in = ("list", "dict", "int", "float", "str", "bool")
    names = (*meant, *built_in, "get_status", "status", "health", "foo", "foo_flow", "bar_flow")
    space = made_of({name: {} for name in names})
    for name in (*meant, *built_in):
        assert f"# Left out: {name!r}, as the task {name!r} has another meaning here." in space["text"]
    assert "# Left out: 'foo_flow', as that is the flow of 'foo'." in space["text"]
    assert space["DEVICE"] == "odd"
    for name in ("get_status", "status", "foo", "bar_flow"):
        assert space[name].deployment == f"{name.replace('_', '-')}/odd-{name.replace('_', '-')}"
        assert space[f"{name}_flow"].task == name
    assert space["get_health"] is space["health"]


@pytest.mark.parametrize("told", ["other", None, 5])
def test_a_description_of_another_device_is_refused(told: object) -> None:
    """Its flows would call that one."""
    with pytest.raises(Misconfigured, match=f"mine describes itself as {told!r}"):
        module({"device_id": told, "tasks": {"a": {}}}, asked="mine")
