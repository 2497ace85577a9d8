"""The actions of a worker: its ``do_`` methods, and how words become their arguments."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
import inspect
import json
import logging
import math
import shlex
from typing import Any, Literal, TypeVar, overload

from lab2mqtt import wire
from lab2mqtt.core.description import returns_of, summary_of
from lab2mqtt.core.errors import Refused
from lab2mqtt.core.house import HOUSE_TASKS
from lab2mqtt.core.parameters import Parameter, Schema, parameters_of
from lab2mqtt.core.seconds import check_timeout
from lab2mqtt.core.words import show

_LOGGER = logging.getLogger(__name__)

FRONT = "do_"
CATCH_ALL = "do_command"
_MARK = "__lab2mqtt_action__"
_TAKEN = {*HOUSE_TASKS, "restart_worker"} - {"pause", "resume"}  # which no prop has

_READ = {"ping", "status"}
_STOP = {"block", "disarm", "halt", "abort", "off", "emergency_stop", "fade_to_stop"}
_SET = {"unblock", "reset", "reset_emergency_stop", "mute", "connect"}
_BOOLEANS = dict.fromkeys(("on", "true", "yes", "1"), True) | dict.fromkeys(
    ("off", "false", "no", "0"), False
)

_F = TypeVar("_F", bound=Callable[..., object])
Effect = Literal["", "read", "set", "move", "stop"]


@dataclass(frozen=True)
class _Declared:
    name: str = ""
    effect: Effect = ""
    timeout: float = 300.0
    icon: str = ""
    entity: bool = True


@overload
def action(function: _F, /) -> _F: ...


@overload
def action(
    *, name: str = "", effect: Effect = "", timeout: float = 300.0, icon: str = "", entity: bool = True
) -> Callable[[_F], _F]: ...


def action(
    function: _F | None = None,
    /,
    *,
    name: str = "",
    effect: Effect = "",
    timeout: float = 300.0,
    icon: str = "",
    entity: bool = True,
) -> _F | Callable[[_F], _F]:
    """Say more of a ``do_`` method than its name and hints do.

    Args:
        function: The method, where the decorator stands without brackets.
        name: What people call the action; else made of its word.
        effect: ``stop`` runs at once and is never refused; ``read`` runs at once; ``set`` and ``move`` run
            one after the other, and ``move`` is refused while stopped. Empty: as ``effect_of`` the word.
        timeout: Seconds that it may take.
        icon: A Material Design icon.
        entity: Whether Home Assistant shows it.

    Raises:
        ValueError: There is no such effect, or no such time.
    """
    if effect not in ("", *wire.EFFECTS):
        raise ValueError(f"effect {effect!r} is not one of {', '.join(wire.EFFECTS)}")
    declared = _Declared(name, effect, check_timeout(timeout), icon, entity)

    def mark(marked: _F) -> _F:
        setattr(marked, _MARK, declared)
        return marked

    return mark(function) if function else mark


def effect_of(word: str) -> str:
    """What an action does that says nothing of it: ``read``, ``set``, ``move`` or ``stop``.

    What is not known moves: then it is refused while an emergency stop is engaged.
    """
    if word in _READ or word.startswith(("get_", "read_")):
        return "read"
    if word in _STOP or word.startswith(("stop", "pause")):
        return "stop"
    # To set off is to fire.
    if word in _SET or (word.startswith(("set_", "volume_")) and not word.startswith("set_off")):
        return "set"
    return "move"


def in_words(word: str) -> str:
    """An action as people read it: ``Set mode``."""
    words = " ".join(word.split("_")).strip()
    return words[:1].upper() + words[1:]


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something that a worker does when asked.

    Attributes:
        word: As on the ``cmd`` topic.
        task: As in commands with an id: the word, or ``do_`` and the word where every device has such a task.
        method: The worker's method.
        effect: ``read``, ``set``, ``move`` or ``stop``.
        timeout: Seconds that it may take.
        name: What people call it.
        icon: A Material Design icon.
        entity: Whether Home Assistant shows it.
        description: What it does.
        returns: What it gives.
        parameters: What it takes.
        takes_text: Whether the method is given the text behind the word, or None, as it stands.
        is_plain: Whether the method is no coroutine.
    """

    word: str
    task: str
    method: str
    effect: str
    timeout: float
    name: str
    icon: str
    entity: bool
    description: str
    returns: str
    parameters: tuple[Parameter, ...]
    takes_text: bool
    is_plain: bool

    def arguments_of(self, args: object) -> dict[str, object]:
        """Give what came with a command to the parameters, by name and converted to their types.

        Args:
            args: A JSON value. An object goes by name, a list and the words of a text by place.

        Raises:
            Refused: It does not fit. A stop is never refused for this, but done without.
        """
        if self.takes_text:
            return {} if args is None else {self.parameters[0].name: args}
        try:
            return self._checked({} if args is None else self._by_name(args))
        except Refused as refused:
            if self.effect != "stop":
                raise
            _LOGGER.warning("%s is done without its arguments: %s", self.word, refused)
            return {}

    def call_arguments(self, checked: Mapping[str, object]) -> tuple[tuple[object, ...], dict[str, object]]:
        """What the method is called with, by place and by name.

        Args:
            checked: The parameters, by name.
        """
        if not self.takes_text:
            return (), dict(checked)
        return (as_text(checked.get(self.parameters[0].name)),), {}

    def _checked(self, named: Mapping[str, object]) -> dict[str, object]:
        known = {one.name: one for one in self.parameters}
        found: dict[str, object] = {}
        for name, value in named.items():
            if one := known.get(name):
                if value is None and one.type != "any" and not one.nullable:
                    continue  # as if it were not there
                found[name] = _converted(one, value)
            else:
                found[name] = value  # which the schema refuses, in the words of all commands
        Schema(self.parameters, self.word).check(found)
        return found

    def _by_name(self, args: object) -> Mapping[str, object]:
        only = self.parameters[0] if len(self.parameters) == 1 else None
        if isinstance(args, str):
            args = self._of_text(args, only)
        if only and _is_whole(only, args):
            return {only.name: args}
        if isinstance(args, dict):
            return args
        values = args if isinstance(args, list) else [args]
        names = [one.name for one in self.parameters]
        if len(values) > len(names):
            takes = ", ".join(names) or "nothing"
            raise Refused(f"{self.word} takes {takes}: {show(values)} is more than that")
        return dict(zip(names, values, strict=False))

    def _of_text(self, text: str, only: Parameter | None) -> object:
        """What stands behind the word: JSON, one value, or several words."""
        if only and only.type == "string":
            return {only.name: text}
        if text.lstrip()[:1] in ("{", "[") and isinstance(told := _decoded(text), (dict, list)):
            return told
        if only and text:
            return {only.name: text}
        try:
            return shlex.split(text)
        except ValueError:
            raise Refused(f"{self.word}: a quotation mark is not closed in {show(text)}") from None


