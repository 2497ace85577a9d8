"""What became of every command: the memory that keeps physical actions from being repeated."""

import asyncio
from collections.abc import AsyncIterator
import contextlib
from pathlib import Path
import sqlite3
from typing import Any

import pytest

from lab2mqtt import __version__, wire
from lab2mqtt.core.errors import LabError, Refused
from lab2mqtt.runtime import ledger as ledger_module, ledger_file, ledger_query
from lab2mqtt.runtime.ledger import Ledger
from lab2mqtt.runtime.ledger_file import KEPT_AT_MOST, KNOWN_FOR, Found, Known
from lab2mqtt.runtime.ledger_query import Query
from lab2mqtt.runtime.record import LONGEST_PARAMETERS, LONGEST_TIMELINE, KnownAlready, Record, asks_for

NOW = 1_763_690_000.0
WITHIN = 5.0  # s; only a test that fails waits so long


class Clocks:
    """Two clocks: one that people set, and one that nobody does."""

    def __init__(self) -> None:
        self.now = NOW
        self.running = 100.0

    def make(self, ledger: Ledger | None = None) -> Record:
        """A record that goes by these clocks."""
        return Record("sink", ledger or Ledger(None), lambda: self.now, lambda: self.running)


def command(request_id: str, task: str = "fill", **parameters: object) -> dict[str, Any]:
    """A command as it is read from the wire."""
    return wire.read_command(wire.encode(wire.command(task, parameters, request_id)).encode())


def done(request_id: str) -> dict[str, Any]:
    """Its result."""
    return wire.success(request_id, "fill", None, int(NOW))


async def settle(
    record: Record,
    about: dict[str, Any],
    result: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    sw_version: object = None,
) -> Known | None:
    """Give a command its result, and wait until that may be said; gives what stood in the ledger before."""
    result = result or done(about["request_id"])
    said: asyncio.Future[Known | None] = asyncio.get_running_loop().create_future()
    record.settle(about, result, wire.encode(result), state or {}, sw_version, said.set_result)
    async with asyncio.timeout(WITHIN):
        return await said


async def note(record: Record, about: dict[str, Any]) -> None:
    """Write a command that will touch the device, and wait until that is done or has failed."""
    record.note(about)
    noted = record.noted(about)
    assert noted
    async with asyncio.timeout(WITHIN):
        await noted


async def answer(record: Record, again: dict[str, Any]) -> object:
    """What a command that comes (again) is answered: out of the memory or out of the ledger."""
    word = record.ask(again)
    if word != "known":
        return word
    known = await record.known(again)
    assert known
    return known.result if asks_for(again, known.content) else "conflict"


@contextlib.asynccontextmanager
async def opened(file: Path, found: list[Found] | None = None) -> AsyncIterator[Ledger]:
    """A ledger in a file."""
    ledger = Ledger(file, clock=lambda: NOW)
    ledger.on_open = (found if found is not None else []).append
    await ledger.open()
    try:
        yield ledger
    finally:
        await ledger.close()


async def test_an_id_that_nobody_used_is_new() -> None:
    """The rest of the checks may begin."""
    assert Clocks().make().ask(command("a")) == "new"


async def test_what_was_taken_runs_until_it_is_settled() -> None:
    """A repetition is dropped first and answered later."""
    record = Clocks().make()
    record.take(command("a"))
    assert record.ask(command("a")) == "running"
    await settle(record, command("a"))
    assert await answer(record, command("a")) == done("a")


async def test_an_id_with_other_content_is_a_conflict_whether_it_runs_or_is_done() -> None:
    """Other task or other parameters; 1 and 1.0 are the same number, true is none."""
    record = Clocks().make()
    record.take(command("a", level=1))
    for is_done in (False, True):
        assert await answer(record, command("a", "pour", level=1)) == "conflict"
        assert await answer(record, command("a", level=True)) == "conflict"
        assert await answer(record, command("a", level=1.0)) == (done("a") if is_done else "running")
        if not is_done:
            await settle(record, command("a"))


