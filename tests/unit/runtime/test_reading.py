"""What a broker sends, cut anywhere: every message once, acknowledged where it asks for it."""

from collections.abc import Iterator
import socket

from paho.mqtt.client import CallbackAPIVersion, Client
import pytest

from lab2mqtt import wire
from lab2mqtt.runtime.reading import LONGEST, NO_MQTT, Reader


class Line:
    """A reader at one end, the test as the broker at the other."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        for end in (self.ours, self.theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self.ours.setblocking(False)  # noqa: FBT003
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.came: list[tuple[str, bytes, bool]] = []
        self.reader = Reader(self.client, lambda *told: self.came.append(told))

    def say(self, data: bytes, piece: int = 0) -> None:
        """Send bytes, in pieces, and let each be read."""
        for at in range(0, len(data), piece or len(data)):
            self.theirs.sendall(data[at : at + (piece or len(data))])
            self.reader.read(self.ours)

    def acknowledged(self) -> bytes:
        """What was queued to be sent, taken out."""
        told = b"".join(bytes(one["packet"]) for one in self.client._out_packet)
        self.client._out_packet.clear()
        return told


@pytest.fixture
def line() -> Iterator[Line]:
    """A line, closed after the test."""
    made = Line()
    yield made
    made.ours.close()
    made.theirs.close()


def published(topic: str, payload: bytes, mid: int = 0, *, retained: bool = False) -> bytes:
    """A PUBLISH, of QoS 1 where it has a number."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + (mid.to_bytes(2, "big") if mid else b"") + payload
    length, size = len(body), bytearray()
    while True:
        length, low = divmod(length, 128)
        size.append(low | (128 if length else 0))
        if not length:
            return bytes([0x30 | (2 if mid else 0) | retained]) + bytes(size) + body


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1000, 0])
def test_messages_cut_anywhere(line: Line, piece: int) -> None:
    """In one piece, or byte by byte."""
    line.say(
        published("a/b", b"one")
        + published("ä", b"", 7)
        + published("a/b", b"x" * 300, 258, retained=True)
        + published("", b"two"),
        piece,
    )
    assert line.came == [
        ("a/b", b"one", False),
        ("ä", b"", False),
        ("a/b", b"x" * 300, True),
        ("", b"two", False),
    ]
    assert line.acknowledged() == b"\x40\x02\x00\x07\x40\x02\x01\x02"


def test_one_that_is_too_long_is_cut_and_the_next_is_whole(line: Line) -> None:
    """Its reader sees that it is too long; it does not fill the memory."""
    long = published("long", b"y" * (3 * LONGEST), 5)
    line.say(long + published("next", b"whole"), 100_000)
    topics = [topic for topic, _, _ in line.came]
    assert topics == ["long", "next"]
    assert len(line.came[0][1]) == LONGEST
    with pytest.raises(wire.WireError, match="at most"):
        wire.decode(line.came[0][1], wire.MAX_MESSAGE)
    assert line.acknowledged() == b"\x40\x02\x00\x05"


def test_the_longest_that_is_allowed_is_whole(line: Line) -> None:
    """To the byte."""
    payload = b"z" * wire.MAX_MESSAGE
    line.say(published("a" * 1000, payload, 9), 100_000)
    assert line.came == [("a" * 1000, payload, False)]


def test_a_topic_that_is_no_text_is_acknowledged_and_ignored(line: Line) -> None:
    """Or it would come again and again."""
    line.say(b"\x32\x06\x00\x01\xff\x00\x03x" + published("a", b"1"))
    assert line.came == [("a", b"1", False)]
    assert line.acknowledged() == b"\x40\x02\x00\x03"


@pytest.mark.parametrize(
    "data", [b"\x30\x00", b"\x30\x02\x00\x05", b"\x32\x03\x00\x01a", b"\x30\xff\xff\xff\xff"]
)
def test_what_is_no_mqtt_ends_the_link(line: Line, data: bytes) -> None:
    """In words."""
    with pytest.raises(ValueError, match=NO_MQTT):
        line.say(data)
    assert line.came == []
