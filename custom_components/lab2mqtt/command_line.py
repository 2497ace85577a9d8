"""A task in the words of the command line: ``ot2 mix_color R=100 Y=50 B=80 well=B2``."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
import json
import shlex
from typing import Any

import voluptuous as vol

from .device import Device
from .errors import InvalidCall
from .parameters import schema_of


def parse(devices: Iterable[Device], text: str) -> tuple[Device, str, dict[str, Any]]:
    """The device, the task and the parameters that a text means.

    The device is named by its id, or by its name, in quotes where that has blanks.

    Raises:
        InvalidCall: There is no such device or task, or it takes other parameters.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidCall("command_unreadable", text=text) from error
    if len(words) < 2:  # noqa: PLR2004 - device and task
        raise InvalidCall("command_too_short", text=text)
    device = _device([each for each in devices if each.description], words[0])
    task = device.own_tasks.get(words[1])
    if task is None:
        raise InvalidCall(
            "no_such_task", device=device.name, task=words[1], **_near(words[1], device.own_tasks)
        )
    parameters = dict(_parameter(word, task) for word in words[2:])
    return device, words[1], _checked(device, words[1], task, parameters)


def _device(devices: list[Device], word: str) -> Device:
    found = [each for each in devices if each.device_id == word]
    found = found or [each for each in devices if each.name.casefold() == word.casefold()]
    if len(found) != 1:
        names = sorted(each.device_id for each in devices)
        raise InvalidCall("unknown_device", device=word, **_near(word, names))
    return found[0]


def _parameter(word: str, task: Mapping[str, Any]) -> tuple[str, Any]:
    """Each value is read as the type that its parameter has."""
    name, equals, text = word.partition("=")
    if not equals or not name:
        raise InvalidCall("not_name_value", word=word)
    if (task.get("parameters") or {}).get(name, {}).get("type") == "string":
        return name, text
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


def _checked(
    device: Device, task_name: str, task: Mapping[str, Any], parameters: dict[str, Any]
) -> dict[str, Any]:
    known = task.get("parameters") or {}
    told = {"device": device.name, "task": task_name}
    for name in parameters:
        if name not in known and not task.get("open"):
            raise InvalidCall("unknown_parameter", **told, name=name, **_near(name, known))
    if missing := [name for name in task.get("required") or () if name not in parameters]:
        raise InvalidCall("missing_parameter", **told, names=", ".join(missing))
    try:
        checked: dict[str, Any] = schema_of(task)(parameters)
    except vol.Invalid as error:
        name = str(error.path[0]) if error.path else "-"
        raise InvalidCall("wrong_parameter", **told, name=name, error=_first(error)) from error
    return checked


def _first(error: vol.Invalid) -> str:
    errors = getattr(error, "errors", None)
    return str((errors[0] if errors else error).error_message)


def _near(word: str, known: Iterable[str]) -> dict[str, str]:
    names = sorted(known)
    near = get_close_matches(word, names, 1)
    return {"near": near[0] if near else "-", "known": ", ".join(names) or "-"}
