"""A record of commands in one JSON file, which somebody else can read without us; see docs/history.md."""

from collections.abc import Mapping, Sequence
import json
from pathlib import Path
import time
from typing import Any

from lab2mqtt import __version__
from lab2mqtt.cli.moment import told
from lab2mqtt.core.errors import Misconfigured

FORMAT = "lab2mqtt-record"
VERSION = 1

_ABOUT = (
    "What laboratory devices were told to do and what became of it, as the lab2mqtt bridge that drives them "
    "has recorded it. 'commands' are in the order in which they were received. Each moment stands twice: as "
    "ISO 8601 with its zone, and as 'epoch', in seconds since 1970-01-01 UTC. 'changed' is what the device "
    "measured before and after a command. 'interrupted' means that the bridge ended meanwhile: what was done "
    "is not known. What is not known is left out."
)
# What a device is, out of its description.
_IDENTITY = (
    "name",
    "kind",
    "manufacturer",
    "model",
    "serial",
    "hw_version",
    "sw_version",
    "area",
    "bridge",
    "simulated",
)
_TIMES = ("sent_at", "received_at", "started_at", "ended_at")


def run_record(
    commands: Sequence[dict[str, Any]],
    events: Sequence[dict[str, Any]],
    descriptions: Mapping[str, Mapping[str, Any]],
    *,
    asked: Mapping[str, Any],
    missing: Mapping[str, str],
    who: str,
) -> dict[str, Any]:
    """Make the record.

    Args:
        commands: Oldest first, as ``get_history`` gives them.
        events: The same of events.
        descriptions: What devices say of themselves, by id.
        asked: What was asked for, and of whom.
        missing: Devices that could not be asked, and why.
        who: Who exports it.
    """
    ids = sorted({row["device"] for row in commands} | descriptions.keys())
    return {
        "format": FORMAT,
        "version": VERSION,
        "about": _ABOUT,
        "exported": {**_moment(time.time()), "by": who, "with": f"lab2mqtt {__version__}"},
        "asked": {
            key: _moment(value) if key in ("since", "until") else value
            for key, value in asked.items()
            if value is not None
        },
        "not_asked": dict(missing),
        "devices": {name: _device(name, commands, descriptions.get(name, {})) for name in ids},
        "commands": [_command(row, descriptions.get(row["device"], {})) for row in commands],
        "events": [_event(event) for event in events],
    }


def _device(name: str, commands: Sequence[dict[str, Any]], description: Mapping[str, Any]) -> dict[str, Any]:
    """What a device is, and what the tasks do that were called."""
    called = sorted({row["task"] for row in commands if row["device"] == name})
    known = description.get("tasks", {})
    identity = {key: description[key] for key in _IDENTITY if key in description}
    tasks = {task: known[task] for task in called if task in known}
    return identity | ({"tasks": tasks} if tasks else {})


def _command(row: Mapping[str, Any], description: Mapping[str, Any]) -> dict[str, Any]:
    """One command, its moments readable, its values with names and units."""
    entities = description.get("entities", {})
    found: dict[str, Any] = {}
    for key, value in row.items():
        if key in _TIMES:
            found[key] = _moment(value)
        elif key == "timeline":
            found[key] = [{**step, **_moment(step["at"])} for step in value]
        elif key == "changed":
            found[key] = {name: _changed(entities.get(name, {}), *pair) for name, pair in value.items()}
        else:
            found[key] = value
    if "started_at" in row and "ended_at" in row:
        found["took_s"] = round(row["ended_at"] - row["started_at"], 3)
    return found


def _changed(entity: Mapping[str, Any], before: object, after: object) -> dict[str, Any]:
    about = {key: entity[key] for key in ("name", "unit") if key in entity}
    return {**about, "before": before, "after": after}


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    return {**_moment(event["timestamp"]), **{key: event[key] for key in event if key != "timestamp"}}


def _moment(at: float) -> dict[str, Any]:
    return {"at": told(at), "epoch": round(at, 3)}


def check_new(file: Path) -> None:
    """Make sure that a file can be made.

    Raises:
        Misconfigured: It is there already, or its folder is not.
    """
    if file.exists() or file.is_symlink():
        raise Misconfigured(f"--export {file} is there already, and is not overwritten; take another name")
    if not file.parent.is_dir():
        raise Misconfigured(f"--export {file}: there is no folder {file.parent}")


def write_new(file: Path, record: Mapping[str, Any]) -> None:
    """Write a record into a new file.

    Raises:
        Misconfigured: It cannot be written, or is there by now.
    """
    try:
        with file.open("x", encoding="utf-8") as out:
            try:
                json.dump(record, out, indent=2, ensure_ascii=False)
                out.write("\n")
                out.flush()
            except OSError:
                file.unlink()  # half of a record is none
                raise
    except OSError as error:
        raise Misconfigured(f"--export {file}: {error.strerror}") from error
