"""What a ledger takes, gives back and forgets, in a real file."""

import asyncio
from pathlib import Path
import sqlite3
import threading
from typing import Any

import pytest
from tests.unit.runtime.ledgers import (
    NOW,
    WITHIN,
    commands,
    events,
    happen,
    known,
    opened,
    settle,
    success,
    take,
    taken,
    write,
)

from lab2mqtt import wire
from lab2mqtt.runtime import ledger as ledger_module, ledger_file, ledger_room
from lab2mqtt.runtime.keep import Keep
from lab2mqtt.runtime.ledger import Ledger
from lab2mqtt.runtime.ledger_file import KEPT_AT_MOST, Found, Known

DAY = 86_400.0


async def test_a_command_is_taken_settled_and_read(tmp_path: Path) -> None:
    """The plainest way of all; the folder is made."""
    async with opened(tmp_path / "state" / "ledger.sqlite") as ledger:
        assert ledger.problem == ""
        assert ledger.knows_past
        assert await known(ledger, "a") is None
        assert await write(ledger, take("a"), sync=True) == (None, "")
        content = {"task": "fill", "parameters": {}}
        assert await known(ledger, "a") == Known(content, None)
        assert await write(ledger, settle("a"), needed=True) == (None, "")
        assert await known(ledger, "a") == Known(content, success("a"))


async def test_an_id_is_taken_once_and_settled_once(tmp_path: Path) -> None:
    """Whoever comes second is given what stands there; ids of two devices are two."""
    async with opened(tmp_path / "ledger.sqlite") as ledger:
        await write(ledger, take("a"))
        first = Known({"task": "fill", "parameters": {}}, None)
        assert await write(ledger, take("a")) == (first, "")
        await write(ledger, settle("a"))
        late = wire.encode(wire.failure("a", "fill", wire.TIMEOUT, "late", int(NOW)))
        again = (NOW, NOW + 1, "error", "timeout", late, None, None, None)
        stands = first._replace(result=success("a"))
        assert await write(ledger, lambda it: ledger_file.settle(it, taken("a"), again)) == (stands, "")
        assert await write(ledger, take("a")) == (stands, "")
        assert await write(ledger, take("a", device="bath")) == (None, "")
        assert [(one["device"], one.get("status")) for one in await commands(ledger)] == [
            ("bath", None),
            ("sink", "success"),
        ]


async def test_what_comes_while_the_disk_is_busy_is_one_transaction_in_order(tmp_path: Path) -> None:
    """A hundred devices cost hardly more than one."""
    async with opened(tmp_path / "ledger.sqlite") as ledger:
        statements: list[str] = []
        entered, go, order = threading.Event(), threading.Event(), list[object]()

        def watch(connection: sqlite3.Connection) -> None:
            entered.set()
            go.wait(WITHIN)
            connection.set_trace_callback(statements.append)

        def number(count: int) -> Any:  # noqa: ANN401
            return lambda connection: (take(str(count))(connection), count)[1]

        ledger.submit(watch)
        assert await asyncio.to_thread(entered.wait, WITHIN)
        over = asyncio.Event()
        for count in range(100):
            ledger.submit(number(count), lambda result, problem: order.append((result, problem)))
        ledger.submit(take("last"), lambda *_: over.set())
        go.set()
        await asyncio.wait_for(over.wait(), WITHIN)
        assert order == [(count, "") for count in range(100)]
        assert [one for one in statements if one.startswith(("BEGIN", "COMMIT"))][1:] == [
            "BEGIN IMMEDIATE",
            "COMMIT",
        ]
        assert len(await commands(ledger, limit=1000)) == 101


async def test_what_must_survive_a_power_cut_is_synced_and_nothing_else(tmp_path: Path) -> None:
    """A sync costs a thousand times what writing does."""

    def mode(connection: sqlite3.Connection) -> int:
        return int(connection.execute("PRAGMA synchronous").fetchone()[0])

    async with opened(tmp_path / "ledger.sqlite") as ledger:
        assert await write(ledger, mode) == (1, "")
        assert await write(ledger, mode, sync=True) == (2, "")
        assert await write(ledger, mode) == (1, "")
        assert await write(ledger, lambda it: it.execute("PRAGMA journal_mode").fetchone()[0]) == ("wal", "")


