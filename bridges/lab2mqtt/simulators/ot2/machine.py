"""The moving parts: each motion takes its time, one at a time, and changes the truth."""

import asyncio
from collections.abc import Iterator
import contextlib
from contextvars import ContextVar
import math
from typing import Final

from lab2mqtt.simulators.ot2.clock import Clock
from lab2mqtt.simulators.ot2.labware import Point
from lab2mqtt.simulators.ot2.truth import Tip, Truth, is_trash

HOME: Final = Point(418.0, 353.0, 218.0)
GANTRY_SPEED: Final = 400.0  # mm/s unless told otherwise
FLOW_RATE: Final = 92.86  # µL/s of a P300 GEN2
SENSOR_PLACE: Final = "10/A2"
_HOMING = 5.0  # s
_PICKING = 2.0
_DROPPING = 1.0
_BLOWING = 0.8
_SETTLING = 0.1


_BY: ContextVar[str] = ContextVar("by", default="boot")


@contextlib.contextmanager
def asked_by(who: str) -> Iterator[None]:
    """Note motions as asked by somebody: a run's id, ``legacy``, ``boot``."""
    token = _BY.set(who)
    try:
        yield
    finally:
        _BY.reset(token)


class MustHome(Exception):
    """Nobody knows where the gantry is."""


class Machine:
    """Gantry and pipettes.

    Attributes:
        tip_falls: Fault: what hangs at a nozzle falls off at the next move.
    """

    def __init__(self, clock: Clock, truth: Truth) -> None:
        self.clock = clock
        self.truth = truth
        self.tip_falls = False
        self._one = asyncio.Lock()

    async def home(self, axes: tuple[str, ...] | None = None) -> None:
        """Home axes, all by default. Plungers with liquid above them are homed too: nothing stops that."""
        async with self._one:
            self._note("home", axes=axes and list(axes))
            if axes is None or any(axis.endswith("Plunger") for axis in axes):
                for mount, tip in self.truth.tips.items():
                    if sum(tip.contents.values()):  # it is drawn up into the pipette
                        self._note("plunger_homed_with_liquid", mount=mount, tip=tip.place)
            await self.clock.sleep(_HOMING)
            if axes is None or {"x", "y"} <= {axis.lower() for axis in axes}:
                self.truth.position, self.truth.place = HOME, "home"
            self.truth.engaged = True

    def halt(self) -> None:
        """Stop at once, wherever that is: the position is lost."""
        self.truth.position = self.truth.place = None
        self._note("halt")

    def disengage(self, axes: list[str]) -> None:
        """Let motors go."""
        self.truth.engaged = False
        self.truth.position = self.truth.place = None
        self._note("disengage", axes=axes)

    async def move(self, mount: str, to: Point, place: str, speed: float | None = None) -> None:
        """Go somewhere.

        Raises:
            MustHome: The position is unknown.
        """
        async with self._one:
            start = self.truth.position
            if start is None:
                raise MustHome
            self._note("move", mount=mount, to=[round(value, 2) for value in to], place=place, speed=speed)
            if self.tip_falls and (tip := self.truth.tips.pop(mount, None)):
                self._note("tip_lost", mount=mount, tip=tip.place, place=place)
            self.truth.place = None
            await self.clock.sleep(_SETTLING + math.dist(start, to) / (speed or GANTRY_SPEED))
            self.truth.position, self.truth.place = to, place

    async def pick_up(self, mount: str, place: str) -> None:
        """Press the nozzle into a place of a rack; takes what is there."""
        async with self._one:
            await self.clock.sleep(_PICKING)
            truth = self.truth
            if mount in truth.tips:
                self._note("collision", mount=mount, place=place)
            elif place in truth.away:
                self._note("picked_nothing", mount=mount, place=place)
            else:
                truth.away.add(place)
                truth.picked[place] = truth.picked.get(place, 0) + 1
                truth.tips[mount] = Tip(place, place == SENSOR_PLACE)
                self._note("pick_up", mount=mount, place=place, sensor=place == SENSOR_PLACE)

    async def drop(self, mount: str, place: str) -> None:
        """Push off what is on the nozzle, if anything is."""
        async with self._one:
            await self.clock.sleep(_DROPPING)
            tip = self.truth.tips.pop(mount, None)
            self._note(
                "drop", mount=mount, place=place, tip=tip and tip.place, sensor=bool(tip and tip.sensor)
            )
            if tip is None:
                return
            if tip.place == place:
                self.truth.away.discard(place)
            elif is_trash(place):
                self.truth.trash.append(tip.place)

    async def aspirate(self, mount: str, place: str, volume: float, flow: float, *, air: bool) -> None:
        """Draw in, µL and µL/s."""
        async with self._one:
            await self.clock.sleep(volume / flow)
            drawn = self.truth.draw(place, volume, air=air or mount not in self.truth.tips)
            if tip := self.truth.tips.get(mount):
                for name, amount in drawn.items():
                    tip.contents[name] = tip.contents.get(name, 0.0) + amount
            self._note(
                "aspirate", mount=mount, place=place, volume=volume, air=round(drawn.get("air", 0.0), 3)
            )

    async def dispense(self, mount: str, place: str, volume: float, flow: float) -> None:
        """Push out, µL and µL/s."""
        async with self._one:
            await self.clock.sleep(volume / flow)
            tip = self.truth.tips.get(mount)
            held = sum(tip.contents.values()) if tip else 0.0
            if tip and held:
                share = min(1.0, volume / held)
                out = {name: amount * share for name, amount in tip.contents.items()}
                tip.contents = {name: amount - out[name] for name, amount in tip.contents.items()}
                self.truth.pour(place, out)
            self._note("dispense", mount=mount, place=place, volume=volume)

    async def blow_out(self, mount: str, place: str) -> None:
        """Push out whatever is left."""
        async with self._one:
            await self.clock.sleep(_BLOWING)
            if tip := self.truth.tips.get(mount):
                self.truth.pour(place, tip.contents)
                tip.contents = {}
            self._note("blow_out", mount=mount, place=place)

    async def wait(self, seconds: float) -> None:
        """Stand still."""
        await self.clock.sleep(seconds)

    def _note(self, what: str, **more: object) -> None:
        told = {name: value for name, value in more.items() if value is not None}
        self.truth.note(self.clock.seconds(), what, **{"by": _BY.get(), **told})
