"""Set-up: a lab is found by its bridges, or named by its base topic."""

from typing import Any, override

from homeassistant.config_entries import ConfigFlow, ConfigFlowResult, OptionsFlow
from homeassistant.core import callback
from homeassistant.helpers.selector import BooleanSelector, TextSelector
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo
import voluptuous as vol

from . import wire
from .const import CONF_BASE, CONF_TASK_ACTIONS, DOMAIN
from .lab import LabConfigEntry, octets


class LabConfigFlow(ConfigFlow, domain=DOMAIN):
    """Asks for the base topic, or only for a click where a bridge has told it."""

    VERSION = 1

    def __init__(self) -> None:
        """Know nothing yet."""
        self._base = wire.DEFAULT_BASE
        self._bridge = ""

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        errors: dict[str, str] = {}
        if user_input is not None:
            base = user_input[CONF_BASE].strip()
            if wire.is_base(base):
                await self.async_set_unique_id(base, raise_on_progress=False)
                self._abort_if_unique_id_configured()
                return self._create(base)
            errors[CONF_BASE] = "invalid_base"
        return self._ask("user", errors, user_input)

    @override
    async def async_step_mqtt(self, discovery_info: MqttServiceInfo) -> ConfigFlowResult:
        try:
            status = wire.read_bridge_status(octets(discovery_info.payload))
        except wire.WireError:
            return self.async_abort(reason="no_bridge")
        base, _, place = discovery_info.topic.rpartition("/bridge/")
        if status["status"] != wire.ONLINE:
            return self.async_abort(reason="no_bridge")
        await self.async_set_unique_id(base)
        self._abort_if_unique_id_configured()
        self._base, self._bridge = base, place.removesuffix("/status")
        self.context["title_placeholders"] = {"name": _title(base)}
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for one click."""
        if user_input is not None:
            return self._create(self._base)
        self._set_confirm_only()
        return self.async_show_form(
            step_id="confirm", description_placeholders={"base": self._base, "bridge": self._bridge}
        )

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Take another base topic."""
        entry = self._get_reconfigure_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            base = user_input[CONF_BASE].strip()
            if wire.is_base(base):
                await self.async_set_unique_id(base, raise_on_progress=False)
                if base != entry.unique_id:
                    self._abort_if_unique_id_configured()
                # The entry's own listener loads it anew.
                self.hass.config_entries.async_update_entry(
                    entry, unique_id=base, title=_title(base), data={CONF_BASE: base}
                )
                return self.async_abort(reason="reconfigure_successful")
            errors[CONF_BASE] = "invalid_base"
        return self._ask("reconfigure", errors, user_input or dict(entry.data))

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: LabConfigEntry) -> OptionsFlow:
        return LabOptionsFlow()

    def _create(self, base: str) -> ConfigFlowResult:
        return self.async_create_entry(title=_title(base), data={CONF_BASE: base})

    def _ask(self, step: str, errors: dict[str, str], shown: dict[str, Any] | None) -> ConfigFlowResult:
        fields = vol.Schema({vol.Required(CONF_BASE, default=wire.DEFAULT_BASE): TextSelector()})
        return self.async_show_form(
            step_id=step,
            data_schema=self.add_suggested_values_to_schema(fields, shown),
            errors=errors,
        )


class LabOptionsFlow(OptionsFlow):
    """What a lab shows of itself."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for all of it."""
        if user_input is not None:
            return self.async_create_entry(data=user_input)
        fields = vol.Schema({vol.Required(CONF_TASK_ACTIONS, default=True): BooleanSelector()})
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(fields, self.config_entry.options),
        )


def _title(base: str) -> str:
    """The name of the lab: the usual base topic needs none."""
    return "Lab" if base == wire.DEFAULT_BASE else f"Lab {base}"
