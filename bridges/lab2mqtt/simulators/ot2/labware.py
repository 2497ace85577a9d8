"""Labware on the deck: where its wells are and what they hold, from definitions of schema 2."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

# Distance between two slots of an OT-2's deck, in mm; slot 1 is in front on the left, 12 is the trash.
SLOT_WIDTH: Final = 132.5
SLOT_DEPTH: Final = 90.5
TRASH_SLOT: Final = "12"
DENSE: Final = 96  # places of a full tip rack


class Point(NamedTuple):
    """A place above the deck, in mm."""

    x: float
    y: float
    z: float


@dataclass(frozen=True)
class Well:
    """A well, a tube or the place of a tip: centre of its bottom and depth in mm, volume in µL."""

    x: float
    y: float
    z: float
    depth: float
    volume: float


@dataclass(frozen=True)
class Labware:
    """One kind of labware.

    Attributes:
        tip_length: Of each tip in mm; None is no tip rack.
    """

    namespace: str
    load_name: str
    version: int
    display_name: str
    wells: Mapping[str, Well]
    tip_length: float | None = None

    @property
    def uri(self) -> str:
        """Its name on the robot."""
        return f"{self.namespace}/{self.load_name}/{self.version}"

    @classmethod
    def read(cls, definition: Mapping[str, Any]) -> "Labware":
        """Read a definition.

        Raises:
            ValueError: It is none of schema 2.
        """
        try:
            parameters = definition["parameters"]
            return cls(
                str(definition["namespace"]),
                str(parameters["loadName"]),
                int(definition["version"]),
                str(definition["metadata"]["displayName"]),
                {
                    name: Well(
                        float(well["x"]),
                        float(well["y"]),
                        float(well["z"]),
                        float(well["depth"]),
                        float(well["totalLiquidVolume"]),
                    )
                    for name, well in definition["wells"].items()
                },
                float(parameters["tipLength"]) if parameters.get("isTiprack") else None,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"not a labware definition of schema 2: {error!r}") from error


def origin(slot: str) -> Point:
    """The front left corner of a slot."""
    column, row = (int(slot) - 1) % 3, (int(slot) - 1) // 3
    return Point(column * SLOT_WIDTH, row * SLOT_DEPTH, 0.0)


def _grid(z: float, depth: float, volume: float, columns: int = 12, rows: int = 8) -> dict[str, Well]:
    """Wells 9 mm apart, named by columns as the definitions list them."""
    return {
        f"{'ABCDEFGH'[row]}{column + 1}": Well(14.38 + 9 * column, 74.24 - 9 * row, z, depth, volume)
        for column in range(columns)
        for row in range(rows)
    }


def _tubes() -> dict[str, Well]:
    # lab.md section 1a: centres x 24, 63, 102; y 62.48 and 23.48.
    return {
        f"{row}{column + 1}": Well(x, y, 3.0, 58.0, 15_000.0)
        for column, x in enumerate((24.0, 63.0, 102.0))
        for row, y in (("A", 62.48), ("B", 23.48))
    }


PLATE: Final = Labware(
    "opentrons",
    "corning_96_wellplate_360ul_flat",
    2,
    "Corning 96 Well Plate 360 µL Flat",
    _grid(3.55, 10.67, 360),
)
TIP_RACK: Final = Labware(
    "opentrons",
    "opentrons_96_tiprack_300ul",
    1,
    "Opentrons OT-2 96 Tip Rack 300 µL",
    _grid(5.39, 59.3, 300),
    59.3,
)
TRASH: Final = Labware(
    "opentrons", "opentrons_1_trash_1100ml_fixed", 1, "Opentrons Fixed Trash",
    {"A1": Well(82.84, 80.0, 0.0, 82.0, 1_100_000.0)},
)  # fmt: skip
# The two of the colour cell; an upload that brings definitions of its own goes first.
VIALS: Final = Labware("custom_beta", "ac_6_tuberack_15000ul", 1, "AC 6 Tube Rack 15000 µL", _tubes())
SENSOR_PORT: Final = Labware(
    "custom_beta", "ac_color_sensor_charging_port", 1, "AC Color Sensor Charging Port",
    {"A1": Well(36.0, 43.0, 16.0, 84.0, 1000.0), "A2": Well(91.95, 43.0, 16.0, 84.0, 1000.0)}, 84.0,
)  # fmt: skip

KNOWN: Final[Sequence[Labware]] = (PLATE, TIP_RACK, TRASH, VIALS, SENSOR_PORT)
