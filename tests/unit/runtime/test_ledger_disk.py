"""A ledger whose disk is full, slow, locked, damaged or not there: what it says, and how it comes back."""

import asyncio
from collections.abc import Callable
import os
from pathlib import Path
import sqlite3
import subprocess
import sys
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
    locked,
    opened,
    settle,
    success,
    take,
    well,
    write,
)

from lab2mqtt.core.errors import LabError
from lab2mqtt.runtime import ledger as ledger_module, ledger_file
from lab2mqtt.runtime.ledger import STALLED, Ledger
from lab2mqtt.runtime.ledger_file import Found, Known

LOCKED = "ledger.sqlite is locked by another process; end that one, or wait until it is done"
FULL = "the disk is full: ledger.sqlite needs room"
IN_USE = "ledger.sqlite is in use by another process; end one of the two, or give each its own state folder"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds in a lab takes moments here."""
    monkeypatch.setattr(ledger_module, "AGAIN", 0.02)
    monkeypatch.setattr(ledger_file, "LOCKED_FOR", 0.02)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock is waited for as a disk is that hangs."""
    monkeypatch.setattr(ledger_file, "LOCKED_FOR", WITHIN)
    monkeypatch.setattr(ledger_module, "PATIENCE", 0.05)


def listen(ledger: Ledger) -> list[str]:
    """The problems of a ledger as they come and go."""
    problems: list[str] = []
    ledger.on_change = lambda: problems.append(ledger.problem)
    return problems


# While it runs


async def test_a_disk_that_is_full_is_told_and_what_was_owed_is_written_when_it_has_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the order in which it came; a command that was not noted is not noted later."""

    def room(pages: int) -> Callable[[sqlite3.Connection], Any]:
        return lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()

    async with opened(tmp_path / "ledger.sqlite") as ledger:
        problems = listen(ledger)
        await write(ledger, take("ran"))
        await write(ledger, room(20))
        assert await write(ledger, happen(0, size=100_000), needed=True) == (None, FULL)
        assert ledger.problem == FULL
        assert await write(ledger, take("refused"), sync=True) == (None, FULL)
        assert await write(ledger, settle("ran"), needed=True) == (None, FULL)
        assert await write(ledger, happen(1), needed=True) == (None, FULL)
        assert await known(ledger, "ran") == Known({"task": "fill", "parameters": {}}, None)
        assert ledger._connection
        room(100_000)(ledger._connection)
        await well(ledger)
        assert problems == [FULL, ""]
        assert await known(ledger, "refused") is None
        kept = await known(ledger, "ran")
        assert kept
        assert kept.result == success("ran")
        assert [one["number"] for one in await events(ledger)] == [1, 0]
        assert await write(ledger, take("new")) == (None, "")
    assert caplog.text.count(f"The ledger cannot be written: {FULL}") == 1
    assert caplog.text.count("The ledger can be written again") == 1


async def test_another_process_that_locks_it_is_told_and_waited_out(tmp_path: Path) -> None:
    """Somebody makes a copy; reading goes on meanwhile."""
    file = tmp_path / "ledger.sqlite"
    program = (
        "import sqlite3, sys; it = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "it.execute('BEGIN EXCLUSIVE'); print(flush=True); sys.stdin.read()"
    )
    async with opened(file) as ledger:
        await write(ledger, settle("a"))
        problems = listen(ledger)
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(file), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert other.stdout
        await other.stdout.readline()
        assert await write(ledger, take("b")) == (None, LOCKED)
        assert [one["request_id"] for one in await commands(ledger)] == ["a"]
        await other.communicate(b"")
        await well(ledger)
        assert problems == [LOCKED, ""]
        assert await write(ledger, take("b")) == (None, "")


@pytest.mark.usefixtures("patient")
async def test_a_disk_that_hangs_is_told_in_time_and_what_it_took_at_last_is_there_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody waits longer than the patience, and the event loop not at all."""
    file = tmp_path / "ledger.sqlite"
    async with opened(file) as ledger:
        await write(ledger, take("ran"))
        problems = listen(ledger)
        loop = asyncio.get_running_loop()
        with locked(file):
            began = loop.time()
            told: list[tuple[object, str]] = []
            ledger.submit(take("taken late"), lambda *what: told.append(what))
            ledger.submit(happen(0), needed=True)
            assert await write(ledger, settle("ran"), needed=True) == (None, STALLED)
            assert told == [(None, STALLED)]
            assert await write(ledger, take("refused")) == (None, STALLED)
            assert await write(ledger, happen(1), needed=True) == (None, STALLED)
            assert loop.time() - began < 1.0
            await asyncio.sleep(0.2)  # it is not asked again meanwhile, and nothing tells that
        await well(ledger)
        assert problems == [STALLED, ""]
        assert sorted(one["number"] for one in await events(ledger)) == [0, 1]
        rows = {one["request_id"]: one.get("status") for one in await commands(ledger)}
        assert rows == {"ran": "success", "taken late": None}
        assert told == [(None, STALLED)]
    assert caplog.text.count("The ledger cannot be written") == 1


