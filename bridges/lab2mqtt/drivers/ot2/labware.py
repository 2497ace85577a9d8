"""Places on the deck of an OT-2, and what kinds of labware have them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import re
from typing import Any, Final, NamedTuple, Self

from lab2mqtt.core.words import show

_PLACE: Final = re.compile(r"(\d{1,2})/([A-Z]{1,2}\d{1,2})")
_WELL: Final = re.compile(r"([A-Z]+)(\d+)")


class Place(NamedTuple):
    """One well, tube or place of a tip, as ``9/B1``."""

    slot: str
    well: str

    @classmethod
    def read(cls, text: object) -> Self:
        """Read ``slot/well``.

        Raises:
            ValueError: It is something else.
        """
        found = _PLACE.fullmatch(text) if isinstance(text, str) else None
        if not found:
            raise ValueError(f"{show(text)} is no place: slot/well, as 9/B1")
        return cls(found[1], found[2])

    def __str__(self) -> str:
        return f"{self.slot}/{self.well}"


TRASH: Final = Place("12", "A1")


@dataclass(frozen=True)
class Labware:
    """One kind of labware.

    Attributes:
        load_name: As the robot calls it.
        wells: Their names, row by row.
        capacity: µL in one of them, or in one tip.
        tips: Whether it is a tip rack.
    """

    load_name: str
    wells: tuple[str, ...]
    capacity: float
    tips: bool = False

    @classmethod
    def read(cls, definition: Mapping[str, Any]) -> Self:
        """Read a definition of schema 2; its smallest well counts.

        Of wells at one and the same place only the first is one: newer software takes no tip rack with fewer
        than 96, and a smaller one is padded.

        Raises:
            ValueError: It is none.
        """
        try:
            wells, parameters = definition["wells"], definition["parameters"]
            places: dict[tuple[object, ...], str] = {}
            for name in sorted(wells, key=_by_row):
                places.setdefault(tuple(wells[name][axis] for axis in "xyz"), name)
            return cls(
                str(parameters["loadName"]),
                tuple(places.values()),
                min(float(well["totalLiquidVolume"]) for well in wells.values()),
                bool(parameters.get("isTiprack")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"not a labware definition of schema 2: {error!r}") from error

    def refusal(self, well: str) -> str:
        """Why a name is no well of this labware; empty where it is one."""
        if well in self.wells:
            return ""
        hint = f" (did you mean {well.upper()!r}?)" if well.upper() in self.wells else ""
        return (
            f"{well or 'nothing'} is no well of {self.load_name}: {self.wells[0]} to {self.wells[-1]}{hint}"
        )


def row_and_column(well: str) -> tuple[int, int]:
    """Where a well lies in the grid of its labware, from 0: B3 is 1, 2, and AA1, below Z1, 26, 0."""
    _, letters, column = _by_row(well)
    row = 0
    for letter in letters:
        row = 26 * row + ord(letter) - ord("A") + 1
    return row - 1, column - 1


def _by_row(well: str) -> tuple[int, str, int]:
    found = _WELL.fullmatch(well)
    if not found:
        raise ValueError(f"{well!r} is no name of a well")
    return len(found[1]), found[1], int(found[2])


def _grid(rows: str, columns: int) -> tuple[str, ...]:
    return tuple(f"{row}{column}" for row in rows for column in range(1, columns + 1))


_CELL: Final = (
    Labware("corning_96_wellplate_360ul_flat", _grid("ABCDEFGH", 12), 360),
    Labware("opentrons_96_tiprack_300ul", _grid("ABCDEFGH", 12), 300, tips=True),
    Labware("ac_6_tuberack_15000ul", _grid("AB", 3), 15_000),
    Labware("ac_color_sensor_charging_port", ("A1", "A2"), 1000, tips=True),
)


def known(more: Iterable[Labware] = ()) -> dict[str, Labware]:
    """The kinds by load name; those given go before ours."""
    return {each.load_name: each for each in (*_CELL, *more)}
