"""Commands and their one answer, which no late subscription and no lost link can take away."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
import time
from typing import TYPE_CHECKING, Any
import uuid

from homeassistant.components import mqtt
from homeassistant.core import CoreState
from homeassistant.exceptions import HomeAssistantError

from . import wire
from .device import Device
from .errors import NO_ANSWER, NO_LINK, TaskError

if TYPE_CHECKING:
    from .lab import Lab

type OnProgress = Callable[[dict[str, Any]], None]

_EXPIRES_IN = 120  # s; longer in a queue, and the command is refused
_TASK_TIMEOUT = 30.0  # s, where neither the call nor the description tells one
_PATIENCE = 5.0  # s beyond a task's own time until a missing answer is an error
_ASK_AGAIN = 3.0  # s of silence until the same command is sent again
_LOOK = 1.0  # s between two looks at a command that waits for others


@dataclass(frozen=True)
class Answer:
    """The result of a task that was done.

    Attributes:
        result: What it gave.
        request_id: Of the command.
        seconds: From sending to answer.
    """

    result: Any
    request_id: str
    seconds: float


class _Call:
    """One command that waits for its answer."""

    def __init__(self, topic: str, payload: str, on_progress: OnProgress | None) -> None:
        self.topic, self.payload, self.on_progress = topic, payload, on_progress
        self.result: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.heard = asyncio.get_running_loop().time()
        self.known = False  # the device has said something of it
        self.holds = False  # it waits in the queue or is paused: only others know for how long


class Calls:
    """The commands of one lab that are under way."""

    def __init__(self, lab: "Lab") -> None:
        """Prepare; nothing is sent."""
        self._lab = lab
        self._calls: dict[str, _Call] = {}

    async def run(
        self,
        device: Device,
        task: str,
        parameters: dict[str, Any] | None = None,
        *,
        issued_by: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the device's, not only ours
        reservation: str | None = None,
        request_id: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Answer:
        """Send a command and wait for its one result.

        The same command is sent again, with the same id, after a while of silence, and when the link to the
        broker is back: the device does nothing twice, and answers from its ledger. Who is cancelled
        meanwhile, such as a script that is turned off, cancels the task, too.

        Args:
            device: Whose task.
            task: Its name.
            parameters: By name.
            issued_by: Who wants it, for the record.
            timeout: Seconds that the task may take; by default its own.
            reservation: The holder under whose reservation it is called.
            request_id: Of a command that is to be repeated.
            on_progress: Called with each message of progress.

        Raises:
            TaskError: It was refused, failed, or was not answered.
        """
        request_id = request_id or uuid.uuid4().hex
        self._check(device, task)
        command = _command(task, parameters, request_id, issued_by, timeout, reservation)
        try:
            payload = wire.encode(command)
        except wire.WireError as error:
            raise TaskError(wire.INVALID_PARAMETERS, device.name, task, str(error)) from error
        topic = wire.device_topic(device.base, device.device_id, "command")
        call = self._calls[request_id] = _Call(topic, payload, on_progress)
        timeout = timeout or device.tasks.get(task, {}).get("timeout") or _TASK_TIMEOUT
        began = time.monotonic()
        try:
            await self._send(call, device, task)
            result = await self._result(call, device, timeout + _PATIENCE)
        except asyncio.CancelledError:
            await self._cancel(request_id, issued_by, call)
            raise
        finally:
            del self._calls[request_id]
        if result is None:
            text = f"nothing was heard of it within {timeout + _PATIENCE:g} s"
            raise TaskError(NO_ANSWER, device.name, task, text, request_id)
        if result["status"] == "error":
            raise TaskError(result["error_code"], device.name, task, result["error"], request_id)
        return Answer(result.get("result"), request_id, round(time.monotonic() - began, 3))

    def take_result(self, device_id: str, result: dict[str, Any]) -> None:
        """A device has answered."""
        call = self._calls.get(result["request_id"])
        topic = wire.device_topic(self._lab.base, device_id, "command")
        if call and call.topic == topic and not call.result.done():
            call.result.set_result(result)

    def take_progress(self, progress: dict[str, Any]) -> None:
        """A device has told how far it is."""
        if call := self._calls.get(progress["request_id"]):
            call.heard = asyncio.get_running_loop().time()
            call.known = True
            call.holds = progress["status"] in ("accepted", "paused")
            if call.on_progress:
                call.on_progress(progress)

    def ask_again(self) -> None:
        """The link is back: what was answered meanwhile is asked for."""
        for call in list(self._calls.values()):
            self._lab.entry.async_create_task(self._lab.hass, self._repeat(call))

    def close(self) -> None:
        """Nobody listens any more."""
        told = {"status": "error", "error_code": NO_ANSWER, "error": "lab2mqtt was unloaded meanwhile"}
        for call in self._calls.values():
            if not call.result.done():
                call.result.set_result(told)

    def _check(self, device: Device, task: str) -> None:
        """Refuse at once what nobody would hear, so that nothing waits in a client for a later link."""
        if not self._lab.connected:
            text = "Home Assistant has no link to the broker"
            raise TaskError(NO_LINK, device.name, task, text)
        if not device.bridge_online:
            text = f"its bridge {device.bridge} is offline"
            raise TaskError(wire.DEVICE_UNAVAILABLE, device.name, task, text)
        if device.bridge is None and not device.reachable:  # a bridge would answer, and say more
            raise TaskError(wire.DEVICE_UNAVAILABLE, device.name, task, "it is offline")
        # A stop is never held back, also where a device does not tell that it has one.
        if device.tasks and task not in device.tasks and task != "emergency_stop":
            text = f"there are {', '.join(sorted(device.tasks))}"
            raise TaskError(wire.UNKNOWN_TASK, device.name, task, text)

    async def _send(self, call: _Call, device: Device, task: str) -> None:
        try:
            await self._publish(call.topic, call.payload)
        except HomeAssistantError as error:
            raise TaskError(NO_LINK, device.name, task, str(error)) from error

    async def _repeat(self, call: _Call) -> None:
        with suppress(HomeAssistantError):  # the next link asks again
            await self._publish(call.topic, call.payload)

    async def _publish(self, topic: str, payload: str) -> None:
        # QoS 0: at QoS 1 the client would keep it for a later link, and move something minutes later.
        await mqtt.async_publish(self._lab.hass, topic, payload, qos=0, retain=False)

    async def _result(self, call: _Call, device: Device, patience: float) -> dict[str, Any] | None:
        """The result, or None when nothing was heard for so long; progress renews the patience."""
        loop = asyncio.get_running_loop()
        again = _ASK_AGAIN
        asked = loop.time()
        while call.holds or loop.time() < call.heard + patience:
            done, _ = await asyncio.wait([call.result], timeout=_LOOK)
            if done:
                return call.result.result()
            call.holds = call.holds and device.reachable
            # Its ledger answers, or it is done now, if it never came.
            if not call.known and loop.time() >= asked + again:
                asked, again = loop.time(), again * 2
                await self._repeat(call)
        await self._repeat(call)  # the answer alone may have been lost
        done, _ = await asyncio.wait([call.result], timeout=_PATIENCE)
        return call.result.result() if done else None

    async def _cancel(self, request_id: str, issued_by: str, call: _Call) -> None:
        """End the task of who waits no more; but when Home Assistant ends, the device goes on to its end."""
        if self._lab.hass.state is not CoreState.running or call.result.done():
            return
        command = _command("cancel", {"request_id": request_id}, uuid.uuid4().hex, issued_by)
        with suppress(HomeAssistantError):
            await self._publish(call.topic, wire.encode(command))


def _command(
    task: str,
    parameters: dict[str, Any] | None,
    request_id: str,
    issued_by: str,
    timeout: float | None = None,
    reservation: str | None = None,
) -> dict[str, Any]:
    """A command that is worthless after a while."""
    now = int(time.time())
    return wire.command(
        task,
        parameters,
        request_id=request_id,
        timestamp=now,
        expires_at=now + _EXPIRES_IN,
        timeout=timeout,
        issued_by=issued_by[: wire.MAX_NAME],
        reservation=reservation,
    )