async def test_what_becomes_owed_while_what_is_owed_is_written_is_not_forgotten(tmp_path: Path) -> None:
    """A result that was said must not wait for the next problem."""
    file = tmp_path / "ledger.sqlite"
    async with opened(file) as ledger:
        entered, go = threading.Event(), threading.Event()

        def slow(connection: sqlite3.Connection) -> None:
            entered.set()
            go.wait(WITHIN)
            happen(0)(connection)

        with locked(file):
            await write(ledger, take("refused"))
            assert await write(ledger, slow, needed=True) == (None, LOCKED)
        assert await asyncio.to_thread(entered.wait, WITHIN)
        assert await write(ledger, happen(1), needed=True) == (None, LOCKED)
        go.set()
        await well(ledger)
        assert [one["number"] for one in await events(ledger)] == [1, 0]


async def test_what_is_owed_is_bounded_and_the_oldest_is_lost_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full for a week must not fill the memory."""
    monkeypatch.setattr(ledger_module, "OWED", 3)
    file = tmp_path / "ledger.sqlite"
    async with opened(file) as ledger:
        with locked(file):
            for number in range(6):
                assert (await write(ledger, happen(number), needed=True))[1] == LOCKED
        await well(ledger)
        assert [one["number"] for one in await events(ledger)] == [5, 4, 3]


async def test_an_orderly_end_tries_once_more_to_write_what_is_owed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody made room, and restarted the bridge."""
    monkeypatch.setattr(ledger_module, "AGAIN", 3600.0)
    file = tmp_path / "ledger.sqlite"
    async with opened(file) as ledger:
        await write(ledger, take("ran"))
        with locked(file):
            await write(ledger, take("refused"))
            await write(ledger, settle("ran"), needed=True)
    found: list[Found] = []
    async with opened(file, found=found) as ledger:
        kept = await known(ledger, "ran")
        assert kept
        assert kept.result == success("ran")
    assert found[0].to_say == []


@pytest.mark.usefixtures("patient")
async def test_a_disk_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """And what it takes after all is not lost."""
    file = tmp_path / "ledger.sqlite"
    loop = asyncio.get_running_loop()
    ledger = Ledger(file, clock=lambda: NOW)
    await ledger.open()
    with locked(file):
        ledger.submit(settle("a"), needed=True)
        began = loop.time()
        await ledger.close()
        assert loop.time() - began < 1.0
        assert await write(ledger, take("b")) == (None, "the bridge is ending")
    assert ledger._thread
    await asyncio.to_thread(ledger._thread.join, WITHIN)
    async with opened(file) as after:
        assert [one["request_id"] for one in await commands(after)] == ["a"]


