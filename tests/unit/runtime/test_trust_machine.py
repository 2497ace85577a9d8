"""Ledger, latches, reservations and maintenance around a real worker: whatever happens in whatever order.

One machine lives through many bridges. Each crash copies the files as they are at that instant, as a kill
would leave them, and the next bridge goes on with the copy.
"""

import asyncio
from collections.abc import Coroutine
import contextlib
from pathlib import Path
import shutil
import sqlite3
import tempfile
from typing import Any

from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
import pytest
from tests.unit.runtime.lives import LAB, WITHIN, Life, Model, rows

from lab2mqtt import wire
from lab2mqtt.core.errors import LabError
from lab2mqtt.core.lease import LONGEST
from lab2mqtt.runtime import ledger as ledger_module, ledger_file

# What a kill leaves; SQLite makes the rest anew.
LEFT = ("ledger.sqlite", "ledger.sqlite-wal", "stop.json", "holds.json")
TURNS = 8  # of the event loop, in which what was begun comes to where it waits for something

_holders = st.sampled_from(["Ada", "Bob"])
_turns = st.sampled_from([0, 1, 2, 3, 4, 6, None])  # None: until all has come to rest
_tasks = st.sampled_from(["turn", "step", "haul", "peek"])


class Trust(RuleBasedStateMachine):
    """A device, its users, and what happens to its bridge."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.model = Model()
        self.ids: list[str] = []
        self.count = self.lives = 0
        self.lock: sqlite3.Connection | None = None
        self.life: Life
        self._run(self._begin())

    def teardown(self) -> None:
        """End the last bridge, and look once more at all that it left."""
        try:
            if self.lock:
                self.mend()
            self._run(self.life.leave(in_order=True))
            self.answered_is_written()
        finally:
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()
            shutil.rmtree(self.folder)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        async def limited() -> None:
            async with asyncio.timeout(WITHIN):
                await work

        self.loop.run_until_complete(limited())

    async def _begin(self, *, after: Path | None = None) -> None:
        """A bridge starts, in a new folder or with a copy of another one."""
        folder = self.folder / str(self.lives)
        folder.mkdir()
        self.lives += 1
        if after:
            for name in LEFT:
                if (after / name).exists():
                    shutil.copy(after / name, folder / name)
        await self._start(folder)

    async def _start(self, folder: Path) -> None:
        self.life = Life(folder, self.model)
        await self.life.start()
        self._check_kept()
        await self._rest(None)
        if not self.lock:
            assert None not in rows(folder / "ledger.sqlite").values()

    def _check_kept(self) -> None:
        """What the bridge knows of latches and holds before anybody tells it."""
        model, life = self.model, self.life
        model.until = model.running + min(model.until_written - model.now, LONGEST)
        assert (life.latches.own("sink") is not None, bool(life.latches.lab)) == (model.own, model.lab)
        held = life.holds.reserved("sink")
        assert (held.holder if held else None) == model.held_by
        assert (life.holds.maintained("sink") is not None) == model.maintenance

    async def _rest(self, turns: int | None) -> None:
        """Let the event loop turn so often, or until nothing is on its way any more."""
        for _ in range(turns if turns is not None else TURNS):
            await asyncio.sleep(0)
        if turns is None:
            for _ in range(4):
                written = asyncio.Event()
                self.life.ledger.submit(lambda _: None, lambda *_, it=written: it.set())
                await written.wait()
                for _ in range(TURNS):
                    await asyncio.sleep(0)

    def _new(self) -> str:
        self.count += 1
        self.ids.append(f"c{self.count}")
        return self.ids[-1]

    async def _house(self, task: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Do a task of the house; gives its result."""
        self.count += 1
        request_id = f"h{self.count}-{task}"
        self.life.send(task, request_id, parameters, None)
        while request_id not in self.model.outcomes:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.001)
        await self._rest(None)
        return self.model.outcomes[request_id]

    def _send(self, task: str, request_id: str, letter: str, reservation: str | None) -> None:
        tag = f"{request_id}/{letter}/{reservation or ''}"
        content = f"{task} {tag}"
        self.model.content.setdefault(request_id, content)
        self.life.send(task, request_id, {"tag": tag}, reservation)

    async def _begin_task(self, task: str, turns: int, *, noted: bool) -> None:
        """Send a command, and stop so many turns after that, or after the ledger has taken it."""
        request_id = self._new()
        self._send(task, request_id, "a", self.model.held_by)
        with contextlib.suppress(LabError):  # it is over
            if noted and (taken := self.life.worker.record.noted({"request_id": request_id})):
                await asyncio.wait([taken])
        await self._rest(turns)

    # Commands

    @rule(task=_tasks, letter=st.sampled_from("ab"), holder=st.none() | _holders, turns=_turns)
    def send(self, task: str, letter: str, holder: str | None, turns: int | None) -> None:
        """Somebody sends a new command."""

        async def work() -> None:
            self._send(task, self._new(), letter, holder)
            await self._rest(turns)

        self._run(work())

    @precondition(lambda self: self.ids)
    @rule(
        which=st.integers(0, 50), task=_tasks, letter=st.sampled_from("ab"), turns=_turns, same=st.booleans()
    )
    def send_again(self, which: int, task: str, letter: str, turns: int | None, *, same: bool) -> None:
        """A client lost the result, or two clients made up the same id."""

        async def work() -> None:
            request_id = self.ids[-1 - which % len(self.ids)]
            if same and request_id in self.model.content:
                content = self.model.content[request_id]
                again, tag = content.split(" ")
                _, first, holder = tag.split("/")
                self._send(again, request_id, first, holder or None)
            else:
                self._send(task, request_id, letter, None)
            await self._rest(turns)

        self._run(work())

    @rule()
    def let_go(self) -> None:
        """What moves until told otherwise comes to its end."""

        async def work() -> None:
            self.life.driver.may_end.set()
            await self._rest(None)
            self.life.driver.may_end.clear()

        self._run(work())

    @rule(which=st.none() | st.integers(0, 5))
    def cancel(self, which: int | None) -> None:
        """Somebody cancels what runs, or one that may wait."""
        named = {} if which is None or not self.ids else {"request_id": self.ids[-1 - which % len(self.ids)]}
        self._run(self._do("cancel", named))

    async def _do(self, task: str, parameters: dict[str, Any]) -> None:
        await self._house(task, parameters)

    # Holds

    @rule(holder=_holders, seconds=st.sampled_from([1, 30, 3600]), reason=st.sampled_from(["", "it burns"]))
    def reserve(self, holder: str, seconds: float, reason: str) -> None:
        """Somebody wants the device for himself."""

        async def work() -> None:
            await self._rest(None)  # what was let in before goes on
            may = self.model.held_by in (None, holder) or bool(reason)
            if may:
                self.model.holder, self.model.until = holder, self.model.running + seconds
            parameters = {"holder": holder, "seconds": seconds} | ({"reason": reason} if reason else {})
            result = await self._house("reserve", parameters)
            assert result["status"] == ("success" if may else "error"), result
            self._written()

        self._run(work())

    @rule(holder=_holders)
    def release(self, holder: str) -> None:
        """Somebody gives it back."""

        async def work() -> None:
            await self._rest(None)
            may = self.model.held_by in (None, holder)
            if may:
                self.model.until = 0.0
            result = await self._house("release", {"holder": holder})
            assert result["status"] == ("success" if may else "error"), result
            self._written()

        self._run(work())

    @rule(on=st.booleans())
    def maintain(self, *, on: bool) -> None:
        """Somebody works on the device, or has done so."""

        async def work() -> None:
            await self._rest(None)
            self.model.maintenance = on
            result = await self._house("set_maintenance", {"on": on})
            assert result["status"] == "success"
            self._written()

        self._run(work())

    def _written(self) -> None:
        self.model.until_written = self.model.now + self.model.until - self.model.running

    # Time

    @rule(seconds=st.sampled_from([0.5, 29, 31, 4000]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.model.now += seconds
        self.model.running += seconds

    @rule(seconds=st.sampled_from([-100_000, -50, 50, 100_000]))
    def set_clock(self, seconds: float) -> None:
        """Somebody sets the clock, and what was written with the old one is written again."""

        async def work() -> None:
            self.model.now += seconds
            await self._house("set_maintenance", {"on": self.model.maintenance})
            self._written()

        self._run(work())

    # Stops

    @rule(
        lab=st.booleans(),
        moves=st.booleans(),
        turns=st.integers(0, 7),
        noted=st.booleans(),
        task=st.sampled_from(["step", "haul"]),
    )
    def stop(self, turns: int, task: str, *, lab: bool, moves: bool, noted: bool) -> None:
        """Somebody stops the device or the lab, maybe right after a command that moves it."""

        async def work() -> None:
            if moves:
                await self._begin_task(task, turns, noted=noted)
            if lab:
                self.model.lab = True
                self._stop_lab(engaged=True)
            else:
                self.model.own = True
                assert (await self._house("emergency_stop", {}))["status"] == "success"
            await self.life.latches.kept()
            await self._rest(None)

        self._run(work())

    def _stop_lab(self, *, engaged: bool) -> None:
        """What the bridge does when the lab's stop is said."""
        stop = wire.stop_message(
            engaged=engaged, stop_id="s", by="Ada", reason="", timestamp=int(self.model.now)
        )
        if engaged:
            self.life.worker.stop_now(stop, self.model.now)
        if self.life.latches.hear(LAB, stop):
            if engaged:
                self.life.worker.stop_changed()
            else:
                self.life.worker.lab_released("s")

    @rule(lab=st.booleans())
    def reset(self, *, lab: bool) -> None:
        """Somebody has looked at the device, or at the lab."""

        async def work() -> None:
            if lab:
                self.model.lab = False
                self._stop_lab(engaged=False)
            else:
                self.model.own &= self.model.lab
                result = await self._house("reset_emergency_stop", {})
                assert result["status"] == ("error" if self.model.lab else "success")
            await self.life.latches.kept()
            await self._rest(None)

        self._run(work())

    # The bridge and its disk

    @rule(task=st.none() | _tasks, turns=st.integers(0, 7), noted=st.booleans())
    def crash(self, task: str | None, turns: int, *, noted: bool) -> None:
        """The bridge is killed, maybe in the middle of something, and started again."""

        async def work() -> None:
            if task:
                await self._begin_task(task, turns, noted=noted)
            self._unlock()
            before = self.life
            before.is_over, before.driver.is_alive = True, False
            begun = self.folder / f"killed{self.lives}"
            begun.mkdir()
            for name in LEFT:
                if (before.folder / name).exists():
                    shutil.copy(before.folder / name, begun / name)
            await before.leave(in_order=False)
            self._forget_unwritten(begun)
            await self._begin(after=begun)

        self._run(work())

    def _forget_unwritten(self, folder: Path) -> None:
        """Who says something while nothing can be written cannot know it later; nothing else may be lost."""
        model = self.model
        shutil.copytree(folder, folder / "look")
        stood = rows(folder / "look" / "ledger.sqlite")
        for request_id, count in model.calls.items():
            assert not count or request_id in stood, f"{request_id} was done without a record"
        for request_id, outcome in list(model.outcomes.items()):
            if stood.get(request_id) is None:
                assert request_id in model.unsure, f"{outcome} was said before it was written"
                del model.outcomes[request_id]
        for request_id in list(model.content):
            if request_id not in stood:
                del model.content[request_id]
        model.unsure.clear()

    @rule()
    def restart(self) -> None:
        """The bridge is ended in order, and started again."""

        async def work() -> None:
            await self.life.leave(in_order=True)
            self._forget_unwritten(self.life.folder)
            shutil.rmtree(self.life.folder / "look")
            await self._start(self.life.folder)

        self._run(work())

    @precondition(lambda self: not self.lock)
    @rule()
    def fail(self) -> None:
        """The ledger cannot be written."""
        self.lock = sqlite3.connect(self.life.folder / "ledger.sqlite", isolation_level=None, timeout=WITHIN)
        self.lock.execute("BEGIN IMMEDIATE")

    @precondition(lambda self: self.lock)
    @rule()
    def mend(self) -> None:
        """It can again."""

        async def work() -> None:
            self._unlock()
            while self.life.ledger.problem:  # noqa: ASYNC110 - nothing else tells
                await asyncio.sleep(0.002)
            await self._rest(None)
            stood = rows(self.life.folder / "ledger.sqlite")
            self.model.unsure = {one for one in self.model.unsure if one not in stood}
            assert all(one in stood or one.endswith("-reserve") for one in self.model.outcomes)

        self._run(work())

    def _unlock(self) -> None:
        if self.lock:
            self.lock.close()
            self.lock = None

    # What must always be true

    @invariant()
    def nothing_is_wrong(self) -> None:
        """The driver was called once at most, and never when it must not be; outcomes do not change."""
        assert not self.model.wrong, "; ".join(self.model.wrong)

    @invariant()
    def answered_is_written(self) -> None:
        """With the same outcome, unless nothing could be written then."""
        stood = rows(self.life.folder / "ledger.sqlite")
        for request_id, outcome in self.model.outcomes.items():
            if request_id not in self.model.unsure:
                assert stood.get(request_id) == outcome, (
                    f"{outcome} was said, {stood.get(request_id)} written"
                )

    @invariant()
    def holds_and_latches_are_as_told(self) -> None:
        """By the clock that nobody sets."""
        held = self.life.holds.reserved("sink")
        assert (held.holder if held else None) == self.model.held_by
        stopped = self.life.latches.of("sink") is not None
        assert stopped == (self.model.own or self.model.lab)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds in a lab takes moments here."""
    monkeypatch.setattr(ledger_module, "AGAIN", 0.01)
    monkeypatch.setattr(ledger_file, "LOCKED_FOR", 0.01)


# Threads make no two runs alike: what was found cannot be made smaller by trying it again.
Trust.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
TestTrust = pytest.mark.usefixtures("quick")(Trust.TestCase)