def actions_of(worker: type) -> dict[str, Action]:
    """The actions of a worker's class and its bases, by word."""
    found: dict[str, Action] = {}
    for each in reversed(inspect.getmro(worker)):
        for method in vars(each):
            if (
                method.startswith(FRONT)
                and method not in (FRONT, CATCH_ALL)
                and callable(getattr(worker, method))
            ):
                found[method.removeprefix(FRONT)] = _action_of(worker, method)
            elif hasattr(vars(each)[method], _MARK) and not method.startswith(FRONT):
                _LOGGER.warning("%s.%s is no action: call it %s%s", worker.__name__, method, FRONT, method)
    return found


def _action_of(worker: type, method: str) -> Action:
    word = method.removeprefix(FRONT)
    function = getattr(worker, method)
    # One that a subclass writes anew stays what it was declared to be.
    marks = (getattr(vars(each).get(method), _MARK, None) for each in inspect.getmro(worker))
    declared = next((mark for mark in marks if mark), _Declared())
    parameters, takes_text = _parameters(function)
    return Action(
        word=word,
        task=method if word in _TAKEN else word,
        method=method,
        effect=declared.effect or effect_of(word),
        timeout=declared.timeout,
        name=declared.name or in_words(word),
        icon=declared.icon,
        entity=declared.entity,
        description=summary_of(function),
        returns=returns_of(function),
        parameters=parameters,
        takes_text=takes_text,
        is_plain=not any(map(inspect.iscoroutinefunction, (function, inspect.unwrap(function)))),
    )


