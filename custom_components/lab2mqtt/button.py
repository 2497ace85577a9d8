"""The lab's emergency stop, and the reset of it: two buttons, so that no second tap releases a stop."""

from typing import override

from homeassistant.components.button import ButtonEntity
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN
from .entity import LabEntity
from .errors import InvalidCall
from .lab import LabConfigEntry

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant, entry: LabConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add both buttons."""
    lab = entry.runtime_data
    async_add_entities([StopButton(lab, "emergency_stop"), ResetButton(lab, "reset_emergency_stop")])


class _Button(LabEntity, ButtonEntity):
    async def _by(self) -> str:
        """Who presses it."""
        name: str = await self.hass.data[DOMAIN].issuers.name(self._context or Context())
        return name


class StopButton(_Button):
    """Stops the whole lab, whatever it does."""

    @override
    async def async_press(self) -> None:
        await self.lab.engage_stop(await self._by())


class ResetButton(_Button):
    """Releases the lab's stop; nothing moves by it."""

    @override
    async def async_press(self) -> None:
        if not await self.lab.release_stop(await self._by()):
            raise InvalidCall("not_stopped", lab=self.lab.title)
