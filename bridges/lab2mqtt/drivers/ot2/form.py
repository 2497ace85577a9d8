"""A form: entities that fill in the parameters of one task, and a button that does it.

Home Assistant's entities set one value each, and a task of a cell takes several.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lab2mqtt.core.device import Growth, Task
from lab2mqtt.core.entities import AnyEntity, Button, Number, Select, Switch
from lab2mqtt.core.parameters import Parameter, Setting
from lab2mqtt.drivers.ot2.snapshot import Snapshot

FILL_IN = "fill_in_"
AS_FILLED_IN = "_as_filled_in"


def form(
    task: str,
    button: str,
    icon: str,
    parameters: Sequence[Parameter],
    display_names: Mapping[str, str],
    timeout: Setting,
) -> Growth:
    """The entities and tasks of one form.

    Args:
        task: Which task is done.
        button: The button's name.
        icon: The button's icon.
        parameters: What is filled in.
        display_names: What people call the parameters, by name.
        timeout: Of the task.

    Raises:
        ValueError: The name of a parameter makes no key of an entity.
    """
    fields = [_field(parameter) for parameter in parameters]
    tasks = (
        Task(
            FILL_IN + task,
            run="fill_in",
            parameters=fields,
            description=f"Fill in what the button {button} takes. Nothing moves.",
            returns="What is filled in by now.",
            effect="read",
        ),
        Task(
            task + AS_FILLED_IN,
            run="play_filled_in",
            parameters=(),
            description=f"Do {task} with what is filled in.",
            returns=f"As {task}.",
            effect="move",
            timeout=timeout,
        ),
    )
    # Home Assistant sorts by name: the fields stand below their button.
    names = [f"{button} {display_names[each.name].lower()}" for each in fields]
    entities = [_entity(task, each, name) for each, name in zip(fields, names, strict=True)]
    return Growth((*entities, Button(task, button, icon=icon, task=task + AS_FILLED_IN)), tasks)


def _field(parameter: Parameter) -> Parameter:
    """A parameter as it is filled in: left out it stays as it was, so it has no default."""
    numbers = [each for each in parameter.choices if isinstance(each, (int, float))]
    if numbers:  # shown as a number, whose choices are checked when it is filled in
        parameter = replace(parameter, minimum=min(numbers), maximum=max(numbers))
    return replace(parameter, required=False, default=None)


def _entity(task: str, parameter: Parameter, name: str) -> AnyEntity:
    def filled_in(snapshot: Snapshot) -> object:
        return snapshot.forms.get(task, {}).get(parameter.name)

    key, fill_in = f"{task}_{parameter.name.lower()}", FILL_IN + task
    match parameter.type:
        case "boolean":
            return Switch(key, name, task=fill_in, parameter=parameter.name, read=filled_in)
        case "string":
            return Select(key, name, task=fill_in, parameter=parameter.name, read=filled_in)
    return Number(
        key,
        name,
        step=1 if parameter.type == "integer" else 0.1,
        mode="auto" if parameter.type == "integer" else "box",
        task=fill_in,
        parameter=parameter.name,
        read=filled_in,
    )
