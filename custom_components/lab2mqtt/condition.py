"""The conditions of a lab. An older Home Assistant has none of this kind; its entities tell the same."""

from typing import Any, Unpack, cast, override

from homeassistant.const import CONF_OPTIONS
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConditionErrorMessage
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.condition import Condition, ConditionCheckParams, ConditionConfig
from homeassistant.helpers.typing import ConfigType
import voluptuous as vol

from .errors import InvalidCall
from .moments import LAB
from .targets import find_device, labs

_DEVICES = {vol.Required("device"): vol.All(cv.ensure_list, vol.Length(min=1), [cv.string])}


class _LabCondition(Condition):
    """A condition of a lab, with options."""

    options_schema: vol.Schema

    @classmethod
    @override
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        schema = vol.Schema({vol.Required(CONF_OPTIONS, default=dict): cls.options_schema})
        return cast("ConfigType", schema(config))

    def __init__(self, hass: HomeAssistant, config: ConditionConfig) -> None:
        """Prepare, with options that are valid."""
        super().__init__(hass, config)
        self._options: dict[str, Any] = config.options or {}


class DeviceIsReady(_LabCondition):
    """Whether all of some devices are ready."""

    options_schema = vol.Schema(_DEVICES)

    @override
    def _async_check(self, **kwargs: Unpack[ConditionCheckParams]) -> bool:
        if not labs(self._hass):
            return False  # no lab is set up yet, as when Home Assistant begins: nothing is ready
        try:
            found = [find_device(self._hass, name)[1] for name in self._options["device"]]
        except InvalidCall as error:
            raise ConditionErrorMessage("lab2mqtt.device_is_ready", str(error)) from error
        return all(device.readiness == "ready" for device in found)


class LabIsStopped(_LabCondition):
    """Whether the stop of a lab is engaged; without a lab, of any."""

    options_schema = vol.Schema(LAB)

    @override
    def _async_check(self, **kwargs: Unpack[ConditionCheckParams]) -> bool:
        entry_id = self._options.get("lab")
        found = [lab for lab in labs(self._hass) if entry_id in (None, lab.entry.entry_id)]
        if not found:
            raise ConditionErrorMessage("lab2mqtt.lab_is_stopped", "this lab is not set up")
        return any(lab.stop for lab in found)


_CONDITIONS: dict[str, type[Condition]] = {
    "device_is_ready": DeviceIsReady,
    "lab_is_stopped": LabIsStopped,
}


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """The conditions of a lab."""
    return _CONDITIONS
