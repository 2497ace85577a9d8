"""What is truly on the deck and at the pipettes, whatever the server believes.

An OT-2 has no tip sensor and no level sensor: it never notices a tip that fell, a tube that is empty or a
sensor in the trash. The truth does, and a journal tells everything that moved.
"""

from collections import deque
from dataclasses import asdict, dataclass, field
import json
from pathlib import Path
from typing import Any

from lab2mqtt.simulators.ot2.labware import TRASH_SLOT, Point

_JOURNAL = 20_000  # entries kept
_FILLED = 12_000.0  # µL in each vial at the first start


@dataclass
class Tip:
    """What is on a pipette's nozzle: a tip, or the colour sensor.

    Attributes:
        place: Where it was taken, ``slot/well``.
        sensor: Whether it is the colour sensor.
        contents: µL of each liquid in it; ``air`` for what it drew above the liquid.
    """

    place: str
    sensor: bool = False
    contents: dict[str, float] = field(default_factory=dict)


@dataclass
class Truth:
    """The deck.

    Attributes:
        position: Where the gantry stands, in mm; None while nobody knows.
        place: Which well it stands at, ``slot/well``, or ``home``.
        engaged: Whether the motors hold.
        tips: What each mount holds.
        wells: µL of each liquid, by ``slot/well``. A liquid has the name of the vial it came from.
        away: Places of tips that are empty now.
        picked: How often each tip was picked up.
        trash: What lies in it.
        lights: Whether the rails are lit.
    """

    position: Point | None = None
    place: str | None = None
    engaged: bool = True
    tips: dict[str, Tip] = field(default_factory=dict)
    wells: dict[str, dict[str, float]] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)
    picked: dict[str, int] = field(default_factory=dict)
    trash: list[str] = field(default_factory=list)
    lights: bool = False
    journal: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_JOURNAL))

    @classmethod
    def of_the_cell(cls) -> "Truth":
        """The colour cell with full vials: red, yellow, blue in B1 to B3 of slot 3, rinse in A1."""
        return cls(wells={place: {place: _FILLED} for place in ("3/A1", "3/B1", "3/B2", "3/B3")})

    def note(self, at: float, what: str, **more: Any) -> None:  # noqa: ANN401 - whatever JSON holds
        """Write into the journal.

        Args:
            at: The robot's seconds.
            what: ``home``, ``move``, ``pick_up``, ``drop``, ``aspirate``, ``dispense``, ``halt``, …
            more: About it.
        """
        self.journal.append({"at": round(at, 3), "what": what, **more})

    def volume(self, place: str) -> float:
        """µL of liquid in a well."""
        return sum(self.wells.get(place, {}).values())

    def draw(self, place: str, volume: float, *, air: bool) -> dict[str, float]:
        """Take out of a well what is there; the rest is air."""
        there = self.wells.get(place, {})
        total = sum(there.values())
        liquid = 0.0 if air else min(volume, total)
        drawn = {name: amount * liquid / total for name, amount in there.items()} if liquid else {}
        for name, amount in drawn.items():
            there[name] -= amount
        if volume - liquid > 0:
            drawn["air"] = volume - liquid
        return drawn

    def pour(self, place: str, contents: dict[str, float]) -> None:
        """Put into a well; air goes up."""
        there = self.wells.setdefault(place, {})
        for name, amount in contents.items():
            if name != "air" and amount:
                there[name] = there.get(name, 0.0) + amount

    @property
    def sensor(self) -> str:
        """Where the colour sensor is: ``parked``, ``held``, ``trash`` or ``lost``."""
        if any(tip.sensor for tip in self.tips.values()):
            return "held"
        if "10/A2" not in self.away:
            return "parked"
        return "trash" if "10/A2" in self.trash else "lost"

    def told(self) -> dict[str, Any]:
        """Everything but the journal, as JSON."""
        return {
            "position": self.position and list(self.position),
            "place": self.place,
            "engaged": self.engaged,
            "tips": {mount: asdict(tip) for mount, tip in self.tips.items()},
            "wells": {
                place: {name: round(amount, 6) for name, amount in there.items() if amount > 0}
                for place, there in self.wells.items()
            },
            "away": sorted(self.away),
            "picked": dict(self.picked),
            "trash": list(self.trash),
            "lights": self.lights,
            "sensor": self.sensor,
        }

    def save(self, file: Path) -> None:
        """Keep it over a restart of the simulator."""
        beside = file.with_name(f".{file.name}.new")
        beside.write_text(json.dumps(self.told(), indent=1), encoding="utf-8")
        beside.replace(file)

    @classmethod
    def load(cls, file: Path) -> "Truth":
        """What ``save`` kept. The gantry's position is lost with the power.

        Raises:
            ValueError: The file holds something else.
        """
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            return cls(
                tips={mount: Tip(**tip) for mount, tip in told["tips"].items()},
                wells=told["wells"],
                away=set(told["away"]),
                picked=told["picked"],
                trash=told["trash"],
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{file} is no state of this simulator: {error!r}") from error


def is_trash(place: str) -> bool:
    """Whether a place is in the fixed trash."""
    return place.partition("/")[0] == TRASH_SLOT
