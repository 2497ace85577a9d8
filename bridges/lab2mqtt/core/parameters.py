"""What a task or a setting takes: read once from type hints, checked, and published as JSON Schema.

A parameter is an ordinary argument with an ordinary hint. Limits, choices and units are told in
``Annotated``; the words come from the docstring's ``Args:`` section:

    def move_to_angle(self, angle: Annotated[float, Range(0, 360), Unit("°")]) -> Arrival:

A limit that only the configuration knows is named by its setting: ``Choices(Setting("hotels"))``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
import inspect
import re
import sys
import types
import typing
from typing import Any, Literal

import voluptuous as vol

from lab2mqtt.core.errors import Refused
from lab2mqtt.core.run import Run
from lab2mqtt.core.words import listed, near, show

_LARGEST = sys.float_info.max


@dataclass(frozen=True)
class Setting:
    """Stands for a value that the device's settings hold."""

    name: str


@dataclass(frozen=True)
class Range:
    """Smallest and largest number allowed, both included; None leaves that side open."""

    minimum: float | Setting | None = None
    maximum: float | Setting | None = None


@dataclass(frozen=True)
class Choices:
    """The only values allowed."""

    of: Sequence[object] | Setting


@dataclass(frozen=True)
class Unit:
    """The unit of a number, as Home Assistant spells it."""

    name: str


@dataclass(frozen=True)
class Text:
    """How long a text may be, and which pattern (a whole match) it must have."""

    maximum: int = 255
    minimum: int = 0
    pattern: str = ""


_TYPES: dict[object, str] = {
    int: "integer",
    float: "number",
    str: "string",
    bool: "boolean",
    list: "array",
    dict: "object",
    Any: "any",
    object: "any",
}
_CLASSES: dict[str, type | tuple[type, ...]] = {
    "any": object,
    "boolean": bool,
    "string": str,
    "array": (list, tuple),
    "object": dict,
}
_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter, as data. ``type`` is a JSON Schema type, or ``any``.

    A path is a string, which the configuration makes a path: it knows from where it is seen.
    """

    name: str
    type: str
    is_path: bool = False
    required: bool = True
    default: object = None
    description: str = ""
    unit: str = ""
    choices: tuple[object, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    shortest: int = 0
    longest: int | None = None
    pattern: str = ""
    nullable: bool = False
    items: "Parameter | None" = None

    @property
    def allowed(self) -> str:
        """What is allowed, in words: ``one of A, B, C, D``, ``a number, 0 to 360 °``."""
        if self.choices:
            return f"one of {listed(self.choices)}"
        words = "a path" if self.is_path else _WORDS.get(self.type, "any value")
        if self.items:
            words += f" (each {self.items.allowed})"
        unit = f" {self.unit}" if self.unit else ""
        match self.minimum, self.maximum:
            case None, None:
                words += unit and f" in{unit}"
            case low, None:
                words += f", {_plain(low)}{unit} or more"
            case None, high:
                words += f", {_plain(high)}{unit} or less"
            case low, high:
                words += f", {_plain(low)} to {_plain(high)}{unit}"
        if self.type == "string" and self.longest is not None:
            words += f" of {self.shortest} to {self.longest} characters"
        if self.pattern:
            words += f" that matches {self.pattern}"
        return words

    @property
    def published_pattern(self) -> str:
        """The pattern as JSON Schema and Home Assistant need it, who search where we match the whole."""
        return f"^(?:{self.pattern})$" if self.pattern else ""

    def check(self, value: object) -> object:
        """Return the value as the driver gets it.

        Only what JSON Schema itself calls the same is converted: 3.0 is the integer 3, 3 is the number 3.0.

        Raises:
            vol.Invalid: The text says what was wrong and what is allowed, without the name.
        """
        if value is None and self.nullable:
            return None
        known = not self.choices or any(_same(value, choice) for choice in self.choices)
        if not _is_type(value, self.type) or not known:
            text = str(value)
            hint = f'; it is a text, "{text}"' if self.type == "string" and text in self.choices else ""
            raise vol.Invalid(f"{show(value)} is not {self.allowed}{hint}")
        if isinstance(value, (list, tuple)) and self.items:
            return [self.items.check(item) for item in value]
        if isinstance(value, str):
            return self._check_text(value)
        if self.type in ("integer", "number"):
            return self._check_number(typing.cast("float", value))
        return value

    def _check_text(self, value: str) -> str:
        too_long = self.longest is not None and len(value) > self.longest
        if too_long or len(value) < self.shortest:
            raise vol.Invalid(f"{show(value)} has {len(value)} characters: {self.allowed}")
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise vol.Invalid(f"{show(value)} is not {self.allowed}")
        return value

    def _check_number(self, value: float) -> float:
        low, high = self.minimum, self.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            raise vol.Invalid(f"{show(value)} is out of range: {self.allowed}")
        return int(value) if self.type == "integer" else float(value)

    def json_schema(self) -> dict[str, object]:
        """The parameter as JSON Schema, plus ``unit``."""
        schema: dict[str, object] = {}
        if self.type != "any":
            schema["type"] = [self.type, "null"] if self.nullable else self.type
        known: dict[str, object] = {
            "description": self.description,
            "unit": self.unit,
            # In JSON Schema a type of null does not add null to an enum.
            "enum": [*self.choices, None] if self.choices and self.nullable else list(self.choices),
            "pattern": self.published_pattern,
            "minLength": self.shortest,
            "items": self.items.json_schema() if self.items else None,
        }
        schema |= {key: value for key, value in known.items() if value}
        limits = {"minimum": self.minimum, "maximum": self.maximum, "maxLength": self.longest}
        schema |= {key: value for key, value in limits.items() if value is not None}
        if not self.required and self.default is not None:
            default = self.default
            schema["default"] = list(default) if isinstance(default, tuple) else default
        return schema


def parameters_of(function: Callable[..., object], settings: object = None) -> tuple[Parameter, ...]:
    """Read the parameters of a driver method, a plain function, or a settings dataclass.

    Args:
        function: Its hints, defaults and docstring are the schema. ``self`` and a ``Run`` are left out.
        settings: Resolves every ``Setting`` by attribute.

    Raises:
        TypeError: A parameter has no hint, or one that no JSON value fits.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    if is_dataclass(function):
        signature = inspect.signature(typing.cast("Callable[..., object]", function))
        described: dict[str, str] = {}
        for each in reversed(inspect.getmro(typing.cast("type", function))):
            described |= _descriptions(each.__doc__, "Attributes")
    else:
        signature = inspect.signature(function)
        described = _descriptions(function.__doc__, "Args")
    found = []
    for name, argument in signature.parameters.items():
        hint = hints.get(name)
        if name == "self" or hint is Run:
            continue
        where = f"{getattr(function, '__qualname__', function)}({name})"
        if hint is None:
            raise TypeError(f"{where} has no type hint")
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            raise TypeError(f"{where}: *args and **kwargs have no schema")
        required = argument.default is argument.empty
        default = None if required else _default(argument.default, function, name)
        found.append(
            _parameter(
                hint, settings, where, name=name, required=required, default=default,
                description=described.get(name, ""),
            )
        )  # fmt: skip
    return tuple(found)


