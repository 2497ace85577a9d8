"""What a run does to tips and liquids, step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, get_args

from lab2mqtt.core.errors import Garbled, Refused
from lab2mqtt.drivers.ot2.answers import field
from lab2mqtt.drivers.ot2.deck_settings import Layout
from lab2mqtt.drivers.ot2.labware import TRASH, Place

Kind = Literal["pick_up", "aspirate", "dispense", "blow_out", "drop", "move"]
KINDS: Final = get_args(Kind)
_COMMANDS: Final[Mapping[str, Kind]] = {
    "pickUpTip": "pick_up",
    "aspirate": "aspirate",
    "aspirateInPlace": "aspirate",
    "dispense": "dispense",
    "dispenseInPlace": "dispense",
    "blowout": "blow_out",
    "blowOutInPlace": "blow_out",
    "dropTip": "drop",
    "dropTipInPlace": "drop",
    "moveToWell": "move",
}
_LOADED: Final = {"loadLabware": "labwareId", "loadModule": "moduleId"}
_AREAS: Final = ("moveToAddressableArea", "moveToAddressableAreaForDropTip")


class Step(NamedTuple):
    """One step; ``volume`` in µL, of aspirate and dispense."""

    kind: Kind
    place: Place
    volume: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What a run is going to do.

    Attributes:
        steps: In order.
        experiment: Its id; what was dispensed for one is not dispensed again.
    """

    steps: tuple[Step, ...]
    experiment: str = ""

    @property
    def dispenses(self) -> bool:
        """Whether liquid moves."""
        return any(step.kind in ("aspirate", "dispense") for step in self.steps)


def mixing(layout: Layout, volumes: Mapping[str, float], well: str) -> tuple[Step, ...]:
    """The steps of ``mix_color``: each colour with its own tip, which is put back.

    Args:
        layout: The deck.
        volumes: µL by the name of the vial; a colour of 0 is left out.
        well: Of the plate.

    Raises:
        Refused: There is no such vial.
    """
    target = Place(layout.settings.plate, well)
    steps: list[Step] = []
    for name, volume in volumes.items():
        if (vial := layout.vials.get(name)) is None:
            raise Refused(f"there is no vial {name!r}: {', '.join(layout.vials)}")
        if volume == 0:
            continue
        tip = Place.read(vial.tip)
        steps += [
            Step("pick_up", tip),
            Step("aspirate", Place.read(vial.place), volume),
            Step("dispense", target, volume),
            *([Step("blow_out", layout.rinse)] if layout.rinse else []),
            Step("drop", tip),
        ]
    if not steps:
        raise Refused(f"nothing to mix: at least one of {', '.join(volumes)} is more than 0 µL")
    return tuple(steps)


def measuring(layout: Layout, well: str) -> tuple[Step, ...]:
    """The steps of a measurement: the sensor taken, held over the well, put back.

    Raises:
        Refused: There is no sensor.
    """
    if layout.sensor_port is None:
        raise Refused("no sensor is configured: sensor_port says where it is parked", "not_allowed")
    return (
        Step("pick_up", layout.sensor_port),
        Step("move", Place(layout.settings.plate, well)),
        Step("drop", layout.sensor_port),
    )


def read_steps(commands: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """Read the steps from a robot's commands, those of an analysis or those that succeeded in a run.

    Of a run, the number of steps that are done is the length of what this gives.

    Raises:
        Garbled: A command lacks what it needs.
    """
    slots: dict[str, str] = {"fixedTrash": TRASH.slot}
    here = TRASH
    steps: list[Step] = []
    for command in commands:
        name, params = field(command, "commandType", str), field(command, "params", dict)
        if name in _LOADED:
            _load(slots, command, _LOADED[name])
        elif name in _AREAS:
            here = TRASH
        elif kind := _COMMANDS.get(name):
            if "labwareId" in params:
                labware = field(params, "labwareId", str)
                if labware not in slots:
                    raise Garbled(f"{name} means labware {labware!r}, which was not loaded")
                well = field(params, "wellName", str)
                here = TRASH if slots[labware] == TRASH.slot else Place(slots[labware], well)
            volume = field(params, "volume", (int, float)) if kind in ("aspirate", "dispense") else 0.0
            steps.append(Step(kind, here, float(volume)))
    return tuple(steps)


def slots_of(commands: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """In which slot labware and modules stand, by the ids that the commands give them."""
    slots: dict[str, str] = {"fixedTrash": TRASH.slot}
    for command in commands:
        if (name := command.get("commandType")) in _LOADED:
            _load(slots, command, _LOADED[name])
    return slots


def _load(slots: dict[str, str], command: Mapping[str, Any], key: str) -> None:
    """Note in which slot labware or a module stands; labware may stand on a module."""
    params, result = command["params"], command.get("result")
    loaded = params.get(key) or (result.get(key) if isinstance(result, Mapping) else None)
    where = params.get("location")
    if isinstance(loaded, str) and isinstance(where, Mapping):
        slot = where.get("slotName") or slots.get(str(where.get("moduleId")))
        if slot:
            slots[loaded] = str(slot)
