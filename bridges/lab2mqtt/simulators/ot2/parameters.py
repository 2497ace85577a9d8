"""Run-time parameters: as a protocol defines them, and whether a value fits."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any, Final

_KINDS: Final = {"add_int": "int", "add_float": "float", "add_str": "str", "add_bool": "bool"}
_NUMBER: Final = (
    "display_name",
    "variable_name",
    "default",
    "minimum",
    "maximum",
    "choices",
    "description",
    "unit",
)
_ORDER: Final = {
    "int": _NUMBER,
    "float": _NUMBER,
    "str": ("display_name", "variable_name", "default", "choices", "description"),
    "bool": ("display_name", "variable_name", "default", "description"),
}
_NAMES: Final = {
    "display_name": "displayName",
    "variable_name": "variableName",
    "minimum": "min",
    "maximum": "max",
    "unit": "suffix",
}
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
}


class WrongValue(Exception):
    """A value that the protocol does not take."""


def defined(source: str) -> list[dict[str, Any]]:
    """Read the parameters of a protocol from its text, as the robot tells them.

    What is not written as constants cannot be read without running it, and is left out.
    """
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "add_parameters":
            return [found for node in ast.walk(statement) if (found := _definition(node))]
    return []


def _definition(node: ast.AST) -> dict[str, Any] | None:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _KINDS):
        return None
    kind = _KINDS[node.func.attr]
    try:
        given = dict(zip(_ORDER[kind], (ast.literal_eval(value) for value in node.args), strict=False))
        given |= {key.arg: ast.literal_eval(key.value) for key in node.keywords if key.arg}
    except ValueError:
        return None
    told = {_NAMES.get(name, name): value for name, value in given.items()}
    if "choices" in told:
        told["choices"] = [
            {"displayName": each["display_name"], "value": each["value"]} for each in told["choices"]
        ]
    return {**told, "type": kind, "value": told["default"]}


def filled(definitions: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The definitions with values.

    Raises:
        WrongValue: A name is unknown, or a value of another type or out of range.
    """
    names = [each["variableName"] for each in definitions]
    for name in values:
        if name not in names:
            raise WrongValue(f"Parameter {name} is not defined as a parameter for this protocol.")
    return [{**each, "value": _fitting(each, values)} for each in definitions]


def _fitting(definition: Mapping[str, Any], values: Mapping[str, Any]) -> object:
    name, kind = definition["variableName"], definition["type"]
    if name not in values:
        return definition["default"]
    value = values[name]
    whole = kind == "int" and isinstance(value, float) and value.is_integer()
    right = isinstance(value, _TYPES[kind]) and (kind == "bool") == isinstance(value, bool)
    if not (right or whole):
        raise WrongValue(
            f"Parameter value {value!r} has type {type(value).__name__!r}, but must be of type {kind!r}."
        )
    least, most = definition.get("min"), definition.get("max")
    if least is not None and most is not None and not least <= value <= most:
        raise WrongValue(f"Parameter must be between {least} and {most} inclusive.")
    choices = [each["value"] for each in definition.get("choices", ())]
    if choices and value not in choices:
        raise WrongValue(f"Parameter must be set to one of the allowed values of {sorted(choices)}.")
    return int(value) if whole else value
