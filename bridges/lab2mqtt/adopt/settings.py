"""What a configuration says of one device of the older dialect."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, cast

from lab2mqtt.adopt.known_tasks import KNOWN, STOPS, UNKNOWN_TIMEOUT
from lab2mqtt.core.device import Task
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.house import HOUSE_TASKS
from lab2mqtt.core.parameters import Parameter, Range, Schema, Text, Unit, parameters_of
from lab2mqtt.core.words import show

DEFAULT_PREFIX = "ot2"


@dataclass(frozen=True)
class OldSettings:
    """One device.

    Attributes:
        prefix: The topics' prefix.
        name: What people call it; its id by default.
        area: The room that Home Assistant suggests for it.
        tasks: What it can do, where it does not tell itself, or tells too little: name → parameters (as JSON
            Schema), effect, timeout, description. Without parameters a task takes whatever it is given.
        stop: The task that ends all its motion, where that has no name by which it is known.
        poll: How often the air is measured, by read_environmental_sensors; 0 is never.
    """

    prefix: Annotated[str, Text(128, 1)] = DEFAULT_PREFIX
    name: Annotated[str, Text(128)] = ""
    area: Annotated[str, Text(128)] = ""
    tasks: dict[str, Any] = field(default_factory=dict)
    stop: Annotated[str, Text(64)] = ""
    poll: Annotated[float, Range(0, 86_400), Unit("s")] = 0.0

    def __post_init__(self) -> None:
        """Refuse tasks that cannot be."""
        self.declared()

    def declared(self) -> dict[str, Task]:
        """The tasks that the configuration tells.

        Raises:
            Misconfigured: One of them is wrong.
        """
        return {name: _task(name, told) for name, told in self.tasks.items()}


@dataclass(frozen=True)
class _TaskSettings:
    """One task.

    Attributes:
        parameters: Name → JSON Schema.
        effect: What it does to the world.
        timeout: For how long its answer is waited for.
        description: What it does.
    """

    parameters: dict[str, Any] | None = None
    effect: Literal["read", "set", "move"] = "move"
    timeout: Annotated[float, Range(0.1, 86_400), Unit("s")] = UNKNOWN_TIMEOUT
    description: Annotated[str, Text(1000)] = ""


@dataclass(frozen=True)
class _ParameterSettings:
    """One parameter, as JSON Schema tells it.

    Attributes:
        type: The type of its value.
        enum: The only values allowed.
        minimum: The smallest number allowed.
        maximum: The largest.
        minLength: The fewest characters.
        maxLength: The most.
        default: What the device takes where nothing is given; without one the parameter is needed.
        unit: Of a number.
        description: What it means.
    """

    type: Literal["integer", "number", "string", "boolean", "array", "object"]
    enum: list[object] = field(default_factory=list)
    minimum: float | None = None
    maximum: float | None = None
    minLength: int = 0  # noqa: N815 - JSON Schema's name
    maxLength: int | None = None  # noqa: N815
    default: object = None
    unit: str = ""
    description: str = ""


_TASK = Schema(parameters_of(_TaskSettings), "a task")
_PARAMETER = Schema(parameters_of(_ParameterSettings), "a parameter")


def undeclared(name: str) -> Task:
    """A task of which only the name is told: known by that, or one that takes whatever it is given."""
    if name in KNOWN:
        return KNOWN[name]
    if name in STOPS:
        return Task(name, effect="set", parameters=(), is_open=True, description="Stop.")
    return Task(name, effect="move", timeout=UNKNOWN_TIMEOUT, parameters=(), is_open=True)


def _task(name: str, told: object) -> Task:
    """A task as the configuration tells it; what that leaves out is as of the known one of this name."""
    where = f"tasks.{name}"
    if name in HOUSE_TASKS:
        raise Misconfigured(f"{where}: a task that every device has; the task that stops it stands in stop")
    if not 0 < len(name) <= 64 or not name.isprintable():  # noqa: PLR2004 - wire.MAX_TASK
        raise Misconfigured(f"{where}: a name has 1 to 64 printable characters")
    values = _checked(_TASK, told, where)
    known = undeclared(name)
    parameters = values.get("parameters")
    if parameters is None:
        taken, is_open = tuple(known.parameters or ()), known.is_open
    else:
        taken = tuple(
            _parameter(key, one, f"{where}.parameters.{key}")
            for key, one in cast("Mapping[str, object]", parameters).items()
        )
        is_open = False
    return Task(
        name,
        effect=cast("Any", values.get("effect", known.effect)),
        timeout=cast("float", values.get("timeout", known.timeout)),
        parameters=taken,
        is_open=is_open,
        description=str(values.get("description", known.description)),
        returns=known.returns,
    )


def _parameter(name: str, told: object, where: str) -> Parameter:
    one = _ParameterSettings(**cast("Any", _checked(_PARAMETER, told, where)))
    return Parameter(
        name=name,
        type=one.type,
        required=one.default is None,
        default=one.default,
        description=one.description,
        unit=one.unit,
        choices=tuple(one.enum),
        minimum=one.minimum,
        maximum=one.maximum,
        shortest=one.minLength,
        longest=one.maxLength,
    )


def _checked(schema: Schema, told: object, where: str) -> dict[str, object]:
    """One mapping of the configuration, checked.

    Raises:
        Misconfigured: The text tells everything that is wrong with it.
    """
    if not isinstance(told, Mapping):
        raise Misconfigured(f"{where} {show(told)} is not a set of keys with values")
    checked, wrong = schema.problems({str(key): value for key, value in told.items()})
    if wrong:
        raise Misconfigured("; ".join(f"{where}: {text}" for text in wrong.values()))
    return checked
