"""What stands in a ledger: its tables, and every statement that reads or writes them."""

from collections.abc import Sequence
import errno
import fcntl
import json
import os
from pathlib import Path
import sqlite3
from typing import Any, NamedTuple
from urllib.parse import quote

from lab2mqtt import wire

SCHEMA = 1
KEPT_AT_MOST = 10_000  # ids of a device that are known without asking the file
KNOWN_FOR = 86_400.0  # s, the same
AGAIN_FOR = 60.0  # s before a crash whose results are said again
LOCKED_FOR = 1.0  # s to wait for another process, such as one that makes a copy

_TABLES = f"""
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE commands (
    seq INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    request_id TEXT NOT NULL,
    task TEXT NOT NULL,
    parameters TEXT NOT NULL,
    issued_by TEXT,
    reservation TEXT,
    sent_at REAL,
    received_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    status TEXT,
    error_code TEXT,
    result TEXT,
    timeline TEXT,
    changed TEXT,
    sw_version TEXT,
    bridge_version TEXT,
    UNIQUE (device, request_id)
);
CREATE INDEX commands_by_time ON commands (received_at);
CREATE INDEX commands_open ON commands (seq) WHERE result IS NULL;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, device TEXT NOT NULL, at REAL NOT NULL, event TEXT NOT NULL
);
CREATE INDEX events_by_time ON events (at);
CREATE TABLE runs (
    seq INTEGER PRIMARY KEY, began_at REAL NOT NULL, seen_at REAL NOT NULL, ended_at REAL, version TEXT
);
PRAGMA user_version = {SCHEMA};
COMMIT;
"""

# What is known when a command comes, and what when it is over.
TAKEN = (
    "device",
    "request_id",
    "task",
    "parameters",
    "issued_by",
    "reservation",
    "sent_at",
    "received_at",
    "bridge_version",
)
SETTLED = (
    "started_at",
    "ended_at",
    "status",
    "error_code",
    "result",
    "timeline",
    "changed",
    "sw_version",
)
_TAKE = f"INSERT INTO commands ({', '.join(TAKEN)}) VALUES ({', '.join('?' * len(TAKEN))})"  # noqa: S608
_SETTLE = (
    f"INSERT INTO commands ({', '.join(TAKEN + SETTLED)})"  # noqa: S608
    f" VALUES ({', '.join('?' * len(TAKEN + SETTLED))}) ON CONFLICT (device, request_id) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in SETTLED)
    + " WHERE commands.result IS NULL"
)


class Known(NamedTuple):
    """What stands in the ledger under an id: what was asked, and the result, if there is one."""

    content: dict[str, Any]
    result: dict[str, Any] | None


class Found(NamedTuple):
    """What a ledger held when it was opened.

    Attributes:
        ids: The newest request ids, oldest first, by device.
        to_say: Results that may never have been said, by device: of what was cut off, and of the last minute
            before a crash.
        cut_off: What a predecessor left without a result, by device; of a ledger that can only be read.
    """

    ids: dict[str, list[str]]
    to_say: list[tuple[str, dict[str, Any]]]
    cut_off: list[tuple[str, Known]]


