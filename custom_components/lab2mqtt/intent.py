"""The intents of a lab: what Assist does when somebody says it, and what own sentences may lead to."""

from typing import TYPE_CHECKING, override

from homeassistant.core import HomeAssistant
from homeassistant.helpers import intent

from .const import DOMAIN
from .orders import ORDERS, speaker_of
from .sentences import CONFIRM, READY, RUN, STATUS, STOP
from .speech import Unclear, do, readiness, run, status, stop_labs
from .spoken import say

if TYPE_CHECKING:
    from homeassistant.helpers.typing import VolDictType


async def async_setup_intents(hass: HomeAssistant) -> None:
    """Offer the intents."""
    for handler in (StopLab(), LabStatus(), DeviceReady(), RunTask(), Confirm()):
        intent.async_register(hass, handler)


class _LabIntent(intent.IntentHandler):
    """An intent that answers with a sentence."""

    async def answer(self, told: intent.Intent, slots: dict[str, str]) -> str:
        """Do it, and give the sentence."""
        raise NotImplementedError

    @override
    async def async_handle(self, intent_obj: intent.Intent) -> intent.IntentResponse:
        slots = self.async_validate_slots(intent_obj.slots)
        texts = {name: str(slot["value"]) for name, slot in slots.items()}
        response = intent_obj.create_response()
        try:
            response.async_set_speech(await self.answer(intent_obj, texts))
        except Unclear as error:
            response.async_set_error(intent.IntentResponseErrorCode.FAILED_TO_HANDLE, str(error))
        return response


class StopLab(_LabIntent):
    """Stops the lab. Nobody is asked back."""

    intent_type = STOP
    description = "Emergency stop: stops all devices of the laboratory at once"

    @override
    async def answer(self, told: intent.Intent, slots: dict[str, str]) -> str:
        reason = told.text_input or "Assist"
        return await stop_labs(told.hass, told.language, told.context, reason)


class LabStatus(_LabIntent):
    """Tells what the lab is doing."""

    intent_type = STATUS
    description = "Tells what the devices of the laboratory are doing"

    @override
    async def answer(self, told: intent.Intent, slots: dict[str, str]) -> str:
        return await status(told.hass, told.language)


class DeviceReady(_LabIntent):
    """Tells whether a device is ready, and why not."""

    intent_type = READY
    description = "Tells whether a device of the laboratory is ready, and why not"

    @property
    @override
    def slot_schema(self) -> "VolDictType":
        return {"device": intent.non_empty_string}

    @override
    async def answer(self, told: intent.Intent, slots: dict[str, str]) -> str:
        return await readiness(told.hass, told.language, slots["device"])


class RunTask(_LabIntent):
    """Runs a task; for what moves it asks first."""

    intent_type = RUN
    # No entity is of our domain, so this is never a tool of a language model: a person says it.
    platforms = {DOMAIN}  # noqa: RUF012 - as Home Assistant has it

    @property
    @override
    def slot_schema(self) -> "VolDictType":
        return {"device": intent.non_empty_string, "task": intent.non_empty_string}

    @override
    async def answer(self, told: intent.Intent, slots: dict[str, str]) -> str:
        return await run(
            told.hass,
            told.language,
            speaker_of(told.context, told.device_id),
            told.context,
            slots["device"],
            slots["task"],
            slots.get("parameters", ""),
        )


class Confirm(_LabIntent):
    """Says yes to what was asked."""

    intent_type = CONFIRM
    platforms = {DOMAIN}  # noqa: RUF012 - as above

    @override
    async def answer(self, told: intent.Intent, slots: dict[str, str]) -> str:
        speaker = speaker_of(told.context, told.device_id)
        order = told.hass.data[ORDERS].take(speaker) if speaker else None
        if order is None:
            raise Unclear(await say(told.hass, told.language, "nothing_asked"))
        return await do(told.hass, told.language, told.context, order)
