"""Running a protocol on the package's own engine, with time passing as on a robot."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
import json
import os
from typing import Any, Literal, cast

from opentrons.cli.analyze import UnexpectedAnalysisError
from opentrons.hardware_control import API
from opentrons.protocol_api.core.engine import ENGINE_CORE_API_VERSION
from opentrons.protocol_engine import Config, DeckType, ErrorOccurrence, error_recovery_policy
from opentrons.protocol_engine.create_protocol_engine import create_protocol_engine
from opentrons.protocol_engine.errors import RunStoppedError
from opentrons.protocol_reader import (
    ProtocolFilesInvalidError,
    ProtocolReader,
    ProtocolSource,
    PythonProtocolConfig,
)
from opentrons.protocol_runner import LiveRunner, RunOrchestrator, create_protocol_runner
from opentrons.protocol_runner.python_protocol_wrappers import SimulatingContextCreator
from opentrons.protocol_runner.run_orchestrator import ParseMode
from opentrons.protocols.api_support import deck_type
from opentrons.protocols.api_support.deck_type import should_load_fixed_trash
from opentrons.types import Mount
from opentrons_shared_data.errors.exceptions import EnumeratedError
from opentrons_shared_data.pipette.pipette_load_name_conversions import convert_pipette_name
from opentrons_shared_data.pipette.types import PipetteName, PipetteNameType

from lab2mqtt_opentrons_worker.child import Failed, Link
from lab2mqtt_opentrons_worker.durations import Clock
from lab2mqtt_opentrons_worker.requests import Job

_OT2: Literal["OT-2 Standard"] = "OT-2 Standard"


def simulate(job: Job, link: Link) -> dict[str, Any]:
    """Run the protocol, telling each step.

    Progress: ``{"started": command, "index"}``, ``{"ended": command, "index", "seconds"}``, commands in the
    shape of the robot's; ``{"paused": "protocol" or "client", "message"}``, ``{"resumed": true}``.

    Returns:
        ``status`` succeeded, failed or stopped; ``errors``, ``pipettes``, ``labware``, ``modules``,
        ``runTimeParameters``, in the shape of the robot's; ``dropped``, the mounts whose tip the robot
        throws into the trash now that the run is over, well or not.

    Raises:
        Failed: The files are no protocol, or one that no engine runs.
    """
    return asyncio.run(_simulate(job, link))


async def _simulate(job: Job, link: Link) -> dict[str, Any]:
    try:
        source = await ProtocolReader().read_saved(
            files=[link.folder / name for name in job.files], directory=None
        )
    except ProtocolFilesInvalidError as error:
        raise Failed("invalid_files", str(error)) from error
    if source.robot_type != _OT2:
        raise Failed("invalid_files", f"the protocol is for another robot: {source.robot_type}")
    level = source.config.api_version if isinstance(source.config, PythonProtocolConfig) else None
    if level and level < ENGINE_CORE_API_VERSION:
        text = f"API level {level} runs outside the engine, where no step can be seen"
        raise Failed("invalid_files", f"{text}: simulate needs {ENGINE_CORE_API_VERSION} or newer")
    run = await _prepare(job, link, source)
    try:
        await run.load(
            protocol_source=source,
            parse_mode=ParseMode.NORMAL,
            run_time_param_values=dict(job.values),
            run_time_param_paths={},
        )
    except Exception as error:  # noqa: BLE001 - whatever the protocol raised
        return {"status": "failed", "errors": [_occurrence(error)]}
    asyncio.get_running_loop().add_reader(link.orders, run.take_orders)
    result = await run.run(deck_configuration=[])
    summary = result.state_summary.model_dump(mode="json", exclude_none=True)
    mounts = {pipette["id"]: pipette["mount"] for pipette in summary["pipettes"]}
    return {
        "status": summary["status"],
        "errors": summary["errors"],
        "pipettes": summary["pipettes"],
        "labware": summary["labware"],
        "modules": summary["modules"],
        "runTimeParameters": [one.model_dump(mode="json", exclude_none=True) for one in result.parameters],
        "dropped": sorted(mounts[pipette] for pipette, held in run.get_tip_attached().items() if held),
    }


class _Run(RunOrchestrator):
    """A run whose commands are told and take their time."""

    link: Link
    speed: float

    def prepare_to_tell(self, link: Link, speed: float) -> None:
        self.link, self.speed = link, speed
        self._clock = Clock()
        self._heard = bytearray()
        self._going = asyncio.Event()
        self._going.set()
        self._stopping: asyncio.Task[None] | None = None

    async def command_generator(self) -> AsyncGenerator[str, None]:
        """The engine takes the commands that it is to execute from here, one by one."""
        index = -1
        async for command_id in super().command_generator():
            index += 1
            self._tell("started", command_id, index, status="running")
            try:
                if self.get_command(command_id).commandType in ("waitForResume", "pause"):
                    self._pause("protocol", getattr(self.get_command(command_id).params, "message", None))
                    await self._going.wait()
                yield command_id
                seconds = self._seconds(command_id)
                if seconds:
                    self._rest(seconds)
                    await asyncio.sleep(seconds)
                    self._rest(0)
            except asyncio.CancelledError:
                error = _occurrence(RunStoppedError("Run was cancelled"))
                self._tell("ended", command_id, index, status="failed", error=error)
                raise
            self._tell("ended", command_id, index)

    def take_orders(self) -> None:
        """Obey what the parent wants, and say whether that was possible."""
        piece = os.read(self.link.orders, 2**16)
        if not piece:  # the worker is gone
            os._exit(1)
        self._heard += piece
        while (end := self._heard.find(b"\n")) >= 0:
            order = json.loads(self._heard[:end])
            del self._heard[: end + 1]
            self.link.send({"reply": order["request"], "error": self._obey(order["do"])})

    def _obey(self, do: str) -> str | None:
        if self._stopping:
            return "the run is being stopped"
        try:
            if do == "pause":
                if not self._going.is_set():
                    return "the run is paused"
                self._pause("client", None)
            elif do == "resume":
                if self._going.is_set():
                    return "the run is not paused"
                self.play(deck_configuration=[])
                self._going.set()
                self._rest(0)
                self.link.send({"progress": {"resumed": True}})
            else:
                self._stopping = asyncio.ensure_future(self.stop())
                self._rest(0)
        except EnumeratedError as error:
            return error.message
        return None

    def _pause(self, by: str, message: str | None) -> None:
        self.pause()
        self._going.clear()
        self._rest(None)
        self.link.send({"progress": {"paused": by, "message": message or ""}})

    def _rest(self, seconds: float | None) -> None:
        """Tell the worker how long nothing will happen, without anything being wrong."""
        paused = not self._going.is_set() and not self._stopping
        self.link.send({"rest": None if paused else seconds})

    def _seconds(self, command_id: str) -> float:
        command = self.get_command(command_id).model_dump(mode="json", exclude_none=True)
        seconds = self._clock.seconds(command)
        return seconds / self.speed if self.speed and command["status"] == "succeeded" else 0.0

    def _tell(self, what: str, command_id: str, index: int, **instead: object) -> None:
        command = self.get_command(command_id).model_dump(mode="json", exclude_none=True)
        self.link.send({"progress": {what: command | instead, "index": index}})


class _Robot(API):
    """A simulated robot that, like a real one, has no pipette where none hangs."""

    bare: frozenset[Mount] = frozenset()

    async def cache_instruments(
        self,
        require: dict[Mount, PipetteName] | None = None,
        skip_if_would_block: bool = False,  # noqa: FBT001, FBT002 - the package's signature
    ) -> None:
        """The simulator of the package would make up what is required; these are the robot's words."""
        for mount, name in (require or {}).items():
            if mount in self.bare:
                raise RuntimeError(
                    f"mount {mount}: instrument {name} was requested, but no instrument is present"
                )
        await super().cache_instruments(require, skip_if_would_block)


