"""The OpenAPI document of a lab: every task of every device, as it is now."""

import asyncio
import copy
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from lab2mqtt import __version__
from lab2mqtt.client import Lab
from lab2mqtt.gateway.gate import Keys
from lab2mqtt.orchestration.openapi import complete, task_paths

if TYPE_CHECKING:
    from lab2mqtt.gateway.rights import Person

TITLE = "lab2mqtt gateway"
_ABOUT = (
    "Every device of a lab behind one HTTP API. Under `/devices/{device_id}` a device answers as a task "
    "server does."
)


def document_routes(app: FastAPI, lab: Lab, keys: Keys) -> APIRouter:
    """``GET /openapi.json`` and ``GET /docs``, of what somebody may see."""
    router = APIRouter(include_in_schema=False)
    bare: dict[str, Any] = {}

    def made(descriptions: dict[str, dict[str, Any]]) -> dict[str, Any]:
        paths: dict[str, Any] = {}
        for device_id, description in descriptions.items():
            paths |= task_paths(description, f"/devices/{device_id}", device_id)
        return complete(copy.deepcopy(bare), paths, with_tokens=keys.are_needed)

    @router.get("/openapi.json")
    async def openapi(request: Request) -> dict[str, Any]:
        person: Person = request.state.person
        if not bare:
            bare.update(get_openapi(title=TITLE, version=__version__, description=_ABOUT, routes=app.routes))
        seen = {one: lab[one].description for one in person.seen_of(lab.devices)}
        # In a thread: of a thousand devices it takes a while, in which somebody may want to stop.
        return await asyncio.to_thread(made, seen)

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(openapi_url="openapi.json", title=TITLE)

    return router
