"""A declaration and its settings, bound: tasks with their schemas, and the ``description`` on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
import inspect
from typing import Any

from lab2mqtt import wire
from lab2mqtt.core.device import Device
from lab2mqtt.core.entities import (
    Button,
    Commanding,
    Entity,
    Happening,
    Number,
    Readable,
    Select,
    Sensor,
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

    def __init__(self, name: str, effect: str, description: str, parameters: tuple[Parameter, ...]) -> None:
        self.name = name
        self.effect = effect
        self.description = description
        self.schema = Schema(parameters, name)
        self.timeout: float = 10.0
        self.method = ""
        self.link = ""
        self.homes = False
        self.returns = ""
        self.is_coroutine = False

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
    """
    bound: dict[str, BoundTask] = {}
    for task in device.tasks:
        method = getattr(driver, task.method)
        one = BoundTask(task.name, task.effect, _summary(method), parameters_of(method, settings))
        limit = task.timeout
        one.timeout = getattr(settings, limit.name) + MARGIN if isinstance(limit, Setting) else limit
        one.method, one.link, one.homes, one.returns = task.method, task.link, task.homes, _returns(method)
        bound[task.name] = one
    return bound | {name: BoundTask(name, *told) for name, told in house_tasks(device).items()}


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
        info: What the instrument told of itself: ``product``, ``serial``, ``sw_version``, ``hw_version``.

    Raises:
        ValueError: An entity has a key of the house, or sets a parameter that its task lacks.
    """
    info = dict(info or {})
    product = str(info.pop("product", device.product))
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
        **info,
    }
    entities: dict[str, object] = {}
    for entity in entities_of(device):
        if entity.key in entities or (entity in device.entities and entity.key in STATE_KEYS):
            raise ValueError(f"{device.model}: {entity.key!r} is a key that every device has")
        entities[entity.key] = _entity(entity, tasks)
    told["entities"] = entities
    told["tasks"] = {name: task.as_json() for name, task in tasks.items()}
    return {key: value for key, value in told.items() if value not in ("", None)}


def _entity(entity: Entity[Any], tasks: Mapping[str, BoundTask]) -> dict[str, object]:
    """One entity's part of the description: what is empty or usual is left out."""
    told: dict[str, object] = {"platform": entity.platform, "name": entity.name}
    told |= {"icon": entity.icon, "category": entity.category, "device_class": entity.device_class}
    if not entity.enabled:
        told["enabled"] = False
    if not entity.reachable:
        told["availability"] = "bridge"
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
        case TextInput():
            return {
                "minimum": parameter.shortest,
                "maximum": parameter.longest if parameter.longest is not None else 255,
                "pattern": parameter.published_pattern,
            }
    return {}


def _summary(function: object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())


def _returns(function: object) -> str:
    """The ``Returns:`` section of a docstring, on one line."""
    text = inspect.getdoc(function) or ""
    if "\nReturns:\n" not in text:
        return ""
    section = text.split("\nReturns:\n")[1].split("\n\n")[0]
    return " ".join(section.split())
