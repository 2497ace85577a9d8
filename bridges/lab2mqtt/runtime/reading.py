"""Reading a link: all that has come, in one piece.

paho asks the kernel three times for each message and answers each with a packet of its own: 17 µs, and 47 µs
with QoS 1. That is too slow where an emergency stop may stand behind thousands of other messages. So messages
are taken here, and paho is left the rest. MQTT 3.1.1 only.
"""

from collections.abc import Callable
import socket
import ssl
from typing import Any

from lab2mqtt import wire

CHUNK = 128 * 1024  # bytes that are taken in one turn of the loop, so that other work gets its turn
LONGEST = (
    wire.MAX_MESSAGE + 1
)  # bytes of a message that are kept: enough for its reader to see that it is too long
_TOPIC = 65_535 + 4  # bytes, with its length and the number of the message

_PUBLISH, _PUBACK = 0x30, 0x40
_KIND, _QOS, _QOS_1, _RETAIN = 0xF0, 0x06, 0x02, 0x01
_MORE = 0x80  # another byte of the length follows
_LENGTH_AT_MOST = 4  # bytes

NO_MQTT = "the broker sent what is no MQTT"

OnMessage = Callable[[str, bytes, bool], None]


class Reader:
    """Takes the messages out of what a broker sends, acknowledges them, and hands all else to paho."""

    def __init__(self, client: Any, on_message: OnMessage) -> None:  # noqa: ANN401 - paho's
        """Take over from paho's own reading.

        Args:
            client: The paho client.
            on_message: Called with topic, payload and retain flag of each message; must not raise.
        """
        self._client = client
        self._on_message = on_message
        self._rest = b""  # the beginning of a packet whose end has not come
        self._skip = 0  # bytes of a message that are not kept
        self._other = b""  # packets that are paho's
        self._at = 0
        self._end: bytes | OSError | None = None
        client._sock_recv = self._for_paho  # noqa: SLF001 - where paho itself asks the kernel

    def read(self, sock: socket.socket) -> bool:
        """Take what has come.

        Returns:
            Whether more is there that no event announces, as TLS has it.

        Raises:
            ValueError: It is no MQTT; the link is of no more use.
        """
        try:
            data = sock.recv(CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError as error:
            self._end = error
            self._client.loop_read()
            return False
        if not data:
            self._end = data
            self._client.loop_read()
            return False
        self._split(data)
        return sock.fileno() >= 0 and getattr(sock, "pending", int)() > 0

    def _split(self, data: bytes) -> None:  # noqa: C901, PLR0912 - each call more would cost each message
        """Take every whole packet."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        acks: list[bytes] = []
        other: list[bytes] = []
        while end - at >= 2:  # noqa: PLR2004 - a kind and a length
            kind, length, body = data[at], data[at + 1], at + 2
            if length & _MORE:
                length, body = _length(data, at + 1)
                if not body:
                    break
            until = body + length
            if kind & _KIND == _PUBLISH and kind & _QOS <= _QOS_1:
                if until > end:
                    if length <= LONGEST + _TOPIC or end - body < LONGEST + _TOPIC:
                        break
                    self._skip, until = until - end, end  # the rest of it is thrown away as it comes
                topic = body + 2
                payload = topic + (data[body] << 8 | data[body + 1] if length > 1 else length)
                name = data[topic:payload]
                if kind & _QOS:
                    acks.append(data[payload : payload + 2])
                    payload += 2
                if payload > until:
                    raise ValueError(NO_MQTT)
                self._tell(name, data[payload : min(until, payload + LONGEST)], kind)
            elif until > end:
                break
            else:
                other.append(data[at:until])
            at = until
        self._rest = data[at:]
        if acks:
            # One packet to paho, many to the broker.
            packets = b"".join([b"\x40\x02" + mid for mid in acks])
            self._client._packet_queue(_PUBACK, packets, 0, 0)  # noqa: SLF001
        if other:
            self._hand_over(b"".join(other))

    def _tell(self, name: bytes, payload: bytes, kind: int) -> None:
        try:
            topic = name.decode()
        except UnicodeDecodeError:
            return  # no topic of ours
        self._on_message(topic, payload, bool(kind & _RETAIN))

    def _hand_over(self, packets: bytes) -> None:
        self._other, self._at = packets, 0
        while self._at < len(packets) and self._client.loop_read() == 0:
            pass
        self._other = b""

    def _for_paho(self, size: int) -> bytes:
        """What paho reads: the packets that are its own, then the end of the link if it has come."""
        data = self._other[self._at : self._at + size]
        self._at += len(data)
        if data:
            return data
        if self._end is None:
            raise BlockingIOError
        if isinstance(self._end, OSError):
            raise self._end
        return self._end


def _length(data: bytes, at: int) -> tuple[int, int]:
    """The length of a packet and where its body begins; (0, 0) while it has not come whole.

    Raises:
        ValueError: It is none.
    """
    length = 0
    for number, byte in enumerate(data[at : at + _LENGTH_AT_MOST]):
        length |= (byte & ~_MORE) << 7 * number
        if byte < _MORE:
            return length, at + number + 1
    if len(data) - at >= _LENGTH_AT_MOST:
        raise ValueError(NO_MQTT)
    return 0, 0