async def _prepare(job: Job, link: Link, source: ProtocolSource) -> _Run:
    """As the package's ``create_simulating_orchestrator``, with our run, and the pipettes that are told."""
    hardware = await _hardware(job)
    await hardware.home()
    engine = await create_protocol_engine(
        hardware_api=hardware,
        config=Config(
            robot_type=_OT2,
            deck_type=DeckType(deck_type.for_simulation(_OT2)),
            ignore_pause=True,  # pauses and delays are ours
            use_virtual_pipettes=job.pipettes is None,
            use_virtual_modules=True,
            use_virtual_gripper=True,
            use_simulated_deck_config=True,
        ),
        error_recovery_policy=error_recovery_policy.never_recover,
        load_fixed_trash=should_load_fixed_trash(source.config),
    )
    runner = create_protocol_runner(
        protocol_config=source.config,
        protocol_engine=engine,
        hardware_api=hardware,
        protocol_context_creator=SimulatingContextCreator(hardware_api=hardware, protocol_engine=engine),
    )
    live = [LiveRunner(protocol_engine=engine, hardware_api=hardware) for _ in range(3)]
    run = _Run(
        hardware_api=hardware,
        json_or_python_protocol_runner=runner,
        protocol_engine=engine,
        setup_runner=live[0],
        fixit_runner=live[1],
        protocol_live_runner=live[2],
    )
    run.prepare_to_tell(link, job.speed)
    return run


async def _hardware(job: Job) -> API:
    attached: dict[Mount, dict[str, str | None]] = {}
    for mount, name in (job.pipettes or {}).items():
        try:
            kind = PipetteNameType(name)
        except ValueError as error:
            raise Failed("bad_request", f"{name!r} is no pipette, as p300_single_gen2 is one") from error
        # The simulator takes models only: it fails on a name, which it means to take (9.0.0).
        model = str(convert_pipette_name(kind.value))
        attached[Mount[mount.upper()]] = {"model": model, "id": f"simulated-{mount}"}
    robot = cast("_Robot", await _Robot.build_hardware_simulator(attached_instruments=attached))
    if job.pipettes is not None:
        robot.bare = frozenset({Mount.LEFT, Mount.RIGHT} - attached.keys())
    return robot


def _occurrence(error: Exception) -> dict[str, Any]:
    """An error in the shape of the robot's."""
    if not isinstance(error, EnumeratedError):
        error = UnexpectedAnalysisError(message=str(error), wrapping=[error])
    occurrence = ErrorOccurrence.from_failed(id="simulation", createdAt=datetime.now(tz=UTC), error=error)
    return occurrence.model_dump(mode="json", exclude_none=True)
