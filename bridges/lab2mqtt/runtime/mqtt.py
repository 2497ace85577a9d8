"""The link to the broker: the only module that imports aiomqtt.

aiomqtt makes and ends the connection. Messages are taken in paho's own callback and written out once per
turn of the loop, because a task, an event and a time-out for each message cost more than all the rest of a
command (docs/performance.md).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
import contextlib
import logging
import random
import socket
from types import TracebackType
from typing import Any, NamedTuple, Self
import uuid

import aiomqtt

from lab2mqtt.runtime import tls
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.reading import Reader

_LOGGER = logging.getLogger(__name__)

# A link that breaks is told once, in words, by who keeps it; paho would tell each time, in OpenSSL's.
_TOLD_BY_US = ("failed to receive on socket: %s", "timeout on socket: %s")
_PAHO = logging.getLogger(f"{__name__}.paho")
_PAHO.setLevel(logging.WARNING)
_PAHO.addFilter(lambda record: record.msg not in _TOLD_BY_US)

# Nagle's algorithm on one side and delayed acknowledgements on the other cost 44 ms each way.
_NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux only
_CORK: int | None = getattr(socket, "TCP_CORK", None)  # Linux only

_REFUSED = 128  # MQTT's mark of a subscription that failed

# A hung broker or network is noticed, and our will is sent, after one and a half times this.
KEEPALIVE = 15  # s
CONNECT_TIMEOUT = 10  # s
LONGEST_PAUSE = 8  # s between two attempts
TOPICS_AT_ONCE = 200  # in one SUBSCRIBE
IN_FLIGHT = 64  # QoS 1 messages that the broker has not acknowledged; more wait here, not there
WAITING = 10_000  # answers kept while there is no broker; the oldest go first


class BrokerError(Exception):
    """The broker cannot be reached, or did not take us."""


class NotAllowed(BrokerError):
    """The broker does not let us subscribe to a topic."""


class Message(NamedTuple):
    """One message that came in."""

    topic: str
    payload: bytes
    retained: bool


class Will(NamedTuple):
    """What the broker says for us when we are gone."""

    topic: str
    payload: str


class Link(aiomqtt.Client):
    """One connection, from CONNECT to its end. Use it as an asynchronous context."""

    def __init__(
        self,
        broker: Broker,
        on_message: Callable[[Message], None],
        will: Will | None = None,
        client_id: str = "",
    ) -> None:
        """Prepare a connection with a clean session.

        Args:
            broker: Whom to connect to.
            on_message: Called in the event loop for each message; must not block.
            will: Published by the broker, retained, when this link is lost.
            client_id: Who we are to the broker; else one that nobody else has.
        """
        super().__init__(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.password,
            identifier=client_id or f"lab2mqtt-{uuid.uuid4().hex[:14]}",
            will=aiomqtt.Will(will.topic, will.payload, qos=1, retain=True) if will else None,
            clean_session=True,
            timeout=CONNECT_TIMEOUT,
            keepalive=KEEPALIVE,
            max_inflight_messages=IN_FLIGHT,
            tls_context=tls.context(broker.ca_file, broker.cert_file, broker.key_file)
            if broker.tls
            else None,
            socket_options=[_NO_DELAY],
            logger=_PAHO,
        )
        self._broker = broker
        self._sock: Any = None
        self._handle = on_message
        self._reader = Reader(self._client, self._message)
        self._unacknowledged: dict[int, tuple[str, str | bytes] | None] = {}
        self._all_acknowledged = asyncio.Event()
        self._all_acknowledged.set()

    async def __aenter__(self) -> Self:
        try:
            await super().__aenter__()
        except aiomqtt.MqttCodeError as error:
            code = getattr(error.rc, "value", 0)
            raise BrokerError(tls.refused(code, self._broker) or str(error.rc)) from error
        except aiomqtt.MqttError as error:
            cause = error.__context__  # aiomqtt passes on the text only
            told = tls.in_words(cause, self._broker) if isinstance(cause, OSError) else str(error)
            raise BrokerError(told) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A link that is lost has nothing to say goodbye to.
        with contextlib.suppress(aiomqtt.MqttError):
            await super().__aexit__(kind, error, trace)

    async def listen(self, topics: list[tuple[str, int]]) -> None:
        """Subscribe to topics, each with its QoS, and wait until the broker has them.

        Raises:
            NotAllowed: The broker refuses one.
            BrokerError: The link was lost.
        """
        for start in range(0, len(topics), TOPICS_AT_ONCE):
            some = topics[start : start + TOPICS_AT_ONCE]
            try:
                granted: Any = await self.subscribe(some)  # numbers, or with MQTT 5 reason codes
            except aiomqtt.MqttError as error:
                raise BrokerError(str(error)) from error
            for (topic, _), code in zip(some, granted, strict=False):
                if (code if isinstance(code, int) else code.value) >= _REFUSED:
                    raise NotAllowed(f"the broker does not let us subscribe to {topic}")

    def send(self, topic: str, payload: str | bytes, qos: int, *, retain: bool, later: bool = True) -> None:
        """Publish without waiting; what is lost with the link and worth it later is ``unacknowledged``."""
        info = self._client.publish(topic, payload, qos, retain)
        if qos and (info.rc or not info.is_published()):  # a code: paho knows of the loss, and we not yet
            self._unacknowledged[info.mid] = (topic, payload) if later and not retain else None
            self._all_acknowledged.clear()

    def unacknowledged(self) -> list[tuple[str, str | bytes]]:
        """What the broker has not taken yet and another link is to say, oldest first."""
        return [message for message in self._unacknowledged.values() if message]

    @property
    def behind(self) -> bool:
        """Whether the broker does not take what is said as fast as it is."""
        return self._client.want_write() or len(self._unacknowledged) >= IN_FLIGHT

    async def drained(self) -> None:
        """Wait until the broker has taken everything."""
        await self._all_acknowledged.wait()

    async def lost(self) -> None:
        """Wait for the end of this link.

        Raises:
            BrokerError: It was lost.
        """
        try:
            await asyncio.shield(self._disconnected)
        except aiomqtt.MqttError as error:
            raise BrokerError(str(error)) from error
        except OSError as error:
            raise BrokerError(str(error)) from error

    # aiomqtt's callbacks, where ours is the shorter way.

    def _message(self, topic: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001
        try:
            self._handle(Message(topic, payload, retained))
        except Exception:
            _LOGGER.exception("A message on %s could not be handled", topic)

    def _on_publish(self, client: Any, userdata: Any, mid: int, *_: Any) -> None:  # noqa: ANN401, ARG002
        self._unacknowledged.pop(mid, None)
        if not self._unacknowledged:
            self._all_acknowledged.set()

    def _on_disconnect(self, *told: Any) -> None:  # noqa: ANN401
        if not self._connected.done():  # dropped before it took us: aiomqtt would wait for its time-out
            why = tls.closed(getattr(self._sock, "broken", None), self._broker, greeted=False)
            self._connected.set_exception(aiomqtt.MqttError(why))
            self._connected.exception()  # else asyncio complains where we end before anybody asks
            return
        super()._on_disconnect(*told)

    def _on_socket_open(self, client: Any, userdata: Any, sock: Any) -> None:  # noqa: ANN401
        super()._on_socket_open(client, userdata, sock)
        self._sock = sock
        # Replaces the reader that aiomqtt has just asked for.
        self._loop.call_soon_threadsafe(self._loop.add_reader, sock.fileno(), self._read, client, sock)

    def _read(self, client: Any, sock: Any) -> None:  # noqa: ANN401
        try:
            if self._reader.read(sock):
                self._loop.call_soon(self._read, client, sock)
            if _QUICK_ACK is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)  # Linux forgets it after each read
        except Exception as error:  # noqa: BLE001 - whatever it was, this link is over
            self._end(error)

    def _on_socket_register_write(self, client: Any, userdata: Any, sock: Any) -> None:  # noqa: ANN401, ARG002
        # paho connects in a thread; from then on everything is in the loop, where waking it is waste.
        soon = self._loop.call_soon if self._connected.done() else self._loop.call_soon_threadsafe
        soon(self._write, client, sock)

    def _write(self, client: Any, sock: Any) -> None:  # noqa: ANN401
        try:
            # What was said in one turn of the loop leaves as one segment, not as one for each message.
            _cork(sock, closed=True)
            client.loop_write()
            _cork(sock, closed=False)
            if client.want_write() and sock.fileno() >= 0:
                self._loop.add_writer(sock.fileno(), self._write, client, sock)
        except Exception as error:  # noqa: BLE001 - whatever it was, this link is over
            self._end(error)

    def _end(self, error: Exception) -> None:
        if not self._disconnected.done():
            self._disconnected.set_exception(BrokerError(str(error)))


class Connection:
    """A link that is made anew for ever, the first time included, and what waits for it meanwhile."""

    def __init__(
        self,
        broker: Broker,
        on_message: Callable[[Message], None],
        on_up: Callable[["Connection"], Awaitable[None]],
        will: Will | None = None,
        client_id: str = "",
    ) -> None:
        """Prepare; ``run`` connects.

        Args:
            broker: Whom to connect to.
            on_message: Called for each message; must not block.
            on_up: Called on every connection: subscribe, then say everything that is retained.
            will: Published for us when we are gone.
            client_id: Who we are to the broker; else one that nobody else has.
        """
        self.broker = broker
        self._on_message = on_message
        self._on_up = on_up
        self._will = will
        self._client_id = client_id
        self._link: Link | None = None
        self._waiting: deque[tuple[str, str | bytes]] = deque(maxlen=WAITING)
        self._up = asyncio.Event()
        self._tried = asyncio.Event()
        self._was_up = False
        self.reconnects = -1  # the first connection is none
        self.complaint = ""  # why there is no link

    @property
    def up(self) -> bool:
        """Whether there is a link now."""
        return self._link is not None

    async def wait_up(self) -> None:
        """Wait until there is a link on which everything has been said."""
        await self._up.wait()

    async def wait_tried(self) -> None:
        """Wait until the first attempt has brought a link, or has failed."""
        await self._tried.wait()

    async def run(self) -> None:
        """Keep the link up until cancelled; then take leave of the broker in an orderly way."""
        pause = _pauses()
        while True:
            try:
                async with Link(self.broker, self._on_message, self._will, self._client_id) as link:
                    self._link = link
                    self.reconnects += 1
                    _LOGGER.info("Connected to %s", self.broker)
                    await self._while_up(link)
            except (BrokerError, OSError) as error:
                if str(error) != self.complaint:  # once when it goes, not at every attempt
                    self.complaint = str(error)
                    _LOGGER.warning("No link to %s: %s; trying again", self.broker, error)
            finally:
                self._lost()
            self._tried.set()
            if self._was_up:
                pause, self._was_up = _pauses(), False
            await asyncio.sleep(next(pause))

    async def _while_up(self, link: Link) -> None:
        """Say everything, then what waited, then wait for the end."""
        ending = asyncio.ensure_future(link.lost())
        greeting = asyncio.ensure_future(self._greet(link))
        try:
            await asyncio.wait((ending, greeting), return_when=asyncio.FIRST_COMPLETED)
            if greeting.done():
                greeting.result()
            await ending
        finally:
            for task in (ending, greeting):
                task.cancel()
            await asyncio.gather(ending, greeting, return_exceptions=True)

    async def _greet(self, link: Link) -> None:
        await self._on_up(self)
        while self._waiting:
            topic, payload = self._waiting.popleft()
            link.send(topic, payload, 1, retain=False)
        self._was_up, self.complaint = True, ""
        self._up.set()
        self._tried.set()

    def _lost(self) -> None:
        """Keep the answers that the broker has not taken for the next link."""
        link, self._link = self._link, None
        self._up.clear()
        if link:
            self._waiting.extendleft(reversed(link.unacknowledged()))

    async def listen(self, topics: list[tuple[str, int]]) -> None:
        """Subscribe on the present link.

        Raises:
            BrokerError: There is none, or the broker refuses.
        """
        if not self._link:
            raise BrokerError(f"no link to {self.broker}")
        await self._link.listen(topics)

    def publish(
        self, topic: str, payload: str | bytes, *, qos: int = 1, retain: bool = False, later: bool = True
    ) -> None:
        """Publish, or keep it for the next link.

        Without a link QoS 0 is dropped (it is worth something only now), and so is what is retained:
        ``on_up`` says that anew. QoS 1 waits, unless ``later`` is false.
        """
        if self._link:
            self._link.send(topic, payload, qos, retain=retain, later=later)
        elif qos and later and not retain:
            self._waiting.append((topic, payload))

    @property
    def behind(self) -> bool:
        """Whether the broker does not take what is said as fast as it is; without a link nothing waits."""
        return self._link is not None and self._link.behind

    async def drained(self) -> None:
        """Wait until the broker has taken everything that was published."""
        if self._link:
            await self._link.drained()


def _cork(sock: Any, *, closed: bool) -> None:  # noqa: ANN401
    """Hold back what is written until the cork is taken out."""
    if _CORK is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.IPPROTO_TCP, _CORK, closed)


def _pauses() -> Iterator[float]:
    """Seconds between attempts: doubling, with jitter, so that not all bridges knock at once."""
    longest = 0.25
    while True:
        yield random.uniform(longest / 4, longest)  # noqa: S311 - no secret
        longest = min(2 * longest, LONGEST_PAUSE)
