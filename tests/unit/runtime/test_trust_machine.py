"""Ledger, latches, reservations and maintenance around a real worker: whatever happens in whatever order.

One machine lives through many bridges. Each crash copies the files as they are at that instant, as a kill
would leave them, and the next bridge goes on with the copy.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
import contextlib
from dataclasses import dataclass, replace
import json
from pathlib import Path
import shutil
import sqlite3
import tempfile
from typing import Any

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
import pytest
from tests.unit.kitchen_sink import DEVICE, KitchenSinkDriver, KitchenSinkSettings

from lab2mqtt import wire
from lab2mqtt.core.description import Instance, bind
from lab2mqtt.core.device import Task
from lab2mqtt.core.lease import LONGEST
from lab2mqtt.runtime import ledger as ledger_module, ledger_file
from lab2mqtt.runtime.config import DeviceConfig
from lab2mqtt.runtime.holds import Holds
from lab2mqtt.runtime.ledger import Ledger
from lab2mqtt.runtime.ledger_file import Found
from lab2mqtt.runtime.others import Others
from lab2mqtt.runtime.permits import Shared
from lab2mqtt.runtime.stop import Latches
from lab2mqtt.runtime.worker import Worker

NOW = 1_763_690_000.0
LAB = "lab2mqtt/emergency_stop"
WITHIN = 10.0  # s; only a test that fails waits so long
TURNS = 8  # of the event loop, in which what was begun comes to where it waits for something


@dataclass
class Model:
    """What must be true of the lab, kept beside all that is tested.

    Attributes:
        own: Whether the device's own stop is engaged.
        lab: Whether the lab's is.
        maintenance: Whether somebody works on the device.
        holder: Who has it, until when on the clock that nobody sets, and as it was written.
        calls: How often the driver was called for a command that sets or moves something.
        content: What each command asked for.
        outcomes: The one outcome of each command that was answered.
        unsure: Those that were answered while nothing could be written, or need no record.
        wrong: What must not have happened.
    """

    now: float = NOW
    running: float = 100.0
    own: bool = False
    lab: bool = False
    maintenance: bool = False
    holder: str | None = None
    until: float = 0.0
    until_written: float = 0.0

    def __post_init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.content: dict[str, str] = {}
        self.outcomes: dict[str, dict[str, Any]] = {}
        self.unsure: set[str] = set()
        self.wrong: list[str] = []

    @property
    def held_by(self) -> str | None:
        """Who has the device now."""
        return self.holder if self.running < self.until else None

    def witness(self, effect: str, tag: str) -> None:
        """The driver is called."""
        request_id, _, reservation = tag.split("/")
        if effect == "read":
            return
        self.calls[request_id] += 1
        if self.calls[request_id] > 1:
            self.wrong.append(f"{tag} was done {self.calls[request_id]} times")
        if effect == "move" and (self.own or self.lab):
            self.wrong.append(f"{tag} moved after a stop")
        if self.maintenance:
            self.wrong.append(f"{tag} was done in maintenance")
        if self.held_by not in (None, reservation):
            self.wrong.append(f"{tag} was done while {self.held_by} had the device")

    def hear(self, result: dict[str, Any], problem: str) -> None:
        """A result is said."""
        result = json.loads(json.dumps(result))
        result.pop("replayed", None)
        request_id = result["request_id"]
        if result.get("error_code") == wire.CONFLICT:
            return
        if self.outcomes.setdefault(request_id, result) != result:
            self.wrong.append(f"two outcomes: {self.outcomes[request_id]} and {result}")
        if problem or (isinstance(result.get("result"), dict) and "renewed" in result["result"]):
            self.unsure.add(request_id)  # a renewal alone leaves no record


class Driver(KitchenSinkDriver):
    """A sink whose tasks tell for which command they are called, at the instant at which they are."""

    def __init__(self, model: Model) -> None:
        super().__init__(KitchenSinkSettings())
        self.model = model
        self.is_alive = True
        self.may_end = asyncio.Event()

    def _called(self, effect: str, tag: str) -> None:
        if self.is_alive:
            self.model.witness(effect, tag)

    async def turn(self, tag: str) -> None:
        """Set something.

        Args:
            tag: For which command.
        """
        self._called("set", tag)

    async def step(self, tag: str) -> None:
        """Move a little.

        Args:
            tag: For which command.
        """
        self._called("move", tag)

    async def haul(self, tag: str) -> None:
        """Move until told otherwise.

        Args:
            tag: For which command.
        """
        self._called("move", tag)
        await self.may_end.wait()

    async def peek(self, tag: str) -> None:
        """Look.

        Args:
            tag: For which command.
        """
        self._called("read", tag)


WATCHED = replace(
    DEVICE,
    tasks=(
        *DEVICE.tasks,
        Task("turn"),
        Task("step", effect="move"),
        Task("haul", effect="move"),
        Task("peek", effect="read"),
    ),
)


class Life:
    """One bridge, from its start to its end, in one folder."""

    def __init__(self, folder: Path, model: Model) -> None:
        self.folder, self.model = folder, model
        self.is_over = False
        self.driver = Driver(model)
        self.latches = Latches(folder / "stop.json", LAB)
        self.holds = Holds(folder / "holds.json", ["sink"], lambda: model.now, lambda: model.running)
        self.ledger = Ledger(folder / "ledger.sqlite", clock=lambda: model.now)
        self.ledger.on_open = self._remember
        shared = Shared(self.latches, self.holds, self.ledger, Others("lab2mqtt", lambda: model.now))
        tasks = bind(WATCHED, Driver, KitchenSinkSettings())
        sink = Instance("sink", WATCHED.name, "bench")
        config = DeviceConfig(WATCHED, sink, Driver, KitchenSinkSettings(), tasks)
        self.worker = Worker(config, self.driver, shared, self._say, lambda: model.now)

    async def start(self) -> None:
        """Open the ledger and connect to the sink."""
        await self.ledger.open()
        self._work = asyncio.create_task(self.worker.run())
        async with asyncio.timeout(WITHIN):
            while not self.worker.instrument.reachable:  # noqa: ASYNC110 - nothing else tells
                await asyncio.sleep(0.001)

    async def leave(self, *, in_order: bool) -> None:
        """End; not in order it can neither say nor do anything any more, as after a kill."""
        if not in_order:
            self.is_over, self.driver.is_alive = True, False
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)
        await self.worker.close()
        await self.latches.kept()
        await self.holds.kept()
        await self.ledger.close(in_order=in_order)

    def send(self, task: str, request_id: str, parameters: dict[str, Any], reservation: str | None) -> None:
        """Send a command."""
        command = wire.command(task, parameters, request_id, None, None, None, None, reservation)
        self.worker.receive(wire.encode(command).encode())

    def _remember(self, found: Found) -> None:
        self.worker.record.remember(found.ids.get("sink", ()))
        for _, known in found.cut_off:
            self.worker.record.remember_cut_off(known)
        for _, result in found.to_say:
            self._say("result", result)

    def _say(self, kind: str, message: dict[str, Any] | str, **_: object) -> None:
        if kind == "result" and not self.is_over:
            result = json.loads(message) if isinstance(message, str) else message
            self.model.hear(result, self.ledger.problem)


def rows(file: Path) -> dict[str, dict[str, Any] | None]:
    """What stands in a ledger: the result of each command, or None while it has none."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        query = "SELECT request_id, result FROM commands"
        return {one: json.loads(result) if result else None for one, result in connection.execute(query)}


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
            for name in ("ledger.sqlite", "ledger.sqlite-wal", "stop.json", "holds.json"):
                if (after / name).exists():
                    shutil.copy(after / name, folder / name)
        await self._start(folder)

    async def _start(self, folder: Path) -> None:
        self.life = Life(folder, self.model)
        self._check_kept()
        await self.life.start()
        await self._rest(None)

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
        request_id = f"h{self.count}-{task}-{len(self.model.outcomes)}"
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
        turns=st.integers(0, 12),
        task=st.sampled_from(["step", "haul"]),
    )
    def stop(self, turns: int, task: str, *, lab: bool, moves: bool) -> None:
        """Somebody stops the device or the lab, maybe right after a command that moves it."""

        async def work() -> None:
            if moves:
                self._send(task, self._new(), "a", self.model.held_by)
                await self._rest(turns)
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

    @rule(task=st.none() | _tasks, turns=st.integers(0, 12))
    def crash(self, task: str | None, turns: int) -> None:
        """The bridge is killed, maybe in the middle of something, and started again."""

        async def work() -> None:
            if task:
                self._send(task, self._new(), "a", self.model.held_by)
                await self._rest(turns)
            self._unlock()
            before = self.life
            before.is_over, before.driver.is_alive = True, False
            begun = self.folder / f"killed{self.lives}"
            begun.mkdir()
            for name in ("ledger.sqlite", "ledger.sqlite-wal", "stop.json", "holds.json"):
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
            assert all(one in stood or "-reserve-" in one for one in self.model.outcomes)

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


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds in a lab takes moments here."""
    monkeypatch.setattr(ledger_module, "AGAIN", 0.01)
    monkeypatch.setattr(ledger_file, "LOCKED_FOR", 0.01)


Trust.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
TestTrust = pytest.mark.usefixtures("quick")(Trust.TestCase)
