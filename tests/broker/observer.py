"""A plain MQTT client beside ours, which shares none of its code: it notes everything that is said."""

from collections.abc import Callable, Iterator
import contextlib
import json
import socket
import ssl
import threading
import time
from typing import Any, NamedTuple, Self
import uuid

from paho.mqtt import client as paho

from lab2mqtt.hub.ports import LOOPBACK
from lab2mqtt.paho_loop import end_loop

CONNECT_WITHIN = 10.0  # s
WITHIN = 5.0  # s that a message is waited for


class Heard(NamedTuple):
    """One message, and when it came by the machine's monotonic clock."""

    at: float
    topic: str
    payload: bytes
    retain: bool
    qos: int = 0  # as published, up to the 1 that was subscribed

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        """The payload, read; None where it is none."""
        try:
            return json.loads(self.payload)
        except ValueError:
            return None


def _json(one: Heard) -> Any:  # noqa: ANN401 - JSON
    return one.json


SETTLED_WITHIN = 15.0  # s


class Observer:
    """Notes every message on some topics, in the order in which they came, and publishes what it is told."""

    def __init__(
        self,
        port: int,
        *filters: str,
        login: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        marker: str = "",
        client_id: str = "",
    ) -> None:
        self._filters = filters
        self._news = threading.Condition()
        self._heard: list[Heard] = []
        self._marker = marker or f"observer/{uuid.uuid4().hex}"
        client_id = client_id or f"observer-{uuid.uuid4().hex[:8]}"
        client = self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=client_id)
        client.max_inflight_messages_set(1000)
        client.reconnect_delay_set(1, 1)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_socket_open = _without_delay
        if login:
            client.username_pw_set(*login)
        if tls:
            client.tls_set_context(tls)
        client.connect(LOOPBACK, port, keepalive=60)
        client.loop_start()
        self.wait(self._marker, within=SETTLED_WITHIN)

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        end_loop(self._client)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        client.subscribe([(topic, 1) for topic in (*self._filters, self._marker)])

    def _on_subscribe(self, client: paho.Client, *_: object) -> None:
        # It comes back when all that is retained has come.
        client.publish(self._marker, "back", qos=1)

    def _on_message(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        del client, userdata
        heard = Heard(time.monotonic(), message.topic, message.payload, message.retain, message.qos)
        with self._news:
            self._heard.append(heard)
            self._news.notify_all()

    def publish(self, topic: str, payload: Any, *, qos: int = 1, retain: bool = False) -> float:  # noqa: ANN401
        """Publish bytes, text, or anything as JSON; gives the moment before."""
        if not isinstance(payload, bytes | str):
            payload = json.dumps(payload)
        now = time.monotonic()
        self._client.publish(topic, payload, qos, retain)
        return now

    def mark(self) -> int:
        """The place in the record that comes next."""
        with self._news:
            return len(self._heard)

    def heard(self, topic: str = "", since: int = 0) -> list[Heard]:
        """What came on a topic, or on all."""
        with self._news:
            return [one for one in self._heard[since:] if not topic or one.topic == topic]

    def place(self, heard: Heard) -> int:
        """Where in the record a message stands."""
        with self._news:
            return self._heard.index(heard)

    def last(self, topic: str) -> Any:  # noqa: ANN401 - JSON
        """What was said last on a topic; None when nothing was."""
        found = self.heard(topic)
        return found[-1].json if found else None

    def wait(
        self,
        topic: str,
        test: Callable[[Any], bool] = lambda _: True,
        *,
        since: int = 0,
        within: float = WITHIN,
        read: Callable[[Heard], Any] = _json,
    ) -> Heard:
        """The first message on a topic whose JSON, or what else is read out of it, passes a test."""
        deadline = time.monotonic() + within
        at = since
        with self._news:
            while True:
                while at < len(self._heard):
                    one = self._heard[at]
                    at += 1
                    if one.topic == topic and test(read(one)):
                        return one
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._news.wait(left)
        said = "\n".join(f"  {one.topic} {one.payload[:300]!r}" for one in self.heard(since=since)[-12:])
        raise AssertionError(f"nothing fit on {topic} within {within:g} s; the last was\n{said}")

    def barrier(self) -> None:
        """Wait until all that was published before has come round."""
        since = self.mark()
        token = uuid.uuid4().hex
        self.publish(self._marker, json.dumps(token))
        self.wait(self._marker, lambda told: told == token, since=since)


def retained(port: int, *filters: str) -> dict[str, bytes]:
    """What the broker keeps on some topics, as a newcomer is told it."""
    with Observer(port, *filters) as newcomer:
        return {one.topic: one.payload for one in newcomer.heard() if one.retain and one.payload}


def until(
    test: Callable[[], Any],
    what: str,
    *,
    within: float = WITHIN,
    every: float = 0.01,
    more: Callable[[], str] = str,
) -> Any:  # noqa: ANN401 - whatever the test gives
    """Ask again and again until a test gives something true, and give that; else tell what was missed."""
    deadline = time.monotonic() + within
    while not (found := test()):
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}\n{more()}"
        time.sleep(every)
    return found


@contextlib.contextmanager
def listener(port: int) -> Iterator[list[float]]:
    """Something on a port that takes connections and drops them; notes when each came."""
    came: list[float] = []
    with socket.create_server((LOOPBACK, port)) as server:
        ending = threading.Event()

        def serve() -> None:
            while not ending.is_set():
                with contextlib.suppress(OSError):
                    talk, _ = server.accept()
                    came.append(time.monotonic())
                    talk.close()

        server.settimeout(0.1)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield came
        finally:
            ending.set()
            thread.join()


def _without_delay(client: paho.Client, userdata: object, sock: Any) -> None:  # noqa: ANN401 - paho's
    del client, userdata
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
