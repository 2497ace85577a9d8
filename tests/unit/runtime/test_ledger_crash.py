"""A process that is killed at any instant while it writes its ledger."""

from collections import Counter
from collections.abc import Iterator
import contextlib
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.unit.runtime.ledgers import commands, events, opened, success

if TYPE_CHECKING:
    from lab2mqtt.runtime.ledger_file import Found

ROUNDS = 60
SEED = 20_261_121


class Writer:
    """Another process, and what it tells."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin
        assert process.stdout
        self._in, self._out = process.stdin, process.stdout

    def start(self, what: str, file: Path) -> int:
        """Let a child write; gives its id."""
        self._in.write(f"{what} {file}\n")
        self._in.flush()
        word, pid = self._out.readline().split()
        assert word == "pid"
        return int(pid)

    def heard(self) -> Iterator[list[str]]:
        """What it tells until it ends, in words."""
        for line in self._out:
            words = line.rstrip().split(" ")
            if words[0] == "over":
                return
            yield words


@pytest.fixture
def writer() -> Iterator[Writer]:
    """A process that writes into ledgers."""
    command = [sys.executable, "-m", "tests.unit.runtime.ledger_writer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Writer(process)
        with contextlib.suppress(BrokenPipeError):
            process.communicate()


def kill_somewhen(writer: Writer, pid: int, dice: random.Random) -> list[list[str]]:
    """Kill a child after it wrote a few lines, or while it starts; gives all that it told."""
    after = dice.choice((0, 0, 1, 2, 3, 10, 30, 100))
    told: list[list[str]] = []
    if after == 0:
        time.sleep(dice.uniform(0, 0.02))  # nothing tells how far it is
        os.kill(pid, signal.SIGKILL)
    for words in writer.heard():
        told.append(words)
        if words[0] != "said":
            after -= 1
            if after == 0:
                os.kill(pid, signal.SIGKILL)
    return told


async def test_what_stood_there_is_there_after_a_kill_and_nothing_twice(
    writer: Writer, tmp_path: Path
) -> None:
    """Whatever was told as written is; what has no result is interrupted, and that is said."""
    file = tmp_path / "ledger.sqlite"
    dice = random.Random(SEED)  # noqa: S311
    taken, settled, answered = set[str](), set[str](), dict[str, str]()
    for _ in range(ROUNDS):
        for words in kill_somewhen(writer, writer.start("killed", file), dice):
            match words:
                case ["taken", request_id]:
                    taken.add(request_id)
                case ["settled", request_id]:
                    settled.add(request_id)
                case ["said", request_id, status]:
                    assert answered.setdefault(request_id, status) == status
                case _:
                    pytest.fail(" ".join(words))
        if dice.random() < 0.5:
            continue  # the next child finds what this one left
        found: list[Found] = []
        async with opened(file, found=found, in_order=False) as ledger:
            assert ledger.problem == ""
            for _, result in found[0].to_say:
                assert answered.setdefault(result["request_id"], result["status"]) == result["status"]
            rows = {one["request_id"]: one for one in await commands(ledger, limit=100_000)}
            assert Counter(found[0].ids["sink"]) == Counter(dict.fromkeys(rows, 1))
            assert taken | settled <= set(rows)
            assert {rows[one]["status"] for one in settled} <= {"success"}
            assert {one.get("error_code") for one in rows.values()} <= {None, "interrupted"}
            cut_off = {one for one, row in rows.items() if row["status"] == "error"}
            assert cut_off <= set(answered)
            assert not cut_off & settled
    assert len(settled) > ROUNDS
    assert len(taken - settled) > ROUNDS / 4


async def test_a_file_that_must_not_grow_refuses_commands_until_it_may(
    writer: Writer, tmp_path: Path
) -> None:
    """A quota, or a disk without room; what happened meanwhile is written later."""
    file = tmp_path / "ledger.sqlite"
    writer.start("small", file)
    problem, refused, well = writer.heard()
    text = "ledger.sqlite: the disk failed (disk I/O error); look at its room, its limits and its health"
    assert " ".join(problem[1:]) == text
    assert refused[1:] == problem[1:]
    async with opened(file) as ledger:
        numbers = [one["number"] for one in await events(ledger, limit=1000)]
        assert numbers == list(range(int(well[1]), 0, -1))
        rows = {one["request_id"]: one for one in await commands(ledger)}
        assert set(rows) == {"before", "after"}
        assert rows["before"]["status"] == success("before")["status"]
