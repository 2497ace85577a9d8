"""The switch that lets the run queue run."""

from typing import Any, override

from homeassistant.components.switch import SwitchEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN
from .entity import LabEntity
from .lab import Lab, LabConfigEntry
from .run_queue import QUEUE

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant, entry: LabConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the switch."""
    async_add_entities([QueueSwitch(entry.runtime_data)])


class QueueSwitch(LabEntity, SwitchEntity):
    """On while the queue goes on to the next task; off after a start, a failure, a stop, and at its end."""

    def __init__(self, lab: Lab) -> None:
        """Prepare."""
        super().__init__(lab, "run_queue")

    @property
    @override
    def is_on(self) -> bool:
        return self.lab.queue.on

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        queue = self.lab.queue
        return {"reason": queue.reason, "error": queue.error or None}

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        issued_by = QUEUE
        if self._context:
            issued_by = await self.hass.data[DOMAIN].issuers.name(self._context)
        self.lab.queue.start(issued_by)
        self.async_write_ha_state()

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        self.lab.queue.stop()
        self.async_write_ha_state()