def open_memory() -> sqlite3.Connection:
    """A ledger that ends with the process."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(_TABLES)
    return connection


def lock(file: Path) -> int:
    """Keep other processes from writing a ledger, for as long as this one lives.

    Returns:
        What to close. SQLite's own locks are held for one transaction each, so that others may read.

    Raises:
        BlockingIOError: Another process writes it.
        OSError: Its folder cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_file(file: Path) -> sqlite3.Connection:
    """Open a ledger for writing, and make it where there is none.

    Raises:
        sqlite3.Error: It cannot be used.
        OSError: Its folder cannot be made.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file, timeout=LOCKED_FOR, isolation_level=None, check_same_thread=False)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(_TABLES)
        else:
            _check_form(version)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA journal_size_limit = 4000000")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_form(version: int) -> None:
    if version != SCHEMA:
        raise sqlite3.NotSupportedError(
            f"it has form {version}, this lab2mqtt knows form {SCHEMA}; install the one that wrote it"
        )


def open_to_read(file: Path) -> sqlite3.Connection:
    """Open a ledger beside the bridge that writes it.

    Raises:
        sqlite3.Error: It is not there, or no ledger.
    """
    return sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True, timeout=LOCKED_FOR)


# What SQLite or the system says, and what somebody can do.
_MEANINGS: tuple[tuple[tuple[str | int, ...], str], ...] = (
    (
        (errno.EWOULDBLOCK,),
        "{name} is in use by another process; end one of the two, or give each its own state folder",
    ),
    (("disk is full", errno.ENOSPC, errno.EDQUOT), "the disk is full: {name} needs room"),
    (("readonly", errno.EROFS), "{name} cannot be written: it or its folder is read-only"),
    (
        ("malformed", "not a database"),
        "{name} is damaged ({text}); restore it, or move it away and lose the memory of what was done",
    ),
    (("locked",), "{name} is locked by another process; end that one, or wait until it is done"),
    (("unable to open",), "{name} cannot be opened; it must be a file that the bridge's user may write"),
    (("I/O error",), "{name}: the disk failed ({text}); look at its room, its limits and its health"),
    (
        (errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOENT, errno.ENOTDIR),
        "the folder of {name} cannot be used ({text}); the bridge's user must be able to write there",
    ),
)


def told(error: Exception, file: Path | None) -> str:
    """An error in words: what is wrong, and what somebody can do."""
    name = file.name if file else "the ledger"
    text = getattr(error, "strerror", None) or str(error)
    signs = (text, getattr(error, "errno", None))
    for meant, words in _MEANINGS:
        if any(sign in text if isinstance(sign, str) else sign in signs for sign in meant):
            return words.format(name=name, text=text)
    return f"{name}: {text}"


def look(file: Path, now: float) -> Found:
    """What is known of the past where nothing can be written.

    Raises:
        sqlite3.Error: It cannot even be read.
    """
    if not file.exists():
        return Found({}, [], [])
    connection = open_to_read(file)
    try:
        cut_off = [
            (device, Known(content, _interrupted(content, now))) for device, content in _open(connection)
        ]
        return Found(_ids(connection), [], cut_off)
    finally:
        connection.close()


def begin(
    connection: sqlite3.Connection, now: float, version: str, cut_off: Sequence[tuple[str, Known]] = ()
) -> Found:
    """Note that a bridge starts, and settle what its predecessor left open.

    Args:
        connection: The ledger.
        now: Seconds since the epoch.
        version: Of the bridge.
        cut_off: What ``look`` gave before: what was answered then stands.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        last = connection.execute("SELECT ended_at FROM runs ORDER BY seq DESC LIMIT 1").fetchone()
        to_say = _recent(connection) if last and last[0] is None else []
        to_say += _interrupt(connection, now, cut_off)
        connection.execute(
            "INSERT INTO runs (began_at, seen_at, version) VALUES (?, ?, ?)", (now, now, version)
        )
        ids = _ids(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return Found(ids, to_say, [])


def _recent(connection: sqlite3.Connection) -> list[tuple[str, dict[str, Any]]]:
    rows = connection.execute(
        "SELECT device, result FROM commands WHERE result IS NOT NULL"
        " AND ended_at >= (SELECT max(ended_at) FROM commands) - ? ORDER BY seq DESC LIMIT 1000",
        (AGAIN_FOR,),
    ).fetchall()
    return [(device, wire.replayed(json.loads(result))) for device, result in reversed(rows)]


def _open(connection: sqlite3.Connection) -> list[tuple[str, dict[str, Any]]]:
    """What has no result, by device."""
    return [
        (device, {"request_id": request_id, "task": task, "parameters": json.loads(parameters)})
        for device, request_id, task, parameters in connection.execute(
            "SELECT device, request_id, task, parameters FROM commands WHERE result IS NULL ORDER BY seq"
        )
    ]


def _interrupted(content: dict[str, Any], now: float) -> dict[str, Any]:
    text = "the bridge ended while it ran or waited; what was done of it is not known"
    return wire.failure(content["request_id"], content["task"], wire.INTERRUPTED, text, int(now))


def _interrupt(
    connection: sqlite3.Connection, now: float, cut_off: Sequence[tuple[str, Known]]
) -> list[tuple[str, dict[str, Any]]]:
    decided = {(device, known.content["request_id"]): known.result for device, known in cut_off}
    ended: list[tuple[str, dict[str, Any]]] = []
    for device, content in _open(connection):
        result = decided.get((device, content["request_id"])) or _interrupted(content, now)
        connection.execute(
            "UPDATE commands SET ended_at = ?, status = 'error', error_code = ?, result = ?"
            " WHERE device = ? AND request_id = ?",
            (now, wire.INTERRUPTED, wire.encode(result), device, content["request_id"]),
        )
        ended.append((device, result))
    return ended


def _ids(connection: sqlite3.Connection) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = {}
    devices = [row[0] for row in connection.execute("SELECT DISTINCT device FROM commands")]
    for device in devices:
        rows = connection.execute(
            "SELECT request_id FROM commands WHERE device = ? ORDER BY seq DESC LIMIT ?",
            (device, KEPT_AT_MOST),
        )
        ids[device] = [row[0] for row in rows][::-1]
    return ids


def take(connection: sqlite3.Connection, taken: tuple[object, ...]) -> Known | None:
    """Note a command; gives what stands there when its id is known already."""
    try:
        connection.execute(_TAKE, taken)
    except sqlite3.IntegrityError:
        return known(connection, str(taken[0]), str(taken[1]))
    return None


def settle(
    connection: sqlite3.Connection, taken: tuple[object, ...], settled: tuple[object, ...]
) -> Known | None:
    """Note the one result of a command, noted before or not; gives an older one, which stands."""
    if connection.execute(_SETTLE, taken + settled).rowcount:
        return None
    return known(connection, str(taken[0]), str(taken[1]))


def known(connection: sqlite3.Connection, device: str, request_id: str) -> Known | None:
    """What stands under an id."""
    row = connection.execute(
        "SELECT task, parameters, result FROM commands WHERE device = ? AND request_id = ?",
        (device, request_id),
    ).fetchone()
    if row is None:
        return None
    return Known({"task": row[0], "parameters": json.loads(row[1])}, json.loads(row[2]) if row[2] else None)


def note_event(connection: sqlite3.Connection, device: str, at: float, event: str) -> None:
    """Note something that happened to a device beside its commands."""
    connection.execute("INSERT INTO events (device, at, event) VALUES (?, ?, ?)", (device, at, event))


def touch(connection: sqlite3.Connection, now: float) -> None:
    """Note that the bridge lives; fails where nothing can be written."""
    connection.execute("UPDATE runs SET seen_at = ? WHERE seq = (SELECT max(seq) FROM runs)", (now,))


def end(connection: sqlite3.Connection, now: float) -> None:
    """Note that the bridge ended in order: everything was said."""
    connection.execute("UPDATE runs SET ended_at = ? WHERE seq = (SELECT max(seq) FROM runs)", (now,))
