"""The triggers as Home Assistant offers them by purpose."""

from typing import TYPE_CHECKING, Any, cast, override

from homeassistant.const import CONF_OPTIONS
from homeassistant.core import CALLBACK_TYPE, HomeAssistant
from homeassistant.helpers.trigger import Trigger, TriggerActionRunner, TriggerConfig
from homeassistant.helpers.typing import ConfigType
import voluptuous as vol

from .moments import OPTIONS, watch

if TYPE_CHECKING:
    from homeassistant.helpers.trigger import TriggerNotTriggeredReporter


class LabTrigger(Trigger):
    """A trigger that waits for a moment in a lab."""

    moment: str

    @classmethod
    @override
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        schema = vol.Schema({vol.Required(CONF_OPTIONS, default=dict): OPTIONS[cls.moment]})
        return cast("ConfigType", schema(config))

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Prepare, with options that are valid."""
        super().__init__(hass, config)
        self._options: dict[str, Any] = config.options or {}

    @override
    async def async_attach_runner(
        self,
        run_action: TriggerActionRunner,
        did_not_trigger: "TriggerNotTriggeredReporter | None" = None,
    ) -> CALLBACK_TYPE:
        return watch(self._hass, self.moment, self._options, run_action)


def _of(moment: str) -> type[Trigger]:
    """A class of its own for each, because only the class is asked whether options are valid."""
    return type(moment, (LabTrigger,), {"moment": moment})


_TRIGGERS = {moment: _of(moment) for moment in OPTIONS}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """The triggers of a lab."""
    return _TRIGGERS
