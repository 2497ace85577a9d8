"""The actions that every lab has. Those of single tasks are in task_actions, those of runs in run_actions."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from homeassistant.core import Context, HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import VolDictType
import voluptuous as vol

from . import wire
from .const import DOMAIN
from .device import Device
from .errors import InvalidCall, TaskError
from .issuer import Issuers
from .lab import Lab
from .targets import find_device, find_lab

type Holder = Callable[[Device, Context], str | None]

_SECONDS = vol.All(vol.Coerce(float), vol.Range(min=0, min_included=False))
_MOMENT = vol.Any(vol.Coerce(float), cv.datetime)

_DEVICE: VolDictType = {vol.Required("device"): cv.string}
_DEVICES: VolDictType = {
    vol.Optional("device"): vol.All(cv.ensure_list, [cv.string]),
    vol.Optional("lab"): cv.string,
    vol.Optional("reason", default=""): vol.All(cv.string, vol.Length(max=255)),
}
SCHEMAS: dict[str, VolDictType] = {
    "run_task": {
        **_DEVICE,
        vol.Required("task"): cv.string,
        vol.Optional("parameters", default=dict): dict,
        vol.Optional("timeout"): _SECONDS,
        vol.Optional("reservation"): cv.string,
        vol.Optional("raise_errors", default=True): cv.boolean,
    },
    "cancel_task": {**_DEVICE, vol.Optional("request_id"): cv.string},
    "pause": _DEVICE,
    "resume": {**_DEVICE, vol.Optional("reservation"): cv.string},
    "reserve": {
        **_DEVICE,
        vol.Required("seconds"): vol.All(vol.Coerce(float), vol.Range(min=1, max=86400)),
        vol.Optional("holder"): cv.string,
        vol.Optional("reason"): cv.string,
    },
    "release": {**_DEVICE, vol.Optional("holder"): cv.string},
    "get_history": {
        **_DEVICE,
        vol.Optional("since"): _MOMENT,
        vol.Optional("until"): _MOMENT,
        vol.Optional("limit"): vol.All(vol.Coerce(int), vol.Range(min=1, max=1000)),
        vol.Optional("before"): vol.Coerce(int),
        vol.Optional("request_id"): cv.string,
        vol.Optional("reservation"): cv.string,
    },
    "emergency_stop": _DEVICES,
    "reset_emergency_stop": _DEVICES,
}


class Actions:
    """The actions, and what they have in common with those of single tasks.

    Attributes:
        hass: Home Assistant.
        issuers: Who acts in a context.
        holder: Under which reservation a context acts by itself, as one that began a run; None for none.
    """

    def __init__(self, hass: HomeAssistant, holder: Holder) -> None:
        """Prepare; ``register`` does the rest."""
        self.hass = hass
        self.issuers = Issuers(hass)
        self.holder = holder

    def register(self) -> None:
        """Offer the actions, whether or not a lab is set up."""
        for name, fields in SCHEMAS.items():
            self.hass.services.async_register(
                DOMAIN,
                name,
                getattr(self, f"_{name}"),
                vol.Schema(fields),
                SupportsResponse.ONLY if name == "get_history" else SupportsResponse.OPTIONAL,
            )

    async def run(
        self,
        lab: Lab,
        device: Device,
        task: str,
        parameters: dict[str, Any],
        call: ServiceCall,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the device's
        reservation: str | None = None,
        raise_errors: bool = True,
    ) -> ServiceResponse:
        """Run a task for whoever calls; gives what the action answers.

        Raises:
            TaskError: It was refused or failed, and errors are raised.
        """
        who = await self.issuers.name(call.context)
        if reservation is None:
            reservation = self.holder(device, call.context)
        if reservation is None and device.reserved_by == who:
            reservation = who  # it is theirs
        told = {"device": device.device_id, "task": task}
        try:
            _check_run(lab, device, task, call.context)
            answer = await lab.calls.run(
                device, task, parameters, issued_by=who, timeout=timeout, reservation=reservation
            )
        except TaskError as error:
            if raise_errors:
                raise
            return {
                "ok": False,
                **told,
                "request_id": error.request_id,
                "error_code": error.code,
                "error": error.text,
            }
        return {
            "ok": True,
            **told,
            "request_id": answer.request_id,
            "result": answer.result,
            "seconds": answer.seconds,
        }

    # The actions themselves.

    async def _run_task(self, call: ServiceCall) -> ServiceResponse:
        data = call.data
        lab, device = find_device(self.hass, data["device"])
        return await self.run(
            lab,
            device,
            data["task"],
            data["parameters"],
            call,
            timeout=data.get("timeout"),
            reservation=data.get("reservation"),
            raise_errors=data["raise_errors"],
        )

    async def _cancel_task(self, call: ServiceCall) -> ServiceResponse:
        return await self._house(call, "cancel", ("request_id",))

    async def _pause(self, call: ServiceCall) -> ServiceResponse:
        return await self._house(call, "pause")

    async def _resume(self, call: ServiceCall) -> ServiceResponse:
        return await self._house(call, "resume", reservation=call.data.get("reservation"))

    async def _reserve(self, call: ServiceCall) -> ServiceResponse:
        holder = call.data.get("holder") or await self.issuers.name(call.context)
        return await self._house(call, "reserve", ("seconds", "reason"), holder=holder)

    async def _release(self, call: ServiceCall) -> ServiceResponse:
        holder = call.data.get("holder") or await self.issuers.name(call.context)
        return await self._house(call, "release", holder=holder)

    async def _get_history(self, call: ServiceCall) -> ServiceResponse:
        lab, device = find_device(self.hass, call.data["device"])
        parameters = {
            key: value.timestamp() if key in ("since", "until") and hasattr(value, "timestamp") else value
            for key, value in call.data.items()
            if key != "device"
        }
        return await self.run(lab, device, "get_history", parameters, call)

    async def _house(
        self,
        call: ServiceCall,
        task: str,
        keys: tuple[str, ...] = (),
        *,
        reservation: str | None = None,
        **more: Any,  # noqa: ANN401 - a parameter
    ) -> ServiceResponse:
        """Run one of the tasks that every device has, with some of the call's fields."""
        lab, device = find_device(self.hass, call.data["device"])
        parameters = {key: call.data[key] for key in keys if key in call.data} | more
        return await self.run(lab, device, task, parameters, call, reservation=reservation)

    async def _emergency_stop(self, call: ServiceCall) -> ServiceResponse:
        by, reason = await self.issuers.name(call.context), call.data["reason"]
        if names := call.data.get("device"):
            return await self._each(names, "emergency_stop", {"reason": reason} if reason else {}, call)
        stop_id = await find_lab(self.hass, call.data.get("lab")).engage_stop(by, reason)
        return {"stop_id": stop_id}

    async def _reset_emergency_stop(self, call: ServiceCall) -> ServiceResponse:
        if names := call.data.get("device"):
            return await self._each(names, "reset_emergency_stop", {}, call)
        lab = find_lab(self.hass, call.data.get("lab"))
        by = await self.issuers.name(call.context)
        released = lab.stop.stop_id if lab.stop else None
        if not await lab.release_stop(by, call.data["reason"]):
            raise InvalidCall("not_stopped", lab=lab.title)
        return {"released": released}

    async def _each(
        self, names: list[str], task: str, parameters: dict[str, Any], call: ServiceCall
    ) -> ServiceResponse:
        """Do the same with several devices at once; none waits for another, nor for its failure."""
        found = [find_device(self.hass, name) for name in names]
        answers = await _all_of([self.run(lab, device, task, parameters, call) for lab, device in found])
        return {
            "devices": {
                device.device_id: answer["result"] if answer else None
                for (_, device), answer in zip(found, answers, strict=True)
            }
        }


async def _all_of(calls: list[Awaitable[ServiceResponse]]) -> list[ServiceResponse]:
    """Wait for all of them; then the first failure is raised."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    done: list[ServiceResponse] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        done.append(answer)
    return done


def _check_run(lab: Lab, device: Device, task: str, context: Context) -> None:
    """Refuse to move something in a run that was stopped, also when the stop was released meanwhile."""
    if device.tasks.get(task, {}).get("effect") == "move" and lab.runs.was_stopped(context):
        text = "a stop came during this run, and nothing moves in it any more; begin another one"
        raise TaskError(wire.EMERGENCY_STOPPED, device.name, task, text)
