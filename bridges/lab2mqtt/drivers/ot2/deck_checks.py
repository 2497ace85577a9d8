"""Why a run may not start: everything that can be known before anything moves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
import math
from typing import Final

from lab2mqtt.core.errors import Refused
from lab2mqtt.drivers.ot2.deck_settings import PIPETTES, Layout
from lab2mqtt.drivers.ot2.deck_state import DeckState, apply
from lab2mqtt.drivers.ot2.labware import TRASH, Place
from lab2mqtt.drivers.ot2.steps import Plan, Step

_FUZZ: Final = 1e-6  # µL, by which a sum of floating point numbers may be wrong


@dataclass(frozen=True)
class Fault:
    """One reason.

    Attributes:
        text: What is wrong and what would be right.
        asked: Whether what was asked for is wrong, and not the deck.
    """

    text: str
    asked: bool = False


@dataclass(frozen=True)
class Pipette:
    """A pipette as the instrument tells it.

    Attributes:
        name: As ``p300_single_gen2``.
        least: µL; None where it does not tell.
        most: µL; None where it does not tell.
        tip: Whether something hangs on it; None where it cannot tell, as an OT-2.
    """

    name: str
    least: float | None = None
    most: float | None = None
    tip: bool | None = None


@dataclass(frozen=True)
class Reported:
    """What the instrument and the analysis of the protocol tell.

    Attributes:
        pipettes: What hangs there, by mount.
        modules: Models that are attached, one entry each.
        labware: What the protocol loads, load name by slot; None where it was not analysed yet.
        used: Pipettes that the protocol loads, name by mount; None where it was not analysed yet.
    """

    pipettes: Mapping[str, Pipette] = field(default_factory=dict)
    modules: Sequence[str] = ()
    labware: Mapping[str, str] | None = None
    used: Mapping[str, str] | None = None


def refusal(faults: Sequence[Fault]) -> Refused:
    """All faults in one error, each once."""
    texts = dict.fromkeys(fault.text for fault in faults)
    asked = any(fault.asked for fault in faults)
    return Refused("; ".join(texts), "invalid_parameters" if asked else "not_allowed")


def instrument_faults(layout: Layout, reported: Reported) -> Iterator[Fault]:
    """Pipette, modules and labware that are not as configured."""
    ours = layout.settings
    there = reported.pipettes.get(ours.mount)
    if there is None:
        yield Fault(f"no pipette is attached on the {ours.mount}: a {ours.pipette} is needed there")
    elif there.name != ours.pipette:
        yield Fault(f"a {there.name} is attached on the {ours.mount}: a {ours.pipette} is needed there")
    for mount, pipette in reported.pipettes.items():
        if pipette.tip:
            yield Fault(
                f"something hangs on the pipette on the {mount}: take it off, then reset tips or sensor"
            )
    attached = list(reported.modules)
    for model in ours.modules:
        if model in attached:
            attached.remove(model)
        else:
            yield Fault(f"module {model} is not attached: plug it in and switch it on")
    yield from _protocol_faults(layout, reported)


def _protocol_faults(layout: Layout, reported: Reported) -> Iterator[Fault]:
    ours = layout.settings
    for slot, name in (reported.labware or {}).items():
        kind = layout.labware.get(slot)
        if slot != TRASH.slot and (kind is None or kind.load_name != name):
            stands = kind.load_name if kind else "nothing"
            yield Fault(f"the protocol wants {name} in slot {slot}, and {stands} is configured there")
    for mount, name in (reported.used or {}).items():
        if (mount, name) != (ours.mount, ours.pipette):
            yield Fault(
                f"the protocol wants a {name} on the {mount}:"
                f" tips and liquids are kept for a {ours.pipette} on the {ours.mount}"
            )


def readiness_faults(state: DeckState, layout: Layout) -> Iterator[Fault]:
    """What forbids any run, whatever it does."""
    if state.reserved:
        yield Fault(f"run {state.reserved.run} is not over, or was cut off and is not accounted for")
    elif state.hand:
        place, what = state.hand.place, "what" if state.hand.contents is None else "that nothing"
        if place and place == layout.sensor_port:
            yield Fault("the sensor may hang on the pipette: put it into its port, then reset the sensor")
        else:
            rack = f"slot {place.slot}" if place else "every rack"
            yield Fault(
                f"nobody knows {what} hangs on the pipette: look, take it off, then reset tips of {rack}"
            )
    if layout.sensor_port and state.sensor != "parked" and not state.reserved:
        yield Fault(f"the sensor is {state.sensor}: put it into its port {layout.sensor_port}, then reset it")


def plan_faults(state: DeckState, layout: Layout, plan: Plan, pipette: Pipette | None) -> Iterator[Fault]:
    """What is wrong with a plan, found by playing it on a copy of the deck.

    What follows from a fault that was told already is not told again.
    """
    where = plan.experiment and plan.dispenses
    if where and state.experiments is None:
        yield Fault("which experiments were dispensed is not known any more: reset the plate to begin anew")
    elif where and plan.experiment in (state.experiments or {}):
        done = (state.experiments or {})[plan.experiment]
        yield Fault(
            f"experiment {plan.experiment!r} was dispensed already, into {done}: take another id", asked=True
        )
    told: set[Place] = set()
    now = replace(state.copy(), hand=None)  # what is there before is told by readiness_faults
    for step in plan.steps:
        for fault in _place(layout, step):
            told.add(step.place)
            yield fault
        if step.place not in told:
            for fault in _step(state, now, layout, step):
                told.add(step.place)
                yield fault
        apply(now, layout, step, plan.experiment)
    yield from _volumes(layout, plan, pipette)
    if now.hand and now.hand.place == layout.sensor_port:
        yield Fault(
            "the run would end with the sensor on the pipette, and the robot would throw it away", asked=True
        )


def _place(layout: Layout, step: Step) -> Iterator[Fault]:
    if step.place == TRASH:
        return
    kind = layout.labware.get(step.place.slot)
    if kind is None:
        yield Fault(
            f"nothing is configured in slot {step.place.slot}: the deck has {', '.join(layout.labware)}",
            asked=True,
        )
    elif wrong := kind.refusal(step.place.well):
        yield Fault(wrong, asked=True)
    elif kind.tips != (step.kind in ("pick_up", "drop")) and step.kind != "move":
        yield Fault(
            f"{step.kind.replace('_', ' ')} at {step.place}: {kind.load_name} stands there", asked=True
        )


def _step(before: DeckState, now: DeckState, layout: Layout, step: Step) -> Iterator[Fault]:
    match step.kind:
        case "pick_up":
            yield from _pick_up(before, now, layout, step)
        case "aspirate":
            yield from _aspirate(now, layout, step)
        case "dispense":
            yield from _dispense(before, now, layout, step)
        case "drop":
            yield from _drop(now, layout, step)


def _pick_up(before: DeckState, now: DeckState, layout: Layout, step: Step) -> Iterator[Fault]:
    if now.hand:
        yield Fault(f"the protocol picks up {step.place} with a tip on the pipette", asked=True)
    if step.place == layout.sensor_port:
        return  # whether it is there is asked of every run
    tip, slot = now.tip(step.place), step.place.slot
    rack = f"rack {layout.labware[slot].load_name} in slot {slot}"
    if tip.state == "unknown":
        yield Fault(
            f"whether a clean tip is in {step.place.well} of the {rack} is unknown: look, then reset tips"
        )
    elif tip.state == "out":
        # As it was before the run: on paper, what this run lacks is put back too.
        left = sum(before.tip(place).state in ("new", "used") for place in layout.places(slot))
        has = f"has no tip in {step.place.well}, and {left} elsewhere" if left else "is empty"
        yield Fault(f"{rack} {has}: put one in, then reset tips")


def _aspirate(now: DeckState, layout: Layout, step: Step) -> Iterator[Fault]:
    well, vial, hand = now.well(step.place), layout.sources.get(step.place), now.hand
    if hand is None or hand.place == layout.sensor_port:
        yield Fault(f"the protocol aspirates from {step.place} without a tip", asked=True)
        return
    what = f"vial {step.place.well} ({vial.liquid})" if vial else f"well {step.place.well}"
    kept = vial.dead_volume if vial else 0.0
    if well.volume is None or well.contents is None:
        yield Fault(f"what is in {what} is unknown: look, then reset it")
        return
    if well.volume + _FUZZ < step.volume + kept:
        free = max(0.0, well.volume - kept)
        yield Fault(
            f"{what} has {free:g} µL that can be drawn, not {step.volume:.6g}: fill it, then reset it"
        )
    if other := sorted(set(hand.liquids) - set(well.contents)):
        yield Fault(f"tip {hand.place} touched {' and '.join(other)}: it would spoil {what}; take a new one")


def _dispense(before: DeckState, now: DeckState, layout: Layout, step: Step) -> Iterator[Fault]:
    well = f"well {step.place.well}"
    if now.hand is None or now.hand.place == layout.sensor_port:
        yield Fault(f"the protocol dispenses into {well} without a tip", asked=True)
    if step.place in (layout.rinse, TRASH):
        return
    if step.place in layout.sources:
        yield Fault(
            f"the protocol dispenses into vial {step.place.well}, which others are drawn from", asked=True
        )
        return
    was = before.well(step.place)
    empty = (place.well for place in layout.places(step.place.slot) if before.well(place).contents == {})
    another = next(empty, None)
    if was.contents is None:
        instead = f", or take another, as {another}" if another else ""
        yield Fault(f"what is in {well} is unknown: look, then reset the plate{instead}")
    elif was.contents:
        by = f" by experiment {was.experiment!r}" if was.experiment else ""
        instead = f"another, as {another}" if another else "a new plate, then reset it"
        yield Fault(f"{well} is used{by} ({was.label} µL): take {instead}")


def _drop(now: DeckState, layout: Layout, step: Step) -> Iterator[Fault]:
    held = now.hand and now.hand.place
    if held is None:
        yield Fault(f"the protocol drops a tip at {step.place} and has none", asked=True)
    elif (held == layout.sensor_port) != (step.place == layout.sensor_port):
        yield Fault(f"the protocol drops at {step.place} what it took from {held}", asked=True)
    elif step.place not in (layout.sensor_port, TRASH) and now.tip(step.place).state in ("new", "used"):
        yield Fault(f"the protocol drops a tip at {step.place}, where one is already", asked=True)


def _volumes(layout: Layout, plan: Plan, pipette: Pipette | None) -> Iterator[Fault]:
    """What does not fit the pipette, the tip or a well, whatever is in it now."""
    least, most = _range(layout, pipette)
    tip, wells = 0.0, dict.fromkeys((step.place for step in plan.steps), 0.0)
    highest = dict(wells)
    for step in plan.steps:
        volume = step.volume
        match step.kind:
            case "pick_up" | "drop" | "blow_out":
                tip = 0.0
            case "aspirate":
                yield from _amount(layout, step, least, most)
                tip, wells[step.place] = tip + volume, wells[step.place] - volume
                if tip > most + _FUZZ and not volume > most:
                    yield Fault(f"{tip:.6g} µL is more than a tip takes at once: {most:g}", asked=True)
            case "dispense":
                if not volume <= tip + _FUZZ and math.isfinite(tip):
                    yield Fault(
                        f"the protocol dispenses {volume:.6g} µL, and {tip:.6g} are in the tip", asked=True
                    )
                tip, wells[step.place] = tip - volume, wells[step.place] + volume
                highest[step.place] = max(highest[step.place], wells[step.place])
    for place, total in highest.items():
        limited = place.slot in layout.plates() and place != layout.rinse and place not in layout.sources
        if limited and total > layout.limit(place) + _FUZZ:
            limit = layout.limit(place)
            yield Fault(
                f"{total:.6g} µL is more than well {place.well} may hold: {limit:g} at most", asked=True
            )


def _range(layout: Layout, pipette: Pipette | None) -> tuple[float, float]:
    """What the pipette with its tip can take, in µL."""
    least, most = PIPETTES[layout.settings.pipette]
    if pipette:
        least, most = pipette.least or least, pipette.most or most
    return least, min([most, *(layout.labware[slot].capacity for slot in layout.racks())])


def _amount(layout: Layout, step: Step, least: float, most: float) -> Iterator[Fault]:
    if least <= step.volume <= most:
        return
    wrong = f"is less than the {layout.pipette} can take"
    if not math.isfinite(step.volume):
        wrong = "is no volume"
    elif step.volume > most:
        wrong = f"is more than the {layout.pipette} and its tip can take"
    vial = layout.sources.get(step.place)
    what = f" of {vial.liquid}" if vial else ""
    yield Fault(f"{step.volume:.6g} µL{what} {wrong}: {least:g} to {most:g}", asked=True)
