"""The event entity that tells when runs begin and end."""

from typing import override

from homeassistant.components.event import EventEntity
from homeassistant.core import callback

from .entity import LabEntity
from .lab import Lab
from .run import EVENT_TYPES, Run


class RunsEvent(LabEntity, EventEntity):
    """Tells each run's start and end, and what was interrupted while Home Assistant was away."""

    _attr_event_types = list(EVENT_TYPES)  # noqa: RUF012 - as Home Assistant has it

    def __init__(self, lab: Lab) -> None:
        """Prepare."""
        super().__init__(lab, "runs")

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.lab.runs.on_event(self._heard))

    @callback
    def _heard(self, event_type: str, run: Run) -> None:
        told = {"run": run.run_id, "title": run.title, "kind": run.kind, "begun_by": run.begun_by}
        if run.is_over:
            told["error"] = run.error
        self._trigger_event(event_type, told)
        self.async_write_ha_state()
