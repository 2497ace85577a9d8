"""The actions with which scripts and automations tell what they do: ``begin_run`` and its like."""

from typing import Final

from homeassistant.core import Context, HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.helpers import config_validation as cv
import voluptuous as vol

from .const import DOMAIN
from .device import Device
from .errors import InvalidCall
from .issuer import Issuers
from .run import Run
from .runs import Runs
from .targets import find_device, find_lab, labs

_SECONDS: Final = 120.0  # s; for how long a crash of Home Assistant keeps a device from others
_NONE: Final = SupportsResponse.NONE
_ONLY: Final = SupportsResponse.ONLY
_OPTIONAL: Final = SupportsResponse.OPTIONAL

SCHEMAS: Final = {
    "begin_run": (
        {
            vol.Required("title"): vol.All(cv.string, vol.Length(min=1, max=100)),
            vol.Optional("devices", default=list): vol.All(cv.ensure_list, [cv.string]),
            vol.Optional("seconds", default=_SECONDS): vol.All(
                vol.Coerce(float), vol.Range(min=3, max=86400)
            ),
            vol.Optional("lab"): cv.string,
        },
        _ONLY,
    ),
    "note_run": (
        {
            vol.Required("run"): cv.string,
            vol.Optional("step"): vol.All(cv.string, vol.Length(max=255)),
            vol.Optional("percent"): vol.All(vol.Coerce(float), vol.Range(min=0, max=100)),
            vol.Optional("result"): object,
        },
        _NONE,
    ),
    "end_run": (
        {
            vol.Required("run"): cv.string,
            vol.Optional("error", default=""): vol.All(cv.string, vol.Length(max=2000)),
        },
        _OPTIONAL,
    ),
    "get_runs": (
        {
            vol.Optional("limit", default=20): vol.All(vol.Coerce(int), vol.Range(min=1, max=1000)),
            vol.Optional("lab"): cv.string,
        },
        _ONLY,
    ),
}


def holder_in(hass: HomeAssistant, device: Device, context: Context) -> str | None:
    """Under which reservation a context uses a device by itself: that of the run that it began."""
    for lab in labs(hass):
        if lab.devices.get(device.device_id) is device:
            return lab.runs.holder(device, context)
    return None


class RunActions:
    """The actions."""

    def __init__(self, hass: HomeAssistant, issuers: Issuers) -> None:
        """Prepare; ``register`` does the rest."""
        self._hass, self._issuers = hass, issuers

    def register(self) -> None:
        """Offer the actions, whether or not a lab is set up."""
        for name, (fields, response) in SCHEMAS.items():
            self._hass.services.async_register(
                DOMAIN, name, getattr(self, f"_{name}"), vol.Schema(fields), response
            )

    async def _begin_run(self, call: ServiceCall) -> ServiceResponse:
        data = call.data
        found = [find_device(self._hass, name) for name in data["devices"]]
        lab = found[0][0] if found and "lab" not in data else find_lab(self._hass, data.get("lab"))
        devices = {device.device_id: device for each, device in found if each is lab}
        for each, device in found:
            if each is not lab:
                raise InvalidCall("device_of_another_lab", device=device.name, lab=lab.title)
        by = await self._issuers.name(call.context)
        entity_id = self._issuers.run_of(call.context)
        run = await lab.runs.begin(
            data["title"], list(devices.values()), data["seconds"], call.context, by, entity_id
        )
        return {"run": run.run_id, "holder": run.holder}

    async def _note_run(self, call: ServiceCall) -> None:
        data = call.data
        runs, run = self._find(data["run"])
        runs.note(run, data.get("step"), data.get("percent"), data.get("result"))

    async def _end_run(self, call: ServiceCall) -> ServiceResponse:
        runs, run = self._find(call.data["run"])
        await runs.end(run, call.data["error"])
        return {"run": run.run_id, "status": run.status, "results": run.results}

    async def _get_runs(self, call: ServiceCall) -> ServiceResponse:
        lab = find_lab(self._hass, call.data.get("lab"))
        return {"runs": [run.shown() for run in lab.runs.listed()[: call.data["limit"]]]}

    def _find(self, run_id: str) -> tuple[Runs, Run]:
        """A run, of whichever lab.

        Raises:
            InvalidCall: There is none.
        """
        for lab in labs(self._hass):
            for run in lab.runs.listed():
                if run.run_id == run_id:
                    return lab.runs, run
        raise InvalidCall("unknown_run", run=run_id)
