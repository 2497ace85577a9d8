"""Looks at one robot all the time, and keeps what it saw.

The robot tells nothing by itself but hints about runs, so everything is asked for, each thing at its own
pace. What cannot be found out is unknown, and nothing fails because of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
import contextlib
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from lab2mqtt.core.errors import Fault, Garbled, LabError, Misconfigured, Unreachable
from lab2mqtt.drivers.ot2.answers import Health, RunState, Step, field
from lab2mqtt.drivers.ot2.errors import NotFound, Silent, StartFailed
from lab2mqtt.drivers.ot2.hints import Hints
from lab2mqtt.drivers.ot2.http import Owner, RobotServer
from lab2mqtt.drivers.ot2.runs import Runs
from lab2mqtt.drivers.ot2.snapshot import Module

# Seconds between two looks. Nothing but runs, maintenance and marks is hinted at.
_EVERY: Final = {
    "run": 5.0,  # at rest; hints tell of most changes sooner
    "maintenance": 5.0,
    "owner": 5.0,  # the mark's loss is how a reboot at rest shows
    "door": 2.0,  # a person stands there and waits to see it
    "modules": 5.0,  # as often as the maker's own app
    "lights": 5.0,
    "instruments": 5.0,
    "health": 10.0,  # only its name changes without a reboot
    "calibration": 30.0,  # changes by hand only, and takes a person minutes
    "motors": 30.0,
}
_FOLLOWING = 1.0  # s; of a run that goes on, where hints do not come
_AGAIN = 1.0  # s until a question is asked again that was not answered
_LOST = 5.0  # s between two looks at a robot that is not there
_SILENCES = 2  # in a row; one may be a connection that the robot had just closed
_HINTED: Final = {"run": "runs", "maintenance": "maintenance_runs", "owner": "clientData"}  # by topics
_AFTER_A_RUN: Final = ("motors", "calibration")
# Of reading JSON of a shape that nobody expects.
_NONSENSE: Final = (AttributeError, IndexError, KeyError, TypeError, ValueError)
KINDS: Final = {
    "temperatureModuleType": "temperature",
    "magneticModuleType": "magnetic",
    "heaterShakerModuleType": "heater_shaker",
    "thermocyclerModuleType": "thermocycler",
}


class Door(NamedTuple):
    """The door: whether it is open, and whether runs wait for it."""

    open: bool
    required: bool


@dataclass(frozen=True)
class Seen:
    """What is known of a robot at one moment; None is unknown, unless said otherwise.

    Attributes:
        health: Which robot it is, and its software.
        door: The door.
        lights: Whether the rails are lit.
        instruments: The pipettes, in the robot's words.
        modules: What is attached; where that cannot be asked for, what was attached, without its ``data``.
        calibration: Of the deck: ``OK``, ``IDENTITY``, ….
        run: The run that the robot holds, whoever made it; None is none. Where that cannot be asked for, what
            it was: so it is with the owner.
        step: Where that run is.
        maintenance: The run with which somebody maintains the robot; None is nobody, and where that cannot be
            asked for, what it was.
        owner: Who marked the robot; None is nobody.
        engaged: Which motors hold, by axis.
        lost: Why nothing is known any more.
        problems: What could not be found out, and why, in words.
        rebooted: The robot was restarted, and nobody has acknowledged it.
    """

    health: Health | None = None
    door: Door | None = None
    lights: bool | None = None
    instruments: Sequence[Mapping[str, Any]] | None = None
    modules: tuple[Module, ...] = ()
    calibration: str | None = None
    run: RunState | None = None
    step: Step | None = None
    maintenance: str | None = None
    owner: Owner | None = None
    engaged: Mapping[str, bool] | None = None
    lost: LabError | None = None
    problems: tuple[str, ...] = ()
    rebooted: bool = False


class Watch:
    """Looks at one robot. Of one event loop.

    Attributes:
        seen: What it saw last; reading it asks nobody.
        changed: Set whenever ``seen`` becomes another one; whoever waits for it clears it.
    """

    def __init__(self, server: RobotServer, runs: Runs, hints_port: int) -> None:
        """Prepare; nothing is sent.

        Args:
            server: The robot.
            runs: Its runs.
            hints_port: Of the robot's own broker; 0 does without its hints.
        """
        self.seen = Seen()
        self.changed = asyncio.Event()
        self._server, self._runs, self._hints_port = server, runs, hints_port
        self._looks: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
            "run": self._run,
            "maintenance": self._maintenance,
            "owner": self._owner,
            "door": self._door,
            "modules": self._modules,
            "lights": self._lights,
            "instruments": self._instruments,
            "health": self._health,
            "calibration": self._calibration,
            "motors": self._motors,
        }
        self._due = dict.fromkeys(self._looks, 0.0)  # in the loop's time
        self._problems: dict[str, str] = {}
        self._silences = 0
        # What tells of a reboot outlives a time without the robot.
        self._rebooted = False
        self._under_way: str | None = None
        self._missed: Owner | None = None
        self._looking = asyncio.Lock()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._hints: Hints | None = None

    async def start(self, host: str) -> None:
        """Look at everything once, and go on looking. The server is open.

        Args:
            host: The robot, for its hints.
        """
        await self.stop()
        await self.look()
        self._task = asyncio.create_task(self._go_on())
        if self._hints_port:
            self._hints = Hints(host, self._hear, self._hints_port)
            self._hints.open()

    async def stop(self) -> None:
        """Look no more. Safe to repeat."""
        task, self._task = self._task, None
        hints, self._hints = self._hints, None
        if task:
            task.cancel()
            await asyncio.wait((task,))
        if hints:
            await hints.close()

    async def look(self) -> None:
        """Look at everything now."""
        async with self._looking:
            seen = replace(self.seen, lost=None)
            for what in self._looks:
                seen = await self._learn(seen, what)
                if seen.lost:
                    break
            self._keep(seen)

    def acknowledge(self) -> None:
        """The reboot is known by now, and what follows from it was done."""
        self._rebooted = False
        self._keep(self.seen)

    # How it goes on.

    async def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            what = min(self._due, key=self._due.__getitem__)
            if (due := self._due[what]) > loop.time():
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(due):
                        await self._wake.wait()
            elif self.seen.lost:
                await self.look()
            else:
                async with self._looking:
                    self._keep(await self._learn(self.seen, what))

    def _hear(self, topics: frozenset[str]) -> None:
        for what, prefix in _HINTED.items():
            if any(topic.startswith(prefix) for topic in topics):
                self._due[what] = 0.0
        self._wake.set()

    # One look.

    async def _learn(self, seen: Seen, what: str) -> Seen:
        """Look at one thing; gives what is known then."""
        loop = asyncio.get_running_loop()
        self._due[what] = loop.time() + _AGAIN
        try:
            found = await self._looks[what]()
            self._problems.pop(what, None)
        except Silent as error:
            self._silences += 1
            return seen if self._silences < _SILENCES else self._lose(error)
        except (Unreachable, Misconfigured) as error:
            return self._lose(error)
        except (LabError, *_NONSENSE) as error:
            self._tell(what, error)
            found = self._unknown(seen, what)
        self._silences = 0
        after = replace(seen, **found)
        if seen.run and not seen.run.ended and (after.run is None or after.run.ended):
            self._due.update(dict.fromkeys(_AFTER_A_RUN, 0.0))
        self._due[what] = loop.time() + (self._pace(after) if what == "run" else _EVERY[what])
        return after

    def _lose(self, error: LabError) -> Seen:
        before = self.seen.lost
        if before and (type(before), str(before)) == (type(error), str(error)):
            error = before  # nothing changed
        self._problems.clear()
        self._due = dict.fromkeys(self._looks, asyncio.get_running_loop().time() + _LOST)
        return Seen(lost=error)

    def _tell(self, what: str, error: Exception) -> None:
        match error:
            case StartFailed():  # every question is answered so
                self._problems[what] = str(error)
            case LabError():
                self._problems[what] = f"{what} unknown: {error}"
            case _:
                self._problems[what] = f"{what} unknown: the robot's answer makes no sense"

    def _unknown(self, seen: Seen, what: str) -> dict[str, Any]:
        match what:
            case "run" | "maintenance" | "owner":
                return {}
            case "modules":
                return {"modules": tuple(replace(module, data={}) for module in seen.modules)}
            case "motors":
                return {"engaged": None}
        return {what: None}

    def _keep(self, seen: Seen) -> None:
        words = tuple(dict.fromkeys(self._problems.values()))
        seen = replace(seen, problems=words, rebooted=self._rebooted)
        if seen != self.seen:
            self.seen = seen
            self.changed.set()

    def _pace(self, seen: Seen) -> float:
        """How long until the next look at the run, in s."""
        run, mark = seen.run, self._server.marked
        if run is None or run.ended:
            return _EVERY["run"]
        ours = mark is not None and mark.run_id == run.run_id
        return _FOLLOWING if run.active or not ours else _EVERY["run"]

    # What is looked at.

    async def _run(self) -> dict[str, Any]:
        run: RunState | None = None
        if self._under_way:
            with contextlib.suppress(NotFound):
                run = await self._runs.state(self._under_way)
            if run and run.lost:
                self._rebooted = True
        if run is None or run.ended or not run.current:
            run = await self._runs.current()
        self._under_way = run.run_id if run and not run.ended else None
        return {"run": run, "step": await self._step(run)}

    async def _step(self, run: RunState | None) -> Step | None:
        if run and run.ended and run == self.seen.run and "step" not in self._problems:
            return self.seen.step
        self._problems.pop("step", None)
        if run is None:
            return None
        try:
            return await self._runs.step(run.run_id)
        except (Fault, Garbled, *_NONSENSE) as error:
            self._tell("step", error)
            return None

    async def _maintenance(self) -> dict[str, Any]:
        return {"maintenance": await self._runs.maintenance()}

    async def _owner(self) -> dict[str, Any]:
        left = self._server.marked
        owner = await self._server.owner()
        # A mark that was left or taken away meanwhile tells nothing.
        if left and owner is None and left is self._server.marked and left is not self._missed:
            self._missed = left
            self._rebooted = True
        return {"owner": owner}

    async def _door(self) -> dict[str, Any]:
        return {"door": Door(*await self._server.door())}

    async def _modules(self) -> dict[str, Any]:
        told = await self._server.modules()
        return {"modules": tuple(_module(each) for each in told if each.get("moduleType") in KINDS)}

    async def _lights(self) -> dict[str, Any]:
        return {"lights": await self._server.lights()}

    async def _instruments(self) -> dict[str, Any]:
        return {"instruments": [dict(each) for each in await self._server.instruments()]}

    async def _health(self) -> dict[str, Any]:
        health, opened = await self._server.ask_health(), self._server.health
        if opened and health.serial != opened.serial:
            raise Unreachable(f"at {self._server.address} is another robot now, {health.serial}")
        return {"health": health}

    async def _calibration(self) -> dict[str, Any]:
        deck = field(await self._server.calibration(), "deckCalibration", dict)
        return {"calibration": field(deck, "status", str)}

    async def _motors(self) -> dict[str, Any]:
        return {"engaged": await self._server.engaged()}


def _module(told: Mapping[str, Any]) -> Module:
    return Module(
        KINDS[field(told, "moduleType", str)],
        field(told, "id", str),
        field(told, "moduleModel", str),
        field(told, "serialNumber", str),
        str(told.get("firmwareVersion") or ""),
        field(told, "data", dict),
    )