async def test_a_result_for_what_was_never_taken_is_not_kept() -> None:
    """A malformed command is answered without a record."""
    record = Clocks().make()
    with pytest.raises(KeyError):
        await settle(record, command("a"))
    assert record.ask(command("a")) == "new"
    assert await record.known(command("a")) is None


async def test_a_day_later_a_command_is_forgotten() -> None:
    """And not a moment earlier, by a clock that nobody sets."""
    clocks = Clocks()
    record = clocks.make()
    record.take(command("a"))
    await settle(record, command("a"))
    clocks.running += KNOWN_FOR - 1
    clocks.now += 100 * KNOWN_FOR  # the network told the time
    record.take(command("b"))
    assert await answer(record, command("a")) == done("a")
    clocks.running += 1
    record.take(command("c"))
    assert record.ask(command("a")) == "new"
    assert record.ask(command("b")) == "running"


async def test_the_memory_is_bounded_and_the_oldest_go_first() -> None:
    """A loop that runs wild does not fill the memory."""
    record = Clocks().make()
    for number in range(KEPT_AT_MOST + 5):
        record.take(command(str(number)))
        await settle(record, command(str(number)))
    record.take(command("last"))
    assert len(record) == KEPT_AT_MOST
    assert record.ask(command("5")) == "new"
    assert await answer(record, command("6")) == done("6")


async def test_what_still_runs_is_never_forgotten() -> None:
    """However long it takes, and whatever else comes meanwhile."""
    clocks = Clocks()
    record = clocks.make()
    record.take(command("slow"))
    clocks.running += 2 * KNOWN_FOR
    for number in range(KEPT_AT_MOST + 5):
        record.take(command(str(number)))
        await settle(record, command(str(number)))
    assert record.ask(command("slow")) == "running"


async def test_a_result_is_not_told_before_it_may_be_said(tmp_path: Path) -> None:
    """A repetition that comes while the disk writes the result would hear it before the ledger has it."""
    async with opened(tmp_path / "ledger.sqlite") as ledger:
        record = Clocks().make(ledger)
        record.take(command("a"))
        said = asyncio.Event()
        record.settle(command("a"), done("a"), wire.encode(done("a")), {}, None, lambda _: said.set())
        assert record.ask(command("a")) == "running"
        await asyncio.wait_for(said.wait(), WITHIN)
        assert await answer(record, command("a")) == done("a")


# Across a restart


async def test_after_a_restart_a_repetition_is_answered_from_the_file(tmp_path: Path) -> None:
    """A client that lost its result asks again, whoever runs by then; other content is still a conflict."""
    file = tmp_path / "ledger.sqlite"
    async with opened(file) as ledger:
        before = Clocks().make(ledger)
        before.take(command("a", level=1))
        await note(before, command("a"))
        before.check_noted(command("a"))
        await settle(before, command("a"))
    found: list[Found] = []
    async with opened(file, found) as ledger:
        after = Clocks().make(ledger)
        assert after.ask(command("a", level=1)) == "new"  # nothing was remembered yet
        after.remember(found[0].ids["sink"])
        assert await answer(after, command("a", level=1)) == done("a")
        assert await answer(after, command("a", level=1.0)) == done("a")
        assert await answer(after, command("a", level=True)) == "conflict"
        assert await answer(after, command("a", "pour", level=1)) == "conflict"
        assert after.ask(command("b")) == "new"


async def test_what_is_older_than_the_memory_is_found_when_it_is_noted(tmp_path: Path) -> None:
    """Before the device is touched, and with the result that it had then."""
    async with opened(tmp_path / "ledger.sqlite") as ledger:
        clocks = Clocks()
        record = clocks.make(ledger)
        record.take(command("a", level=1))
        await note(record, command("a"))
        record.check_noted(command("a"))
        await settle(record, command("a"))
        clocks.running += KNOWN_FOR
        record.take(command("b"))
        assert record.ask(command("a", level=1)) == "new"
        record.take(command("a", level=1))
        await note(record, command("a"))
        with pytest.raises(KnownAlready) as known:
            record.check_noted(command("a"))
        assert known.value.known.result == done("a")
        assert wire.same_content(known.value.known.content, command("a", level=1))
        record.drop(command("a"))
        assert await answer(record, command("a", level=1)) == done("a")
        assert await answer(record, command("a", level=2)) == "conflict"


