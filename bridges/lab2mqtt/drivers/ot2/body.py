"""The tasks of the robot's body: what moves without liquids, what shines, what is seen and told."""

import contextlib
import time
from typing import Annotated, Final, Literal

from lab2mqtt.core.entities import Picture
from lab2mqtt.core.errors import LabError, Refused
from lab2mqtt.core.parameters import Range, Unit
from lab2mqtt.drivers.ot2.deck import Deck
from lab2mqtt.drivers.ot2.http import RobotServer
from lab2mqtt.drivers.ot2.play import Player
from lab2mqtt.drivers.ot2.runs import Runs, maintained
from lab2mqtt.drivers.ot2.watch import Watch

_ASK: Final = 30.0  # s for one command


class BodyTasks:
    """For a driver that has the robot, and knows what is under way on it.

    Attributes:
        deck: What stands on it.
        player: What plays on it.
    """

    deck: Deck
    player: Player
    _server: RobotServer
    _runs: Runs
    _watch: Watch
    _picture: Picture | None = None

    async def home(self, mount: Literal["left", "right"] | None = None) -> dict[str, object]:
        """Home everything, or one pipette.

        Args:
            mount: Which pipette; without it everything.
        """
        await self._nothing_under_way()
        if faults := self.deck.faults():  # homing draws what is in a tip up into the pipette
            raise Refused("; ".join(faults), "not_allowed")
        await self._server.home(mount)
        if mount is None:
            self._watch.acknowledge()
            await self._watch.look()
        return {"status": "homed"}

    async def identify(self, seconds: Annotated[int, Range(1, 60), Unit("s")] = 5) -> dict[str, object]:
        """Blink the robot's light.

        Args:
            seconds: For how long.
        """
        await self._server.identify(seconds)
        return {"seconds": seconds}

    async def set_lights(self, on: bool) -> dict[str, object]:  # noqa: FBT001 - a parameter of the task
        """Light the rails, or not.

        Args:
            on: Whether they are lit.
        """
        await self._server.set_lights(on=on)
        await self._watch.look()
        return {"on": self._watch.seen.lights}

    async def take_picture(self) -> dict[str, object]:
        """Take a picture of the deck, for the camera and the topic ``picture/camera``."""
        content = await self._server.picture()
        self._picture = Picture(content, round(time.time(), 3))
        return {"taken_at": self._picture.taken_at, "bytes": len(content)}

    async def get_position(self) -> dict[str, object]:
        """Tell where the pipettes are, in mm, whether the motors hold, and whether the position is known."""
        await self._watch.look()
        positions: dict[str, object] = {}
        engaged = dict(self._watch.seen.engaged or {})
        seen = self._watch.seen
        free = (seen.run is None or seen.run.ended) and not seen.maintenance  # else a new run replaced it
        if free and not self._homing() and all(engaged.values()):
            positions = await self._positions()
        return {"positions": positions, "engaged": engaged, "known": not self._homing()}

    async def get_instruments(self) -> dict[str, object]:
        """Tell which pipettes are attached."""
        return {"instruments": await self._server.instruments()}

    async def get_modules(self) -> dict[str, object]:
        """Tell which modules are attached, and what they measure."""
        return {"modules": await self._server.modules()}

    async def get_calibration(self) -> dict[str, object]:
        """Tell how the deck and the pipettes are calibrated."""
        return await self._server.calibration()

    # Parts.

    def _homing(self) -> list[str]:
        seen = self._watch.seen
        if seen.rebooted:
            return ["the robot was restarted, and its position is not known"]
        loose = [axis for axis, holds in (seen.engaged or {}).items() if not holds]
        return [f"the motors {', '.join(loose)} are off, and the position is not known"] if loose else []

    async def _nothing_under_way(self) -> None:
        """See that no run is, whoever began it: the robot would home in the midst of one."""
        if maintenance := await self._runs.maintenance():
            raise Refused(maintained(maintenance), "busy")
        state = await self._runs.current()
        if state and state.active:
            raise Refused(
                self.player.left or self.player.occupied or f"run {state.run_id} is {state.status}", "busy"
            )

    async def _positions(self) -> dict[str, object]:
        """Where the tips are, asked in a run of its own that plays nothing."""
        state, _ = await self._runs.create()
        found: dict[str, object] = {}
        try:
            for each in self._watch.seen.instruments or ():
                asked = {"pipetteName": each.get("instrumentName"), "mount": each.get("mount")}
                loaded = await self._runs.command(state.run_id, "loadPipette", asked, _ASK)
                saved = await self._runs.command(
                    state.run_id, "savePosition", {"pipetteId": loaded["pipetteId"]}, _ASK
                )
                found[str(each.get("mount"))] = saved["position"]
        finally:
            with contextlib.suppress(LabError):
                await self._runs.release(state.run_id)
        return found
