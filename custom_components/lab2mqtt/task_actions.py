"""One action for each task of each device, which comes and goes with it: ``lab2mqtt.ot2_mix_color``."""

from collections.abc import Callable, Coroutine
from typing import Any

from homeassistant.core import (
    CALLBACK_TYPE,
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.helpers.service import async_set_service_schema
from homeassistant.util import slugify

from .actions import Actions
from .const import CONF_TASK_ACTIONS, DOMAIN
from .device import Device
from .errors import InvalidCall
from .lab import Lab
from .parameters import CONF_RESERVATION, CONF_TASK_TIMEOUT, fields_of, schema_of

_TIMEOUT_FIELD = {"number": {"mode": "box", "min": 0, "step": "any", "unit_of_measurement": "s"}}


class TaskActions:
    """The actions of the tasks of one lab."""

    def __init__(self, hass: HomeAssistant, lab: Lab, actions: Actions) -> None:
        """Prepare; ``start`` does the rest."""
        self._hass, self._lab, self._actions = hass, lab, actions
        self._offered: dict[str, tuple[str, str, dict[str, Any]]] = {}  # action → device, task, its schema

    def start(self) -> CALLBACK_TYPE:
        """Offer them from now on. Returns what ends that, and takes them back."""
        if not self._lab.entry.options.get(CONF_TASK_ACTIONS, True):
            return lambda: None
        remove = self._lab.on_devices(self._look)
        self._look()

        def end() -> None:
            remove()
            for action in list(self._offered):
                self._withdraw(action)

        return end

    @callback
    def _look(self) -> None:
        wanted = {
            name: (device.device_id, task, told)
            for device in self._lab.devices.values()
            for task, told in device.own_tasks.items()
            if (name := self._name(device, task))
        }
        for action in [each for each, offer in self._offered.items() if wanted.get(each) != offer]:
            self._withdraw(action)
        for action, offer in wanted.items():
            if action not in self._offered:
                self._offer(action, *offer)

    def _name(self, device: Device, task: str) -> str:
        """What the action is called: with the lab's name in front, where another has taken the short one."""
        short = slugify(f"{device.device_id}_{task}")
        for name in (short, slugify(f"{self._lab.base}_{short}")):
            if name in self._offered or not self._hass.services.has_service(DOMAIN, name):
                return name
        return ""

    def _offer(self, action: str, device_id: str, task: str, told: dict[str, Any]) -> None:
        device = self._lab.devices[device_id]
        self._offered[action] = (device_id, task, told)
        self._hass.services.async_register(
            DOMAIN, action, self._runner(device_id, task), schema_of(told), SupportsResponse.OPTIONAL
        )
        fields = fields_of(told)
        fields[CONF_TASK_TIMEOUT] = {
            "name": "Timeout",
            "description": "Seconds that the task may take; then what moves is stopped.",
            "required": False,
            "advanced": True,
            "selector": _TIMEOUT_FIELD,
        }
        fields[CONF_RESERVATION] = {
            "name": "Reservation",
            "description": "The holder of the device's reservation.",
            "required": False,
            "advanced": True,
            "selector": {"text": {}},
        }
        words = task.replace("_", " ")
        description = {
            "name": f"{device.name}: {words}",
            "description": told.get("description", ""),
            "fields": fields,
        }
        async_set_service_schema(self._hass, DOMAIN, action, description)

    def _withdraw(self, action: str) -> None:
        del self._offered[action]
        self._hass.services.async_remove(DOMAIN, action)

    def _runner(
        self, device_id: str, task: str
    ) -> Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]:
        async def run(call: ServiceCall) -> ServiceResponse:
            device = self._lab.devices.get(device_id)
            if device is None:
                raise InvalidCall("unknown_device", device=device_id, near="-", known="-")
            parameters = dict(call.data)
            timeout = parameters.pop(CONF_TASK_TIMEOUT, None)
            reservation = parameters.pop(CONF_RESERVATION, None)
            return await self._actions.run(
                self._lab, device, task, parameters, call, timeout=timeout, reservation=reservation
            )

        return run
