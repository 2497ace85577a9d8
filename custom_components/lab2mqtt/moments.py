"""The moments in a lab that an automation can wait for."""

from collections.abc import Callable, Collection
from typing import Any

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
import voluptuous as vol

from .device import HOUSE_TASKS, Device, Stop
from .lab import Lab
from .loaded import follow_labs

type Fire = Callable[[dict[str, Any], str], object]
"""Called with the variables of a moment, and what has happened, in words."""

DEVICES = {vol.Optional("device", default=list): vol.All(cv.ensure_list, [cv.string])}
LAB = {vol.Optional("lab"): cv.string}

_TASK = vol.Schema({**DEVICES, vol.Optional("task"): cv.string})
OPTIONS: dict[str, vol.Schema] = {
    "device_ready": vol.Schema(DEVICES),
    "stop_engaged": vol.Schema(LAB),
    "stop_released": vol.Schema(LAB),
    "task_failed": _TASK,
    "task_finished": _TASK,
}
"""What each moment takes."""


@callback
def watch(hass: HomeAssistant, moment: str, options: dict[str, Any], fire: Fire) -> CALLBACK_TYPE:
    """Wait for a moment in every lab, whether or not it is set up by now.

    What the broker remembers of before is no moment: nothing fires when Home Assistant begins.

    Args:
        hass: Home Assistant.
        moment: One of ``OPTIONS``.
        options: As its schema gives them.
        fire: Called when it comes.

    Returns:
        What ends the wait.
    """
    if moment in ("task_finished", "task_failed"):
        return follow_labs(hass, lambda lab: _tasks(hass, lab, moment, options, fire))
    if moment == "device_ready":
        return follow_labs(hass, lambda lab: _ready(hass, lab, options, fire))
    return follow_labs(hass, lambda lab: _stop(lab, moment, options, fire))


def is_one_of(hass: HomeAssistant, device: Device, names: Collection[str]) -> bool:
    """Whether a device is named, by its id of the registry or by our own."""
    return device.device_id in names or device.registry_id(hass) in names


def _tasks(hass: HomeAssistant, lab: Lab, moment: str, options: dict[str, Any], fire: Fire) -> CALLBACK_TYPE:
    wanted = options.get("task")
    event_type = "task_succeeded" if moment == "task_finished" else "task_failed"

    @callback
    def happened(device: Device, message: dict[str, Any]) -> None:
        task = message.get("task")
        # Of what every device has, as to pause, nobody wants to hear who does not ask for it.
        right = task == wanted if wanted else task not in HOUSE_TASKS
        if message["event_type"] != event_type or not right:
            return
        names = options["device"]
        if not names or is_one_of(hass, device, names):
            said = {key: message.get(key) for key in ("task", "request_id")}
            if moment == "task_failed":
                said |= {key: message.get(key) for key in ("error", "error_code")}
            fire(_variables(hass, lab, device) | said, f"{device.name}: {event_type} {task}")

    return lab.on_event(happened)


def _ready(hass: HomeAssistant, lab: Lab, options: dict[str, Any], fire: Fire) -> CALLBACK_TYPE:
    before = {device.device_id: device.readiness for device in lab.devices.values()}

    @callback
    def changed() -> None:
        for device in list(lab.devices.values()):
            was = before.get(device.device_id, "ready")  # a device that has just come was not waited for
            before[device.device_id] = device.readiness
            names = options["device"]
            if (
                was != "ready"
                and device.readiness == "ready"
                and (not names or is_one_of(hass, device, names))
            ):
                fire(_variables(hass, lab, device) | {"was": was}, f"{device.name} is ready")

    return lab.on_change(changed)


def _stop(lab: Lab, moment: str, options: dict[str, Any], fire: Fire) -> CALLBACK_TYPE:
    @callback
    def happened(stop: Stop | None, before: Stop | None) -> None:
        # Another stop in the place of one that is engaged is none for those who wait for the first.
        if bool(stop) == bool(before) or bool(stop) != (moment == "stop_engaged"):
            return
        meant = stop or before
        if meant and options.get("lab") in (None, lab.entry.entry_id):
            said = {"stop_id": meant.stop_id, "by": meant.by, "reason": meant.reason}
            word = "engaged" if stop else "released"
            fire({"lab": lab.title} | said, f"the stop of {lab.title} was {word}")

    return lab.on_stop(happened)


def _variables(hass: HomeAssistant, lab: Lab, device: Device) -> dict[str, Any]:
    return {
        "lab": lab.title,
        "device": device.device_id,
        "device_id": device.registry_id(hass),
        "device_name": device.name,
    }
