"""What the server believes during one run: labware, pipettes, modules and tips that were loaded in it.

A run knows nothing of the one before it: a tip that hung on the pipette then is not there for this one.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
import uuid

from lab2mqtt.simulators.ot2.failure import CommandFailed
from lab2mqtt.simulators.ot2.labware import KNOWN, TRASH, TRASH_SLOT, Labware, Point, Well, origin
from lab2mqtt.simulators.ot2.machine import Machine
from lab2mqtt.simulators.ot2.modules import Module

TRASH_ID = "fixedTrash"


@dataclass(frozen=True)
class Pipette:
    """A model of pipette: what the robot knows about it. Volumes in µL."""

    name: str
    model: str
    least: float
    most: float
    channels: int = 1


PIPETTES = {
    "p20_single_gen2": Pipette("p20_single_gen2", "p20_single_v2.2", 1, 20),
    "p300_single_gen2": Pipette("p300_single_gen2", "p300_single_v2.1", 20, 300),
    "p1000_single_gen2": Pipette("p1000_single_gen2", "p1000_single_v2.2", 100, 1000),
    "p300_multi_gen2": Pipette("p300_multi_gen2", "p300_multi_v2.1", 20, 300, 8),
}


@dataclass(frozen=True)
class OnDeck:
    """Labware in a slot."""

    labware_id: str
    slot: str
    kind: Labware


@dataclass
class Held:
    """A tip that the server believes to be attached: where from, what fits in and what is in, in µL."""

    place: str
    capacity: float
    volume: float = 0.0


@dataclass(frozen=True)
class Loaded:
    """A pipette that was loaded."""

    pipette_id: str
    kind: Pipette
    mount: str


async def _no_hold() -> None:
    """Nobody pauses an analysis."""


@dataclass
class Session:
    """The engine's state in one run.

    Attributes:
        machine: What moves.
        modules: What is on the deck, plugged in or not.
        mounts: The pipettes that are really there; None in an analysis, where any is.
        dense: Whether tip racks of fewer than 96 places are refused, as by newer software.
        hold: Called by a protocol that pauses by itself; returns when somebody resumed.
    """

    machine: Machine
    modules: list[Module] = field(default_factory=list)
    mounts: Mapping[str, Pipette] | None = None
    dense: bool = False
    hold: Callable[[], Awaitable[None]] = _no_hold
    definitions: dict[str, Labware] = field(default_factory=lambda: {each.uri: each for each in KNOWN})
    labware: dict[str, OnDeck] = field(
        default_factory=lambda: {TRASH_ID: OnDeck(TRASH_ID, TRASH_SLOT, TRASH)}
    )
    pipettes: dict[str, Loaded] = field(default_factory=dict)
    loaded_modules: dict[str, tuple[Module, str]] = field(default_factory=dict)
    tips: dict[str, Held] = field(default_factory=dict)

    def define(self, labware: Labware) -> str:
        """Take a definition; gives its URI."""
        self.definitions[labware.uri] = labware
        return labware.uri

    def put(self, labware_id: str | None, slot: str, kind: Labware) -> OnDeck:
        """Load labware into a slot."""
        there = [each for each in self.labware.values() if each.slot == slot and each.labware_id != TRASH_ID]
        if there or slot == TRASH_SLOT:
            taken = there[0].kind.display_name if there else TRASH.display_name
            raise CommandFailed(
                "LocationIsOccupiedError", f"Labware {taken} is already present at slot {slot}."
            )
        loaded = OnDeck(labware_id or str(uuid.uuid4()), slot, kind)
        self.labware[loaded.labware_id] = loaded
        return loaded

    def pipette(self, pipette_id: object) -> Loaded:
        """A loaded pipette."""
        if found := self.pipettes.get(str(pipette_id)):
            return found
        raise CommandFailed("PipetteNotLoadedError", f"Pipette {pipette_id} not found.")

    def well(self, params: Mapping[str, Any]) -> tuple[OnDeck, str, Well]:
        """The well that a command means."""
        labware = self.labware.get(str(params["labwareId"]))
        if labware is None:
            raise CommandFailed("LabwareNotLoadedError", f"Labware {params['labwareId']} not found.")
        name = str(params["wellName"])
        if well := labware.kind.wells.get(name):
            return labware, name, well
        raise CommandFailed("WellDoesNotExistError", f"{name} does not exist in {labware.kind.display_name}.")

    def module(self, module_id: object) -> Module:
        """A loaded module that is still plugged in."""
        if (found := self.loaded_modules.get(str(module_id))) is None:
            raise CommandFailed("ModuleNotLoadedError", f"Module {module_id} not found.")
        if not found[0].plugged:
            raise CommandFailed(
                "ModuleNotAttachedError", f"{found[0].model} {found[0].serial} is not attached.", "3015"
            )
        return found[0]

    def held(self, pipette: Loaded) -> Held:
        """The tip on a pipette."""
        if tip := self.tips.get(pipette.pipette_id):
            return tip
        raise CommandFailed(
            "TipNotAttachedError", "Pipette should have a tip attached, but does not.", "3005"
        )

    def told(self) -> dict[str, list[dict[str, Any]]]:
        """What is loaded, as a run tells it."""
        return {
            "pipettes": [
                {"id": each.pipette_id, "pipetteName": each.kind.name, "mount": each.mount}
                for each in self.pipettes.values()
            ],
            "labware": [
                {
                    "id": each.labware_id,
                    "loadName": each.kind.load_name,
                    "definitionUri": each.kind.uri,
                    "location": {"slotName": each.slot},
                }
                for each in self.labware.values()
            ],
            "modules": [
                {
                    "id": name,
                    "model": module.model,
                    "location": {"slotName": slot},
                    "serialNumber": module.serial,
                }
                for name, (module, slot) in self.loaded_modules.items()
            ],
        }


def point(labware: OnDeck, well: Well, where: Mapping[str, Any] | None, default: str = "top") -> Point:
    """A place in a well: at its top where nothing is said, which is what the HTTP commands mean.

    Args:
        labware: What stands on the deck.
        well: In it.
        where: ``{"origin": "top" | "bottom" | "center", "offset": {"x", "y", "z"}}``.
        default: The origin where none is named.
    """
    where = where or {}
    offset = where.get("offset") or {}
    base = origin(labware.slot)
    up = {"bottom": 0.0, "center": well.depth / 2}.get(str(where.get("origin", default)), well.depth)
    return Point(
        base.x + well.x + float(offset.get("x", 0)),
        base.y + well.y + float(offset.get("y", 0)),
        well.z + up + float(offset.get("z", 0)),
    )
