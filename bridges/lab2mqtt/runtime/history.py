"""The task ``get_history``: what became of a device's commands, in answers that anybody can read."""

import json
import sqlite3
from typing import Any

from lab2mqtt import wire
from lab2mqtt.runtime import ledger_query

AT_MOST = 512_000  # bytes of one answer; whoever wants more asks for what came before

Row = dict[str, Any]


def page(connection: sqlite3.Connection, device_id: str, arguments: dict[str, Any]) -> Row:
    """One answer: ``commands`` and ``events``, newest first, and whether there are ``more`` commands.

    Events have nothing to do with ``before``: they are those of the time that is asked about.

    Args:
        connection: The ledger.
        device_id: Whose; empty for all.
        arguments: Of the task.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    limit: int = arguments.get("limit", 100)
    query = ledger_query.Query(**{**arguments, "device": device_id, "limit": limit + 1})
    commands = ledger_query.commands(connection, query)
    events = ledger_query.events(connection, query) if query.request_id is None else []
    told, size = _fitting(commands[:limit], 0)
    happened, _ = _fitting(events[:limit], size)
    return {"commands": told, "events": happened, "more": len(told) < len(commands)}


def _fitting(rows: list[Row], size: int) -> tuple[list[Row], int]:
    """As many as one answer takes, but one at the least, and how long they are."""
    found: list[Row] = []
    for row in map(_shallow, rows):
        size += len(wire.encode(row))
        if found and size > AT_MOST:
            break
        found.append(row)
    return found, size


def _shallow(row: Row) -> Row:
    """A row that is nested no deeper than an answer may be; what is, is given as its text."""
    try:
        wire.encode({"result": {"commands": [row]}})
    except wire.WireError:
        return {
            key: json.dumps(value) if isinstance(value, dict | list) else value for key, value in row.items()
        }
    return row
