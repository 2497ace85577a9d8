"""A bridge's worker with a sink, as often as it is started anew, and what must be true of it all along."""

import asyncio
from collections import Counter
import contextlib
from dataclasses import dataclass, replace
import json
from pathlib import Path
import sqlite3
from typing import Any

from tests.unit.kitchen_sink import DEVICE, KitchenSinkDriver, KitchenSinkSettings

from lab2mqtt import wire
from lab2mqtt.core.description import Instance, bind
from lab2mqtt.core.device import Task
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
