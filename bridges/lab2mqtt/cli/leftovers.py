"""What the broker keeps under the prefix of the props, and who of them lives."""

import asyncio
from collections.abc import AsyncIterator
import contextlib
from typing import Any
import uuid

from lab2mqtt import wire
from lab2mqtt.client import Lab
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.props.firmware_worker import Worker as BoardWorker
from lab2mqtt.runtime.mqtt import BrokerError, Connection, Message
from lab2mqtt.runtime.old_devices import as_id

BOARD = BoardWorker.product
LIVES_WITHIN = 6.0  # s; boards say their telemetry every 5 s
TAKEN_WITHIN = 3.0  # s in which the broker takes what is cleared
_UP_WITHIN = 10.0  # s


class Leftovers:
    """The topics under one prefix, by the name of the prop.

    Attributes:
        kept: The topics on which something is retained, with that, by name.
    """

    def __init__(self, lab: Lab, prefix: str) -> None:
        """Prepare; ``connected`` connects.

        Args:
            lab: The same broker, in our own words.
            prefix: In front of all topics of props.
        """
        self._lab = lab
        self._prefix = prefix
        self.kept: dict[str, dict[str, bytes]] = {}
        self._heard: set[str] = set()  # names that said something while we listened
        self._marker = wire.bridge_topic(lab.base, uuid.uuid4().hex, "marker")
        self._complete = asyncio.Event()
        self._news = asyncio.Event()
        self._connection = Connection(lab.broker, self._hear, self._up)

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Connect, and hear all that is retained; stays connected meanwhile.

        Raises:
            BrokerError: The broker does not answer.
        """
        link = asyncio.create_task(self._connection.run())
        try:
            try:
                await asyncio.wait_for(self._complete.wait(), _UP_WITHIN)
            except TimeoutError:
                raise BrokerError(self._connection.complaint or "the broker does not answer") from None
            yield
        finally:
            link.cancel()
            await asyncio.gather(link, return_exceptions=True)

    def speaker(self, name: str) -> str:
        """Who speaks for a name as far as can be told at once; "" where nobody does."""
        if self._lab.bridges.get(name) == wire.ONLINE:
            return "it is a bridge that runs"
        device = as_id(name)
        if device in self._lab.devices and self._lab[device].reachable:
            about = self._lab[device].description
            # Of a board without a worker the host only tells what it hears, and forgets it with its topics.
            if about.get("model") != BOARD:
                return f"bridge {about['bridge']} runs it" if about.get("bridge") else "it is online"
        return "it has just said something" if name in self._heard else ""

    def says_online(self, name: str) -> bool:
        """Whether something retained says that it is online; what was killed may have left that behind."""
        topics = ("availability", "status/availability")
        return any(self._of(name).get(f"{self._prefix}/{name}/{one}") == b"online" for one in topics)

    async def listen(self, names: list[str]) -> None:
        """Hear who lives, for as long as needed to tell it of these names."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LIVES_WITHIN):
                while any(self.says_online(name) and not self.speaker(name) for name in names):
                    self._news.clear()
                    await self._news.wait()

    async def clear(self, name: str) -> list[str]:
        """Clear all that is retained of a name; gives the topics.

        Raises:
            Misconfigured: The broker keeps it.
        """
        topics = sorted(self._of(name))
        for topic in topics:
            self._connection.publish(topic, "", retain=True)
        try:
            async with asyncio.timeout(TAKEN_WITHIN):
                while self._of(name):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:  # a broker refuses in silence
            left = ", ".join(sorted(self._of(name)))
            raise Misconfigured(
                f"the broker keeps {left}: who asks may not speak there; the worker host's user may"
            ) from None
        return topics

    def row(self, name: str) -> dict[str, Any]:
        """What is kept of a name, for people and scripts."""
        return {"topics": sorted(self._of(name)), "says_online": self.says_online(name)}

    def _of(self, name: str) -> dict[str, bytes]:
        return self.kept.get(name, {})

    async def _up(self, connection: Connection) -> None:
        self.kept.clear()
        # One after the other: of several topics in one packet amqtt now and then takes only the first.
        await connection.listen([(self._marker, 1)])
        await connection.listen([(f"{self._prefix}/#", 1)])
        # It comes back when all that is retained has come.
        connection.publish(self._marker, "back")

    def _hear(self, message: Message) -> None:
        topic = message.topic
        if topic == self._marker:
            self._complete.set()
        if not topic.startswith(f"{self._prefix}/"):
            return
        name, _, kind = topic[len(self._prefix) + 1 :].partition("/")
        if message.payload and message.retained:
            self.kept.setdefault(name, {})[topic] = message.payload
        elif not message.payload:
            self._of(name).pop(topic, None)
        elif kind != "cmd":  # which others say to it
            self._heard.add(name)
        if not self._of(name):
            self.kept.pop(name, None)
        self._news.set()
