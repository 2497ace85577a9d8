"""The devices of a lab over HTTP, each as a task server of its own."""

import asyncio
from collections.abc import AsyncIterator, Mapping
import re
import time
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from lab2mqtt import wire
from lab2mqtt.adopt.known_tasks import STOPS
from lab2mqtt.client import Lab, RemoteDevice
from lab2mqtt.client.remote import EXPIRES_IN
from lab2mqtt.core.words import near
from lab2mqtt.gateway import past
from lab2mqtt.gateway.calls import Call, Calls
from lab2mqtt.gateway.events import Events, Reader, sse
from lab2mqtt.gateway.link import check_link
from lab2mqtt.gateway.rights import Person, Right, needed_for
from lab2mqtt.orchestration import http_task_routes as routes
from lab2mqtt.orchestration.http_errors import HttpRefused
from lab2mqtt.orchestration.stop_request import lenient_reason

UNKNOWN_DEVICE = "unknown_device"
_ASYNC = re.compile(r"(?:^|[,;\s])respond-async(?:$|[,;\s])")
_STREAM = "text/event-stream"
# What reads events through nginx must not wait for a full buffer.
_STREAMED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class DeviceRoutes:
    """Everything under ``/devices`` and ``/events``."""

    def __init__(self, lab: Lab, calls: Calls, events: Events) -> None:
        """Prepare ``router``.

        Args:
            lab: Whose devices they are.
            calls: By which commands go out.
            events: What happens.
        """
        self._lab = lab
        self._calls = calls
        self._events = events
        self.router = APIRouter()
        self._add_lab()
        self._add_device()
        self._add_past()
        self._add_tasks()

    def _add_lab(self) -> None:
        router = self.router

        @router.get("/devices", tags=["lab"])
        async def devices(request: Request) -> dict[str, Any]:
            """The devices that this token may read, by id."""
            person: Person = request.state.person
            check_link(self._lab)
            return {one: _row(self._lab[one], person) for one in person.seen_of(self._lab.devices)}

        @router.get("/events", tags=["lab"], response_class=StreamingResponse)
        async def events(request: Request, device: str = "") -> StreamingResponse:
            """What happens, as server-sent events: how it is now, then all that comes.

            `state`, `status`, `progress`, `result` and `event` hold `{"device", "message"}`; `stop` is the
            lab's stop, `link` whether there is a link to the broker, `missed` how many events a slow reader
            lost.
            """
            person: Person = request.state.person
            if device:
                self._device(person, device)
            return _streamed(self._events.stream(person, device))

        @router.get("/devices/{device_id}/events", tags=["device"], response_class=StreamingResponse)
        async def events_of(device_id: str, request: Request) -> StreamingResponse:
            """The same of one device."""
            person: Person = request.state.person
            self._device(person, device_id)
            return _streamed(self._events.stream(person, device_id))

    def _add_device(self) -> None:
        router = self.router

        @router.get("/devices/{device_id}/", include_in_schema=False)
        @router.get("/devices/{device_id}", tags=["device"])
        async def overview(device_id: str, request: Request) -> dict[str, Any]:
            """What it is, and the names of its own tasks."""
            description = self._seen(request, device_id).description
            return routes.overview(description, str(description.get("name", device_id)), "/docs")

        @router.get("/devices/{device_id}/tasks", tags=["device"])
        async def tasks(device_id: str, request: Request) -> dict[str, Any]:
            """Its own tasks, with their parameters."""
            return routes.task_list(self._seen(request, device_id).description)

        @router.get("/devices/{device_id}/description", tags=["device"])
        async def description(device_id: str, request: Request) -> dict[str, Any]:
            """What it is and can do, as it says over MQTT."""
            return self._seen(request, device_id).description

        @router.get("/devices/{device_id}/state", tags=["device"])
        async def state(device_id: str, request: Request) -> dict[str, Any]:
            """What was measured, by key; without a link to the device `readiness` is `unreachable`."""
            device = self._seen(request, device_id)
            away = {} if device.reachable else {"readiness": "unreachable"}
            return {**device.state, **away}

    def _add_past(self) -> None:
        router = self.router

        @router.get("/devices/{device_id}/history", tags=["device"])
        async def history(
            device_id: str,
            request: Request,
            since: float | None = None,
            until: float | None = None,
            request_id: Annotated[str | None, Query(max_length=wire.MAX_REQUEST_ID)] = None,
            reservation: Annotated[str | None, Query(max_length=wire.MAX_NAME)] = None,
            before: int | None = None,
            limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        ) -> dict[str, Any]:
            """What became of its commands, newest first; times in seconds since 1970."""
            device = self._seen(request, device_id)
            asked = {
                "since": since,
                "until": until,
                "request_id": request_id,
                "reservation": reservation,
                "before": before,
                "limit": limit,
            }
            given = {key: value for key, value in asked.items() if value is not None}
            return await past.history(self._lab, device, given, request.state.person.name)

        @router.get("/devices/{device_id}/results/{request_id:path}", tags=["device"])
        async def result(device_id: str, request_id: str, request: Request) -> JSONResponse:
            """What came of a call, by its id: `status` is `success` or `error`; 202 while it is not over."""
            device = self._seen(request, device_id)
            found = self._calls.find(device_id, request_id)
            if isinstance(found, Call):
                return _not_over(request_id, found.command["task"], found.progress)
            if found is None:
                row = await past.command_of(self._lab, device, request_id, request.state.person.name)
                if row is None:
                    raise HttpRefused(404, f"{device_id} knows no call {request_id!r}", wire.UNKNOWN_TASK)
                found = past.result_in(row)
                if found is None:
                    return _not_over(request_id, row["task"], {})
            return JSONResponse(found)

    def _add_tasks(self) -> None:
        @self.router.post("/devices/{device_id}/execute/{task:path}", include_in_schema=False)
        async def execute(device_id: str, task: str, request: Request) -> Response:
            person: Person = request.state.person
            device = self._lab.devices.get(device_id)
            if (bare := task.rstrip("/")) in STOPS:
                task = bare
            right = needed_for(task, device.tasks.get(task, {}) if device else {})
            if right:
                device = self._device(person, device_id)
                _check_right(person, device, task, right)
            else:
                device = self._known(person, device_id)
            check_link(self._lab)
            command = await _command(request, task, device, person, is_stop=right is None)
            call = self._calls.begin(device, command, is_stop=right is None)
            headers = {
                **routes.request_id_header(command),
                "Location": f"/devices/{device_id}/results/{quote(call.request_id, safe='')}",
            }
            if _ASYNC.search(request.headers.get("prefer", "")):
                return _not_over(
                    call.request_id, task, call.progress, {**headers, "Preference-Applied": "respond-async"}
                )
            if _STREAM in request.headers.get("accept", ""):
                return _streamed(_told(call), headers)
            return routes.answer(command, await asyncio.shield(call.outcome))

    def _seen(self, request: Request, device_id: str) -> RemoteDevice:
        """A device that is to be read.

        Raises:
            HttpRefused: 404, there is none for this token; 503, nothing is known now.
        """
        check_link(self._lab)
        return self._device(request.state.person, device_id)

    def _device(self, person: Person, device_id: str) -> RemoteDevice:
        return self._known(person, device_id, is_seen=person.may("read", device_id))

    def _known(self, person: Person, device_id: str, *, is_seen: bool = True) -> RemoteDevice:
        device = self._lab.devices.get(device_id)
        if device is None or not is_seen:
            check_link(self._lab)
            known = person.seen_of(self._lab.devices)
            text = f"no device {device_id!r}{near(device_id, known)}; there are: {', '.join(known) or 'none'}"
            raise HttpRefused(404, text, UNKNOWN_DEVICE)
        return device


