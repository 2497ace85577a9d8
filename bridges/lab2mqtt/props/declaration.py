"""A prop as a device: its worker's class, what that declares, and what it has said, as one declaration."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
import re
from typing import Any, Literal

from lab2mqtt.core.device import Device, Task
from lab2mqtt.core.entities import (
    BinarySensor,
    Button,
    Commanding,
    Entity,
    Happening,
    Number,
    Readable,
    Select,
    Sensor,
    Switch,
    TextInput,
)
from lab2mqtt.core.parameters import Parameter
from lab2mqtt.props.actions import Action, in_words
from lab2mqtt.props.base import STOPS, BaseWorker
from lab2mqtt.props.seen import Seen
from lab2mqtt.props.view import Snapshot

MODEL = "prop"
RESTART = "restart_worker"
COMMAND = "do_command"
MESSAGES = ("status_info", "status_warn", "status_error")
_POLL = timedelta(seconds=10)  # what changes is shown at once; this is for what nobody has told of
_ICONS = {"stop": "mdi:stop-circle-outline", "move": "mdi:play-circle-outline"}


def declare(
    prop_id: str, worker: BaseWorker | type[BaseWorker], actions: Mapping[str, Action], seen: Seen
) -> Device[Snapshot]:
    """Declare a prop.

    Args:
        prop_id: Its id.
        worker: Its worker, or until that is made its class.
        actions: The worker's, by their words.
        seen: What it has said by now.

    Raises:
        Exception: What the worker declares does not fit together, or is nothing of the kind.
    """
    of: Any = worker
    tasks = [_task(action) for action in actions.values()]
    if hasattr(of, COMMAND):
        tasks.append(_any_command())
    tasks.append(
        Task(RESTART, effect="set", parameters=(), description="Load the worker's file anew, and start it.")
    )
    own = {entity.key: _reading(entity) for entity in of.entities}
    fixed = [_state(of, seen), *_of_every_prop()]
    entities = dict(own)
    for action in actions.values():
        if action.entity and action.task not in {
            one.task for one in own.values() if isinstance(one, Commanding)
        }:
            entities |= {one.key: one for one in _controls(action) if one.key not in entities}
    for key, kind in seen.values.items():
        if key not in entities:
            entities[key] = _sensor(key, kind)
    return Device(
        model=MODEL,
        name=of.name or in_words(prop_id),
        manufacturer=of.manufacturer,
        product=of.product or "Prop",
        driver="",
        entities=(*(one for one in fixed if one.key not in own), *entities.values()),
        tasks=tasks,
        stop="stop",
        known_late=True,  # a worker may declare more when it is made, such as a button for each show
        poll=_POLL,
        poll_busy=_POLL,
        faults=lambda now: now.problems,
        after_stop="See that it stands, and that nobody is near.",
        icon=of.icon or "mdi:ghost-outline",
    )


def can_move(worker: BaseWorker, actions: Mapping[str, Action]) -> bool:
    """Whether there is anything to stop: a worker that only listens needs no stop of its own."""
    own = type(worker).on_emergency_stop is not BaseWorker.on_emergency_stop
    moves = hasattr(worker, COMMAND) or any(
        one.effect == "move" or one.word in STOPS for one in actions.values()
    )
    return own or moves or bool(worker.boards)


def _task(action: Action) -> Task:
    return Task(
        action.task,
        run="do",
        effect=action.effect,  # type: ignore[arg-type]
        timeout=action.timeout,
        parameters=action.parameters,
        description=action.description or action.name,
        returns=action.returns,
    )


def _any_command() -> Task:
    return Task(
        COMMAND,
        run="do_command",
        effect="move",
        timeout=300.0,
        parameters=(
            Parameter(
                name="action", type="string", longest=64, description="Any word that the worker knows."
            ),
            Parameter(name="args", type="any", required=False, description="What stands behind it."),
        ),
        description="Give the worker a command that it has no action of its own for.",
    )


def _reading(entity: Entity[Any]) -> Entity[Any]:
    """A declared entity, with the telemetry of its key as its value."""
    if isinstance(entity, Readable) and entity.read is None and not isinstance(entity, Button):
        return replace(entity, read=_value(entity.key), sure=False)
    return entity


def _value(key: str) -> Callable[[Snapshot], object]:
    return partial(_value_of, key)


def _value_of(key: str, now: Snapshot) -> object:
    return now.values.get(key)


def _state(of: Any, seen: Seen) -> Entity[Snapshot]:  # noqa: ANN401
    words = list(dict.fromkeys((*of.states, "started", "stopped", *seen.states)))
    return Sensor(
        "state",
        "State",
        options=words,
        icon="mdi:state-machine",
        read=lambda now: now.state,
        sure=False,
    )


def _of_every_prop() -> Iterator[Entity[Snapshot]]:
    """What every prop has, beside what every device has."""
    yield Sensor(
        "message",
        "Last message",
        icon="mdi:message-text-outline",
        category="diagnostic",
        read=lambda now: now.message,
    )
    yield Happening(
        "status_message", "Status message", event_types=MESSAGES, icon="mdi:message-alert-outline"
    )
    yield Button(
        RESTART, "Restart worker", task=RESTART, icon="mdi:restart", category="config", enabled=False
    )


def _sensor(key: str, kind: str) -> Entity[Snapshot]:
    name = in_words(key)
    if kind == "flag":
        return BinarySensor(key, name, read=_value(key), sure=False)
    # Of a text there are no statistics; of a number nobody knows the unit.
    state_class: Literal["measurement", ""] = "measurement" if kind == "number" else ""
    return Sensor(key, name, state_class=state_class, read=_value(key), sure=False)


def _controls(action: Action) -> Iterator[Entity[Snapshot]]:
    """A button where an action needs nothing, and a field where its one argument is known."""
    key = re.sub(r"[^a-z0-9]+", "_", action.method.lower()).strip("_")[:64]
    icon = action.icon or _ICONS.get(action.effect, "")
    needed = [one for one in action.parameters if one.required]
    if not needed:
        yield Button(key, action.name, task=action.task, icon=icon or "mdi:gesture-tap-button")
    if action.takes_text or len(action.parameters) != 1:
        return
    parameter = action.parameters[0]
    told = action.word.removeprefix("set_") if action.word.startswith("set_") else parameter.name
    more: dict[str, Any] = {
        "task": action.task,
        "parameter": parameter.name,
        "icon": icon,
        "read": _value(told),
        "sure": False,
    }
    name = action.name if needed else f"{action.name}: {parameter.name.replace('_', ' ')}"
    field = key if needed else f"{key}_{parameter.name}"[:64]
    texts = [choice for choice in parameter.choices if isinstance(choice, str)]
    if parameter.choices and len(texts) == len(parameter.choices):
        yield Select(field, name, **more)
    elif parameter.type == "boolean":
        yield Switch(field, name, **more)
    elif parameter.type in ("integer", "number") and None not in (parameter.minimum, parameter.maximum):
        step = 1 if parameter.type == "integer" else 0.1
        # What moves something is not to begin on the way of a slider.
        yield Number(field, name, step=step, mode="box" if action.effect == "move" else "auto", **more)
    elif parameter.type == "string" and not parameter.choices:
        yield TextInput(field, name, **more)