async def test_a_result_that_the_ledger_has_stands_against_a_later_one(tmp_path: Path) -> None:
    """A refusal of an id that is older than the memory must not become its second outcome."""
    async with opened(tmp_path / "ledger.sqlite") as ledger:
        clocks = Clocks()
        record = clocks.make(ledger)
        record.take(command("a"))
        assert await settle(record, command("a")) is None
        clocks.running += KNOWN_FOR
        record.take(command("b"))
        record.take(command("a"))
        refusal = wire.failure("a", "fill", wire.BUSY, "too much", int(NOW))
        stands = await settle(record, command("a"), refusal)
        assert stands
        assert stands.result == done("a")
        assert await answer(record, command("a")) == done("a")


# A ledger that fails


def lock(file: Path) -> sqlite3.Connection:
    """Keep everybody else from writing a ledger, until the connection is closed."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


async def test_without_a_record_nothing_is_done_and_results_are_answered_from_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ran when the disk failed is over, and who asks again hears so; it is written when that can be."""
    monkeypatch.setattr(ledger_file, "LOCKED_FOR", 0.02)
    monkeypatch.setattr(ledger_module, "AGAIN", 0.02)
    file = tmp_path / "ledger.sqlite"
    found: list[Found] = []
    async with opened(file) as ledger:
        record = Clocks().make(ledger)
        record.take(command("ran"))
        await note(record, command("ran"))
        record.check_noted(command("ran"))
        with contextlib.closing(lock(file)):
            record.take(command("refused"))
            await note(record, command("refused"))
            with pytest.raises(
                Refused, match=r"not without a record of it: .* locked .*; end that one"
            ) as why:
                record.check_noted(command("refused"))
            assert why.value.error_code == wire.NOT_ALLOWED
            assert await settle(record, command("ran")) is None
            assert record.ask(command("ran")) == done("ran")
            assert record.ask(command("ran", level=2)) == "conflict"
        well = asyncio.Event()
        ledger.on_change = lambda: None if ledger.problem else well.set()
        if ledger.problem:
            await asyncio.wait_for(well.wait(), WITHIN)
        known = await record.known(command("ran"))
        assert known
        assert known.result == done("ran")
    async with opened(file, found) as ledger:
        after = Clocks().make(ledger)
        after.remember(found[0].ids["sink"])
        assert await answer(after, command("ran")) == done("ran")
        assert after.ask(command("refused")) == "new"  # nothing was settled


async def test_what_has_not_been_taken_yet_is_not_done(tmp_path: Path) -> None:
    """Whoever forgets to wait is refused."""
    async with opened(tmp_path / "ledger.sqlite") as ledger:
        record = Clocks().make(ledger)
        record.take(command("a"))
        record.note(command("a"))
        with pytest.raises(Refused, match="not without a record of it: the ledger has not taken it"):
            record.check_noted(command("a"))


async def test_a_command_that_is_over_cannot_be_changed() -> None:
    """Its one outcome stands."""
    record = Clocks().make()
    record.take(command("a"))
    await settle(record, command("a"))
    with pytest.raises(LabError, match="command 'a' is over"):
        record.tell(command("a"), "running", "")
    with pytest.raises(LabError, match="command 'a' is over"):
        record.started(command("a"), {})
    with pytest.raises(LabError, match="command 'a' is over"):
        await settle(record, command("a"))


# What else is told


async def history(ledger: Ledger) -> list[dict[str, Any]]:
    """All commands, newest first."""
    return await ledger.read(lambda connection: ledger_query.commands(connection, Query()))


