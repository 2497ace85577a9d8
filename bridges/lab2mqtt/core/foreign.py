"""A description that somebody else said: what of it may be announced, or why nothing of it may.

What is not needed for that, and what is not understood, is left out. Refused is what would break the hub's
announcement, what would run in the hub as a template, and a control that could never work.
"""

from collections.abc import Mapping
import math
import re
from typing import Any

from lab2mqtt import wire
from lab2mqtt.core.foreign_entity import KEY, KEY_WORDS, Task, entity_of
from lab2mqtt.core.members import Members, Misfit

LONGEST = 262_144  # bytes; the description of a device with 200 entities has a quarter of it
MOST_ENTITIES = 200
MOST_TASKS = 200
MOST_PARTS = 20
_LONGEST_NAME = 128
_LONGEST_WORDS = 255
_ABOUT = ("manufacturer", "model", "serial", "sw_version", "hw_version")
_TASK = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,64}")


def understand(payload: bytes, device_id: str) -> dict[str, Any] | None:
    """Read a description of a device with a link of its own.

    Args:
        payload: As it was said.
        device_id: The device's id, as its topic tells it.

    Returns:
        What ``announce`` takes, without the tasks, and the ``node`` of a board; None where a bridge speaks
        for the device, or somebody announces it.

    Raises:
        Misfit: It is not to be announced; the text says why.
    """
    try:
        read = wire.decode(payload, LONGEST)
    except wire.WireError as error:
        raise Misfit(error.message) from error
    if not isinstance(read, dict):
        raise Misfit("a description is a JSON object")
    told = Members(read)
    if told.has("bridge") or told.has("announced_by"):
        return None
    if told.told.get("protocol") != wire.PROTOCOL:
        told.wrong("protocol", f"{wire.PROTOCOL}, the version that is spoken here")
    if told.told.get("device_id") != device_id:
        told.wrong("device_id", f"{device_id!r}, as the topic says")
    kept: dict[str, Any] = {"device_id": device_id, "bridge": None, **_about(told)}
    kept["name"] = told.text("name", _LONGEST_NAME, needed=True)
    if area := told.text("area", _LONGEST_NAME):
        kept["area"] = area
    if node := told.text("node", _LONGEST_NAME):
        kept["node"] = node
    if told.flag("simulated"):
        kept["simulated"] = True
    parts = told.objects("parts", MOST_PARTS)
    if told.has("parts"):
        kept["parts"] = {_key(part, "parts"): _part(about) for part, about in parts.items()}
    tasks = {name: _task(name, one) for name, one in told.objects("tasks", MOST_TASKS).items()}
    kept["entities"] = _entities(told.objects("entities", MOST_ENTITIES, needed=True), tasks, parts)
    return kept


def _about(told: Members) -> dict[str, str]:
    return {key: words for key in _ABOUT if (words := told.text(key, _LONGEST_WORDS))}


def _part(told: Members) -> dict[str, str]:
    name = told.text("name", _LONGEST_NAME)
    return _about(told) | ({"name": name} if name else {})


def _key(key: str, where: str) -> str:
    if not KEY.fullmatch(key):
        raise Misfit(f"{where}: {key!r} is not {KEY_WORDS}")
    return key


def _task(name: str, told: Members) -> Task:
    """What of a task its controls have to fit."""
    if not _TASK.fullmatch(name):
        raise Misfit(f"tasks: {name[:80]!r} is not a name of at most 64 printable characters")
    if told.has("effect") and told.told["effect"] not in wire.EFFECTS:
        told.wrong("effect", f"one of {', '.join(wire.EFFECTS)}")
    told.number("timeout", 0, math.inf)
    parameters = told.objects("parameters", MOST_TASKS)
    required = told.texts("required", MOST_TASKS, _LONGEST_NAME)
    for one in required:
        if one not in parameters:
            told.wrong("required", f"a list of its parameters: {one!r} is none")
    return Task(parameters, frozenset(required), is_open=told.flag("open"))


def _entities(
    told: Mapping[str, Members], tasks: Mapping[str, Task], parts: Mapping[str, Members]
) -> dict[str, dict[str, Any]]:
    kept = {_key(key, "entities"): entity_of(entity, tasks) for key, entity in told.items()}
    triggers = {f"on_{one}" for entity in kept.values() for one in entity.get("event_types", ())}
    for key, entity in kept.items():
        if entity.get("part", "") not in ("", *parts):
            told[key].wrong("part", "one of its parts")
        if key in triggers:
            raise Misfit(f"entities: {key!r} is the name of the trigger of an event type")
    return kept