async def test_a_read_that_cannot_be_done_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, or when nobody should wait any longer."""
    file = tmp_path / "ledger.sqlite"
    async with opened(file):
        pass
    ledger = Ledger(tmp_path / "none.sqlite")
    with pytest.raises(LabError, match=r"^none.sqlite cannot be opened; it must be a file"):
        await commands(ledger)
    hog = sqlite3.connect(file, isolation_level=None)
    hog.execute("PRAGMA locking_mode = EXCLUSIVE")
    hog.execute("BEGIN IMMEDIATE")
    hog.execute("COMMIT")
    try:
        with pytest.raises(LabError, match=r"^ledger.sqlite is locked by another process; end that one"):
            await commands(Ledger(file))
        monkeypatch.setattr(ledger_file, "LOCKED_FOR", WITHIN)
        monkeypatch.setattr(ledger_module, "READ_WITHIN", 0.05)
        with pytest.raises(LabError, match=r"^the ledger has not answered for 0.05 s; its disk"):
            await commands(Ledger(file))
    finally:
        hog.close()


# At the start


def no_folder(file: Path) -> None:
    """A file stands where its folder should."""
    file.parent.rmdir()
    file.parent.write_text("")


def a_folder(file: Path) -> None:
    """A folder stands in its place."""
    file.mkdir()


def no_ledger(file: Path) -> None:
    """Something else was written there."""
    file.write_bytes(b"not what it should be\n" * 100)


def bad_header(file: Path) -> None:
    """Its first bytes are gone."""
    _spoil(file, 0, 64)


def bad_middle(file: Path) -> None:
    """All but its first page is gone."""
    _spoil(file, 4096, 10**6)


def newer(file: Path) -> None:
    """A later version made it."""
    _spoil(file, 0, 0)
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 7")
    connection.close()


def _spoil(file: Path, start: int, length: int) -> None:
    connection = ledger_file.open_file(file)
    settle("a")(connection)
    connection.close()
    content = file.read_bytes()
    length = min(length, len(content) - start)
    file.write_bytes(content[:start] + b"\xa5" * length + content[start + length :])


DAMAGED = "restore it, or move it away and lose the memory of what was done"


@pytest.mark.parametrize(
    ("spoil", "begins", "ends"),
    [
        (
            no_folder,
            "the folder of ledger.sqlite cannot be used (",
            "bridge's user must be able to write there",
        ),
        (a_folder, "ledger.sqlite cannot be opened;", "it must be a file that the bridge's user may write"),
        (no_ledger, "ledger.sqlite is damaged (file is not a database);", DAMAGED),
        (bad_header, "ledger.sqlite is damaged (file is not a database);", DAMAGED),
        (bad_middle, "ledger.sqlite is damaged (database disk image is malformed);", DAMAGED),
        (newer, "ledger.sqlite: it has form 7, this lab2mqtt knows form 1;", "install the one that wrote it"),
    ],
)
async def test_what_cannot_be_opened_says_why_stays_as_it_is_and_is_tried_again(
    tmp_path: Path, spoil: Callable[[Path], None], begins: str, ends: str
) -> None:
    """It is not replaced by an empty one: that would forget what was done. Somebody repairs it."""
    file = tmp_path / "state" / "ledger.sqlite"
    file.parent.mkdir()
    spoil(file)
    content = file.read_bytes() if file.is_file() else None
    found: list[Found] = []
    async with opened(file, found=found) as ledger:
        assert ledger.problem.startswith(begins)
        assert ledger.problem.endswith(ends)
        assert await write(ledger, take("b")) == (None, ledger.problem)
        assert await write(ledger, settle("c"), needed=True) == (None, ledger.problem)
        assert content == (file.read_bytes() if file.is_file() else None)
        if file.is_dir():
            file.rmdir()
        elif file.parent.is_file():
            file.parent.unlink()
        else:
            file.unlink()
        await well(ledger)
        assert ledger.knows_past
        assert [one["request_id"] for one in await commands(ledger)] == ["c"]
    assert found[-1] == Found({"sink": ["c"]}, [], [])  # what was owed is written first


async def test_where_nothing_can_be_made_it_says_so() -> None:
    """Root is refused by this folder too."""
    async with opened(Path("/proc/self/lab2mqtt/ledger.sqlite")) as ledger:
        assert ledger.problem.startswith("the folder of ledger.sqlite cannot be used (")


def test_a_file_that_may_only_be_read_is_told_as_that(tmp_path: Path) -> None:
    """As SQLite says it where the file system does."""
    file = tmp_path / "ledger.sqlite"
    ledger_file.open_file(file).close()
    connection = ledger_file.open_to_read(file)
    with pytest.raises(sqlite3.Error) as error:
        take("a")(connection)
    connection.close()
    text = "ledger.sqlite cannot be written: it or its folder is read-only"
    assert ledger_file.told(error.value, file) == text
    assert ledger_file.told(OSError(os.EX_OK + 30, "Read-only file system"), file) == text
    assert ledger_file.told(OSError(28, "No space left on device"), file) == FULL
    assert ledger_file.told(sqlite3.OperationalError("no such table"), None) == "the ledger: no such table"


async def test_a_past_that_can_be_read_is_known_although_nothing_can_be_written(tmp_path: Path) -> None:
    """What was answered then stands, also when it can be written."""
    file = tmp_path / "ledger.sqlite"
    async with opened(file, in_order=False) as ledger:
        await write(ledger, settle("over"))
        await write(ledger, take("open"))
    found: list[Found] = []
    with locked(file) as unlock:
        async with opened(file, found=found, now=NOW + 5) as ledger:
            assert ledger.problem == LOCKED
            assert ledger.knows_past
            assert found[0].ids == {"sink": ["over", "open"]}
            assert found[0].to_say == []
            ((device, cut_off),) = found[0].cut_off
            assert (device, cut_off.content["request_id"]) == ("sink", "open")
            assert cut_off.result
            assert cut_off.result["error_code"] == "interrupted"
            unlock()
            await well(ledger)
            assert len(found) == 2
            assert ("sink", cut_off.result) in found[1].to_say
            kept = await known(ledger, "open")
            assert kept
            assert kept.result == cut_off.result


@pytest.mark.usefixtures("patient")
async def test_a_disk_that_hangs_at_the_start_is_told_and_opened_when_it_answers(tmp_path: Path) -> None:
    """The bridge starts all the same, and can be stopped and read."""
    file = tmp_path / "ledger.sqlite"
    async with opened(file) as ledger:
        await write(ledger, settle("a"))
    found: list[Found] = []
    with locked(file) as unlock:
        async with opened(file, found=found) as ledger:
            assert ledger.problem == STALLED
            knew = ledger.knows_past
            assert await write(ledger, take("b")) == (None, STALLED)
            unlock()
            await well(ledger)
            assert (knew, ledger.knows_past) == (False, True)
            assert await write(ledger, take("c")) == (None, "")
    assert found == [Found({"sink": ["a"]}, [], [])]


async def test_two_of_one_file_do_not_write_it_both(tmp_path: Path) -> None:
    """The second would answer what the first is doing right now; it takes over when that ends."""
    file = tmp_path / "ledger.sqlite"
    found: list[Found] = []
    async with opened(file) as first:
        await write(first, take("runs"))
        second = Ledger(file, clock=lambda: NOW)
        second.on_open = found.append
        await second.open()
        assert second.problem == IN_USE
        assert not second.knows_past
        assert await write(second, take("b")) == (None, IN_USE)
        assert [one["request_id"] for one in await commands(second)] == ["runs"]
        assert await write(first, settle("runs")) == (None, "")
        assert first.problem == ""
        assert found == []
    await well(second)
    assert found == [Found({"sink": ["runs"]}, [], [])]
    assert await write(second, take("b")) == (None, "")
    await second.close()
