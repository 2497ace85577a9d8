"""An Opentrons OT-2, driven through its own HTTP API; nothing runs on the robot."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
import contextlib
from pathlib import Path
import platform
from typing import Annotated, Any, Final

from lab2mqtt.core.errors import LabError, Refused
from lab2mqtt.core.lab import Neighbours
from lab2mqtt.core.parameters import Range, Unit
from lab2mqtt.core.run import Run
from lab2mqtt.drivers.ot2.address import locate
from lab2mqtt.drivers.ot2.body import BodyTasks
from lab2mqtt.drivers.ot2.cell import Cell
from lab2mqtt.drivers.ot2.colours import paints
from lab2mqtt.drivers.ot2.current import Wanted
from lab2mqtt.drivers.ot2.deck import Deck
from lab2mqtt.drivers.ot2.deck_settings import PIPETTES
from lab2mqtt.drivers.ot2.deck_tasks import DeckTasks
from lab2mqtt.drivers.ot2.form import AS_FILLED_IN, FILL_IN
from lab2mqtt.drivers.ot2.http import RobotServer
from lab2mqtt.drivers.ot2.modules import ModuleTasks
from lab2mqtt.drivers.ot2.play import Player
from lab2mqtt.drivers.ot2.protocol_tasks import ProtocolTasks, checked
from lab2mqtt.drivers.ot2.protocols import Protocols
from lab2mqtt.drivers.ot2.runs import Runs
from lab2mqtt.drivers.ot2.settings import Ot2Settings
from lab2mqtt.drivers.ot2.snapshot import Module, Snapshot
from lab2mqtt.drivers.ot2.watch import Watch

__all__ = ["Ot2", "Ot2Settings", "Snapshot"]

_ASK: Final = 30.0  # s for another device's answer
_WARM: Final = 25.0  # °C
_OWNER: Final = f"lab2mqtt on {platform.node()}"


class Ot2(BodyTasks, DeckTasks, ModuleTasks, ProtocolTasks):
    """One robot. Coroutines of the bridge's loop; ``emergency_stop`` and ``read`` run beside another."""

    def __init__(self, settings: Ot2Settings, state: Path | None = None) -> None:
        """Prepare; nothing is opened.

        Args:
            settings: Where it is, and what stands on it.
            state: File of the deck; None keeps it in memory.
        """
        self.settings = settings
        self.cell = Cell.load(settings.cell)
        self._state = state
        self._server = RobotServer("", serial=settings.serial or None)
        self._runs, self._protocols = Runs(self._server), Protocols(self._server)
        # What a simulator plays has no broker of its own, and another's hints are none of our business.
        hints_port = 0 if settings.address.startswith("/") else settings.hints_port
        self._watch = Watch(self._server, self._runs, hints_port)
        self.deck = Deck(settings, state, self.cell.labware)
        self.player = Player(self._server, self._watch, self.deck, _OWNER, self._task_that_puts_back())
        self._forms: dict[str, dict[str, object]] = {
            name: {} for name, one in self.cell.protocols.items() if one.form
        }
        self._refusal: str | None = None
        self._neighbours: Neighbours | None = None
        self._first_picture: asyncio.Task[None] | None = None
        self._simulated = False

    def meet(self, neighbours: Neighbours) -> None:
        """Take the way to the other devices of the lab."""
        self._neighbours = neighbours

    # The connection.

    async def open(self) -> None:
        """Find the robot, see that it is the right one, and what is left of a run. Moves nothing."""
        await self.close()
        host, port = await locate(self.settings.address, self.settings.serial)
        self._server.at(host, port)
        health = await self._server.open()
        if health.simulator and not self._simulated:
            # Nobody has hands in a simulated robot: what is not known of its deck is as configured.
            self._simulated = True
            self.deck.begin_new()
        try:
            await self._watch.start(host)
            if self._watch.seen.lost:
                raise self._watch.seen.lost
            await self._server.mark(_OWNER)
        except LabError:
            await self.close()
            raise
        self.player.accounts.look()
        if self._picture is None:
            self._first_picture = asyncio.create_task(self._look_at_deck())

    async def close(self) -> None:
        """Let go; a run goes on or waits as it did."""
        if self._first_picture:
            self._first_picture.cancel()
            self._first_picture = None
        await self.player.accounts.close()
        await self._watch.stop()
        await self._server.close()

    # What it is.

    async def read(self) -> Snapshot:
        """Tell what was seen last.

        Raises:
            Unreachable: The robot does not answer any more.
        """
        seen = self._watch.seen
        if seen.lost:
            raise seen.lost.with_traceback(None)
        player, deck = self.player, self.deck
        faults = [*seen.problems, *([] if player.followed else deck.faults())]
        return Snapshot(
            faults=tuple(words for words in (*faults, player.waits_for_door, deck.problem) if words),
            occupied=[words for words in (player.occupied, player.left) if words],
            homing=self._homing(),
            run=player.playing,
            last=player.accounts.last,
            refusal=self._refusal,
            door=seen.door.open if seen.door else None,
            lights=seen.lights,
            pipettes={str(each.get("mount")): each.get("instrumentName") for each in seen.instruments or ()},
            modules=seen.modules,
            software=seen.health.software if seen.health else None,
            latest=self.settings.latest_software or None,
            firmware=seen.health.firmware if seen.health else None,
            calibration=seen.calibration,
            deck=deck.shown(),
            forms={name: dict(form) for name, form in self._forms.items()},
            picture=self._picture,
        )

    async def info(self) -> Mapping[str, object]:
        """Tell which robot it is, and what is attached to it."""
        health = self._watch.seen.health or self._server.health
        if health is None:
            return {}
        return {
            "product": health.model,
            "serial": health.serial or "",
            "sw_version": health.software,
            "hw_version": health.firmware,
            "parts": {module.kind: _part(module) for module in self._watch.seen.modules},
        }

    # Its body.

    async def emergency_stop(self) -> None:
        """Hold the run that the robot plays, whoever began it. Homing that is under way cannot be held."""
        await self.player.pause_now()

    async def status(self) -> dict[str, object]:
        """Tell everything: robot, run, deck, and what stands in the way."""
        now = await self.read()
        run = now.run
        return {
            "software": now.software,
            "firmware": now.firmware,
            "door_open": now.door,
            "lights": now.lights,
            "pipettes": dict(now.pipettes),
            "modules": [module.model for module in now.modules],
            "run": run and {"id": run.run_id, "status": run.status, "command": run.command, "ours": run.ours},
            "last": now.last and {"id": now.last.run_id, "status": now.last.status, "error": now.last.error},
            "faults": list(now.faults),
            "occupied": list(now.occupied),
            "needs_homing": list(now.homing),
            "deck": dict(now.deck),
        }

    # Protocols.

    async def play(self, task: str, arguments: Mapping[str, Any], run: Run) -> dict[str, object]:
        """Run a protocol of the cell: what each of its tasks does.

        Args:
            task: Its task.
            arguments: Values of its parameters, and the ids of experiment and session.
            run: The task.
        """
        values = dict(arguments)
        experiment, session = values.pop("experiment_id", ""), values.pop("session_id", "")
        protocol = self.cell.protocols[task]
        wanted = Wanted(
            task, values, protocol.files, pauses=protocol.pauses, experiment=experiment, session=session
        )
        with self._noting_refusals():
            return await self.player.play(wanted, run)

    async def resume_run(self, run: Run) -> dict[str, object]:
        """Go on with the run that was left paused, to its end.

        Args:
            run: The task.
        """
        return await self.player.resume(run)

    async def put_back(self, task: str, arguments: Mapping[str, Any], run: Run) -> dict[str, object]:
        """Go on with a run that holds, as the sensor over a well, to its end: what ``move_sensor_back`` does.

        Args:
            task: Which; its protocols name it.
            arguments: None.
            run: The task.
        """
        del arguments
        words = [one.resumed for one in self.cell.protocols.values() if one.resumes == task]
        return await self.player.resume(run, words[0])

    async def stop(self, throw_away: bool = False) -> dict[str, object]:  # noqa: FBT001, FBT002
        """End the run that was left paused. The robot HOMES, and DROPS the tip that it holds into the trash.

        Args:
            throw_away: Also where that is the colour sensor.
        """
        return await self.player.end(throw_away=throw_away)

    async def mix_colors(self, task: str, arguments: Mapping[str, Any], run: Run) -> dict[str, object]:
        """Mix paint towards a colour of the screen.

        Args:
            task: Its name.
            arguments: ``r``, ``g``, ``b`` of 0 to 255, perhaps ``well``, ``experiment_id``, ``session_id``.
            run: The task.
        """
        del task
        told = dict(arguments)
        least, most = PIPETTES[self.settings.pipette]
        most = min(most, self.settings.well_limit)
        mix = paints(told.pop("r"), told.pop("g"), told.pop("b"), most, least)
        well = told.pop("well", None) or self.deck.next_well()
        result = await self.play("mix_color", {**mix.volumes, "well": well, **told}, run)
        return {**result, "notes": list(mix.notes)}

    # Forms.

    async def fill_in(self, task: str, arguments: Mapping[str, Any]) -> dict[str, object]:
        """Fill in parameters of a task; touches nothing.

        Args:
            task: ``fill_in_`` and the name of the task.
            arguments: What is filled in.
        """
        form = self._forms[task.removeprefix(FILL_IN)]
        form.update(arguments)
        return dict(form)

    async def play_filled_in(self, task: str, arguments: Mapping[str, Any], run: Run) -> dict[str, object]:
        """Do a task with what is filled in.

        Args:
            task: The name of the task, and ``_as_filled_in``.
            arguments: None.
            run: The task.
        """
        del arguments
        name = task.removesuffix(AS_FILLED_IN)
        with self._noting_refusals():
            values = checked(self.cell.protocols[name], self._forms[name])
        return await self.play(name, values, run)

    # Other devices, and what cools.

    async def read_color(self, task: str, arguments: Mapping[str, Any]) -> object:
        """Ask the colour sensor, a device of its own.

        Args:
            task: Its name.
            arguments: None.
        """
        del task, arguments
        return await self._ask(self.settings.color_sensor, "read_color", {})

    async def adjust_cooling(self, target: Annotated[float, Range(4, 95), Unit("°C")]) -> dict[str, object]:
        """Cool to a temperature: with the temperature module, or the fan that the configuration names.

        Args:
            target: Of the module; of a fan, full speed where it is below 25 °C, and off above.
        """
        if any(module.kind == "temperature" for module in self._modules()):
            return await self.set_temperature(target)
        if not self.settings.cooling_fan:
            raise Refused(
                "nothing cools: no temperature module is attached, and no cooling_fan is configured",
                "not_allowed",
            )
        speed = 100 if target < _WARM else 0
        return {
            "speed": speed,
            "fan": await self._ask(self.settings.cooling_fan, "set_speed", {"speed": speed}),
        }

    # Parts.

    def _modules(self) -> Sequence[Module]:
        return self._watch.seen.modules

    @contextlib.contextmanager
    def _noting_refusals(self) -> Iterator[None]:
        """Keep why a run was refused, for whoever pressed the button."""
        self._refusal = None
        try:
            yield
        except Refused as refused:
            self._refusal = str(refused)
            raise

    def _task_that_puts_back(self) -> str:
        """What brings the sensor back into its port."""
        found = (one.resumes for one in self.cell.protocols.values() if one.holds == "sensor" and one.resumes)
        return next(found, "resume_run")

    async def _look_at_deck(self) -> None:
        """Have a picture to show; not every robot has a camera."""
        with contextlib.suppress(LabError):
            await self.take_picture()

    async def _ask(self, device_id: str, task: str, parameters: Mapping[str, object]) -> object:
        if self._neighbours is None:
            raise Refused(f"{device_id} cannot be asked: this robot is not part of a lab", "not_allowed")
        return await self._neighbours.call(device_id, task, parameters, _ASK)


def _part(module: Module) -> dict[str, str]:
    return {
        "name": f"{module.kind.replace('_', '-')} module".capitalize(),
        "model": module.model,
        "manufacturer": "Opentrons",
        "serial": module.serial,
        "sw_version": module.firmware,
    }
