"""A declaration and its settings, bound: tasks with their schemas, and the ``description`` on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
import inspect
from typing import Any, cast

from lab2mqtt import wire
from lab2mqtt.core.device import Device
from lab2mqtt.core.entities import (
    Button,
    Commanding,
    Detail,
    Entity,
    Happening,
    Image,
    Light,
    Number,
    Readable,
    Select,
    Sensor,
    Switch,
    TextInput,
)
from lab2mqtt.core.house import STATE_KEYS, house_entities, house_tasks
from lab2mqtt.core.parameters import Parameter, Schema, Setting, parameters_of

# A driver that keeps a limit of its own ends the task first, and can tell how far it came.
MARGIN = 2.0  # s


@dataclass(frozen=True)
class Instance:
    """One device of a bridge, as the configuration names it."""

    device_id: str
    name: str
    bridge: str
    area: str = ""
    simulated: bool = False


class BoundTask:
    """A task with its parameters, ready to be checked and called."""

    def __init__(
        self,
        name: str,
        effect: str,
        description: str,
        parameters: tuple[Parameter, ...],
        *,
        is_open: bool = False,
    ) -> None:
        self.name = name
        self.is_open = is_open
        self.effect = effect
        self.description = description
        self.schema = Schema(parameters, name, is_open=is_open)
        self.timeout: float = 10.0
        self.method = ""
        self.link = ""
        self.homes = False
        self.returns = ""
        self.is_data = False
        self.is_coroutine = False

    def arguments(self, parameters: Mapping[str, object]) -> dict[str, object]:
        """Check the parameters of a command, and give the arguments of the driver's method.

        Raises:
            Refused: Something is wrong with them.
        """
        checked = self.schema.check(parameters)
        return {"task": self.name, "arguments": checked} if self.is_data else checked

    def as_json(self) -> dict[str, object]:
        """The task's part of the description."""
        parameters = self.schema.parameters
        told: dict[str, object] = {
            "description": self.description,
            "effect": self.effect,
            "parameters": {name: parameter.json_schema() for name, parameter in parameters.items()},
            "required": [name for name, parameter in parameters.items() if parameter.required],
            "timeout": self.timeout,
        }
        if self.is_open:
            told["open"] = True
        return told | ({"returns": self.returns} if self.returns else {})


def bind(device: Device[Any], driver: type, settings: object) -> dict[str, BoundTask]:
    """Read the schema of every task of a device, its own and the house's.

    Args:
        device: The declaration.
        driver: The driver's class.
        settings: Its settings, which some limits name.

    Raises:
        TypeError: A method has a parameter that has no schema.
        AttributeError: The driver lacks a method that the declaration names.
        ValueError: A task has the name of one of the house's.
    """
    bound: dict[str, BoundTask] = {}
    house = house_tasks(device)
    for task in device.tasks:
        if task.name in house:
            raise ValueError(f"{device.model}: {task.name!r} is a task that every device has")
        method = getattr(driver, task.method)
        if task.parameters is None:
            one = BoundTask(task.name, task.effect, summary_of(method), parameters_of(method, settings))
            one.returns = returns_of(method)
        else:
            parameters = tuple(task.parameters)
            one = BoundTask(task.name, task.effect, task.description, parameters, is_open=task.is_open)
            one.returns, one.is_data = task.returns, True
        limit = task.timeout
        one.timeout = getattr(settings, limit.name) + MARGIN if isinstance(limit, Setting) else limit
        one.method, one.link, one.homes = task.method, task.link, task.homes
        bound[task.name] = one
    return bound | {name: BoundTask(name, *told) for name, told in house.items()}


def entities_of(device: Device[Any]) -> tuple[Entity[Any], ...]:
    """All entities of a device, the house's last."""
    return (*device.entities, *house_entities(device))


