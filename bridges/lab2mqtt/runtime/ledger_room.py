"""How much a ledger holds: the oldest is forgotten where it is too old or too much."""

import sqlite3

AT_ONCE = 500  # rows of each table; more would hold up the commands that wait
STEP = 20  # rows between two looks at the size: results can be large
FREED_AT_ONCE = 500  # pages given back to the disk in one go

# Table, its time, and what may go: a command that is not over could be done a second time.
_TABLES = (("commands", "received_at", "result IS NOT NULL"), ("events", "at", "TRUE"))


def prune(connection: sqlite3.Connection, oldest: float, limit: int) -> bool:
    """Forget a few of the oldest rows where there are too many; gives whether there is more to do.

    Args:
        connection: The ledger.
        oldest: What came before, in seconds since the epoch, goes.
        limit: Bytes that it may use.
    """
    gone = 0
    for table, column, may in _TABLES:
        gone += connection.execute(
            f"DELETE FROM {table} WHERE seq IN"  # noqa: S608
            f" (SELECT seq FROM {table} WHERE {column} < ? AND {may} ORDER BY {column} LIMIT ?)",
            (oldest, AT_ONCE),
        ).rowcount
    if not gone:
        while gone < AT_ONCE and size(connection) > limit and (some := _forget_oldest(connection)):
            gone += some
    free = _pragma(connection, "freelist_count")
    for _ in range(min(free, FREED_AT_ONCE)):  # Python takes one step of a pragma, which is one page
        connection.execute("PRAGMA incremental_vacuum(1)").fetchall()
    return gone > 0 or free > FREED_AT_ONCE


def size(connection: sqlite3.Connection) -> int:
    """Bytes in use."""
    pages = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    return pages * _pragma(connection, "page_size")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _forget_oldest(connection: sqlite3.Connection) -> int:
    """Forget some rows of the table that reaches back further, as far as that; gives how many."""
    first: list[tuple[float, str, str, str]] = []
    for table, column, may in _TABLES:
        row = connection.execute(
            f"SELECT {column} FROM {table} WHERE {may} ORDER BY seq LIMIT 1"  # noqa: S608
        ).fetchone()
        if row:
            first.append((row[0], table, column, may))
    if not first:
        return 0
    (_, table, column, may), *other = sorted(first)
    return connection.execute(
        f"DELETE FROM {table} WHERE seq IN (SELECT seq FROM {table} WHERE {may} ORDER BY seq LIMIT ?)"  # noqa: S608
        f" AND {column} <= ?",
        (STEP, other[0][0] if other else float("inf")),
    ).rowcount
