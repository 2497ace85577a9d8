"""A bare MQTT 3.1.1 client of asyncio, far leaner than what it measures; the same for both sides."""

import asyncio
from collections.abc import Callable
import socket
import struct
from typing import Any

OnMessage = Callable[[str, bytes], None]

_CONNECT, _CONNACK, _PUBLISH, _PUBACK, _SUBSCRIBE, _SUBACK = 0x10, 0x20, 0x30, 0x40, 0x82, 0x90
_KEEPALIVE = 3600  # s; longer than any run
_MORE = 0x80  # another byte of the length follows
_LAST_MID = 0xFFFF


def _ignore(topic: str, payload: bytes) -> None:
    del topic, payload


class Client(asyncio.Protocol):
    """One connection that subscribes, publishes and acknowledges at once.

    Attributes:
        on_message: Called with topic and payload of each message; change it at will.
    """

    def __init__(self) -> None:
        self.on_message: OnMessage = _ignore
        self._transport: Any = None
        self._socket: Any = None
        self._rest = b""
        self._mid = 0
        self._answer: asyncio.Future[None] | None = None

    @classmethod
    async def connect(cls, port: int, name: str = "requester") -> "Client":
        """Connect to a broker on loopback."""
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(cls, "127.0.0.1", port)
        text = name.encode()
        body = b"\x00\x04MQTT\x04\x02" + struct.pack("!HH", _KEEPALIVE, len(text)) + text
        await client.ask(_CONNECT, body)
        return client

    async def subscribe(self, topic: str, qos: int = 1) -> None:
        """Subscribe, and wait until the broker has it."""
        text = topic.encode()
        await self.ask(_SUBSCRIBE, struct.pack("!HH", self._next_mid(), len(text)) + text + bytes([qos]))

    def publish(self, topic: bytes, payload: bytes, qos: int = 1, *, retain: bool = False) -> None:
        """Publish; nobody waits for the acknowledgement."""
        mid = struct.pack("!H", self._next_mid()) if qos else b""
        body = struct.pack("!H", len(topic)) + topic + mid + payload
        self._send(_PUBLISH | qos << 1 | retain, body)

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    async def ask(self, kind: int, body: bytes) -> None:
        """Send what the broker answers, and wait for that."""
        self._answer = asyncio.get_running_loop().create_future()
        self._send(kind, body)
        await self._answer

    def _send(self, kind: int, body: bytes) -> None:
        length, size = len(body), bytearray()
        while True:
            length, low = divmod(length, _MORE)
            size.append(low | (_MORE if length else 0))
            if not length:
                break
        self._transport.write(bytes([kind]) + size + body)

    def _next_mid(self) -> int:
        self._mid = self._mid % _LAST_MID + 1
        return self._mid

    # asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket; asyncio itself sets TCP_NODELAY."""
        self._transport = transport
        self._socket = transport.get_extra_info("socket")

    def data_received(self, data: bytes) -> None:
        """Take every whole packet."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        data = self._rest + data
        start = 0
        while True:
            length = shift = 0
            at = start + 1
            while at < len(data):
                length |= (data[at] & ~_MORE) << shift
                shift += 7
                at += 1
                if data[at - 1] < _MORE:
                    break
            else:
                break
            if at + length > len(data):
                break
            self._packet(data[start], data[at : at + length])
            start = at + length
        self._rest = data[start:]

    def _packet(self, kind: int, body: bytes) -> None:
        if kind & 0xF0 == _PUBLISH:
            size = 2 + int.from_bytes(body[:2], "big")
            topic, rest = body[2:size].decode(), body[size:]
            if kind & 0x06:
                self._send(_PUBACK, rest[:2])
                rest = rest[2:]
            self.on_message(topic, rest)
        elif kind in (_CONNACK, _SUBACK) and self._answer and not self._answer.done():
            self._answer.set_result(None)