async def test_a_row_that_does_not_fit_fails_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is nobody else's fault, and trying again would not help."""
    async with opened(tmp_path / "ledger.sqlite") as ledger:
        go, told = threading.Event(), list[tuple[object, str]]()
        ledger.submit(lambda _: go.wait(WITHIN))
        over = asyncio.Event()

        def odd(value: object) -> Any:  # noqa: ANN401
            return lambda it: ledger_file.settle(it, taken("odd", sent_at=value), (None,) * 8)

        for value in (10**40, object(), "\udc80"):
            ledger.submit(odd(value), lambda *what: told.append(what), needed=True)
        ledger.submit(settle("a"), lambda *_: over.set(), needed=True)
        go.set()
        await asyncio.wait_for(over.wait(), WITHIN)
        assert [result for result, _ in told] == [None, None, None]
        assert all(problem.startswith("the ledger cannot hold it: ") for _, problem in told)
        assert ledger.problem == ""
        assert [one["request_id"] for one in await commands(ledger)] == ["a"]
        assert "The ledger cannot hold this" in caplog.text


async def test_what_is_written_at_the_end_is_written(tmp_path: Path) -> None:
    """Closing waits for it."""
    file = tmp_path / "ledger.sqlite"
    async with opened(file) as ledger:
        for count in range(1000):
            ledger.submit(settle(str(count)), needed=True)
    async with opened(file) as ledger:
        assert len(await commands(ledger, limit=5000)) == 1000


async def test_after_the_end_nothing_is_taken(tmp_path: Path) -> None:
    """Whoever comes too late hears it at once."""
    async with opened(tmp_path / "ledger.sqlite") as ledger:
        pass
    assert await write(ledger, take("a")) == (None, "the bridge is ending")


async def test_a_ledger_without_a_file_does_the_same_while_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo needs no disk, and must not fill the memory."""
    monkeypatch.setattr(ledger_module, "IN_MEMORY", 1_000_000)
    monkeypatch.setattr(ledger_module, "PRUNE_AFTER", 500)
    ledger = Ledger(None)
    await ledger.open()
    assert await write(ledger, take("a")) == (None, "")
    assert await write(ledger, settle("a")) == (None, "")
    assert await known(ledger, "a") == Known({"task": "fill", "parameters": {}}, success("a"))
    for number in range(3000):
        ledger.submit(happen(number, size=1000))
    assert await ledger.read(ledger_room.size) < 2_000_000
    assert (await events(ledger))[0]["number"] == 2999
    await ledger.close()


# What a start finds


async def test_an_orderly_end_leaves_nothing_to_say(tmp_path: Path) -> None:
    """All was said, and what was cut off there is not."""
    file = tmp_path / "ledger.sqlite"
    async with opened(file) as ledger:
        await write(ledger, settle("a"))
    found: list[Found] = []
    async with opened(file, found=found):
        pass
    assert found == [Found({"sink": ["a"]}, [], [])]


async def test_after_a_crash_the_last_minute_is_said_again(tmp_path: Path) -> None:
    """What came before it was heard, or nobody waits for it any more."""
    file = tmp_path / "ledger.sqlite"
    async with opened(file, in_order=False) as ledger:
        for request_id, at in (("old", NOW - 61), ("minute", NOW - 60), ("new", NOW)):
            await write(ledger, settle(request_id, at))
    found: list[Found] = []
    async with opened(file, found=found, now=NOW + 5000):
        pass
    assert found[0].to_say == [("sink", success(one) | {"replayed": True}) for one in ("minute", "new")]
    async with opened(file, found=found, now=NOW + 5001):
        pass
    assert found[1].to_say == []


async def test_what_has_no_result_is_interrupted_once_and_said(tmp_path: Path) -> None:
    """It may have been done; so it is never done again, and never answered otherwise."""
    file = tmp_path / "ledger.sqlite"
    async with opened(file, in_order=False) as ledger:
        await write(ledger, settle("over", NOW - 100))
        for device in ("sink", "bath"):
            await write(ledger, take("open", device=device))
    found: list[Found] = []
    async with opened(file, found=found, now=NOW + 9, in_order=False) as ledger:
        said = {device: result for device, result in found[0].to_say if result["request_id"] == "open"}
        assert set(said) == {"sink", "bath"}
        assert said["sink"] == {
            "request_id": "open",
            "task": "fill",
            "status": "error",
            "error": "the bridge ended while it ran or waited; what was done of it is not known",
            "error_code": "interrupted",
            "timestamp": int(NOW) + 9,
        }
        kept = await known(ledger, "open")
        assert kept
        assert kept.result == said["sink"]
        (row,) = await commands(ledger, request_id="open", device="sink")
        assert (row["status"], row["error_code"], row["ended_at"]) == ("error", "interrupted", NOW + 9)
    async with opened(file, found=found, now=NOW + 20):
        pass  # killed before it was said, maybe
    assert ("sink", said["sink"] | {"replayed": True}) in found[1].to_say
    assert len(found[1].to_say) == 2


async def test_the_newest_ids_of_each_device_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oldest first, and whatever the clock says by now."""
    monkeypatch.setattr(ledger_file, "KEPT_AT_MOST", 3)
    assert KEPT_AT_MOST == 10_000
    file = tmp_path / "ledger.sqlite"
    async with opened(file) as ledger:
        for count in range(5):
            await write(ledger, settle(f"s{count}", NOW + count))
        await write(ledger, settle("b", device="bath"))
    found: list[Found] = []
    async with opened(file, found=found, now=NOW + 30 * DAY):
        pass
    assert found[0].ids == {"sink": ["s2", "s3", "s4"], "bath": ["b"]}


