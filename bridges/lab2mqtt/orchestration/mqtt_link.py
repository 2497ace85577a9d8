"""A link to the broker for plain scripts: paho in a thread, made anew when it is lost."""

from collections.abc import Callable, Sequence
import contextlib
from dataclasses import dataclass, field
import logging
import os
import random
import socket
import ssl
import threading
from typing import Any
import uuid

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from lab2mqtt.paho_loop import end_loop

_LOGGER = logging.getLogger(__name__)

CONNECT_WITHIN = 10.0  # s
LONGEST_PAUSE = 8.0  # s between two attempts
KEEPALIVE = 15  # s
ONCE_MORE = 0.3  # s until the second attempt with a broker that hung up
HUNG_UP = "it hung up"


class HungUp(ConnectionError):
    """The broker ended the connection without a word."""


@dataclass(frozen=True)
class Address:
    """Where a broker is, and who we are to it."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    use_tls: bool = False


class _Attempt:
    """A connection that is being made: it stands once every topic is subscribed to."""

    def __init__(self, topics: Sequence[str]) -> None:
        self.over = threading.Event()
        self._missing = list(reversed(topics))  # the last one is being subscribed to
        self._problem = ""

    def problem(self) -> str:
        """Wait for the end of it; gives why it failed."""
        if not self.over.wait(CONNECT_WITHIN):
            return "no answer"
        return self._problem or (HUNG_UP if self._missing else "")

    def connected(
        self, client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _more: object
    ) -> None:
        """Take the broker's answer."""
        if reason.is_failure:
            self._fail(str(reason))
            return
        self._subscribe(client)

    def _subscribe(self, client: paho.Client) -> None:
        """Ask for the next topic: of several at once amqtt now and then answers only some."""
        if self._missing:
            client.subscribe(self._missing[-1], 1)
        else:
            self.over.set()

    def subscribed(
        self, client: paho.Client, _data: object, _mid: int, reasons: Sequence[ReasonCode], _more: object
    ) -> None:
        """Take the broker's answer about one topic."""
        topic = self._missing.pop()
        if reasons[0].is_failure:
            self._fail(f"it does not let us subscribe to {topic}")
        else:
            self._subscribe(client)

    def _fail(self, why: str) -> None:
        self._problem = why
        self.over.set()


class Link:
    """One connection that is kept. A new one is another client: paho would send again what is long past."""

    def __init__(
        self,
        address: Address,
        topics: Sequence[str],
        on_message: Callable[[str, bytes, bool], None],
        on_again: Callable[[], None],
    ) -> None:
        """Prepare; ``open`` connects.

        Args:
            address: Whom to connect to.
            topics: What is subscribed to, with QoS 1, one after the other.
            on_message: Called in the link's thread with topic, payload and whether it was retained.
            on_again: Called when a lost link is back and listens again.
        """
        self._address = address
        self._topics = topics
        self._on_message = on_message
        self._on_again = on_again
        self._client: paho.Client | None = None
        self._lost = threading.Event()
        self._up = threading.Event()
        self._closing = threading.Event()
        self._keeper: threading.Thread | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is kept."""
        return self._keeper is not None

    def open(self) -> None:
        """Connect and subscribe.

        Raises:
            ConnectionError: The broker cannot be reached, or does not take us.
        """
        self._closing.clear()
        try:
            self._connect()
        except HungUp:  # amqtt drops who comes in the moment in which somebody else subscribes
            self._closing.wait(ONCE_MORE)
            self._connect()
        self._keeper = threading.Thread(target=self._keep, name="lab2mqtt-link", daemon=True)
        self._keeper.start()

    def close(self) -> None:
        """Disconnect. Safe to repeat."""
        self._closing.set()
        self._lost.set()
        if self._keeper:
            self._keeper.join()
            self._keeper = None
        self._end()

    def wait_up(self, seconds: float) -> bool:
        """Wait until there is a link; gives whether there is."""
        return self._up.wait(seconds)

    def publish(self, topic: str, payload: str, qos: int = 1) -> None:
        """Publish on the present link or never.

        Raises:
            ConnectionError: There is none.
        """
        client = self._client
        if client is None or not self._up.is_set():
            raise ConnectionError(f"no link to the broker at {self._where}")
        if client.publish(topic, payload, qos).rc != paho.MQTT_ERR_SUCCESS:
            raise ConnectionError(f"the link to the broker at {self._where} was lost; {topic} was not said")

    @property
    def _where(self) -> str:
        return f"{self._address.host}:{self._address.port}"

    def _connect(self) -> None:
        attempt = _Attempt(self._topics)

        def lost(client: paho.Client, *_: object) -> None:
            attempt.over.set()
            if client is self._client:
                self._up.clear()
                self._lost.set()

        client = self._made()
        client.on_connect, client.on_subscribe, client.on_disconnect = (
            attempt.connected,
            attempt.subscribed,
            lost,
        )
        client.on_message = self._heard
        self._lost.clear()
        self._client = client
        try:
            client.connect(self._address.host, self._address.port, KEEPALIVE)
        except OSError as error:
            raise ConnectionError(f"no broker at {self._where}: {error}") from error
        client.loop_start()
        if problem := attempt.problem():
            self._end()
            kind = HungUp if problem == HUNG_UP else ConnectionError
            raise kind(f"no broker at {self._where}: {problem}")
        self._up.set()

    def _made(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"lab2mqtt-{uuid.uuid4().hex[:14]}",
            reconnect_on_failure=False,
        )
        if self._address.username is not None:
            client.username_pw_set(self._address.username, self._address.password)
        if self._address.use_tls:
            client.tls_set_context(ssl.create_default_context(cafile=os.environ.get("LAB2MQTT_CA")))
        client.on_socket_open = _without_delay
        return client

    def _heard(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        try:
            self._on_message(message.topic, bytes(message.payload), message.retain)
        except Exception:
            _LOGGER.exception("A message on %s could not be handled", message.topic)

    def _end(self) -> None:
        self._up.clear()
        client, self._client = self._client, None
        if client:
            client.disconnect()
            end_loop(client)

    def _keep(self) -> None:
        longest = 0.25
        while not self._closing.is_set():
            self._lost.wait()
            if self._closing.is_set():
                return
            self._end()
            try:
                self._connect()
            except ConnectionError as error:
                _LOGGER.debug("%s", error)
                self._lost.set()
                self._closing.wait(random.uniform(longest / 2, longest))  # noqa: S311 - no secret
                longest = min(2 * longest, LONGEST_PAUSE)
            else:
                _LOGGER.info("Connected again to %s", self._where)
                longest = 0.25
                with contextlib.suppress(ConnectionError):  # lost once more, which is noticed above
                    self._on_again()


def _without_delay(_client: paho.Client, _data: object, sock: Any) -> None:  # noqa: ANN401 - paho's
    """Nagle's algorithm here and delayed acknowledgements there cost 44 ms a call."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
