"""One entity of a description that somebody else said: what of it may be announced."""

from collections.abc import Callable, Mapping
import json
import re
import sys
from typing import Any, NamedTuple

from lab2mqtt.core import hub_classes
from lab2mqtt.core.members import Members, Misfit

KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")
KEY_WORDS = "snake case of at most 64 characters"
_LONGEST_NAME = 128
_LONGEST_STATE = 255  # characters; the hub holds no more
_LONGEST_FIXED = 2000  # characters of JSON
_SMALLEST_STEP = 0.001  # the hub takes no smaller one
_MOST_OPTIONS = 100
_MOST_ATTRIBUTES = 50
_LARGEST = sys.float_info.max
_ICON = re.compile(r"mdi:[a-z0-9-]{1,64}")
# What starts an expression, a statement or a comment in the hub's templates. A description is no program.
_TEMPLATE = ("{{", "{%", "{#")


class Task(NamedTuple):
    """A task, as far as a control has to fit it.

    Attributes:
        parameters: Their schemas, by name.
        required: Those without which it is refused.
        is_open: Whether it takes parameters that nobody has told of.
    """

    parameters: Mapping[str, Members]
    required: frozenset[str]
    is_open: bool


def entity_of(told: Members, tasks: Mapping[str, Task]) -> dict[str, Any]:
    """Read one entity.

    Args:
        told: As it was said.
        tasks: Those of the device.

    Raises:
        Misfit: It would break the hub's announcement, or could never work.
    """
    platform = told.told.get("platform")
    if not isinstance(platform, str) or platform not in _OF_PLATFORM:
        told.wrong("platform", f"one of {', '.join(_OF_PLATFORM)}")
    kept = {"platform": platform, **_shown(told, platform)}
    if platform in _CONTROLS:
        kept |= _command(told, platform, tasks)
    kept |= _OF_PLATFORM[platform](told, _parameter(kept, tasks))
    device_class = told.text("device_class", _LONGEST_NAME)
    if hub_classes.fits(platform, device_class, kept.get("unit")):
        kept["device_class"] = device_class
        statistics = kept.get("state_class")
        if statistics and statistics not in hub_classes.STATISTICS.get(device_class, (statistics,)):
            del kept["state_class"]
    return kept


def _shown(told: Members, platform: str) -> dict[str, Any]:
    """What every entity can tell."""
    kept: dict[str, Any] = {"name": told.text("name", _LONGEST_NAME, needed=True)}
    if _ICON.fullmatch(icon := told.text("icon", _LONGEST_NAME)):
        kept["icon"] = icon
    category = told.text("category", _LONGEST_NAME)
    if category == "diagnostic" or (category == "config" and platform in _CONTROLS):
        kept["category"] = category  # the hub takes no settings that nobody can set
    if told.has("enabled") and not told.flag("enabled"):
        kept["enabled"] = False
    if part := told.text("part", _LONGEST_NAME):
        kept["part"] = part
    if attributes := told.texts("attributes", _MOST_ATTRIBUTES, _LONGEST_NAME):
        if not all(KEY.fullmatch(one) for one in attributes):
            told.wrong("attributes", "a list of keys of the state")
        kept["attributes"] = attributes
    if told.flag("stateless"):
        kept["stateless"] = True
    return kept


def _command(told: Members, platform: str, tasks: Mapping[str, Task]) -> dict[str, Any]:
    """What a control calls: a task that takes what it sends."""
    name = told.told.get("task")
    if not isinstance(name, str) or name not in tasks:
        told.wrong("task", "one of the device's tasks")
    task = tasks[name]
    kept: dict[str, Any] = {"task": _plain(told, "task", name)}
    fixed = told.told.get("parameters")
    if fixed is not None:
        if not isinstance(fixed, dict) or len(json.dumps(fixed)) > _LONGEST_FIXED:
            told.wrong("parameters", f"an object of at most {_LONGEST_FIXED} characters of JSON")
        kept["parameters"] = _plain(told, "parameters", fixed)
    sent = set(fixed or ())
    if platform != "button":  # which has nothing to choose
        parameter = told.text("parameter", _LONGEST_NAME, needed=True)
        kept["parameter"] = _plain(told, "parameter", parameter)
        sent.add(parameter)
    if (unknown := sorted(sent - task.parameters.keys())) and not task.is_open:
        raise Misfit(f"{told.where} sends {unknown[0]!r}, which {name} does not take")
    if lacking := sorted(task.required - sent):
        raise Misfit(f"{told.where} does not send {lacking[0]!r}, which {name} needs")
    return kept