def describe(
    device: Device[Any],
    tasks: Mapping[str, BoundTask],
    instance: Instance,
    info: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Tell what a device is and can do.

    Args:
        device: The declaration.
        tasks: Its tasks, bound.
        instance: Which one it is.
        info: What the instrument told of itself: ``product``, ``serial``, ``sw_version``, ``hw_version``,
            and its ``parts``; without those none is known to be there.

    Raises:
        ValueError: An entity has a key of the house, or sets a parameter that its task lacks.
    """
    info = dict(info or {})
    product = str(info.pop("product", device.product))
    parts = cast("Mapping[str, Mapping[str, object]] | None", info.pop("parts", None))
    told: dict[str, object] = {
        "protocol": wire.PROTOCOL,
        "device_id": instance.device_id,
        "name": instance.name,
        "kind": device.model,
        "manufacturer": device.manufacturer,
        "model": f"{product} (simulated)" if instance.simulated else product,
        "bridge": instance.bridge,
        "announced_by": instance.bridge,
        "area": instance.area,
        "simulated": instance.simulated,
        **device.more,
        **info,
    }
    told = _filled(told)
    if parts is not None:  # none is something else than not known
        told["parts"] = {part: _filled(about) for part, about in parts.items()}
    there = {"", *(parts or ())}
    entities = describe_entities(device, tasks)
    told["entities"] = {
        key: one for key, one in entities.items() if one.get("part", "") in there and "platform" in one
    }
    told["tasks"] = {name: task.as_json() for name, task in tasks.items()}
    return told


def describe_entities(device: Device[Any], tasks: Mapping[str, BoundTask]) -> dict[str, dict[str, object]]:
    """Tell of every entity by its key, whether its part is there or not.

    Raises:
        ValueError: An entity has a key of the house, or sets a parameter that its task lacks.
    """
    entities: dict[str, dict[str, object]] = {}
    for entity in entities_of(device):
        if entity.key in entities or (entity in device.entities and entity.key in STATE_KEYS):
            raise ValueError(f"{device.model}: {entity.key!r} is a key that every device has")
        if not isinstance(entity, Detail):
            entities[entity.key] = _entity(entity, tasks)
    return entities


def retained_topics(base: str, device_id: str, entities: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Every topic of a device's own on which the broker keeps something.

    Args:
        base: The base topic.
        device_id: Which device.
        entities: Those of its description.
    """
    pictures = [key for key, entity in entities.items() if entity.get("platform") == Image.platform]
    return [
        *(wire.device_topic(base, device_id, kind) for kind in ("description", "status", "state")),
        *(wire.picture_topic(base, device_id, key) for key in pictures),
    ]


def _entity(entity: Entity[Any], tasks: Mapping[str, BoundTask]) -> dict[str, object]:
    """One entity's part of the description: what is empty or usual is left out."""
    told: dict[str, object] = {"platform": entity.platform, "name": entity.name}
    told |= {"icon": entity.icon, "category": entity.category, "device_class": entity.device_class}
    if not entity.enabled:
        told["enabled"] = False
    if not entity.reachable:
        told["availability"] = "bridge"
    if not entity.sure:
        told["sure"] = False
    told["part"] = entity.part
    if isinstance(entity, Readable):
        told["attributes"] = list(entity.attributes)
        silent = entity.read is None and entity.key not in STATE_KEYS
        if silent and isinstance(entity, Commanding) and not isinstance(entity, Button):
            told["stateless"] = True
    match entity:
        case Sensor():
            number = bool(entity.unit) and not entity.state_class
            told |= {
                "unit": entity.unit,
                "state_class": "measurement" if number else entity.state_class.replace("none", ""),
                "options": list(entity.options),
                "precision": entity.precision,
                "none": entity.none,
            }
        case Happening():
            told["event_types"] = list(entity.event_types)
        case Commanding():
            told |= {
                "task": entity.task,
                "parameter": entity.parameter,
                "parameters": dict(entity.parameters),
            }
            told |= _from_parameter(entity, tasks[entity.task])
    return _filled(told)


def _filled(told: Mapping[str, object]) -> dict[str, object]:
    """Without what is empty, which would be shown as if it were something."""
    return {key: value for key, value in told.items() if value not in ("", None, [], {})}


def _from_parameter(entity: Commanding[Any], task: BoundTask) -> dict[str, object]:
    """Limits and choices of the parameter that an entity sets."""
    if not entity.parameter:
        return {}
    parameter = task.schema.parameters.get(entity.parameter)
    if parameter is None:
        raise ValueError(f"{entity.key} sets {entity.parameter!r}, which {task.name} does not take")
    match entity:
        case Number():
            if parameter.minimum is None or parameter.maximum is None:
                raise ValueError(f"{entity.key} sets {task.name}'s {parameter.name}, which has no limits")
            return {
                "minimum": parameter.minimum,
                "maximum": parameter.maximum,
                "step": entity.step,
                "mode": entity.mode,
                "unit": parameter.unit,
            }
        case Select():
            if not all(isinstance(choice, str) for choice in parameter.choices if choice is not None):
                raise ValueError(
                    f"{entity.key} sets {task.name}'s {parameter.name}, whose choices are no texts"
                )
            return {"options": [choice for choice in parameter.choices if choice is not None]}
        case Switch() | Light():
            if parameter.type != "boolean":
                raise ValueError(f"{entity.key} sets {task.name}'s {parameter.name}, which is not on or off")
        case TextInput():
            return {
                "minimum": parameter.shortest,
                "maximum": parameter.longest if parameter.longest is not None else 255,
                "pattern": parameter.published_pattern,
            }
    return {}


def summary_of(function: object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())


def returns_of(function: object) -> str:
    """The ``Returns:`` section of a docstring, on one line."""
    text = inspect.getdoc(function) or ""
    if "\nReturns:\n" not in text:
        return ""
    section = text.split("\nReturns:\n")[1].split("\n\n")[0]
    return " ".join(section.split())
