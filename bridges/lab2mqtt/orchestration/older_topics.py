"""A device of ours on the topics of the older dialect, too: ``<prefix>/<name>/command|result|status``."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
import contextlib
import logging
import time
from typing import Any

from lab2mqtt import wire
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.mqtt import Connection, Message, Will

_LOGGER = logging.getLogger(__name__)

LEAVE_WITHIN = 2.0  # s for the last messages


class OlderTopics:
    """A link of its own, so that the broker says ``offline`` there too when this process is gone."""

    def __init__(
        self,
        broker: Broker,
        prefix: str,
        name: str,
        bridge: str,
        tasks: Sequence[str],
        receive: Callable[[bytes, bool], None],
    ) -> None:
        """Prepare; ``connect`` connects.

        Args:
            broker: Where the broker is.
            prefix: What stands before the topics.
            name: The device's id there, in any letters.
            bridge: The bridge of this process: by it nobody takes the device for one that has none.
            tasks: What it tells that it can do.
            receive: Takes a command, and whether it was retained; may raise ``wire.WireError``.
        """
        command, result, status = (f"{prefix}/{name}/{kind}" for kind in ("command", "result", "status"))
        self._command, self._result, self._status = command, result, status
        self._name, self._bridge, self._tasks = name, bridge, list(tasks)
        self._receive = receive
        self._online = False
        self._link: asyncio.Task[None]
        will = Will(status, self._told(wire.OFFLINE))
        self._connection = Connection(broker, self._message, self._up, will=will)

    def connect(self) -> None:
        """Connect, and keep the link until ``leave``."""
        self._link = asyncio.create_task(self._connection.run())

    async def leave(self) -> None:
        """Say that it is gone, and go."""
        self._online = False
        self._say_status()
        if self._connection.up:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_WITHIN):
                    await self._connection.drained()
        self._link.cancel()
        await asyncio.gather(self._link, return_exceptions=True)

    def say(self, kind: str, message: Mapping[str, Any] | str) -> None:
        """Say there what the device says."""
        if kind == "result":
            text = message if isinstance(message, str) else wire.encode(message)
            self._connection.publish(self._result, text)
        elif kind == "status" and not isinstance(message, str):
            self._online = message["status"] == wire.ONLINE
            self._say_status()

    def _say_status(self) -> None:
        word = wire.ONLINE if self._online else wire.OFFLINE
        self._connection.publish(self._status, self._told(word), retain=True)

    def _told(self, word: str) -> str:
        return wire.encode(wire.status(self._name, word, int(time.time()), self._bridge, self._tasks))

    async def _up(self, connection: Connection) -> None:
        await connection.listen([(self._command, 1)])
        self._say_status()

    def _message(self, message: Message) -> None:
        if not message.payload:
            return  # a retained command was cleared
        if message.retained:
            self._connection.publish(self._command, "", retain=True)
        try:
            self._receive(message.payload, message.retained)
        except wire.WireError as error:
            _LOGGER.warning("Dropped a message on %s: %s", self._command, error.message)
