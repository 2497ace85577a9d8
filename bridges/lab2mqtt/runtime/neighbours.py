"""One device asks another: a command on the bridge's own link, and the result that comes back."""

import asyncio
from collections.abc import Callable, Mapping
import math
import time
from typing import Any
import uuid

from lab2mqtt import wire
from lab2mqtt.core.errors import NeighbourFailed, Refused, Unreachable
from lab2mqtt.runtime.mqtt import BrokerError, Connection

EXPIRES_IN = 120.0  # s at most, so that clocks that differ by three minutes still agree


class Neighbourhood:
    """The other devices of the lab, whichever bridge they are on, for all devices of one bridge."""

    def __init__(self, base: str, link: Connection, clock: Callable[[], float] = time.time) -> None:
        """Ask nobody yet.

        Args:
            base: The base topic.
            link: The link to the broker.
            clock: Seconds since the epoch.
        """
        self._base = base
        self._link = link
        self._clock = clock
        self._subscribed: dict[str, int] = {}  # on which link, by topic of results
        self._calls: dict[tuple[str, str], asyncio.Future[dict[str, Any]]] = {}

    def of(self, device_id: str) -> "Caller":
        """The neighbours of one device."""
        return Caller(self, device_id)

    async def renew(self) -> None:
        """Hear on a new link what was heard on the last one.

        Raises:
            BrokerError: The link was lost.
        """
        for topic in list(self._subscribed):
            await self._listen(topic)

    def hear(self, topic: str, payload: bytes) -> bool:
        """Take a message; gives whether it is on a topic that is listened to for results."""
        if topic not in self._subscribed:
            return False
        if self._calls:
            try:
                result = wire.read_result(payload)
            except wire.WireError:
                return True
            call = self._calls.get((topic, result["request_id"]))
            if call and not call.done():
                call.set_result(result)
        return True

    async def ask(
        self, asker: str, device_id: str, task: str, parameters: Mapping[str, object], within: float
    ) -> object:
        """Call a task of another device; ``core.lab.Neighbours.call`` tells the rest.

        Raises:
            LabError: It refused or failed, or was not to be asked.
            Unreachable: There is no link to the broker, or no answer.
        """
        if not wire.is_device_id(device_id):
            raise Refused(f"{device_id!r} is no device id: a-z, 0-9, - and _, at most 64 long")
        if device_id == asker:
            raise Refused(f"{device_id} cannot ask itself for {task}; name another device")
        now = self._clock()
        command = wire.command(
            task,
            dict(parameters),
            request_id=uuid.uuid4().hex,
            timestamp=int(now),
            timeout=within,
            expires_at=math.ceil(now + min(within, EXPIRES_IN)),
            issued_by=asker,
        )
        try:
            async with asyncio.timeout(within):
                result = await self._result(device_id, command)
        except TimeoutError:
            text = f"{device_id} did not answer {task} within {within:g} s; whether it did that is not known"
            raise Unreachable(text) from None
        except BrokerError as error:
            raise Unreachable(f"{device_id} cannot be asked for {task}: {error}") from error
        if result["status"] == "error":
            raise NeighbourFailed(f"{device_id}: {result['error']}", result["error_code"])
        return result.get("result")

    async def _result(self, device_id: str, command: dict[str, object]) -> dict[str, Any]:
        """Send a command once its result is sure to be heard, and wait for that.

        Raises:
            BrokerError: There is no link to the broker.
        """
        topic = wire.device_topic(self._base, device_id, "result")
        # Once more where another link has come meanwhile, which hears nothing yet.
        while not self._link.up or self._subscribed.get(topic) != self._link.reconnects:
            await self._listen(topic)
        key = (topic, str(command["request_id"]))
        call: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._calls[key] = call
        try:
            # Never by a later link: by then nobody waits for what it does.
            command_topic = wire.device_topic(self._base, device_id, "command")
            self._link.publish(command_topic, wire.encode(command), later=False)
            return await call
        finally:
            del self._calls[key]

    async def _listen(self, topic: str) -> None:
        # Each by itself: of several topics in one packet amqtt now and then takes only the first.
        link = self._link.reconnects
        await self._link.listen([(topic, 1)])
        self._subscribed[topic] = link


class Caller:
    """The ``core.lab.Neighbours`` of one device."""

    def __init__(self, neighbourhood: Neighbourhood, device_id: str) -> None:
        self._neighbourhood = neighbourhood
        self._device_id = device_id

    async def call(
        self, device_id: str, task: str, parameters: Mapping[str, object], within: float
    ) -> object:
        """Call a task of another device; ``core.lab.Neighbours`` tells the rest."""
        return await self._neighbourhood.ask(self._device_id, device_id, task, parameters, within)
