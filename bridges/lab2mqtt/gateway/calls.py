"""Calls that came over HTTP: each goes on to its end, whoever hangs up, and its result is kept."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterator
import contextlib
import logging
import time
from typing import Any

from lab2mqtt import wire
from lab2mqtt.client import BrokerError, Conflict, Lab, NoAnswer, RemoteDevice
from lab2mqtt.client.errors import BridgeOffline
from lab2mqtt.core.errors import LabError, Refused
from lab2mqtt.gateway.gate import AT_ONCE
from lab2mqtt.gateway.past import command_of, result_in
from lab2mqtt.orchestration.http_errors import HttpRefused

_LOGGER = logging.getLogger(__name__)

KEPT = 1000  # results
LARGEST = 4 * 1024 * 1024  # bytes of all results that are kept

Told = dict[str, Any]
Watcher = Callable[[Told], None]


class Call:
    """One call that is under way.

    Attributes:
        device_id: Of which device.
        command: As it went out.
        outcome: The result, as on the wire.
        progress: The last word of how far it is.
        link: The number of the link on which its result will be heard.
        unknown: Whether the device did not know it when it was asked last.
    """

    def __init__(self, device_id: str, command: Told, link: int) -> None:
        self.device_id = device_id
        self.command = command
        self.outcome: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self.progress: Told = {}
        self.link = link
        self.unknown = False
        self._watchers: list[Watcher] = []

    @property
    def request_id(self) -> str:
        """Its id."""
        found: str = self.command["request_id"]
        return found

    def moved(self, progress: Told) -> None:
        """Take a message of progress."""
        self.progress = progress
        for watcher in self._watchers:
            watcher(progress)

    def end(self, result: Told) -> None:
        """Take the result; the first one counts."""
        if not self.outcome.done():
            self.outcome.set_result(result)

    def fail(self, code: str, text: str) -> None:
        """It came to nothing that a device said."""
        self.end(wire.failure(self.request_id, self.command["task"], code, text, int(time.time())))

    @contextlib.contextmanager
    def watched(self, watcher: Watcher) -> Iterator[None]:
        """Tell somebody of its progress."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)


class Calls:
    """All calls of a gateway."""

    def __init__(self, lab: Lab) -> None:
        """Prepare.

        Args:
            lab: By which they go out.
        """
        self._lab = lab
        self._under_way: dict[tuple[str, str], Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._kept: OrderedDict[tuple[str, str], tuple[Told, int]] = OrderedDict()
        self._kept_bytes = 0

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._under_way)

    def begin(self, device: RemoteDevice, command: Told, *, is_stop: bool = False) -> Call:
        """Send a command. The same one again, while it is under way, is the same call.

        Raises:
            HttpRefused: Too many of this person are under way, and it is no stop.
            Refused: Its id is under way for something else, or it is too long for the device.
        """
        key = device.device_id, command["request_id"]
        if call := self._under_way.get(key):
            if not wire.same_content(call.command, command):
                text = f"the id {call.request_id!r} is under way for another task, or other parameters"
                raise Refused(text, wire.CONFLICT)
            return call
        by = command["issued_by"]
        if not is_stop and sum(one.command["issued_by"] == by for one in self._under_way.values()) >= AT_ONCE:
            text = f"{AT_ONCE} calls of {by} are under way; that is the most"
            headers = {"Request-Id": command["request_id"], "Retry-After": "1"}
            raise HttpRefused(429, text, wire.BUSY, headers)
        limit = device.description.get("max_command", wire.MAX_COMMAND)
        size = len(wire.encode(command).encode())
        if isinstance(limit, int) and size > limit:
            text = f"the command has {size} bytes; {device.device_id} takes {limit} at most"
            raise Refused(text, wire.MALFORMED)
        call = self._under_way[key] = Call(device.device_id, command, self._lab.links)
        self._start(self._ask(device, call))
        return call

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # nobody else holds it
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, device: RemoteDevice, call: Call) -> None:
        asking = asyncio.ensure_future(self._lab.ask(device, call.command, call.moved))
        try:
            await asyncio.wait((asking, call.outcome), return_when=asyncio.FIRST_COMPLETED)
            if not call.outcome.done():
                self._settle(call, asking)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            del self._under_way[call.device_id, call.request_id]

    def _settle(self, call: Call, asking: "asyncio.Future[Any]") -> None:
        """Take what came of it; what is not known may still stand in the device's history."""
        task = call.command["task"]
        try:
            call.end(wire.success(call.request_id, task, asking.result(), int(time.time())))
            self._keep(call)
        except (NoAnswer, Conflict, BridgeOffline) as error:  # no word of the device on this command
            call.fail(error.error_code, str(error))
        except LabError as error:
            call.fail(error.error_code, str(error))
            self._keep(call)
        except BrokerError as error:
            call.fail(wire.DEVICE_UNAVAILABLE, str(error))
        except Exception as error:
            _LOGGER.exception("The call of %s of %s failed", task, call.device_id)
            call.fail(wire.DEVICE_ERROR, f"the gateway failed at it: {error}")

    def _keep(self, call: Call) -> None:
        result = call.outcome.result()
        key = call.device_id, call.request_id
        size = len(wire.encode(result))
        self._kept_bytes += size - self._kept.pop(key, ({}, 0))[1]
        self._kept[key] = result, size
        while len(self._kept) > KEPT or self._kept_bytes > LARGEST:
            _, (_, size) = self._kept.popitem(last=False)
            self._kept_bytes -= size

    def find(self, device_id: str, request_id: str) -> Call | Told | None:
        """The call that is under way, or the result of one that was over not long ago."""
        key = device_id, request_id
        if call := self._under_way.get(key):
            return call
        return self._kept[key][0] if key in self._kept else None

    async def catch_up(self) -> None:
        """Ask the devices what became of calls that began on an earlier link: their results may be missed."""
        if self._lab.up:
            old = [call for call in self._under_way.values() if call.link != self._lab.links]
            await asyncio.gather(*(self._catch_up(call) for call in old))

    async def _catch_up(self, call: Call) -> None:
        link = self._lab.links
        device = self._lab.devices.get(call.device_id)
        if device is None or "get_history" not in device.tasks:
            return  # it waits on
        try:
            row = await command_of(self._lab, device, call.request_id, call.command["issued_by"])
        except (LabError, BrokerError):
            return  # at the next look
        if row is not None:
            if told := result_in(row):
                call.end(told)
            call.link = link  # while it runs, its result will be heard
        elif call.unknown:
            call.fail(
                wire.TIMEOUT, f"the link to the broker was lost, and {call.device_id} knows nothing of it"
            )
        call.unknown = row is None

    def end(self) -> None:
        """Tell all who wait that the gateway ends; what runs on devices goes on."""
        text = "the gateway ends; what runs on the device goes on, and its history tells what becomes of it"
        for call in list(self._under_way.values()):
            call.fail(wire.INTERRUPTED, text)
