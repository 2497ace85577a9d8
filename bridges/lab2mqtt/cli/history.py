"""What became of the commands of a lab: asked of its bridges, or read from the ledger of one."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
import sqlite3
import sys
import time
from typing import Any, NamedTuple

from lab2mqtt import wire
from lab2mqtt.cli import EXIT_FAILED, EXIT_USAGE
from lab2mqtt.cli.history_forms import csv_of, lines_of, table_of
from lab2mqtt.cli.lab import with_lab
from lab2mqtt.cli.moment import moment
from lab2mqtt.cli.run_record import check_new, run_record, write_new
from lab2mqtt.client import Lab, TaskError
from lab2mqtt.client.lab import myself
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.runtime import history as pages, ledger_file

PAGE = 200  # commands in one answer
UNLESS_TOLD = 100  # commands, where nothing says how many are wanted
_EVENTS = 1000  # in one answer

# Answers the parameters of the task ``get_history`` as that task does.
Ask = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Wanted(NamedTuple):
    """What somebody wants to know.

    Attributes:
        device: Of which device; all when None.
        since: Received at this moment or later, in seconds since 1970.
        until: Received before this moment.
        run: Only under this reservation, or of this request id.
        limit: The newest so many; None for all.
    """

    device: str | None
    since: float | None
    until: float | None
    run: str | None
    limit: int | None


class Found(NamedTuple):
    """What there is.

    Attributes:
        commands: Oldest first.
        events: What else happened in their time, oldest first; only for a record.
        descriptions: What the devices say of themselves, by id; empty when nobody was asked.
        missing: Devices that could not be asked, and why.
        more: Whether there are older commands that were asked for.
        source: Who was asked.
    """

    commands: list[dict[str, Any]]
    events: list[dict[str, Any]]
    descriptions: dict[str, dict[str, Any]]
    missing: dict[str, str]
    more: bool
    source: str


def history(options: argparse.Namespace) -> int:
    """Print what became of commands, or write a record of it."""
    try:
        wanted = _wanted(options)
        if options.export:
            check_new(options.export)
        if options.ledger:
            _refuse_broker(options)
            return _tell(options, wanted, asyncio.run(_from_file(options, wanted)))
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE

    async def work(lab: Lab) -> int:
        return _tell(options, wanted, await _from_bridges(lab, options, wanted))

    return with_lab(options, work)


def _wanted(options: argparse.Namespace) -> Wanted:
    now = time.time()
    since = moment("--since", options.since, now) if options.since is not None else None
    until = moment("--until", options.until, now) if options.until is not None else None
    if since is not None and since >= (now if until is None else until):
        end = "now" if until is None else f"--until {options.until!r}"
        raise Misconfigured(f"--since {options.since!r} is not before {end}")
    if options.limit is not None and options.limit < 1:
        raise Misconfigured(f"--limit {options.limit} is not 1 or more")
    if options.of_run is not None and not 0 < len(options.of_run) <= wire.MAX_NAME:
        raise Misconfigured(f"--run has 1 to {wire.MAX_NAME} characters: a reservation or a request id")
    if options.csv and options.json:
        raise Misconfigured("--csv and --json: only one of them")
    if options.export and (options.csv or options.json):
        raise Misconfigured("--export writes a form of its own: without --csv and --json")
    chosen = options.export or any(
        one is not None for one in (options.since, options.until, options.of_run, options.limit)
    )
    limit = options.limit if chosen else UNLESS_TOLD
    return Wanted(options.device, since, until, options.of_run, limit)


def _refuse_broker(options: argparse.Namespace) -> None:
    for name in ("broker", "config", "base"):
        if getattr(options, name):
            raise Misconfigured(f"--ledger reads a file, without a broker: leave --{name} out")


def _tell(options: argparse.Namespace, wanted: Wanted, found: Found) -> int:
    """Print what was found, or write it."""
    if options.export:
        record = run_record(
            found.commands,
            found.events,
            found.descriptions,
            asked={**wanted._asdict(), "source": found.source},
            missing=found.missing,
            who=myself(),
        )
        write_new(options.export, record)
        print(f"{len(found.commands)} commands are in {options.export}")
    elif options.csv:
        sys.stdout.write(csv_of(found.commands))
    elif options.json:
        sys.stdout.write(lines_of(found.commands))
    else:
        sys.stdout.write(table_of(found.commands))
    if found.more:
        print(f"older ones are not shown: --limit {2 * (wanted.limit or 1)}, or --since", file=sys.stderr)
    for device, why in found.missing.items():
        print(f"{device} could not be asked: {why}", file=sys.stderr)
    return EXIT_FAILED if found.missing else 0


# Asking


async def _from_bridges(lab: Lab, options: argparse.Namespace, wanted: Wanted) -> Found:
    """Ask one device, or all, at once."""
    names = [lab[wanted.device].device_id] if wanted.device else list(lab)
    missing: dict[str, str] = {}

    async def one(name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], bool]:
        async def ask(parameters: dict[str, Any]) -> dict[str, Any]:
            answer: dict[str, Any] = await lab[name].call("get_history", parameters)
            return answer

        try:
            return await _collect(ask, wanted, events=bool(options.export))
        except TaskError as error:
            missing[name] = str(error)
            return [], [], False

    answers = await asyncio.gather(*(one(name) for name in names))
    commands, more = _newest([row for rows, _, _ in answers for row in rows], wanted.limit)
    return Found(
        commands,
        sorted((event for _, events, _ in answers for event in events), key=lambda one: one["timestamp"]),
        {name: lab[name].description for name in names if name not in missing},
        dict(sorted(missing.items())),
        more or any(more for _, _, more in answers),
        str(lab.broker),
    )


async def _from_file(options: argparse.Namespace, wanted: Wanted) -> Found:
    """Read a ledger, whether its bridge runs or not.

    Raises:
        Misconfigured: It cannot be read, or is none.
    """
    file = options.ledger
    if not file.is_file():
        raise Misconfigured(
            f"--ledger {file}: no such file; a bridge keeps ledger.sqlite in its state folder"
        )
    try:
        with closing(ledger_file.open_to_read(file)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version != ledger_file.SCHEMA:
                raise Misconfigured(
                    f"--ledger {file} is no ledger of this lab2mqtt: it has form {version}, "
                    f"not {ledger_file.SCHEMA}"
                )

            async def ask(parameters: dict[str, Any]) -> dict[str, Any]:
                return pages.page(connection, wanted.device or "", parameters)

            commands, events, more = await _collect(ask, wanted, events=bool(options.export))
    except (sqlite3.Error, OSError) as error:
        no_ledger = "not a database" in str(error)
        told = "it is no ledger" if no_ledger else ledger_file.told(error, file)
        raise Misconfigured(f"--ledger {file}: {told}") from error
    return Found(commands, events, {}, {}, more, f"the ledger {file.name}")


async def _collect(
    ask: Ask, wanted: Wanted, *, events: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], bool]:
    """Commands and events that are wanted, oldest first, page by page; and whether there are more."""
    span = {key: at for key, at in (("since", wanted.since), ("until", wanted.until)) if at is not None}
    filters: list[dict[str, Any]] = [{}]
    if wanted.run is not None:
        filters = [{"reservation": wanted.run}]
        if len(wanted.run) <= wire.MAX_REQUEST_ID:
            filters.append({"request_id": wanted.run})
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    more = False
    for one in filters:
        found, cut = await _pages(ask, {**span, **one}, wanted.limit)
        rows |= {(row["device"], row["seq"]): row for row in found}
        more = more or cut
    commands, cut = _newest(list(rows.values()), wanted.limit)
    if not events:
        return commands, [], more or cut
    if wanted.run is not None or wanted.limit is not None:  # those of the time of these commands
        if not commands:
            return [], [], False
        last = max(row.get("ended_at", row["received_at"]) for row in commands)
        span = {"since": commands[0]["received_at"], "until": last + 1}
    return commands, await _events(ask, span), more or cut


async def _pages(
    ask: Ask, parameters: dict[str, Any], limit: int | None
) -> tuple[list[dict[str, Any]], bool]:
    """Commands, newest first, and whether there are more than wanted."""
    found: list[dict[str, Any]] = []
    before: dict[str, Any] = {}
    while limit is None or len(found) < limit:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        page = await ask({**parameters, **before, "limit": size})
        # A look at the history is no part of it, not even one that was refused.
        found += [row for row in page["commands"] if row["task"] != "get_history"]
        if not page["more"] or not page["commands"]:
            return found, False
        before = {"before": page["commands"][-1]["seq"]}
    return found, True


async def _events(ask: Ask, span: dict[str, Any]) -> list[dict[str, Any]]:
    """Events, oldest first. They have no number: a page begins at the moment where the last one ended."""
    found: dict[str, dict[str, Any]] = {}
    span = dict(span)
    while True:
        # Before the first command there is none: only events are asked for.
        page = (await ask({**span, "before": 0, "limit": _EVENTS}))["events"]
        known = len(found)
        found |= {wire.encode(event): event for event in page}
        if len(found) == known:  # a page may hold fewer than were asked for: an answer has its limit
            return sorted(found.values(), key=lambda event: event["timestamp"])
        span["until"] = min(event["timestamp"] for event in page) + 0.01


def _newest(rows: list[dict[str, Any]], limit: int | None) -> tuple[list[dict[str, Any]], bool]:
    """The newest rows, oldest first, and whether some were left out."""
    rows = sorted(rows, key=lambda row: (row["received_at"], row["device"], row["seq"]))
    return (rows, False) if limit is None or len(rows) <= limit else (rows[-limit:], True)