def _plain(told: Members, key: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    """What stands in a template of the hub must not be one."""
    if any(mark in json.dumps(value, ensure_ascii=False) for mark in _TEMPLATE):
        told.wrong(key, f"free of {', '.join(_TEMPLATE)}, which the hub would run")
    return value


def _parameter(kept: Mapping[str, Any], tasks: Mapping[str, Task]) -> Members:
    """The schema of the parameter that a control sets: it holds the limits that the entity does not tell."""
    parameters = tasks[kept["task"]].parameters if "parameter" in kept else {}
    return parameters.get(kept.get("parameter", ""), Members({}))


def _sensor(told: Members, _: Members) -> dict[str, Any]:
    if options := told.texts("options", _MOST_OPTIONS, _LONGEST_STATE):
        for key in ("unit", "state_class"):
            if told.text(key, _LONGEST_NAME):
                told.wrong(key, "possible beside options, which are words")
        return {"options": options}
    kept: dict[str, Any] = {}
    if unit := _unit(told):
        kept["unit"] = unit
    statistics = told.text("state_class", _LONGEST_NAME)
    if statistics in ("measurement", "total", "total_increasing"):
        kept["state_class"] = statistics
    precision = told.number("precision", 0, 10, whole=True)
    if precision is not None:
        kept["precision"] = precision
    if none := told.text("none", _LONGEST_STATE):
        kept["none"] = _plain(told, "none", none)
    return kept


def _unit(told: Members) -> str:
    # Of the two letters for "micro" each release of the hub takes this one.
    return told.text("unit", 32).strip().replace("\N{GREEK SMALL LETTER MU}", "\N{MICRO SIGN}")


def _event(told: Members, _: Members) -> dict[str, Any]:
    types = told.texts("event_types", _MOST_OPTIONS, _LONGEST_NAME)
    if not types or not all(KEY.fullmatch(one) for one in types):
        told.wrong("event_types", f"a list of words, each {KEY_WORDS}")
    return {"event_types": types}


def _number(told: Members, parameter: Members) -> dict[str, Any]:
    limits = {}
    for key in ("minimum", "maximum"):
        source = told if told.has(key) else parameter
        found = source.number(key, -_LARGEST, _LARGEST)
        if found is None:
            told.wrong(key, "a limit, here or at the parameter,")
        limits[key] = found
    if limits["minimum"] >= limits["maximum"]:
        raise Misfit(
            f"{told.where} goes from {limits['minimum']:g} to {limits['maximum']:g}, which is no range"
        )
    step = told.number("step", _SMALLEST_STEP, _LARGEST)
    mode = told.text("mode", _LONGEST_NAME)
    kept: dict[str, Any] = {**limits, "step": 1 if step is None else step}
    kept |= {"mode": mode} if mode in ("auto", "box", "slider") else {}
    unit = _unit(told if told.has("unit") else parameter)
    return kept | ({"unit": unit} if unit else {})


def _select(told: Members, parameter: Members) -> dict[str, Any]:
    source, key = (told, "options") if told.has("options") else (parameter, "enum")
    options = source.texts(key, _MOST_OPTIONS, _LONGEST_STATE)
    if not options:
        told.wrong("options", "a list of texts, here or as the parameter's enum,")
    return {"options": options}


def _switch(told: Members, parameter: Members) -> dict[str, Any]:
    if parameter.told.get("type", "boolean") != "boolean":
        told.wrong("parameter", "one that is true or false")
    return {}


def _text(told: Members, parameter: Members) -> dict[str, Any]:
    longest = told.number("maximum", 1, _LARGEST, whole=True)
    if longest is None:
        longest = parameter.number("maxLength", 1, _LARGEST, whole=True)
    kept: dict[str, Any] = {} if longest is None else {"maximum": min(longest, _LONGEST_STATE)}
    source = told if told.has("pattern") else parameter
    if pattern := source.text("pattern", _LONGEST_STATE):
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError):
            source.wrong("pattern", "a regular expression")
        kept["pattern"] = pattern
    return kept


def _nothing(_: Members, __: Members) -> dict[str, Any]:
    return {}


_OF_PLATFORM: dict[str, Callable[[Members, Members], dict[str, Any]]] = {
    "binary_sensor": _nothing,
    "button": _nothing,
    "event": _event,
    "image": _nothing,
    "light": _switch,
    "number": _number,
    "select": _select,
    "sensor": _sensor,
    "switch": _switch,
    "text": _text,
    "update": _nothing,
}
_CONTROLS = ("button", "light", "number", "select", "switch", "text")
