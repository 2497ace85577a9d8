"""The repairs that a click can do: release a stop that was forgotten."""

from typing import Any

from homeassistant import data_entry_flow
from homeassistant.components.repairs import RepairsFlow
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import voluptuous as vol

from .errors import InvalidCall
from .targets import find_lab

type IssueData = dict[str, str | int | float | None]

_BY = "Home Assistant, repairs"


class ReleaseStop(RepairsFlow):
    """Shows who stopped the lab or a device, and why, and asks before it releases that."""

    def __init__(self, data: IssueData) -> None:
        """Prepare, with what the issue knows."""
        self._told = data

    async def async_step_init(
        self,
        user_input: dict[str, Any] | None = None,  # noqa: ARG002 - which issue, in some versions
    ) -> data_entry_flow.FlowResult[Any, Any]:
        """Ask."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> data_entry_flow.FlowResult[Any, Any]:
        """Do it, once it is confirmed."""
        said = {key: str(value) for key, value in self._told.items()}
        if user_input is None:
            return self.async_show_form(
                step_id="confirm", data_schema=vol.Schema({}), description_placeholders=said
            )
        try:
            lab = find_lab(self.hass, said["entry_id"])
            if device_id := said.get("device_id"):
                device = lab.devices.get(device_id)
                if device is None:
                    return self.async_abort(reason="gone")
                await lab.calls.run(device, "reset_emergency_stop", {}, issued_by=_BY)
            elif lab.stop is None or lab.stop.stop_id != said["stop_id"]:
                return self.async_abort(reason="another_stop")  # nobody has looked at why that one came
            else:
                await lab.release_stop(_BY, "forgotten")
        except InvalidCall:
            return self.async_abort(reason="gone")
        except HomeAssistantError as error:
            return self.async_abort(reason="not_released", description_placeholders={"error": str(error)})
        return self.async_create_entry(data={})


async def async_create_fix_flow(hass: HomeAssistant, issue_id: str, data: IssueData | None) -> RepairsFlow:
    """The flow for an issue that can be fixed."""
    return ReleaseStop(data or {})