async def test_who_asked_what_and_when_is_kept_with_what_came_of_it() -> None:
    """Also the way there: when it waited and started, and what it changed."""
    clocks = Clocks()
    ledger = Ledger(None)
    record = clocks.make(ledger)
    sent = wire.command("fill", {"level": 2}, "a", NOW - 1, None, None, "script/x", "colour-loop")
    read = wire.read_command(wire.encode(sent).encode())
    record.take(read)
    record.tell(read, "accepted", "number 1 in the queue")
    clocks.now += 2
    before = {"flow": 0, "light": False, "readiness": "ready", "task": None, "readiness_reasons": []}
    record.started(read, before)
    record.tell(read, "running", "")
    clocks.now += 3
    after = {
        "flow": 3,
        "light": False,
        "readiness": "busy",
        "task": "fill",
        "readiness_reasons": ["x"],
        "new": 1,
    }
    await settle(record, read, state=after, sw_version="1.0")
    assert await history(ledger) == [
        {
            "seq": 1,
            "device": "sink",
            "request_id": "a",
            "task": "fill",
            "parameters": {"level": 2},
            "issued_by": "script/x",
            "reservation": "colour-loop",
            "sent_at": NOW - 1,
            "received_at": NOW,
            "bridge_version": __version__,
            "started_at": NOW + 2,
            "ended_at": NOW + 5,
            "status": "success",
            "timeline": [
                {"at": NOW, "status": "accepted", "message": "number 1 in the queue"},
                {"at": NOW + 2, "status": "running"},
            ],
            "changed": {"flow": [0, 3], "new": [None, 1]},
            "sw_version": "1.0",
        }
    ]


async def test_what_never_started_changed_nothing() -> None:
    """Whatever else happened to the device meanwhile."""
    ledger = Ledger(None)
    record = Clocks().make(ledger)
    record.take(command("a"))
    refusal = wire.failure("a", "fill", wire.BUSY, "16 commands are waiting already", int(NOW))
    await settle(record, command("a"), refusal, state={"flow": 3})
    (told,) = await history(ledger)
    assert "changed" not in told
    assert "started_at" not in told
    assert (told["status"], told["error_code"]) == ("error", "busy")
    assert told["error"] == "16 commands are waiting already"


async def test_a_task_that_tells_without_end_is_cut_short() -> None:
    """A row must not grow with the patience of whoever pauses and resumes."""
    ledger = Ledger(None)
    record = Clocks().make(ledger)
    record.take(command("a"))
    for number in range(LONGEST_TIMELINE + 5):
        record.tell(command("a"), "paused", str(number))
    await settle(record, command("a"))
    (told,) = await history(ledger)
    assert [one["message"] for one in told["timeline"]] == [str(number) for number in range(LONGEST_TIMELINE)]


@pytest.mark.parametrize("timestamp", [10**200, 1e300, -(2**70), 0, 1.5])
async def test_a_moment_that_nobody_lives_to_see_is_kept_all_the_same(
    tmp_path: Path, timestamp: float
) -> None:
    """The protocol takes any number, and SQLite's integers are short."""
    async with opened(tmp_path / "ledger.sqlite") as ledger:
        record = Clocks().make(ledger)
        odd = command("a") | {"timestamp": timestamp}
        record.take(odd)
        await note(record, odd)
        record.check_noted(odd)
        await settle(record, odd)
        assert ledger.problem == ""
        assert (await history(ledger))[0]["sent_at"] == float(timestamp)


async def test_of_long_parameters_the_ledger_keeps_a_mark(tmp_path: Path) -> None:
    """A flood of them must not push out what was done; a repetition is known all the same."""
    steps = [{"volume": 1.0 * number} for number in range(1000)]
    file = tmp_path / "ledger.sqlite"
    found: list[Found] = []
    async with opened(file) as ledger:
        before = Clocks().make(ledger)
        before.take(command("a", steps=steps))
        await note(before, command("a"))
        await settle(before, command("a"))
        (row,) = await ledger.read(lambda connection: ledger_query.commands(connection, Query()))
    kept = row["parameters"]
    assert kept["begins"].startswith('{"steps": [{"volume": 0}')
    assert len(str(kept)) < 400 < LONGEST_PARAMETERS < kept["bytes"]
    async with opened(file, found) as ledger:
        after = Clocks().make(ledger)
        after.remember(found[0].ids["sink"])
        as_integers = [{"volume": number} for number in range(1000)]
        assert await answer(after, command("a", steps=as_integers)) == done("a")
        assert await answer(after, command("a", steps=[*steps, {}])) == "conflict"
