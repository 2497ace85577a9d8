"""The whole robot: power, phases of its start, faults, settings, and what its server keeps."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
import contextlib
from typing import Any, Final

from lab2mqtt.simulators.control import Fault
from lab2mqtt.simulators.ot2 import modules as on_deck
from lab2mqtt.simulators.ot2.cell_engine import CellEngine
from lab2mqtt.simulators.ot2.clock import Clock
from lab2mqtt.simulators.ot2.engine import Analysis, Engine
from lab2mqtt.simulators.ot2.labware import Labware
from lab2mqtt.simulators.ot2.machine import HOME, Machine, asked_by
from lab2mqtt.simulators.ot2.protocols import Protocols
from lab2mqtt.simulators.ot2.run import Run
from lab2mqtt.simulators.ot2.runs import Runs
from lab2mqtt.simulators.ot2.session import PIPETTES, Pipette, Session
from lab2mqtt.simulators.ot2.truth import Truth

FAULTS: Final = {
    "off": Fault("no power: nobody listens at the port"),
    "booting": Fault(
        "starts and starts; `phase`: database, hardware or failed (database)",
        {"phase": ("database", "hardware", "failed")},
    ),
    "door_open": Fault("the door is open"),
    "tip_lost": Fault("what hangs on a pipette falls off at its next move; the robot does not notice"),
    "module_unplugged": Fault(
        "the modules are pulled; `module`: only the one with this serial number", {"module": str}
    ),
    "error_500": Fault(
        "answers 500; `path`: only where that is part of it; `times`: so often", {"path": str, "times": int}
    ),
    "slow": Fault(
        "answers late, and obeys late; `seconds`: how much (1); `path`, `times`: as for error_500",
        {"seconds": float, "path": str, "times": int},
    ),
    "no_camera": Fault("there is no camera"),
}
SETTINGS: Final = {
    "shortFixedTrash": "Short (55 mm) fixed trash",
    "deckCalibrationDots": "Deck calibration to dots",
    "disableHomeOnBoot": "Disable home on boot",
    "useOldAspirationFunctions": "Use older aspirate behavior",
    "enableDoorSafetySwitch": "Enable robot door safety switch",
}
DENSE_SINCE: Final = (8, 5, 1)  # from here on, tip racks need 96 places
# Seconds of the robot for each part of its start; a real one takes about two minutes in all.
_OFF, _DATABASE, _HARDWARE = 30.0, 30.0, 30.0

Hint = Callable[[str, str], None]


class Robot:
    """One OT-2.

    Attributes:
        http_api: Oldest and newest version of the HTTP API.
        phase: ``off``, ``database``, ``hardware``, ``failed`` or ``ready``.
        faults: What is wrong, with options, see ``FAULTS``.
        hint: Told the topic of each change, and ``refetch`` or ``unsubscribe``.
        powered: Told when its port opens and closes.
    """

    def __init__(
        self,
        clock: Clock,
        engine: Engine | None = None,
        name: str = "simulated-ot2",
        serial: str = "SIM-OT2-1",
        software: str = "8.1.0",
        modules: Sequence[str] = ("temperature",),
        pipettes: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare; it is on, homed and ready.

        Args:
            clock: Its time.
            engine: What knows protocols; the built-in one by default.
            name: As its owner calls it.
            serial: Its serial number.
            software: Version of its server.
            modules: On its deck: ``temperature``, ``magnetic``, ``heater_shaker``, ``thermocycler``.
            pipettes: By mount; a P300 on the right by default.
        """
        self.clock, self.name, self.serial, self.software = clock, name, serial, software
        self.dense = tuple(int(part) for part in software.split(".")[:3]) >= DENSE_SINCE
        self.engine = engine or CellEngine(dense=self.dense)
        self.truth = Truth.of_the_cell()
        self.truth.position, self.truth.place = HOME, "home"
        self.machine = Machine(clock, self.truth)
        self.modules = on_deck.attached(list(modules), clock)
        chosen = {"right": "p300_single_gen2"} if pipettes is None else pipettes
        self.mounts: dict[str, Pipette] = {mount: PIPETTES[kind] for mount, kind in chosen.items()}
        self.settings = dict.fromkeys(SETTINGS, False)
        self.client_data: dict[str, dict[str, Any]] = {}
        self.data_files: dict[str, dict[str, Any]] = {}
        self.recovery_enabled = True
        self.http_api = (2, 4)
        self.faults: dict[str, dict[str, Any]] = {}
        self.phase = "ready"
        self.hint: Hint = lambda _topic, _what: None
        self.powered: Callable[[], None] = lambda: None
        self.protocols = Protocols(self.engine, clock)
        self.runs = Runs(self._hint)
        self.maintenance: Run | None = None
        self._stateless: Run | None = None
        self.blinks_until = 0.0
        self.legacy_motion = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    # Power and faults.

    @property
    def is_on(self) -> bool:
        """Whether somebody listens at the port."""
        return self.phase != "off" and "off" not in self.faults

    @property
    def readiness(self) -> str:
        """The phase, faults considered."""
        if "booting" in self.faults:
            return str(self.faults["booting"].get("phase", "database"))
        return self.phase

    def fault(self, name: str, *, on: bool, options: Mapping[str, Any] | None = None) -> None:
        """Switch a fault.

        Raises:
            ValueError: It is not one of ``FAULTS``.
        """
        if name not in FAULTS:
            raise ValueError(f"fault {name!r} is not one of {', '.join(FAULTS)}")
        if on:
            self.faults[name] = dict(options or {})
        else:
            self.faults.pop(name, None)
        match name:
            case "off":
                self._switch(on=not on)
            case "door_open":
                if self.settings["enableDoorSafetySwitch"] and self.runs.current:
                    self.runs.current.door(is_open=on)
            case "tip_lost":
                self.machine.tip_falls = on
            case "module_unplugged":
                only = (options or {}).get("module")
                for module in self.modules:
                    module.plugged = not on if only in (None, module.serial) else module.plugged

    def _switch(self, *, on: bool) -> None:
        if on:
            self.start(self._boot(0.0))
            return
        self._power_cut()
        self.phase = "off"
        self.powered()

    def reboot(self) -> None:
        """Cut the power and switch it on again. The position is lost; it homes unless told not to."""
        self._switch(on=False)
        self.start(self._boot(_OFF))

    async def _boot(self, off: float) -> None:
        self.phase = "off"
        await self.clock.sleep(off)
        self.phase = "database"
        self.powered()
        await self.clock.sleep(_DATABASE)
        self.phase = "hardware"
        await self.clock.sleep(_HARDWARE)
        self.phase = "ready"
        if not self.settings["disableHomeOnBoot"]:
            with asked_by("boot"):
                await self.machine.home()

    def _power_cut(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.runs.power_cut()
        for run in (self.maintenance, self._stateless):
            if run:
                run.power_cut()
        self.maintenance = self._stateless = None
        self.client_data.clear()
        self.truth.position = self.truth.place = None
        self.truth.engaged = self.truth.lights = False
        self.truth.note(self.clock.seconds(), "power_cut")

    # What its server keeps.

    @property
    def door_open(self) -> bool:
        """Whether the door is open."""
        return "door_open" in self.faults

    @property
    def door_matters(self) -> bool:
        """Whether runs wait for the door; off by default on an OT-2."""
        return self.settings["enableDoorSafetySwitch"]

    def used_protocols(self) -> set[str | None]:
        """Protocols that runs refer to."""
        return {run.protocol_id for run in self.runs}

    def session(self) -> Session:
        """A new engine."""
        return Session(self.machine, self.modules, self.mounts, self.dense)

    def stateless(self) -> Run:
        """The engine that takes commands outside of runs; it knows the modules by their own ids."""
        if self._stateless is None:
            session = self.session()
            for module in self.modules:
                session.loaded_modules[module.module_id] = module, ""
            self._stateless = Run(session, run_id="stateless")
        return self._stateless

    def new_run(self, protocol_id: str | None, plan: Analysis | None) -> Run:
        """Make the current run, of a protocol or for commands."""
        session = self.session()
        for definition in plan.definitions if plan else ():
            session.define(Labware.read(definition))
        if protocol_id:
            for definition in self.protocols.get(protocol_id).file.upload.labware.values():
                session.define(Labware.read(definition))
        if plan is None:
            return self.runs.add(session, protocol_id)
        run = self.runs.add(session, protocol_id, plan.commands, next(iter(plan.errors), None))
        run.parameters = list(plan.parameters)
        return run

    def start(self, work: Any) -> None:  # noqa: ANN401 - a coroutine
        """Do something beside the requests."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End everything."""
        tasks = list(self._tasks)
        self._power_cut()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.protocols.close()

    def _hint(self, topic: str, what: str) -> None:
        self.hint(topic, what)
