"""What Assist and language models may ask of a lab, and what they are told."""

import asyncio
from difflib import get_close_matches
import re
from typing import Any

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import voluptuous as vol

from .const import DOMAIN
from .device import Device
from .lab import Lab
from .orders import ORDERS, Order, Speaker
from .parameters import schema_of
from .sentences import names_of, spoken
from .spoken import say, say_error
from .targets import labs

_CONFIRMED_WITHIN = 3.0  # s; who stops a lab wants to know whether it stands
_DONE_WITHIN = 4.0  # s; longer, and nobody waits for the answer any more
_NEAR = 0.7


class Unclear(HomeAssistantError):
    """What was said cannot be done, for a reason that is told in its language."""


async def stop_labs(hass: HomeAssistant, language: str, context: Context, reason: str) -> str:
    """Stop every lab, at once, and tell who has not confirmed."""
    found = labs(hass)
    if not found:
        return await say(hass, language, "no_lab")
    calls = [
        hass.services.async_call(
            DOMAIN,
            "emergency_stop",
            {"lab": lab.entry.entry_id, "reason": reason[:255]},
            blocking=True,
            context=context,
        )
        for lab in found
    ]
    told = await asyncio.gather(*calls, return_exceptions=True)
    if wrong := [str(each) for each in told if isinstance(each, BaseException)]:
        return await say(hass, language, "not_stopped", error="; ".join(wrong))
    await asyncio.gather(*(_stopped(lab) for lab in found))
    if waiting := [device.name for lab in found for device in lab.unconfirmed]:
        return await say(hass, language, "stopping", devices=", ".join(waiting))
    return await say(hass, language, "stopped")


async def _stopped(lab: Lab) -> None:
    """Wait a moment until all devices have confirmed."""
    stands = asyncio.Event()
    remove = lab.on_change(lambda: stands.set() if lab.stop_word == "stopped" else None)
    try:
        async with asyncio.timeout(_CONFIRMED_WITHIN):
            await stands.wait()
    except TimeoutError:
        pass
    finally:
        remove()


async def readiness(hass: HomeAssistant, language: str, name: str) -> str:
    """Whether a device is ready, and why not."""
    _, device = await find_spoken(hass, language, name)
    if device.readiness == "ready":
        return await say(hass, language, "ready", device=device.name)
    why = "; ".join(device.reasons) or await _word(hass, language, device)
    return await say(hass, language, "not_ready", device=device.name, reason=why)


async def status(hass: HomeAssistant, language: str) -> str:
    """What the labs are doing."""
    found = labs(hass)
    if not found:
        return await say(hass, language, "no_lab")
    told = []
    for lab in found:
        if stop := lab.stop:
            key = "is_stopping" if lab.unconfirmed else "is_stopped"
            told.append(await say(hass, language, key, by=stop.by or "?", reason=stop.reason or "-"))
        devices = [device for device in lab.devices.values() if device.description]
        busy = [device for device in devices if device.state.get("task")]
        told += [await _runs(hass, language, device) for device in busy]
        if not busy:
            told.append(await say(hass, language, "idle"))
        ready = sum(device.readiness == "ready" for device in devices)
        told.append(await say(hass, language, "count", ready=str(ready), all=str(len(devices))))
    return " ".join(told)


async def run(
    hass: HomeAssistant,
    language: str,
    speaker: Speaker | None,
    context: Context,
    name: str,
    task: str,
    parameters: str | dict[str, Any],
) -> str:
    """Run a task, or ask for a yes first where it moves something, or where its name was not quite said.

    Args:
        hass: Home Assistant.
        language: Of the answer.
        speaker: Who speaks.
        context: Of who speaks.
        name: What the device was called.
        task: What the task was called.
        parameters: By name, or as they were spoken: "red 30 and blue 20".

    Raises:
        Unclear: It cannot be done so.
    """
    lab, device = await find_spoken(hass, language, name)
    found, exact = await _find_task(hass, language, device, task)
    given = await _parameters(hass, language, device, found, parameters)
    order = Order(lab, device, found, given)
    if exact and device.tasks[found].get("effect") in ("read", "set"):
        return await do(hass, language, context, order)
    if speaker is None:
        raise Unclear(await say(hass, language, "nobody"))
    hass.data[ORDERS].keep(speaker, order)
    return await say(hass, language, "ask", device=device.name, task=order.words)


