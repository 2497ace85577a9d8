"""Who wants something: the person, or the automation or script, that an action's context leads to."""

import asyncio
from collections import OrderedDict

from homeassistant.components.automation import EVENT_AUTOMATION_TRIGGERED
from homeassistant.components.script import EVENT_SCRIPT_STARTED
from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import Context, Event, HomeAssistant, callback

_REMEMBERED = 500  # runs of automations and scripts

_NOBODY = "Home Assistant"


class Issuers:
    """Remembers which automation or script a context belongs to. One for all config entries."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Listen from now on."""
        self._hass = hass
        self._runs: OrderedDict[str, str] = OrderedDict()
        for event_type in (EVENT_AUTOMATION_TRIGGERED, EVENT_SCRIPT_STARTED):
            hass.bus.async_listen(event_type, self._started)

    @callback
    def run_of(self, context: Context) -> str | None:
        """The entity id of the automation or script that acts in a context; None where a person does."""
        return self._runs.get(context.id) or (
            self._runs.get(context.parent_id) if context.parent_id else None
        )

    async def name(self, context: Context) -> str:
        """Who acts: ``automation.colour_loop``, or the user's name."""
        if self.run_of(context) is None:
            # Since 2026, what is fired while another event is handled comes after it: as the start of an
            # automation, whose first action may be us.
            await asyncio.sleep(0)
        if run := self.run_of(context):
            return run
        if context.user_id and (user := await self._hass.auth.async_get_user(context.user_id)):
            return user.name or _NOBODY
        return _NOBODY

    @callback
    def _started(self, event: Event) -> None:
        entity_id = event.data.get(ATTR_ENTITY_ID)
        if isinstance(entity_id, str):
            # A script that an automation calls acts for the automation, which began first.
            self._runs.setdefault(event.context.id, entity_id)
            if len(self._runs) > _REMEMBERED:
                self._runs.popitem(last=False)
