"""What a language model may do in a lab: read, stop, and ask a person whether a task is to be run.

Home Assistant loads this module where it asks integrations for tools; before 2026 it never does.
"""

from typing import Any, override

from homeassistant.components.homeassistant.exposed_entities import async_should_expose
from homeassistant.components.llm import LLMTools
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv, entity_registry as er
from homeassistant.helpers.llm import (
    LLM_API_ASSIST,
    LLMContext,
    Tool,
    ToolAnnotations,
    ToolInput,
    ToolResult,
)
from homeassistant.util.json import JsonObjectType
import voluptuous as vol

from .const import DOMAIN
from .device import Device
from .lab import Lab
from .orders import speaker_of
from .speech import Unclear, run, stop_labs
from .targets import labs

_PROMPT = (
    "There is a laboratory. Its devices may hurt people when they move. lab2mqtt__run_task does not move "
    "anything by itself: it asks for a yes, which only the person may say. Pass the question on, word "
    "for word."
)
_READ = ToolAnnotations(read_only=True, destructive=False, idempotent=True, open_world=False)
_DEVICE = {vol.Required("device", description="The device_id of lab2mqtt__get_devices"): cv.string}


class _LabTool(Tool):
    """A tool of the lab, for the devices that are exposed to the assistant."""

    integration = DOMAIN

    async def answer(self, hass: HomeAssistant, told: dict[str, Any], context: LLMContext) -> JsonObjectType:
        """Do it, and give what came of it."""
        raise NotImplementedError

    @override
    async def async_call(
        self, hass: HomeAssistant, tool_input: ToolInput, llm_context: LLMContext
    ) -> ToolResult:
        try:
            told = self.parameters(tool_input.tool_args)
            return ToolResult(data=await self.answer(hass, told, llm_context))
        except (HomeAssistantError, vol.Invalid) as error:
            return ToolResult(data={"error": str(error)}, error=True)


class GetDevices(_LabTool):
    """Tells the devices, whether they are ready, what they do and can do."""

    name = f"{DOMAIN}__get_devices"
    title = "Get lab devices"
    description = "The devices of the laboratory: readiness and why not, running task, tasks with parameters."
    annotations = _READ

    @override
    async def answer(self, hass: HomeAssistant, told: dict[str, Any], context: LLMContext) -> JsonObjectType:
        return {
            "stopped": [lab.title for lab in labs(hass) if lab.stop],
            "devices": [
                {
                    "device_id": device.device_id,
                    "name": device.name,
                    "lab": lab.title,
                    "readiness": device.readiness,
                    "reasons": list(device.reasons),
                    "running_task": device.state.get("task"),
                    "reserved_by": device.reserved_by,
                    "tasks": {
                        name: {
                            key: task[key]
                            for key in ("description", "effect", "parameters", "required")
                            if key in task
                        }
                        for name, task in device.own_tasks.items()
                    },
                }
                for lab, device in _exposed(hass, context)
            ],
        }


class GetHistory(_LabTool):
    """Tells what became of a device's commands."""

    name = f"{DOMAIN}__get_history"
    title = "Get lab history"
    description = "What became of the last commands of a device of the laboratory, newest first."
    parameters = vol.Schema(
        {**_DEVICE, vol.Optional("limit", default=10): vol.All(vol.Coerce(int), vol.Range(min=1, max=100))}
    )
    annotations = _READ

    @override
    async def answer(self, hass: HomeAssistant, told: dict[str, Any], context: LLMContext) -> JsonObjectType:
        device = _find(hass, context, told["device"])
        response = await hass.services.async_call(
            DOMAIN,
            "get_history",
            {**told, "device": device.registry_id(hass) or device.device_id},
            blocking=True,
            context=context.context,
            return_response=True,
        )
        return response or {}


class RunTask(_LabTool):
    """Asks a person whether a task is to be run; what moves nothing is run at once."""

    name = f"{DOMAIN}__run_task"
    title = "Run lab task"
    description = (
        "Run a task of a device of the laboratory. What moves something is not run yet: the answer is a "
        "question to the person, who must say the words in it within 30 s."
    )
    parameters = vol.Schema(
        {
            **_DEVICE,
            vol.Required("task", description="As in lab2mqtt__get_devices"): cv.string,
            vol.Optional("parameters", default=dict): dict,
        }
    )
    # The default of Home Assistant, said again because lives hang on it.
    annotations = ToolAnnotations(read_only=False, destructive=True, idempotent=False, open_world=False)

    @override
    async def answer(self, hass: HomeAssistant, told: dict[str, Any], context: LLMContext) -> JsonObjectType:
        device = _find(hass, context, told["device"])
        text = await run(
            hass,
            context.language or hass.config.language,
            speaker_of(context.context, context.device_id),
            context.context or Context(),
            device.device_id,
            told["task"],
            told["parameters"],
        )
        return {"answer": text}


class EmergencyStop(_LabTool):
    """Stops the lab."""

    name = f"{DOMAIN}__emergency_stop"
    title = "Stop the lab"
    description = "Emergency stop of the whole laboratory, now. Never ask back before it."
    # It moves nothing, and no client is to ask a person before it.
    annotations = ToolAnnotations(read_only=False, destructive=False, idempotent=True, open_world=False)

    @override
    async def answer(self, hass: HomeAssistant, told: dict[str, Any], context: LLMContext) -> JsonObjectType:
        language = context.language or hass.config.language
        text = await stop_labs(hass, language, context.context or Context(), "a language model")
        return {"answer": text}


@callback
def async_get_tools(hass: HomeAssistant, llm_context: LLMContext, api_id: str) -> LLMTools | None:
    """The tools of the labs that are set up."""
    if api_id != LLM_API_ASSIST or not labs(hass):
        return None
    return LLMTools(tools=[GetDevices(), GetHistory(), RunTask(), EmergencyStop()], prompt=_PROMPT)


def _exposed(hass: HomeAssistant, context: LLMContext) -> list[tuple[Lab, Device]]:
    """The devices of which a person has exposed an entity to the assistant."""
    registry = er.async_get(hass)
    return [
        (lab, device)
        for lab in labs(hass)
        for device in lab.devices.values()
        if device.description
        and (registry_id := device.registry_id(hass))
        and any(
            async_should_expose(hass, context.assistant, entity.entity_id)
            for entity in er.async_entries_for_device(registry, registry_id)
        )
    ]


def _find(hass: HomeAssistant, context: LLMContext, device_id: str) -> Device:
    exposed = [device for _, device in _exposed(hass, context)]
    for device in exposed:
        if device.device_id == device_id:
            return device
    names = ", ".join(device.device_id for device in exposed) or "none"
    raise Unclear(f"no device {device_id} is exposed to this assistant; there are: {names}")
