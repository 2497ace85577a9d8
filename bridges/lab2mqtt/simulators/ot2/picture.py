"""A picture of the deck: 640 by 480 pixels of JPEG, drawn in squares of 8, each one colour.

With one colour per square, baseline JPEG needs nothing but the mean of each square, so that no library for
pictures is needed.
"""

from typing import Final

from lab2mqtt.simulators.ot2.truth import Truth

COLUMNS: Final = 80
ROWS: Final = 60
Colour = tuple[int, int, int]

_DECK: Final[Colour] = (70, 74, 80)
_SLOT: Final[Colour] = (100, 105, 112)
_EMPTY: Final[Colour] = (225, 228, 232)
_DARK: Final[Colour] = (20, 20, 22)
_TIP: Final[Colour] = (190, 205, 215)
_LIQUIDS: Final[dict[str, Colour]] = {"3/B1": (205, 40, 40), "3/B2": (235, 205, 40), "3/B3": (40, 70, 200)}
_RINSE: Final[Colour] = (150, 190, 210)
_DIM: Final = 0.45
_STEP: Final = 8  # of the quantisation of the mean


def deck_picture(truth: Truth) -> bytes:
    """The deck as it is: wells in the colour of their paint, tips where they are; dim without light."""
    squares = [[_DECK] * COLUMNS for _ in range(ROWS)]
    for slot in range(1, 13):
        left, top = 2 + (slot - 1) % 3 * 26, 46 - (slot - 1) // 3 * 15
        _fill(squares, left, top, 24, 13, _SLOT)
        if slot == 3:  # noqa: PLR2004 - the vials
            for name, x, y in (("A1", 2, 1), ("B1", 2, 7), ("B2", 10, 7), ("B3", 18, 7)):
                _fill(squares, left + x, top + y, 4, 4, _paint(truth, f"3/{name}"))
        elif slot in (1, 9):
            for column in range(12):
                for row in range(8):
                    place = f"{slot}/{'ABCDEFGH'[row]}{column + 1}"
                    tip = _SLOT if place in truth.away else _TIP
                    colour = _paint(truth, place) if slot == 1 else tip
                    squares[top + 2 + row][left + column * 2] = colour
    if truth.sensor == "parked":
        _fill(squares, 2 + 10, 5, 5, 5, _DARK)
    light = 1.0 if truth.lights else _DIM
    return _jpeg([[tuple(int(part * light) for part in colour) for colour in row] for row in squares])  # type: ignore[misc]


def _fill(squares: list[list[Colour]], left: int, top: int, width: int, height: int, colour: Colour) -> None:
    for row in range(top, min(ROWS, top + height)):
        for column in range(left, min(COLUMNS, left + width)):
            squares[row][column] = colour


def _paint(truth: Truth, place: str) -> Colour:
    there = truth.wells.get(place, {})
    total = sum(there.values())
    if total <= 0:
        return _EMPTY
    mixed = [
        sum(_LIQUIDS.get(name, _RINSE)[part] * amount for name, amount in there.items()) / total
        for part in range(3)
    ]
    return int(mixed[0]), int(mixed[1]), int(mixed[2])


# Baseline JPEG, ITU T.81: one Huffman table of twelve 4-bit lengths of a mean, one of "no more" for the rest.


def _jpeg(squares: list[list[Colour]]) -> bytes:
    size = (ROWS * 8).to_bytes(2, "big") + (COLUMNS * 8).to_bytes(2, "big")
    parts = b"".join(bytes((part, 0x11, 0)) for part in (1, 2, 3))
    means = bytes((0x00, 0, 0, 0, 12, *([0] * 12), *range(12)))
    rest = bytes((0x10, 1, *([0] * 15), 0))
    scan = b"".join(bytes((part, 0x00)) for part in (1, 2, 3))
    return b"".join((
        b"\xff\xd8",
        _segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        _segment(0xDB, bytes((0, *([_STEP] * 64)))),
        _segment(0xC0, b"\x08" + size + b"\x03" + parts),
        _segment(0xC4, means),
        _segment(0xC4, rest),
        _segment(0xDA, b"\x03" + scan + b"\0\x3f\0"),
        _entropy(squares),
        b"\xff\xd9",
    ))  # fmt: skip


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def _entropy(squares: list[list[Colour]]) -> bytes:
    bits: list[str] = []
    before = [0, 0, 0]
    for row in squares:
        for red, green, blue in row:
            light = 0.299 * red + 0.587 * green + 0.114 * blue
            means = light - 128, (blue - light) * 0.564, (red - light) * 0.713
            for part, mean in enumerate(means):
                value = round(mean * 8 / _STEP)
                change, before[part] = value - before[part], value
                length = abs(change).bit_length()
                bits.append(format(length, "04b"))
                if length:
                    bits.append(format(change if change > 0 else change + (1 << length) - 1, f"0{length}b"))
                bits.append("0")  # nothing else in this square
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    raw = int(text, 2).to_bytes(len(text) // 8, "big")
    return raw.replace(b"\xff", b"\xff\0")