def _parameters(function: Callable[..., object]) -> tuple[tuple[Parameter, ...], bool]:
    """What a method takes, and whether that is the text alone."""
    arguments = [one for one in inspect.signature(function).parameters.values() if one.name != "self"]
    if not arguments:
        return (), False
    text = Parameter(name=arguments[0].name, type="any", required=False)
    if len(arguments) == 1 and arguments[0].annotation is inspect.Parameter.empty:
        return (text,), True
    try:
        parameters = parameters_of(function)
        if problem := _unusable(arguments, parameters):
            raise TypeError(problem)  # noqa: TRY301 - as one that parameters_of finds
    except Exception as error:  # noqa: BLE001 - a hint is a program of somebody else's
        _LOGGER.warning("%s is given the text of its command as it stands: %s", function.__qualname__, error)
        return (text,), True
    if len(parameters) == 1 and _is_text(parameters[0]):
        return (replace(text, description=parameters[0].description),), True
    return parameters, False


def _unusable(arguments: list[inspect.Parameter], parameters: tuple[Parameter, ...]) -> str:
    """Why what a method takes cannot be sent, or not be handed over by name."""
    for one in arguments:
        if one.kind is one.POSITIONAL_ONLY:
            return f"{one.name} cannot be given by name"
    for parameter in parameters:
        if parameter.is_path or (parameter.items and parameter.items.is_path):
            return f"{parameter.name} is a path; take a str"
        try:
            wire.encode(parameter.json_schema())
        except wire.WireError as error:
            return f"{parameter.name}: {error}"
    return ""


def _is_text(one: Parameter) -> bool:
    """Whether a parameter is any text or None."""
    limited = one.choices or one.pattern or one.shortest or one.longest is not None
    return (
        one.type == "string" and not limited and (one.nullable or (not one.required and one.default is None))
    )


def _is_whole(only: Parameter, args: object) -> bool:
    """Whether an object or a list is the one argument, rather than holds it by name or by place."""
    is_free_text = only.type == "string" and not only.choices  # then JSON is a text, too
    if isinstance(args, dict):
        if set(args) == {only.name} or not (only.type in ("object", "any") or is_free_text):
            return False
        return bool(args) or (only.required and not is_free_text)
    if isinstance(args, list):
        is_wrapped = (
            len(args) == 1 and isinstance(args[0], list) and only.items and only.items.type != "array"
        )
        return (
            only.type == "any"
            or (only.type == "array" and not is_wrapped)
            or (is_free_text and len(args) > 1)
        )
    return False


def _converted(one: Parameter, value: object) -> object:
    """A value as its parameter wants it; what cannot be converted stays, and the schema refuses it."""
    if isinstance(value, str):
        return _from_text(one, value)
    if one.type == "string" and value is not None and not (one.choices and isinstance(value, (dict, list))):
        return as_text(value)
    if one.type == "boolean" and isinstance(value, (int, float)) and value in (0, 1):
        return bool(value)
    if isinstance(value, list) and (items := one.items):
        return [_converted(items, item) for item in value]
    return value


def _from_text(one: Parameter, text: str) -> object:
    word = text.strip()
    found: object = next((choice for choice in one.choices if str(choice) == word), text)
    if found is not text or one.type in ("string", "any"):
        return found
    if one.nullable and word.lower() in ("", "none", "null"):
        return None
    if one.type == "boolean":
        return _BOOLEANS.get(word.lower(), text)
    if one.type in ("integer", "number"):
        return _number(text)
    told = _decoded(text)
    return _converted(one, told) if isinstance(told, (dict, list)) else text


def _number(text: str) -> object:
    if "_" in text:  # which Python allows
        return text
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _decoded(text: str) -> object:
    """What JSON says; None where it is none."""
    try:
        return wire.decode(text.encode())
    except wire.WireError:
        return None


def as_text(value: object) -> Any:  # noqa: ANN401
    """A value as the text that a handler of the original is given."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)
