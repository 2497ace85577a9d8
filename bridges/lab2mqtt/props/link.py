"""The link in the old dialect: topics under ``halloween/``, beside the bridge's own link."""

import asyncio
from collections.abc import Awaitable, Callable
import contextlib
import logging

from paho.mqtt.client import topic_matches_sub

from lab2mqtt.props.base import OFFLINE, ONLINE
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.mqtt import BrokerError, Connection, Message, NotAllowed, Will

_LOGGER = logging.getLogger(__name__)

MOST_RETAINED = 10_000  # topics; a worker that makes up topics must not fill the memory


class PropsLink:
    """Speaks and hears for all workers; what is retained and heard is so again on every new link.

    Attributes:
        connection: The connection.
        on_up: Called on every new link; nothing is heard or said before it has returned.
    """

    def __init__(self, broker: Broker, client_id: str, front: str) -> None:
        """Prepare; ``run`` connects.

        Args:
            broker: Whom to connect to.
            client_id: Who the host is to the broker.
            front: Of the host's own topics.
        """
        self._topic = f"{front}/availability"
        self._heard: dict[str, list[Callable[[Message], None]]] = {}
        self._retained: dict[str, tuple[str, int]] = {}
        self._first: dict[str, tuple[str, int]] | None = {}  # None: there was a link
        self._work: set[asyncio.Task[None]] = set()
        self._one_by_one = asyncio.Lock()
        self._greeted = False
        self.on_up: Callable[[], Awaitable[None]] | None = None
        self.connection = Connection(
            broker, self._hear, self._up, will=Will(self._topic, OFFLINE), client_id=client_id
        )

    @property
    def up(self) -> bool:
        """Whether there is a link now, on which everything is heard."""
        return self._greeted and self.connection.up

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        await self.connection.run()

    async def leave(self) -> None:
        """Say that the host is gone, and wait until the broker has all that was said."""
        self._publish(self._topic, OFFLINE, 1, retain=True)
        await self.connection.drained()

    def publish(self, topic: str, payload: str, *, qos: int = 0, retain: bool = False) -> None:
        """Publish now; without a link only what is retained is worth saying later.

        But what workers say before the first link, such as a value that they say once, is said there: of
        each topic the last. A command never is.
        """
        if self._first is not None and not retain and not topic.endswith("/cmd"):
            if topic in self._first or len(self._first) < MOST_RETAINED:
                self._first[topic] = (payload, qos)
            return
        if retain and not payload:
            self._retained.pop(topic, None)
        elif retain and (topic in self._retained or len(self._retained) < MOST_RETAINED):
            self._retained[topic] = (payload, qos)
        self._publish(topic, payload, qos, retain=retain)

    def forget(self, front: str) -> None:
        """Clear all that is retained of one prop.

        Args:
            front: What its topics begin with.
        """
        for topic in [topic for topic in self._retained if topic.startswith(f"{front}/")]:
            self.publish(topic, "", qos=1, retain=True)

    def hear(self, topic: str, handler: Callable[[Message], None]) -> None:
        """Hear what comes on a topic, or a filter with wildcards."""
        known = self._heard.setdefault(topic, [])
        if handler not in known:
            known.append(handler)
        if self.connection.up:  # heard already, too: the broker tells again what is retained
            self._in_background(topic)

    def unhear(self, handlers: set[Callable[[Message], None]]) -> None:
        """Call these handlers no more."""
        for topic, known in list(self._heard.items()):
            self._heard[topic] = [one for one in known if one not in handlers]
            if not self._heard[topic]:
                del self._heard[topic]  # what still comes is nobody's

    def _publish(self, topic: str, payload: str, qos: int, *, retain: bool) -> None:
        # Never by a later link: a command would move something that nobody waits for any more.
        self.connection.publish(topic, payload, qos=qos, retain=retain, later=False)

    async def _up(self, connection: Connection) -> None:
        self._greeted = False
        if self.on_up:
            await self.on_up()
        for topic in list(self._heard):
            # Each by itself: of several topics in one packet amqtt now and then takes only the first.
            try:
                await connection.listen([(topic, 1)])
            except NotAllowed as error:  # one worker's wish is not to cost all of them the link
                _LOGGER.warning("%s", error)
        self._greeted = True
        for topic, (payload, qos) in self._retained.items():
            self._publish(topic, payload, qos, retain=True)
        first, self._first = self._first or {}, None
        for topic, (payload, qos) in first.items():
            self._publish(topic, payload, qos, retain=False)
        self._publish(self._topic, ONLINE, 1, retain=True)

    def _in_background(self, topic: str) -> None:
        async def listen() -> None:
            async with self._one_by_one:
                with contextlib.suppress(BrokerError):  # the next link does it
                    await self.connection.listen([(topic, 1)])

        task = asyncio.create_task(listen())
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    def _hear(self, message: Message) -> None:
        wild = [one for one in self._heard if "+" in one or "#" in one]
        for topic in (message.topic, *(one for one in wild if topic_matches_sub(one, message.topic))):
            for handler in self._heard.get(topic, ()):
                handler(message)
