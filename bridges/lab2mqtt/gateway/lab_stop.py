"""The emergency stop of the whole lab over HTTP, with the proof of each device."""

import asyncio
import contextlib
import math
from typing import Any

from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect

from lab2mqtt import wire
from lab2mqtt.client import BrokerError, Lab, lab_stop
from lab2mqtt.gateway.link import check_link, no_link
from lab2mqtt.gateway.rights import ALL, Person
from lab2mqtt.orchestration.http_errors import HttpRefused
from lab2mqtt.orchestration.stop_request import lenient_reason, reason_in

WAIT = 2.0  # s for the proofs, unless told
LONGEST_WAIT = 30.0  # s
LINK_WITHIN = 2.0  # s in which a link that is being made anew may come
_LOOK = 0.05  # s

_EXTRA: dict[str, Any] = {
    "parameters": [
        {
            "name": "wait",
            "in": "query",
            "description": "Seconds for which the devices' proof is waited for.",
            "schema": {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT, "default": WAIT},
        }
    ],
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {"schema": {"type": "object", "properties": {"reason": {"type": "string"}}}}
        },
    },
}


def stop_routes(lab: Lab) -> APIRouter:
    """``GET``, ``POST`` and ``DELETE /emergency_stop``."""
    router = APIRouter(tags=["lab"])

    @router.get("/emergency_stop/", include_in_schema=False)
    @router.get("/emergency_stop")
    async def look() -> dict[str, Any]:
        """Whether the lab's stop is engaged, by whom and why."""
        check_link(lab)
        return lab.stop or {"engaged": False}

    @router.post("/emergency_stop/", include_in_schema=False)  # no detour for a slash
    @router.post("/emergency_stop", openapi_extra=_EXTRA)
    async def engage(request: Request) -> dict[str, Any]:
        """Stop the whole lab now. Any token will do; whatever the body says, it stops."""
        person: Person = request.state.person
        reason = await lenient_reason(request)
        await _link(lab)
        return await _stop(lab, person, reason, _wait(request))

    @router.delete("/emergency_stop/", include_in_schema=False)
    @router.delete("/emergency_stop", openapi_extra=_EXTRA)
    async def release(request: Request) -> dict[str, Any]:
        """Release the lab's stop; nothing moves by it. Needs the right to use all devices."""
        person: Person = request.state.person
        if not person.may("use", ALL):
            text = f"{person.name} may not release the lab's stop: that needs devices: {{'{ALL}': use}}"
            raise HttpRefused(403, text, wire.NOT_ALLOWED)
        try:
            reason = await reason_in(request)
        except ClientDisconnect:
            raise HttpRefused(400, "the body ends early; nothing is released", wire.MALFORMED) from None
        check_link(lab)
        return await _release(lab, person.name, reason, _wait(request))

    return router


def _wait(request: Request) -> float:
    try:
        told = float(request.query_params.get("wait", WAIT))
    except ValueError:
        return WAIT
    return min(max(told, 0.0), LONGEST_WAIT) if math.isfinite(told) else WAIT


async def _link(lab: Lab) -> None:
    """Wait for a link, for a moment.

    Raises:
        HttpRefused: There is none.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINK_WITHIN):
            while not lab.up:  # noqa: ASYNC110 - a link makes no event that it is up
                await asyncio.sleep(_LOOK)
    if not lab.up:
        raise HttpRefused(503, f"the lab is NOT stopped: {no_link(lab)}", wire.DEVICE_UNAVAILABLE)


async def _stop(lab: Lab, person: Person, reason: str, wait: float) -> dict[str, Any]:
    """Engage it, and tell who has confirmed and who has not, of the devices that this one may read."""
    try:
        engaged = await lab_stop.engage(lab, wait, reason, person.name)
    except BrokerError as error:
        raise HttpRefused(503, f"the lab is perhaps NOT stopped: {error}", wire.TIMEOUT) from error
    return {
        "stop_id": engaged.stop_id,
        "engaged": True,
        "confirmed": {
            name: {"within_ms": engaged.confirmed[name]} for name in person.seen_of(engaged.confirmed)
        },
        "not_confirmed": person.seen_of(engaged.not_confirmed),
        "unreachable": person.seen_of(engaged.unreachable),
    }


async def _release(lab: Lab, by: str, reason: str, wait: float) -> dict[str, Any]:
    """Release it, and tell what must be done before each device moves again."""
    released, told = await lab_stop.release(lab, wait, reason, by)
    own = sorted(name for name in lab if lab[name].state.get("emergency_stop"))
    return {"released": released, "devices": told, "still_stopped": own}
