"""Tips, liquids and the sensor as they stand, and what each step of a run makes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import math
from typing import Final, Literal

from lab2mqtt.drivers.ot2.deck_settings import Layout
from lab2mqtt.drivers.ot2.labware import Place
from lab2mqtt.drivers.ot2.steps import Step

Sensor = Literal["parked", "held", "unknown"]
EXPERIMENTS: Final = 4000  # ids that are remembered; the oldest is forgotten first


@dataclass(frozen=True)
class Well:
    """A well or a vial.

    Attributes:
        contents: µL by liquid, empty where nothing ever was in it; None is unknown. Of a vial it is the least
            that can be in it.
        experiment: For which it was filled.
    """

    contents: Mapping[str, float] | None
    experiment: str = ""

    @property
    def volume(self) -> float | None:
        """µL; None is unknown."""
        return None if self.contents is None else sum(self.contents.values())

    @property
    def label(self) -> str:
        """What is in it, in words."""
        if self.contents is None:
            return "unknown"
        return ", ".join(f"{name} {volume:g}" for name, volume in self.contents.items())


@dataclass(frozen=True)
class Tip:
    """A place of a tip rack; ``out`` has no tip, ``used`` touched ``liquids``."""

    state: Literal["new", "used", "out", "unknown"]
    liquids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hand:
    """What hangs on the pipette.

    Attributes:
        place: Where it was taken; None where nobody knows.
        liquids: What it touched.
        contents: µL in it by liquid; None where nobody knows whether it hangs there at all.
    """

    place: Place | None
    liquids: tuple[str, ...] = ()
    contents: Mapping[str, float] | None = field(default_factory=dict)

    @property
    def volume(self) -> float | None:
        """µL in it; None is unknown."""
        return None if self.contents is None else sum(self.contents.values())


@dataclass(frozen=True)
class Reserved:
    """A run that was let start and whose end was not told.

    Attributes:
        run: Its id on the robot.
        done: How many of the steps have succeeded for certain.
    """

    run: str
    steps: tuple[Step, ...]
    experiment: str = ""
    done: int = 0


EMPTY: Final = Well({})
UNKNOWN_WELL: Final = Well(None)
NEW: Final = Tip("new")
OUT: Final = Tip("out")
UNKNOWN_TIP: Final = Tip("unknown")
UNKNOWN_HAND: Final = Hand(None, contents=None)


@dataclass
class DeckState:
    """Everything that is remembered. A place that is not in it is unknown.

    Attributes:
        experiments: Where each was dispensed, the oldest first; None where that was lost.
        reserved: The run that is under way, or was cut off.
    """

    wells: dict[Place, Well] = field(default_factory=dict)
    tips: dict[Place, Tip] = field(default_factory=dict)
    sensor: Sensor = "unknown"
    hand: Hand | None = UNKNOWN_HAND
    experiments: dict[str, str] | None = None
    reserved: Reserved | None = None

    @classmethod
    def new(cls, layout: Layout) -> "DeckState":
        """A deck as configured: full racks, full vials, empty plates, the sensor parked."""
        wells = {place: EMPTY for slot in layout.plates() for place in layout.places(slot)}
        for place, vial in layout.sources.items():
            wells[place] = Well({vial.liquid: vial.volume})
        tips = {place: NEW for slot in layout.racks() for place in layout.places(slot)}
        return cls(wells, tips, "parked", None, {})

    def copy(self) -> "DeckState":
        """One that can be changed without this one."""
        experiments = None if self.experiments is None else dict(self.experiments)
        return DeckState(
            dict(self.wells), dict(self.tips), self.sensor, self.hand, experiments, self.reserved
        )

    def well(self, place: Place) -> Well:
        """What is known of a well."""
        return self.wells.get(place, UNKNOWN_WELL)

    def tip(self, place: Place) -> Tip:
        """What is known of a place of a rack."""
        return self.tips.get(place, UNKNOWN_TIP)

    def remember(self, experiment: str, where: str) -> None:
        """Note that an experiment has had its liquid, or may have."""
        if experiment and self.experiments is not None:
            self.experiments[experiment] = where
            for oldest in list(self.experiments)[:-EXPERIMENTS]:
                del self.experiments[oldest]


def apply(state: DeckState, layout: Layout, step: Step, experiment: str = "") -> None:
    """Change the state as a step that succeeds does; what was unknown stays so."""
    place = step.place
    match step.kind:
        case "pick_up" if place == layout.sensor_port:
            state.sensor, state.hand = "held", Hand(place)
        case "pick_up":
            state.hand = Hand(place, state.tip(place).liquids)
            state.tips[place] = OUT
        case "aspirate":
            before = state.well(place)
            drawn = _part(before.contents, step.volume)
            state.wells[place] = Well(_sum(before.contents, drawn, -1), before.experiment)
            if hand := state.hand:
                liquids = tuple(sorted({*hand.liquids, *(drawn or {})}))
                state.hand = Hand(hand.place, liquids, _sum(hand.contents, drawn))
        case "dispense":
            _pour(state, layout, step, experiment)
        case "blow_out":
            _pour(state, layout, step._replace(volume=math.inf), experiment)
        case "drop":
            _drop(state, layout, place)


def _part(contents: Mapping[str, float] | None, volume: float) -> dict[str, float] | None:
    """What is in so much of a mixture, at most all of it."""
    if contents is None:
        return None
    total = sum(contents.values())
    share = min(1.0, volume / total) if total else 0.0
    return {name: amount * share for name, amount in contents.items()}


def _sum(
    one: Mapping[str, float] | None, other: Mapping[str, float] | None, sign: int = 1
) -> dict[str, float] | None:
    """Both together; what is unknown makes the whole unknown. Rounded, or sums of 0.1 would creep."""
    if one is None or other is None:
        return None
    names = [*one, *(name for name in other if name not in one)]
    return {name: round(max(0.0, one.get(name, 0.0) + sign * other.get(name, 0.0)), 6) for name in names}


def _pour(state: DeckState, layout: Layout, step: Step, experiment: str) -> None:
    hand, well = state.hand, state.well(step.place)
    poured = _part(hand.contents, step.volume) if hand else {}
    if hand:
        state.hand = Hand(hand.place, hand.liquids, _sum(hand.contents, poured, -1))
    if step.place in state.wells and step.place != layout.rinse and (poured is None or any(poured.values())):
        state.wells[step.place] = Well(_sum(well.contents, poured), experiment)


def _drop(state: DeckState, layout: Layout, place: Place) -> None:
    hand, state.hand = state.hand, None
    if hand and hand.place and hand.place == layout.sensor_port:
        state.sensor = "parked" if place == hand.place else "unknown"
    elif hand and place in state.tips:
        state.tips[place] = Tip("used", hand.liquids) if hand.liquids else NEW


def break_off(state: DeckState, layout: Layout, rest: Sequence[Step], *, how_far: bool) -> None:
    """Change the state as a run does that ended before it was done, or may have.

    What may have been touched is unknown. Of a vial everything counts as drawn that may have been.

    Args:
        state: After the steps that have certainly succeeded.
        layout: The deck.
        rest: The steps after those.
        how_far: Whether it is certain that the run came no further than into the first of them.
    """
    begun = rest[:1] if how_far else rest
    for step in begun:
        _doubt(state, layout, step)
    hand = state.hand
    taken = {step.place for step in begun if step.kind == "pick_up"}
    places = taken | ({hand.place} if hand and hand.place else set())
    if hand or any(step.kind in ("pick_up", "drop") for step in begun):
        state.hand = Hand(places.pop() if len(places) == 1 else None, contents=None)
    if hand and hand.place:
        _doubt(state, layout, Step("drop", hand.place))
    if hand and hand.place != layout.sensor_port and _wet(hand, begun):
        for step in rest:  # what hangs in the tip, or drips from it, belongs there
            if step.kind == "drop":
                break
            if step.kind == "dispense":
                state.wells[step.place] = UNKNOWN_WELL


def _wet(hand: Hand, begun: Sequence[Step]) -> bool:
    return hand.volume != 0 or any(step.kind == "aspirate" for step in begun)


def _doubt(state: DeckState, layout: Layout, step: Step) -> None:
    place = step.place
    if place == layout.sensor_port:
        state.sensor = "unknown"
    elif step.kind in ("pick_up", "drop"):
        if place in state.tips:
            state.tips[place] = UNKNOWN_TIP
    elif step.kind == "aspirate" and place in layout.sources:
        well = state.well(place)
        drawn = _part(well.contents, step.volume)
        state.wells[place] = Well(_sum(well.contents, drawn, -1), well.experiment)
    elif step.kind in ("aspirate", "dispense", "blow_out") and place in state.wells and place != layout.rinse:
        state.wells[place] = UNKNOWN_WELL
