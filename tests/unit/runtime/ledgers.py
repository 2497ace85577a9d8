"""What the tests of the ledger have in common: rows, and a ledger in a file that is closed at the end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
import contextlib
from pathlib import Path
import sqlite3
from typing import Any

from lab2mqtt import wire
from lab2mqtt.runtime import ledger_file, ledger_query
from lab2mqtt.runtime.keep import Keep
from lab2mqtt.runtime.ledger import Ledger
from lab2mqtt.runtime.ledger_file import Found, Known
from lab2mqtt.runtime.ledger_query import Query

NOW = 1_763_690_000.0
WITHIN = 10.0  # s; only a test that fails waits so long


def taken(request_id: str, at: float = NOW, device: str = "sink", **more: object) -> tuple[object, ...]:
    """A command as it is noted before the device is touched."""
    row = {
        "device": device,
        "request_id": request_id,
        "task": "fill",
        "parameters": "{}",
        "issued_by": None,
        "reservation": None,
        "sent_at": None,
        "received_at": at,
        "bridge_version": "0",
    }
    return tuple((row | more).values())


def success(request_id: str) -> dict[str, Any]:
    """The result of a command."""
    return wire.success(request_id, "fill", None, int(NOW))


def settled(request_id: str, at: float = NOW) -> tuple[object, ...]:
    """What is noted when it is over."""
    return (at, at, "success", None, wire.encode(success(request_id)), None, None, None)


def take(request_id: str, at: float = NOW, device: str = "sink") -> Callable[[sqlite3.Connection], Any]:
    """Note a command."""
    return lambda connection: ledger_file.take(connection, taken(request_id, at, device))


def settle(request_id: str, at: float = NOW, device: str = "sink") -> Callable[[sqlite3.Connection], Any]:
    """Note its result, whether it was noted before or not."""
    row = (taken(request_id, at, device), settled(request_id, at))
    return lambda connection: ledger_file.settle(connection, *row)


def happen(number: int, at: float = NOW, size: int = 0) -> Callable[[sqlite3.Connection], Any]:
    """Note an event of at least so many bytes."""
    event = wire.encode({"event_type": "overflowed", "number": number, "more": "x" * size})
    return lambda connection: ledger_file.note_event(connection, "sink", at, event)


@contextlib.asynccontextmanager
async def opened(
    file: Path,
    *,
    keep: Keep | None = None,
    now: float = NOW,
    found: list[Found] | None = None,
    in_order: bool = True,
) -> AsyncIterator[Ledger]:
    """A ledger in a file; ``found`` gets what it found there."""
    ledger = Ledger(file, keep, lambda: now)
    ledger.on_open = (found if found is not None else []).append
    await ledger.open()
    try:
        yield ledger
    finally:
        await ledger.close(in_order=in_order)


async def write(ledger: Ledger, change: Callable[[sqlite3.Connection], Any], **how: bool) -> tuple[Any, str]:
    """Write and wait; gives what came of it, and the problem."""
    done: asyncio.Future[tuple[Any, str]] = asyncio.get_running_loop().create_future()
    ledger.submit(change, lambda result, problem: done.set_result((result, problem)), **how)
    async with asyncio.timeout(WITHIN):
        return await done


async def well(ledger: Ledger) -> None:
    """Wait until nothing is wrong with a ledger any more."""
    is_well = asyncio.Event()
    before = ledger.on_change

    def change() -> None:
        before()
        if not ledger.problem:
            is_well.set()

    ledger.on_change = change
    if ledger.problem:
        async with asyncio.timeout(WITHIN):
            await is_well.wait()
    ledger.on_change = before


async def known(ledger: Ledger, request_id: str) -> Known | None:
    """What stands under an id."""
    found: Known | None = await ledger.read(
        lambda connection: ledger_file.known(connection, "sink", request_id)
    )
    return found


async def commands(ledger: Ledger, **query: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Commands, newest first."""
    return await ledger.read(lambda connection: ledger_query.commands(connection, Query(**query)))


async def events(ledger: Ledger, **query: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Events, newest first."""
    return await ledger.read(lambda connection: ledger_query.events(connection, Query(**query)))


@contextlib.contextmanager
def locked(file: Path) -> Iterator[Callable[[], None]]:
    """Keep a ledger from being written, until the end or until what is given is called."""
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield connection.close
    finally:
        connection.close()
