"""What stands where on the deck of an OT-2. The defaults are the colour mixing cell."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from lab2mqtt.core.errors import Misconfigured, Refused
from lab2mqtt.core.parameters import Choices, Range, Schema, Text, Unit, parameters_of
from lab2mqtt.core.words import near, show
from lab2mqtt.drivers.ot2.labware import Labware, Place, known

# µL that each can take, of https://docs.opentrons.com; the robot tells the same and goes first.
PIPETTES: Final[Mapping[str, tuple[float, float]]] = {
    "p20_single_gen2": (1, 20),
    "p300_single_gen2": (20, 300),
    "p1000_single_gen2": (100, 1000),
}
_SLOTS: Final = tuple(str(slot) for slot in range(1, 12))  # 12 is the trash


@dataclass(frozen=True)
class Vial:
    """A source of liquid.

    Attributes:
        place: Where it stands, slot/well.
        liquid: What is in it.
        tip: The tip that touches no other liquid, slot/well.
        volume: What a full one holds.
        dead_volume: What cannot be drawn: 3 mm above the bottom of a vial of 20 mm are 940 µL, and the tip
            goes to 1 mm.
    """

    place: Annotated[str, Text(5, 1)]
    liquid: Annotated[str, Text(32, 1)]
    tip: Annotated[str, Text(5, 1)]
    volume: Annotated[float, Range(0), Unit("µL")] = 12_000.0
    dead_volume: Annotated[float, Range(0), Unit("µL")] = 1000.0


def _cell_deck() -> dict[str, str]:
    return {
        "1": "corning_96_wellplate_360ul_flat",
        "3": "ac_6_tuberack_15000ul",
        "9": "opentrons_96_tiprack_300ul",
        "10": "ac_color_sensor_charging_port",
    }


def _cell_vials() -> dict[str, dict[str, Any]]:
    return {
        "R": {"place": "3/B1", "liquid": "red", "tip": "9/B1"},
        "Y": {"place": "3/B2", "liquid": "yellow", "tip": "9/B2"},
        "B": {"place": "3/B3", "liquid": "blue", "tip": "9/B3"},
    }


@dataclass(frozen=True)
class DeckSettings:
    """How the deck is laid out.

    Attributes:
        deck: Labware by slot.
        pipette: The one that is used.
        mount: Where it hangs.
        vials: Sources by the name of their parameter: place, liquid, tip, volume, dead_volume.
        plate: Slot of the plate that is mixed in.
        rinse: The vial that takes what is blown out, slot/well; none where it is empty.
        sensor_port: Where the colour sensor is parked, slot/well; none where it is empty.
        well_limit: The most in one well, also where the labware would take more.
        modules: Models that have to be attached, as temperatureModuleV2.
    """

    deck: dict[str, str] = field(default_factory=_cell_deck)
    pipette: Annotated[str, Choices(tuple(PIPETTES))] = "p300_single_gen2"
    mount: Literal["left", "right"] = "right"
    vials: dict[str, dict[str, Any]] = field(default_factory=_cell_vials)
    plate: Annotated[str, Choices(_SLOTS)] = "1"
    rinse: Annotated[str, Text(5)] = "3/A1"
    sensor_port: Annotated[str, Text(5)] = "10/A2"
    well_limit: Annotated[float, Range(1), Unit("µL")] = 300.0
    modules: tuple[Annotated[str, Text(64, 1)], ...] = ()


class Layout:
    """The settings, read and found to fit together.

    Attributes:
        labware: By slot.
        vials: By the name of their parameter.
        sources: The same by place.
        sensor_port: None where there is no sensor.
        rinse: None where there is none.
    """

    def __init__(self, settings: DeckSettings, definitions: Iterable[Labware] = ()) -> None:
        """Read them.

        Args:
            settings: As configured.
            definitions: Labware of the lab's own.

        Raises:
            Misconfigured: What does not fit, and what would.
        """
        self.settings = settings
        self.labware = _labware(settings.deck, known(definitions))
        self.vials = {name: _vial(name, told) for name, told in settings.vials.items()}
        for name, vial in self.vials.items():
            self._place(f"vials.{name}.tip", vial.tip, tips=True)
            _fits(name, vial, self.labware[self._place(f"vials.{name}.place", vial.place, tips=False).slot])
        self.sources = {Place.read(vial.place): vial for vial in self.vials.values()}
        if len(self.sources) < len(self.vials):
            raise Misconfigured("two vials have the same place: each stands in one of its own")
        liquids: dict[str, str] = {}
        for name, vial in self.vials.items():
            if liquids.setdefault(vial.tip, vial.liquid) != vial.liquid:
                raise Misconfigured(f"vials.{name}.tip {vial.tip} is for {liquids[vial.tip]} already")
        self.sensor_port = self._optional("sensor_port", tips=True)
        if self.sensor_port and any(vial.tip == settings.sensor_port for vial in self.vials.values()):
            raise Misconfigured(f"sensor_port {settings.sensor_port} is the place of a tip")
        self.rinse = self._optional("rinse", tips=False)
        if self.rinse in self.sources:
            raise Misconfigured(f"rinse {self.rinse} is a vial that is drawn from: it takes one of its own")
        if settings.plate not in self.plates():
            raise Misconfigured(f"plate {settings.plate}: no plate stands in that slot of the deck")

    @property
    def pipette(self) -> str:
        """The pipette as people call it, ``P300``."""
        return self.settings.pipette.partition("_")[0].upper()

    def racks(self) -> list[str]:
        """Slots with tips, without the sensor's."""
        port = self.sensor_port.slot if self.sensor_port else None
        return [slot for slot, kind in self.labware.items() if kind.tips and slot != port]

    def plates(self) -> list[str]:
        """Slots with wells."""
        return [slot for slot, kind in self.labware.items() if not kind.tips]

    def places(self, slot: str) -> list[Place]:
        """Every place of the labware in a slot."""
        return [Place(slot, well) for well in self.labware[slot].wells]

    def limit(self, place: Place) -> float:
        """µL that a well may hold."""
        return min(self.settings.well_limit, self.labware[place.slot].capacity)

    def _optional(self, key: str, *, tips: bool) -> Place | None:
        text: str = getattr(self.settings, key)
        return self._place(key, text, tips=tips) if text else None

    def _place(self, key: str, text: str, *, tips: bool) -> Place:
        try:
            place = Place.read(text)
        except ValueError as error:
            raise Misconfigured(f"{key}: {error}") from error
        kind = self.labware.get(place.slot)
        if kind is None:
            raise Misconfigured(f"{key} {text}: the deck has nothing in slot {place.slot}")
        if refusal := kind.refusal(place.well):
            raise Misconfigured(f"{key} {text}: {refusal}")
        if kind.tips != tips:
            wanted = "a tip rack" if tips else "labware with wells"
            raise Misconfigured(f"{key} {text}: {kind.load_name} stands there, and {wanted} is needed")
        return place


