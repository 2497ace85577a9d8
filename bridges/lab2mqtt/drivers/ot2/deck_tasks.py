"""The deck, as a person says that it is."""

from typing import Annotated

from lab2mqtt.core.parameters import Range, Text, Unit
from lab2mqtt.drivers.ot2.deck import Deck
from lab2mqtt.drivers.ot2.settings import Ot2Settings

Slot = Annotated[str, Text(2)]
Well = Annotated[str, Text(4)]


class DeckTasks:
    """For a driver that knows a deck.

    Attributes:
        settings: What stands on it.
        deck: What is known of that.
    """

    settings: Ot2Settings
    deck: Deck

    async def reset_tips(
        self,
        slot: Slot | None = None,
        wells: list[Well] | None = None,
        there: bool = True,  # noqa: FBT001, FBT002
    ) -> dict[str, object]:
        """Say that new tips are in a rack, and that none of them hangs on the pipette.

        Args:
            slot: Of the rack; all racks without it.
            wells: Which places; all without them.
            there: Whether new tips are there, or none.
        """
        for rack in [slot] if slot is not None else self.deck.layout.racks():
            self.deck.reset_tips(rack, wells or (), there=there)
        return {"tips": self.deck.shown()["tips"]}

    async def reset_plate(
        self, slot: Slot | None = None, wells: list[Well] | None = None
    ) -> dict[str, object]:
        """Say that wells of a plate are empty.

        Args:
            slot: Of the plate; the one that is mixed in without it.
            wells: Which; all without them.
        """
        self.deck.reset_plate(slot or self.settings.plate, wells or ())
        return {"plate": slot or self.settings.plate}

    async def reset_vial(
        self,
        name: Annotated[str, Text(32)] | None = None,
        volume: Annotated[float, Range(0), Unit("µL")] | None = None,
    ) -> dict[str, object]:
        """Say how much is in a vial.

        Args:
            name: As in the settings; all vials without it.
            volume: As the settings say without it.
        """
        for vial in [name] if name is not None else list(self.deck.layout.vials):
            self.deck.reset_vial(vial, volume)
        return {"vials": self.deck.shown()["vials"]}

    async def reset_sensor(self) -> dict[str, object]:
        """Say that the colour sensor is in its port, and not on the pipette."""
        self.deck.reset_sensor()
        return {"sensor": self.deck.shown()["sensor"]}

    async def get_deck(self) -> dict[str, object]:
        """Tell what is known of tips, wells, vials and the sensor."""
        return self.deck.shown()