def _default(default: object, owner: object, name: str) -> object:
    """A dataclass hides the default of a field with a factory behind a marker."""
    if not is_dataclass(owner):
        return default
    field = next(field for field in fields(owner) if field.name == name)
    return field.default_factory() if callable(field.default_factory) else default


def _parameter(hint: object, settings: object, where: str, **known: Any) -> Parameter:  # noqa: ANN401
    """One hint, with whatever ``Annotated`` says about it."""
    bare, notes, nullable = _unwrap(hint, where)
    origin = typing.get_origin(bare)
    if origin is Literal:
        known["choices"] = typing.get_args(bare)
        bare = type(known["choices"][0])
    elif origin in (list, tuple, Sequence):
        known["items"] = _parameter(typing.get_args(bare)[0], settings, where, name=known["name"])
        bare = list
    elif origin is dict:
        bare = dict
    elif hasattr(bare, "__fspath__"):
        bare = str
        known |= {"is_path": True, "shortest": 1}
    kind = _TYPES.get(bare)
    if kind is None:
        raise TypeError(f"{where}: {bare} has no JSON type")
    for note in notes:
        known |= _noted(note, settings, where)
    return Parameter(type=kind, nullable=nullable, **known)


def _unwrap(hint: object, where: str) -> tuple[object, tuple[object, ...], bool]:
    """A hint without ``Annotated`` and ``| None``: the type, what was noted, whether null is allowed."""
    notes: tuple[object, ...] = ()
    nullable = False
    while True:
        origin = typing.get_origin(hint)
        if origin is typing.Annotated:
            hint, *more = typing.get_args(hint)
            notes += tuple(more)
        elif origin in (typing.Union, types.UnionType):
            alternatives = [one for one in typing.get_args(hint) if one is not type(None)]
            if len(alternatives) != 1:
                raise TypeError(f"{where}: {hint} is more than one type")
            hint, nullable = alternatives[0], True
        else:
            return hint, notes, nullable