# Forgetting


async def test_what_is_too_old_is_forgotten_at_the_start(tmp_path: Path) -> None:
    """And not a moment earlier; commands and events."""
    file = tmp_path / "ledger.sqlite"
    async with opened(file) as ledger:
        for count in range(1200):  # more than go at once
            ledger.submit(settle(f"old{count}", NOW - 2 * DAY))
            ledger.submit(happen(count, NOW - 2 * DAY))
        await write(ledger, settle("young", NOW - DAY))
        await write(ledger, happen(-1, NOW - DAY))
    async with opened(file, keep=Keep(days=1)) as ledger:
        while len(await commands(ledger, limit=5000)) > 1:
            await write(ledger, lambda _: None)
        assert [one["request_id"] for one in await commands(ledger)] == ["young"]
        assert [one["number"] for one in await events(ledger)] == [-1]


def total(file: Path) -> int:
    """Bytes on disk, with the journal."""
    return sum(one.stat().st_size for one in file.parent.iterdir())


def free(connection: sqlite3.Connection) -> int:
    """Pages that are no longer used."""
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0])


@pytest.mark.parametrize("size", [200, 20_000])
async def test_a_file_that_is_too_large_forgets_the_oldest_and_shrinks(tmp_path: Path, size: int) -> None:
    """Somebody lowered the limit, or wrote a lot."""
    file = tmp_path / "ledger.sqlite"
    async with opened(file) as ledger:
        await write(ledger, settle("first"))
        count = 12_000_000 // (size + 100)
        for number in range(count):
            ledger.submit(happen(number, NOW + number, size))
        await write(ledger, settle("last", NOW + count))
    assert total(file) > 10_000_000
    async with opened(file, keep=Keep(megabytes=1), in_order=False) as ledger:
        while await ledger.read(ledger_room.size) > 1_000_000:
            await write(ledger, lambda _: None)
        while await ledger.read(free):
            await write(ledger, lambda _: None)
        assert (await events(ledger))[0]["number"] == count - 1
        assert (await ledger.read(ledger_room.size)) > 500_000
        assert [one["request_id"] for one in await commands(ledger)] == ["last"]
    assert total(file) < 1_500_000


async def test_what_is_large_goes_first_only_if_it_is_older(tmp_path: Path) -> None:
    """A flood of events does not cost the memory of commands that are younger."""
    connection = ledger_file.open_file(tmp_path / "ledger.sqlite")
    for number in range(2000):
        happen(number, NOW + number, 1000)(connection)
        settle(str(number), NOW + 1500 + number)(connection)
    while ledger_room.prune(connection, 0.0, 1_500_000):
        pass
    rows = connection.execute("SELECT count(*) FROM commands").fetchone()
    first = connection.execute("SELECT min(at) FROM events").fetchone()
    used = ledger_room.size(connection)
    connection.close()
    assert rows == (2000,)
    assert NOW + 500 < first[0] < NOW + 1500
    assert 1_400_000 < used <= 1_500_000


