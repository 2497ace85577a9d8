"""Asking a ledger: which commands there were and what became of them, and what else happened."""

import json
import sqlite3
from typing import Any, NamedTuple

from lab2mqtt.runtime.ledger_file import SETTLED, TAKEN

_COLUMNS = ("seq", *TAKEN, *SETTLED)


class Query(NamedTuple):
    """What somebody wants to know.

    Attributes:
        device: Of which device; all when empty.
        since: Received at this moment or later.
        until: Received before this moment.
        request_id: This command alone.
        task: Of this task.
        reservation: Under this reservation.
        before: Older than the command of this number.
        limit: How many at most; the newest.
    """

    device: str = ""
    since: float | None = None
    until: float | None = None
    request_id: str | None = None
    task: str | None = None
    reservation: str | None = None
    before: int | None = None
    limit: int = 100


def commands(connection: sqlite3.Connection, query: Query) -> list[dict[str, Any]]:
    """Commands, newest first, each as an object of the columns that say something."""
    conditions: tuple[tuple[str, object], ...] = (
        ("device = ?", query.device or None),
        ("received_at >= ?", query.since),
        ("received_at < ?", query.until),
        ("request_id = ?", query.request_id),
        ("task = ?", query.task),
        ("reservation = ?", query.reservation),
        ("seq < ?", query.before),
    )
    chosen = [(text, value) for text, value in conditions if value is not None]
    where = f"WHERE {' AND '.join(text for text, _ in chosen)}" if chosen else ""
    rows = connection.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM commands {where} ORDER BY seq DESC LIMIT ?",  # noqa: S608
        [*(value for _, value in chosen), query.limit],
    )
    return [_command(dict(zip(_COLUMNS, row, strict=True))) for row in rows]


def _command(row: dict[str, Any]) -> dict[str, Any]:
    for column in ("parameters", "timeline", "changed", "result"):
        row[column] = json.loads(row[column]) if row[column] else None
    result = row.pop("result") or {}
    row["result"], row["error"] = result.get("result"), result.get("error")
    return {key: value for key, value in row.items() if value is not None}


def events(connection: sqlite3.Connection, query: Query) -> list[dict[str, Any]]:
    """What else happened in the time that is asked about, newest first."""
    rows = connection.execute(
        "SELECT device, event FROM events WHERE (?1 = '' OR device = ?1) AND at >= ?2 AND at < ?3"
        " ORDER BY seq DESC LIMIT ?4",
        (
            query.device,
            query.since if query.since is not None else 0.0,
            query.until if query.until is not None else 1e15,
            query.limit,
        ),
    )
    return [{"device": device, **json.loads(event)} for device, event in rows]