def _row(device: RemoteDevice, person: Person) -> dict[str, Any]:
    """A device in the list."""
    told = device.description
    return {
        "name": told.get("name", device.device_id),
        "model": told.get("model", ""),
        "readiness": device.state.get("readiness", "starting") if device.reachable else "unreachable",
        "reachable": device.reachable,
        "simulated": told.get("simulated", False),
        "right": person.right_to(device.device_id),
    }


def _check_right(person: Person, device: RemoteDevice, task: str, right: Right) -> None:
    """Refuse a task for which the right is missing.

    Raises:
        HttpRefused: 403; or 404, there is no such task.
    """
    if person.may(right, device.device_id):
        return
    if device.tasks and task not in device.tasks:  # a mistake, more than an attempt
        text = f"{device.device_id} has no task {task!r}{near(task, device.tasks)}"
        raise HttpRefused(404, text, wire.UNKNOWN_TASK)
    has = person.right_to(device.device_id)
    text = f"{person.name} may {has} {device.device_id}; the task {task} needs the right to {right} it"
    raise HttpRefused(403, text, wire.NOT_ALLOWED)


async def _command(
    request: Request, task: str, device: RemoteDevice, person: Person, *, is_stop: bool
) -> dict[str, Any]:
    """The command that a request asks for; a stop whatever is around it."""
    if is_stop:
        reason = await lenient_reason(request)
        takes = device.tasks.get(task, {}).get("parameters")  # which may have gone meanwhile
        given = {"reason": reason} if reason and isinstance(takes, dict) and "reason" in takes else {}
        return past.question(task, given, person.name)  # its id is new: a stop is never one of before
    command = await routes.read_command(request, task, person.name)
    if command["request_id"] in (".", ".."):  # a browser would take them out of the path of the result
        text = f"Idempotency-Key {command['request_id']!r} cannot stand in a path; take letters and digits"
        raise HttpRefused(400, text, wire.MALFORMED, routes.request_id_header(command))
    command.setdefault("expires_at", int(time.time() + EXPIRES_IN))
    return command


def _not_over(
    request_id: str, task: str, progress: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer while a call is under way."""
    told = {"request_id": request_id, "task": task, "status": progress.get("status", "accepted")}
    more = {key: progress[key] for key in ("percent", "message") if key in progress}
    return JSONResponse({**told, **more}, 202, dict(headers or {"Request-Id": request_id}))


def _streamed(events: AsyncIterator[bytes], headers: Mapping[str, str] | None = None) -> StreamingResponse:
    return StreamingResponse(events, media_type=_STREAM, headers={**_STREAMED, **(headers or {})})


async def _told(call: Call) -> AsyncIterator[bytes]:
    """The progress of a call, then its result."""
    reader = Reader()

    def over(outcome: "asyncio.Future[dict[str, Any]]") -> None:
        if not outcome.cancelled():
            reader.put(sse("result", outcome.result()))
        reader.end()

    if call.progress:
        reader.put(sse("progress", call.progress))
    with call.watched(lambda told: reader.put(sse("progress", told))):
        call.outcome.add_done_callback(over)
        try:
            async for event in reader.stream():
                yield event
        finally:
            call.outcome.remove_done_callback(over)
