"""What happens in the lab: tasks that were done or failed, and stops."""

from typing import Any, override

from homeassistant.components.event import EventEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .device import Device, Stop
from .entity import LabEntity
from .lab import LabConfigEntry
from .runs_event import RunsEvent
from .task_events import FAILED, SUCCEEDED, task_data

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant, entry: LabConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add them."""
    lab = entry.runtime_data
    async_add_entities([Tasks(lab, "tasks"), Stops(lab, "stops"), RunsEvent(lab)])


class Tasks(LabEntity, EventEntity):
    """Tasks of all devices of the lab."""

    _attr_event_types = [SUCCEEDED, FAILED]  # noqa: RUF012 - as Home Assistant has it

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.lab.on_event(self._happened))

    @callback
    def _happened(self, device: Device, message: dict[str, Any]) -> None:
        if message["event_type"] in self.event_types:
            self._trigger_event(message["event_type"], task_data(device, message))
            self.async_write_ha_state()


class Stops(LabEntity, EventEntity):
    """Stops of the whole lab that are engaged or released from now on."""

    _attr_event_types = ["engaged", "released"]  # noqa: RUF012 - as Home Assistant has it

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.lab.on_stop(self._happened))

    @callback
    def _happened(self, stop: Stop | None, before: Stop | None) -> None:
        if stop:
            about = {"stop_id": stop.stop_id, "by": stop.by, "reason": stop.reason}
            self._trigger_event("engaged", about)
        elif before:
            self._trigger_event("released", {"stop_id": before.stop_id})
        self.async_write_ha_state()
