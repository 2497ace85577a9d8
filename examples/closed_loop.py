"""Mix towards a colour: each well is mixed, measured, and decides what goes into the next.

Against the demo that runs here: `python examples/closed_loop.py`; a well takes about 11 s. With a real cell:
`--broker mqtt://broker.local`. The OT-2 is reserved meanwhile, and everybody can look. Needs empty wells.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
import math
import sys
from typing import Any
import uuid

from lab2mqtt.client import SyncDevice, SyncLab, TaskError
from lab2mqtt.runtime import running_demo
from lab2mqtt.simulators.control import control

PAINTS = ("R", "Y", "B")
VOLUME = 240  # µL in each well
LEAST = 20  # µL that the pipette takes
CHANNELS = ("f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8")  # of the colour sensor, 415 to 680 nm

Recipe = dict[str, int]  # µL by paint
Colour = list[float]  # how the light is shared among the channels; together 1

MOSS: Colour = [0.022, 0.060, 0.087, 0.136, 0.162, 0.203, 0.174, 0.156]  # the target


def colour_of(counts: Sequence[float]) -> Colour:
    """What remains of a reading when the lamp is brighter or darker."""
    return [count / sum(counts) for count in counts]


def distance(one: Colour, other: Colour) -> float:
    """How much of the light is in other channels, in %."""
    return 50 * sum(abs(a - b) for a, b in zip(one, other, strict=True))


def recipes(step: int = 10) -> Iterator[Recipe]:
    """Everything that can be mixed."""
    volumes = (0, *range(LEAST, VOLUME + 1, step))
    for red in volumes:
        for yellow in volumes:
            blue = VOLUME - red - yellow
            if blue == 0 or blue >= LEAST:
                yield {"R": red, "Y": yellow, "B": blue}


def expected(recipe: Recipe, pure: Mapping[str, Colour]) -> Colour:
    """A guess: each paint filters the light that the others leave, as much as there is of it."""
    shares = {paint: recipe[paint] / VOLUME for paint in PAINTS}
    return colour_of(
        [math.prod(pure[paint][at] ** shares[paint] for paint in PAINTS) for at in range(len(CHANNELS))]
    )


def next_recipe(target: Colour, wells: Sequence[tuple[Recipe, Colour]]) -> Recipe:
    """What to mix next: first each paint alone, then what the guess says, corrected by how far it was off."""
    tried = [recipe for recipe, _ in wells]
    alone: list[Recipe] = [{each: VOLUME * (each == paint) for each in PAINTS} for paint in PAINTS]
    if len(wells) < len(alone):
        return alone[len(wells)]
    pure = {paint: colour for paint, (_, colour) in zip(PAINTS, wells, strict=False)}
    aim = target
    for _, colour in wells[len(alone) :]:
        # Where there was too little light, more is aimed at than is wanted.
        aim = colour_of([a * want / got for a, want, got in zip(aim, target, colour, strict=True)])
    left = [recipe for recipe in recipes() if recipe not in tried]
    return min(left, key=lambda recipe: distance(expected(recipe, pure), aim))


def measured(ot2: SyncDevice, well: str, recipe: Recipe, links: Mapping[str, str]) -> Colour:
    """Mix one well and measure it. The sensor goes back whatever it measured."""
    ids = {"experiment_id": f"closed-loop-{uuid.uuid4().hex[:8]}"}  # one dose, whatever happens
    ot2.call("mix_and_measure", {**recipe, "well": well, **ids}, timeout=300)
    try:
        if links:
            light_the_simulated_sensor(links, well)
        reading = ot2.call("read_color")
    finally:
        ot2.call("move_sensor_back", timeout=120)
    return colour_of([reading[channel] for channel in CHANNELS])


def empty_wells(ot2: SyncDevice) -> list[str]:
    """The wells of the plate that nothing is in yet, row by row."""
    slot, used = ot2.state["deck"]["plate"], ot2.state["plate"]
    wells = [f"{row}{column}" for row in "ABCDEFGH" for column in range(1, 13)]
    return [well for well in wells if f"{slot}/{well}" not in used]


# What is so in the demo: paints of this reflectance in the vials, and light of a lit desk.
_REFLECTED = {
    "3/B1": (0.08, 0.06, 0.05, 0.06, 0.08, 0.30, 0.85, 0.90),
    "3/B2": (0.10, 0.12, 0.25, 0.70, 0.85, 0.88, 0.90, 0.90),
    "3/B3": (0.40, 0.80, 0.70, 0.40, 0.15, 0.08, 0.07, 0.10),
}
_DESK = (0.03, 0.08, 0.10, 0.12, 0.14, 0.15, 0.13, 0.09)


def light_the_simulated_sensor(links: Mapping[str, str], well: str) -> None:
    """Let the demo's sensor see what is truly in the well, mixed as Kubelka and Munk say."""
    paints: dict[str, float] = control(links["ot2"])["wells"][f"1/{well}"]
    colours: dict[str, Any] = {}
    for at, (channel, light) in enumerate(zip(CHANNELS, _DESK, strict=True)):
        parts = [(volume, _REFLECTED[vial][at]) for vial, volume in paints.items()]
        absorbs = sum(volume * (1 - back) ** 2 / (2 * back) for volume, back in parts) / sum(paints.values())
        colours[channel] = light * (1 + absorbs - math.sqrt(absorbs**2 + 2 * absorbs))
    colours |= {"clear": sum(colours.values()) / 2, "nir": 0.06}
    control(links["color-sensor"], world={"colours": colours})


def main(arguments: Sequence[str]) -> int:
    """Mix until it is near enough, or so many wells are full."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--broker", metavar="URL", help="mqtt://host[:port]; that of the running demo")
    parser.add_argument(
        "--wells", type=int, default=8, help="at most, three of them for the paints alone (8)"
    )
    parser.add_argument("--within", type=float, default=2.0, help="%% of the light that may be elsewhere (2)")
    options = parser.parse_args(arguments)
    demo = None if options.broker else running_demo.find()
    if not options.broker and not demo:
        parser.error("no demo runs here: name a --broker, or start one with `lab2mqtt demo`")

    wells: list[tuple[Recipe, Colour]] = []
    with SyncLab(options.broker or demo["broker"]) as lab, lab["ot2"].reserved("closed-loop") as ot2:
        for well in empty_wells(ot2)[: options.wells]:
            recipe = next_recipe(MOSS, wells)
            wells.append((recipe, measured(ot2, well, recipe, demo["links"] if demo else {})))
            off = distance(wells[-1][1], MOSS)
            print(
                f"{well:3} R {recipe['R']:3} Y {recipe['Y']:3} B {recipe['B']:3} µL: {off:4.1f} % off",
                flush=True,
            )
            if off <= options.within:
                print(f"near enough after {len(wells)} wells")
                return 0
    if not wells:
        sys.exit("no well is empty: put in a new plate, and say so with `lab2mqtt call ot2 reset_plate`")
    recipe, colour = min(wells, key=lambda one: distance(one[1], MOSS))
    print(
        f"not near enough after {len(wells)} wells; the best was {recipe}, {distance(colour, MOSS):.1f} % off"
    )
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TaskError as error:
        sys.exit(f"{error.error_code}: {error}")