async def do(hass: HomeAssistant, language: str, context: Context, order: Order) -> str:
    """Run it, and tell what became of it, or that it goes on."""
    device = order.device
    call = hass.services.async_call(
        DOMAIN,
        "run_task",
        {
            "device": device.registry_id(hass) or device.device_id,
            "task": order.task,
            "parameters": order.parameters,
            "raise_errors": False,
        },
        blocking=True,
        context=context,
        return_response=True,
    )
    # What is on its way goes on when nobody waits any more.
    running = hass.async_create_background_task(_told(call), f"lab2mqtt {order.task}", eager_start=True)
    done, _ = await asyncio.wait([running], timeout=_DONE_WITHIN)
    if not done:
        return await say(hass, language, "runs", device=device.name, task=order.words)
    answer = running.result()
    if answer["ok"]:
        return await say(hass, language, "done", device=device.name, task=order.words)
    said = {"device": device.name, "task": order.words, "error": str(answer["error"])}
    return await say_error(hass, language, str(answer.get("error_code")), **said)


async def _told(call: Any) -> dict[str, Any]:  # noqa: ANN401 - what the action answers
    try:
        answer: dict[str, Any] = await call
    except HomeAssistantError as error:
        return {"ok": False, "error": str(error)}
    return answer


async def find_spoken(hass: HomeAssistant, language: str, name: str) -> tuple[Lab, Device]:
    """The device that is called so.

    Raises:
        Unclear: There is none, or several.
    """
    said = spoken(name)
    known = [(lab, device) for lab in labs(hass) for device in lab.devices.values() if device.description]
    found = [(lab, device) for lab, device in known if said in names_of(hass, device)]
    if len(found) == 1:
        return found[0]
    if found:
        raise Unclear(await say(hass, language, "several", device=name))
    names = ", ".join(sorted(device.name for _, device in known)) or "-"
    raise Unclear(await say(hass, language, "no_device", device=name, devices=names))


async def _find_task(hass: HomeAssistant, language: str, device: Device, text: str) -> tuple[str, bool]:
    """A task of a device by what it was called, and whether that is its name."""
    names = {spoken(name): name for name in device.own_tasks}
    said = spoken(text)
    if said in names:
        return names[said], True
    if near := get_close_matches(said, names, 1, _NEAR):
        return names[near[0]], False
    known = ", ".join(sorted(names)) or "-"
    raise Unclear(await say(hass, language, "no_task", device=device.name, task=text, tasks=known))


async def _parameters(
    hass: HomeAssistant, language: str, device: Device, task: str, given: str | dict[str, Any]
) -> dict[str, Any]:
    schema = device.tasks[task]
    if isinstance(given, str):
        given = _heard(given, [str(name) for name in schema.get("parameters", {})])
    missing = [spoken(name) for name in schema.get("required", ()) if name not in given]
    if missing:
        needs = ", ".join(missing)
        raise Unclear(await say(hass, language, "needs", task=spoken(task), needs=needs))
    try:
        checked: dict[str, Any] = schema_of(schema)(given)
    except vol.Invalid as error:
        raise Unclear(await say(hass, language, "wrong", task=spoken(task), error=str(error))) from error
    return checked


def _heard(text: str, names: list[str]) -> dict[str, Any]:
    """The parameters in "red 30 and blue 20": each value stands behind its name."""
    by_words = {spoken(name): name for name in sorted(names, key=len, reverse=True)}
    if not text.strip() or not by_words:
        return {"with": text} if text.strip() else {}
    pattern = r"\b(" + "|".join(re.escape(words).replace(r"\ ", "[ _]") for words in by_words) + r")\b"
    pieces = re.split(pattern, text, flags=re.IGNORECASE)
    found: dict[str, Any] = {}
    for words, value in zip(pieces[1::2], pieces[2::2], strict=True):
        plain = re.sub(r"^\s*(?:[=:]|(?:is|ist|to|auf)\b)?\s*|\s*(?:,|\band\b|\bund\b)?\s*$", "", value)
        # As Germans write numbers.
        found[by_words[spoken(words)]] = re.sub(r"^(-?\d+),(\d+)$", r"\1.\2", plain)
    return found or {text: ""}


async def _word(hass: HomeAssistant, language: str, device: Device) -> str:
    return await say(hass, language, f"readiness_{device.readiness}")


async def _runs(hass: HomeAssistant, language: str, device: Device) -> str:
    task = str(device.state["task"])
    percent = (device.progress or {}).get("percent")
    words = spoken(task) if percent is None else f"{spoken(task)} ({percent:.0f} %)"
    return await say(hass, language, "running", device=device.name, task=words)