def _labware(deck: Mapping[str, object], kinds: Mapping[str, Labware]) -> dict[str, Labware]:
    found: dict[str, Labware] = {}
    for key, name in deck.items():
        slot = str(key)  # a YAML file has numbers there
        if slot not in _SLOTS:
            raise Misconfigured(f"deck has a slot {show(key)}: there are 1 to 11")
        if not isinstance(name, str) or name not in kinds:
            hint = near(str(name), kinds) or f"; known are {', '.join(sorted(kinds))}"
            raise Misconfigured(f"deck.{slot}: labware {show(name)} is not known{hint}")
        found[slot] = kinds[name]
    return found


def _vial(name: str, told: object) -> Vial:
    if not isinstance(told, Mapping):
        raise Misconfigured(f"vials.{name} is {show(told)}: it takes place, liquid, tip, volume, dead_volume")
    try:
        return Vial(**Schema(parameters_of(Vial), f"vials.{name}").check(told))  # type: ignore[arg-type]
    except Refused as refused:
        raise Misconfigured(f"vials.{name}: {refused}") from refused


def _fits(name: str, vial: Vial, rack: Labware) -> None:
    if vial.volume > rack.capacity:
        raise Misconfigured(
            f"vials.{name}.volume {vial.volume:g} µL is more than {rack.load_name} takes:"
            f" {rack.capacity:g} µL"
        )
