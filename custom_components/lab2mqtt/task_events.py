"""Tasks that were done or failed, as the event bus and the entities tell them."""

from collections import OrderedDict
from contextlib import suppress
from typing import Any, Final

from homeassistant.components import mqtt
from homeassistant.components.mqtt import ReceiveMessage
from homeassistant.const import ATTR_DEVICE_ID, CONF_TYPE
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from . import wire
from .const import EVENT_TASK
from .device import Device
from .lab import Lab, octets

SUCCEEDED: Final = "task_succeeded"
FAILED: Final = "task_failed"
_REMEMBERED = 500  # commands whose sender is known
_LONGEST = 2000  # characters, as errors have them


def task_data(device: Device, message: dict[str, Any]) -> dict[str, str]:
    """Of a task that was done or failed: ``device``, ``device_name``, and what the message has of it."""
    data = {"device": device.device_id, "device_name": device.name}
    for key in ("task", "request_id", "error_code", "error"):
        value = message.get(key)
        if isinstance(value, str):
            data[key] = value[:_LONGEST]
    return data


class TaskEvents:
    """Fires an event of Home Assistant for each task of a lab that was done or failed."""

    def __init__(self, hass: HomeAssistant, lab: Lab) -> None:
        """Prepare."""
        self._hass = hass
        self._lab = lab
        # A device's event does not tell who wanted the task; the command does, and comes before it.
        self._issued_by: OrderedDict[str, str] = OrderedDict()

    async def start(self) -> CALLBACK_TYPE:
        """Listen from now on. Returns what ends that."""
        topic = wire.device_topic(self._lab.base, "+", "command")
        unsubscribe = await mqtt.async_subscribe(self._hass, topic, self._command, qos=1, encoding=None)
        remove = self._lab.on_event(self._event)

        @callback
        def end() -> None:
            unsubscribe()
            remove()

        return end

    @callback
    def _command(self, message: ReceiveMessage) -> None:
        with suppress(wire.WireError):  # the device refuses it, and says so
            command = wire.read_command(octets(message.payload))
            request_id, issued_by = command.get("request_id"), command.get("issued_by")
            if request_id and issued_by:
                self._issued_by[request_id] = issued_by
                if len(self._issued_by) > _REMEMBERED:
                    self._issued_by.popitem(last=False)

    @callback
    def _event(self, device: Device, message: dict[str, Any]) -> None:
        event_type = message["event_type"]
        if event_type not in (SUCCEEDED, FAILED):
            return
        data = {CONF_TYPE: event_type, **task_data(device, message)}
        if issued_by := self._issued_by.pop(data.get("request_id", ""), None):
            data["issued_by"] = issued_by
        if device_id := device.registry_id(self._hass):
            data[ATTR_DEVICE_ID] = device_id
        self._hass.bus.async_fire(EVENT_TASK, data)
