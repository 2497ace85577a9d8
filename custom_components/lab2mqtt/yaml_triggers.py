"""The triggers for a Home Assistant that does not know them by purpose: the same, written in YAML."""

from typing import Any

from homeassistant.const import CONF_PLATFORM
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.trigger import TriggerActionType, TriggerInfo
from homeassistant.helpers.typing import ConfigType
import voluptuous as vol

from .const import DOMAIN
from .moments import OPTIONS, watch


async def async_validate_trigger_config(hass: HomeAssistant, config: ConfigType) -> ConfigType:
    """Check a trigger, such as ``lab2mqtt.task_failed``, and its options.

    Raises:
        vol.Invalid: There is no such trigger, or an option is wrong.
    """
    moment = _moment(config)
    if moment not in OPTIONS:
        raise vol.Invalid(f"There is no trigger {config[CONF_PLATFORM]}; there are: {', '.join(_names())}")
    schema = cv.TRIGGER_BASE_SCHEMA.extend({vol.Required("options", default=dict): OPTIONS[moment]})
    checked: ConfigType = schema(config)
    return checked


async def async_attach_trigger(
    hass: HomeAssistant, config: ConfigType, action: TriggerActionType, trigger_info: TriggerInfo
) -> CALLBACK_TYPE:
    """Run an action at a moment in a lab. Returns what ends that."""
    job = HassJob(action)
    data = trigger_info["trigger_data"]

    @callback
    def fire(variables: dict[str, Any], description: str) -> None:
        told = {**data, "platform": config[CONF_PLATFORM], "description": description, **variables}
        hass.async_run_hass_job(job, {"trigger": told}, None)

    return watch(hass, _moment(config), config["options"], fire)


def _moment(config: ConfigType) -> str:
    return str(config[CONF_PLATFORM]).removeprefix(f"{DOMAIN}.")


def _names() -> list[str]:
    return [f"{DOMAIN}.{moment}" for moment in OPTIONS]
