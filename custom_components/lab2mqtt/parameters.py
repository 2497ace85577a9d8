"""A task's parameters, as the fields of an action: what Home Assistant checks, and what it shows."""

from collections.abc import Mapping
from typing import Any

from homeassistant.helpers import config_validation as cv
import voluptuous as vol

CONF_TASK_TIMEOUT = "task_timeout"
CONF_RESERVATION = "reservation"
_MOST_OPTIONS = 100  # choices that fit a list; more are written
_SLIDER_STEPS = 200  # more are a box


def schema_of(task: Mapping[str, Any]) -> vol.Schema:
    """What an action for this task takes. The device has the last word on each value."""
    fields: dict[vol.Marker, Any] = {}
    required = task.get("required") or ()
    for name, parameter in _parameters(task).items():
        marker = vol.Required if name in required else vol.Optional
        fields[marker(name)] = _validator(parameter)
    fields[vol.Optional(CONF_TASK_TIMEOUT)] = vol.All(vol.Coerce(float), vol.Range(min=0, min_included=False))
    fields[vol.Optional(CONF_RESERVATION)] = cv.string
    return vol.Schema(fields, extra=vol.ALLOW_EXTRA if task.get("open") else vol.PREVENT_EXTRA)


def fields_of(task: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields of an action for this task, as Home Assistant shows them."""
    required = task.get("required") or ()
    fields: dict[str, dict[str, Any]] = {}
    for name, parameter in _parameters(task).items():
        field: dict[str, Any] = {
            "name": parameter.get("title") or _words(name),
            "required": name in required,
            "selector": selector_of(parameter),
        }
        if text := parameter.get("description"):
            field["description"] = text
        if parameter.get("default") is not None:
            field["default"] = parameter["default"]
        fields[name] = field
    return fields


def selector_of(parameter: Mapping[str, Any]) -> dict[str, Any]:
    """What a person fills a parameter in with: a selector of Home Assistant."""
    choices, kind = _choices(parameter), _kind(parameter)
    if 0 < len(choices) <= _MOST_OPTIONS:
        options = [{"value": str(each), "label": str(each)} for each in choices]
        return {"select": {"options": options, "mode": "dropdown"}}
    if kind == "boolean":
        return {"boolean": {}}
    if kind in ("integer", "number"):
        return {"number": _number(parameter, whole=kind == "integer")}
    if kind in ("object", "array") or kind is None:
        return {"object": {}}
    return {"text": {}}


def _number(parameter: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
    lowest, highest = parameter.get("minimum"), parameter.get("maximum")
    step: float | str = 1 if whole else "any"
    shown: dict[str, Any] = {"mode": "box", "step": step}
    if lowest is not None:
        shown["min"] = lowest
    if highest is not None:
        shown["max"] = highest
    if whole and lowest is not None and highest is not None and highest - lowest <= _SLIDER_STEPS:
        shown["mode"] = "slider"
    if unit := parameter.get("unit"):
        shown["unit_of_measurement"] = unit
    return shown


def _validator(parameter: Mapping[str, Any]) -> Any:  # noqa: ANN401 - voluptuous takes anything
    validator = _validator_of_value(parameter)
    return vol.Any(None, validator) if _is_nullable(parameter) else validator


def _validator_of_value(parameter: Mapping[str, Any]) -> Any:  # noqa: ANN401 - voluptuous takes anything
    choices, kind = _choices(parameter), _kind(parameter)
    if choices:
        # The list gives texts; the device may mean numbers.
        return _one_of({str(each): each for each in choices})
    limits = vol.Range(min=parameter.get("minimum"), max=parameter.get("maximum"))
    if kind == "boolean":
        return cv.boolean
    if kind == "integer":
        return vol.All(_whole, limits)
    if kind == "number":
        return vol.All(vol.Coerce(float), limits)
    if kind == "string":
        return cv.string
    return object


def _one_of(choices: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a validator
    def check(value: object) -> Any:  # noqa: ANN401 - whatever the device means
        if str(value) not in choices:
            raise vol.Invalid(f"{value!r} is not one of {', '.join(choices)}")
        return choices[str(value)]

    return check


def _whole(value: object) -> int:
    """A whole number; 2.5 is none, 2.0 is, as of a slider."""
    number = vol.Coerce(float)(value)
    if number != int(number):
        raise vol.Invalid(f"{value!r} is not a whole number")
    return int(number)


def _choices(parameter: Mapping[str, Any]) -> list[Any]:
    """What there is to choose from; nothing is chosen by leaving the field empty."""
    choices = parameter.get("enum")
    return [each for each in choices if each is not None] if isinstance(choices, list) else []


def _types(parameter: Mapping[str, Any]) -> list[str]:
    kinds = parameter.get("type")
    return kinds if isinstance(kinds, list) else [kinds] if isinstance(kinds, str) else []


def _kind(parameter: Mapping[str, Any]) -> str | None:
    """The one type of the value; None where it may have several, or any."""
    kinds = [kind for kind in _types(parameter) if kind != "null"]
    return kinds[0] if len(kinds) == 1 else None


def _is_nullable(parameter: Mapping[str, Any]) -> bool:
    return "null" in _types(parameter) or None in (parameter.get("enum") or ())


def _parameters(task: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    parameters = task.get("parameters")
    return parameters if isinstance(parameters, dict) else {}


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()