async def test_a_busy_day_does_not_outgrow_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the file nor its journal, ten times as much as fits later."""
    monkeypatch.setattr(ledger_module, "PRUNE_AFTER", 500)
    file = tmp_path / "ledger.sqlite"
    largest = 0
    async with opened(file, keep=Keep(megabytes=1)) as ledger:
        for number in range(10_000):
            ledger.submit(happen(number, size=1000))
            if number % 100 == 0:
                await write(ledger, lambda _: None)
                largest = max(largest, total(file))
        await write(ledger, take("open"))
        assert (await events(ledger))[0]["number"] == 9999
        assert await known(ledger, "open") is not None
    assert largest < 1_000_000 + 2_000_000 + 5_000_000  # the limit, what came since, and the journal
    assert total(file) < 3_000_000


async def test_a_command_that_is_not_over_is_not_forgotten_for_room(tmp_path: Path) -> None:
    """It may run; forgotten, it could be done a second time."""
    connection = ledger_file.open_file(tmp_path / "ledger.sqlite")
    take("open")(connection)
    settle("over")(connection)
    assert ledger_room.prune(connection, 0.0, 0)
    rows = connection.execute("SELECT request_id FROM commands").fetchall()
    connection.close()
    assert rows == [("open",)]


# History


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A ledger with thirty commands of two devices, one a second."""
    file = tmp_path / "ledger.sqlite"
    connection = ledger_file.open_file(file)
    for count in range(30):
        row = taken(
            f"c{count}",
            NOW + count,
            "bath" if count % 3 == 0 else "sink",
            task="pour" if count % 2 else "fill",
            reservation="run" if count % 5 == 0 else None,
        )
        ledger_file.take(connection, row)
        event = wire.encode({"event_type": "overflowed", "number": count})
        ledger_file.note_event(connection, str(row[0]), NOW + count, event)
    connection.close()
    return file


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, range(29, -1, -1)),
        ({"device": "bath"}, range(27, -1, -3)),
        ({"device": "nobody"}, ()),
        ({"since": NOW + 27}, (29, 28, 27)),
        ({"until": NOW + 2}, (1, 0)),
        ({"since": NOW + 5, "until": NOW + 7}, (6, 5)),
        ({"request_id": "c4"}, (4,)),
        ({"task": "pour", "until": NOW + 6}, (5, 3, 1)),
        ({"reservation": "run"}, range(25, -1, -5)),
        ({"reservation": "run", "device": "bath", "task": "pour"}, (15,)),
        ({"limit": 2}, (29, 28)),
        ({"before": 3}, (1, 0)),  # rows are counted from 1
        ({"request_id": ""}, ()),
    ],
    ids=str,
)
async def test_history_answers_what_was_asked_newest_first(
    history: Path, query: dict[str, Any], numbers: tuple[int, ...]
) -> None:
    """Every condition alone and together."""
    async with opened(history) as ledger:
        found = await commands(ledger, **query)
        assert [one["request_id"] for one in found] == [f"c{number}" for number in numbers]


async def test_pages_follow_each_other_without_a_gap_while_more_is_written(history: Path) -> None:
    """Each page begins before the last row of the one before."""
    async with opened(history) as ledger:
        seen: list[str] = []
        before = None
        while page := await commands(ledger, before=before, limit=7):
            seen += [one["request_id"] for one in page]
            before = page[-1]["seq"]
            await write(ledger, take(f"new{before}"))
        assert seen == [f"c{number}" for number in range(29, -1, -1)]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"limit": 3}, (29, 28, 27)),
        ({"device": "bath", "since": NOW + 20}, (27, 24, 21)),
        ({"until": NOW + 1}, (0,)),
        ({"since": 0.0, "until": NOW}, ()),
    ],
    ids=str,
)
async def test_events_are_told_of_the_same_time(
    history: Path, query: dict[str, Any], numbers: tuple[int, ...]
) -> None:
    """What else happened beside the commands."""
    async with opened(history) as ledger:
        assert [one["number"] for one in await events(ledger, **query)] == list(numbers)