def _noted(note: object, settings: object, where: str) -> dict[str, Any]:
    """What one note says, as fields of a parameter."""
    match note:
        case Range(minimum, maximum):
            return {"minimum": _resolve(minimum, settings), "maximum": _resolve(maximum, settings)}
        case Choices(of):
            return {"choices": tuple(_resolve(of, settings) or ())}
        case Unit(name):
            return {"unit": name}
        case Text(longest, shortest, pattern):
            return {"longest": longest, "shortest": shortest, "pattern": pattern}
    raise TypeError(f"{where}: {note!r} says nothing that a schema knows")


def _resolve(limit: Any, settings: object) -> Any:  # noqa: ANN401 - a limit of any kind
    if not isinstance(limit, Setting):
        return limit
    return None if settings is None else getattr(settings, limit.name)


def _descriptions(docstring: str | None, section: str) -> dict[str, str]:
    """The words of a Google docstring's section, by name."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    if f"{section}:" not in lines:
        return {}
    found: dict[str, str] = {}
    name = ""
    for line in lines[lines.index(f"{section}:") + 1 :]:
        if line.strip() and not line.startswith(" "):
            break
        if entry := re.match(r" {4}(\w+)(?: \(.*?\))?: *(.*)", line):
            name = entry[1]
            found[name] = entry[2]
        elif name and line.strip():
            found[name] += " " + line.strip()
    return found


class Schema:
    """The parameters of one task or the keys of one mapping, checked together."""

    def __init__(self, parameters: Iterable[Parameter], owner: str, *, is_open: bool = False) -> None:
        """Prepare the check.

        Args:
            parameters: What may be given.
            owner: What takes them, for the texts: ``activate_hotel``.
            is_open: Whether more may be given, of which nothing is known.
        """
        self.parameters = {parameter.name: parameter for parameter in parameters}
        self._owner = owner
        self._schema = vol.Schema(
            {
                (vol.Required if parameter.required else vol.Optional)(name): parameter.check
                for name, parameter in self.parameters.items()
            },
            extra=vol.ALLOW_EXTRA if is_open else vol.PREVENT_EXTRA,
        )

    def problems(self, values: Mapping[str, object]) -> tuple[dict[str, object], dict[str, str]]:
        """The checked values, and what is wrong by name; a wrong or missing one has no value."""
        try:
            return self._schema(dict(values)), {}
        except vol.MultipleInvalid as invalid:
            wrong = {str(error.path[0]): self._text(error) for error in invalid.errors}
            order = [*self.parameters, *wrong]  # voluptuous has none
            return {}, dict(sorted(wrong.items(), key=lambda item: order.index(item[0])))

    def check(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return the values as the driver gets them; what was not given is left to its own default.

        Raises:
            Refused: Everything that is wrong, in one text, each with the name, the value and what is allowed.
        """
        checked, wrong = self.problems(values)
        if wrong:
            raise Refused("; ".join(wrong.values()))
        return checked

    def _text(self, error: vol.Invalid) -> str:
        name = str(error.path[0])
        if isinstance(error, vol.RequiredFieldInvalid):
            return f"{name} is missing: {self.parameters[name].allowed}"
        if name not in self.parameters:
            takes = ", ".join(self.parameters) or "nothing"
            return f"{self._owner} has no {name!r}{near(name, self.parameters)}: it takes {takes}"
        return f"{name} {error.msg}"


def _is_type(value: object, kind: str) -> bool:
    """JSON's types: true is no number, 3.0 is an integer, what is not finite is nothing."""
    if kind in ("integer", "number"):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        if not -_LARGEST <= value <= _LARGEST:  # nor is an integer that no float holds
            return False
        return kind == "number" or float(value).is_integer()
    return isinstance(value, _CLASSES[kind])


def _same(value: object, choice: object) -> bool:
    """Equal, and not because Python says that True == 1."""
    return value == choice and isinstance(value, bool) == isinstance(choice, bool)


def _plain(number: float | None) -> str:
    """A limit as a person writes it: 360, not 360.0."""
    return f"{number:g}" if isinstance(number, float) else str(number)
