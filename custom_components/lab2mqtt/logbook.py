"""The logbook's words for a task that was done or failed: "OT-2 did mix_color (asked by Anna)"."""

from collections.abc import Callable
from typing import Any

from homeassistant.components.logbook import LOGBOOK_ENTRY_MESSAGE, LOGBOOK_ENTRY_NAME
from homeassistant.components.mqtt.const import DOMAIN as MQTT
from homeassistant.const import ATTR_DEVICE_ID, CONF_TYPE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr

from . import wire
from .const import EVENT_TASK
from .task_events import SUCCEEDED

# Nothing was done, because the command was not accepted.
_REFUSED = frozenset(
    {
        wire.UNKNOWN_TASK,
        wire.INVALID_PARAMETERS,
        wire.RETAINED_COMMAND,
        wire.EXPIRED,
        wire.BUSY,
        wire.RESERVED,
        wire.MAINTENANCE,
        wire.NOT_ALLOWED,
    }
)


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[[str, str, Callable[[Event], dict[str, str]]], None],
) -> None:
    """Tell how a task is told."""

    @callback
    def describe(event: Event) -> dict[str, str]:
        data = event.data
        device = dr.async_get(hass).async_get(data.get(ATTR_DEVICE_ID, ""))
        name = (device.name_by_user if device else None) or data.get("device_name", "")
        return {LOGBOOK_ENTRY_NAME: name, LOGBOOK_ENTRY_MESSAGE: _words(data)}

    # Under MQTT's name: on a device's page the logbook asks only for events of the integration that has the
    # device, and a lab's devices are MQTT's.
    async_describe_event(MQTT, EVENT_TASK, describe)


def _words(data: Any) -> str:  # noqa: ANN401 - of an event
    """What a device did, or did not."""
    task = data.get("task", "a task")
    asked = f" (asked by {data['issued_by']})" if "issued_by" in data else ""
    if data.get(CONF_TYPE) == SUCCEEDED:
        return f"did {task}{asked}"
    how = "refused" if data.get("error_code") in _REFUSED else "failed at"
    why = data.get("error") or data.get("error_code") or "no reason was told"
    return f"{how} {task}{asked}: {why}"
