"""How much red, yellow and blue paint makes a colour.

From light to paint: J. Sugita, T. Takahashi, "Computational RYB Color Model and its Applications", IIEEJ
Transactions on Image Electronics and Visual Computing 5(2), 2017. White is what red, green and blue share; it
is taken off. Of the rest, what red and green share is yellow, and green that is left is half yellow, half
blue.

There is neither white nor black paint. So only the hue counts: pink is mixed as red, and dark red too. Black
is asked for by 0, 0, 0 and is all three in equal parts, the darkest that they make.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from lab2mqtt.core.errors import Refused


@dataclass(frozen=True)
class Paints:
    """What is to be mixed.

    Attributes:
        volumes: Whole µL of R, Y and B.
        notes: What is not quite as the colour wants it, in words.
    """

    volumes: Mapping[str, float]
    notes: tuple[str, ...] = ()


def paints(red: int, green: int, blue: int, most: float = 300.0, least: float = 20.0) -> Paints:
    """Find the volumes for a colour; together they fill the well.

    A paint of less than the pipette takes is left out where it would be less than half of that, else raised.

    Args:
        red: 0 to 255.
        green: 0 to 255.
        blue: 0 to 255.
        most: µL of all three together.
        least: µL that the pipette takes at least.

    Raises:
        Refused: The colour has no hue, or not even one paint fits.
    """
    parts = {name: part for name, part in _parts(red, green, blue).items() if part}
    whole = sum(parts.values())
    little = {name: most * part / whole for name, part in parts.items() if most * part / whole < least}
    out = {name for name, volume in little.items() if volume < least / 2 or most < 2 * least}
    raised = little.keys() - out
    rest = {name: part for name, part in parts.items() if name not in little}
    if not rest:
        raise Refused(f"{most:g} µL are too little for a mix: the pipette takes at least {least:g} µL")
    left, whole = int(most) - least * len(raised), sum(rest.values())
    volumes = dict.fromkeys("RYB", 0.0) | dict.fromkeys(raised, least)
    # Whole µL, so that no sum is a little more than what fits.
    volumes |= {name: float(left * part // whole) for name, part in rest.items()}
    notes = [f"{name} left out: {little[name]:.0f} µL is less than the pipette takes" for name in sorted(out)]
    notes += [f"{name} raised from {little[name]:.0f} to {least:g} µL" for name in sorted(raised)]
    return Paints(volumes, tuple(notes))


def _parts(red: int, green: int, blue: int) -> dict[str, float]:
    """Parts of each paint."""
    if red == green == blue:
        if red:
            raise Refused(
                f"{red}, {green}, {blue} is a grey: without white paint no mix makes it;"
                " 0, 0, 0 makes the darkest"
            )
        return {"R": 1, "Y": 1, "B": 1}
    white = min(red, green, blue)
    red, green, blue = red - white, green - white, blue - white
    yellow = min(red, green)
    return {"R": red - yellow, "Y": (green + yellow) / 2, "B": (blue + green - yellow) / 2}
