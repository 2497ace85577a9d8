"""As much of MQTT 3.1.1's framing as it takes to deliver a PUBLISH twice."""

from collections.abc import Iterator

PUBLISH, PUBACK = 3, 4
_DUP = 0x08
_QOS_1 = 0x02
_MORE = 0x80  # another byte of the length follows


class Framer:
    """Cuts a stream of bytes into whole packets."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The packets that are complete by now."""
        self._rest += data
        while (length := _whole(self._rest)) is not None:
            yield self._rest[:length]
            self._rest = self._rest[length:]


def kind(packet: bytes) -> int:
    """The control packet type."""
    return packet[0] >> 4


def packet_id(packet: bytes) -> int | None:
    """The id of a PUBACK or of a PUBLISH with QoS 1; None where there is none."""
    if kind(packet) == PUBACK:
        return int.from_bytes(packet[2:4], "big")
    if kind(packet) == PUBLISH and packet[0] & 0x06 == _QOS_1:
        at = _id_at(packet)
        return int.from_bytes(packet[at : at + 2], "big")
    return None


def duplicate(packet: bytes, new_id: int | None = None) -> bytes:
    """A PUBLISH with QoS 1 once more: marked as a repeat, or as a message of its own with another id."""
    if new_id is None:
        return bytes([packet[0] | _DUP]) + packet[1:]
    at = _id_at(packet)
    return packet[:at] + new_id.to_bytes(2, "big") + packet[at + 2 :]


def _id_at(packet: bytes) -> int:
    head = _head(packet)
    return head + 2 + int.from_bytes(packet[head : head + 2], "big")


def _head(packet: bytes) -> int:
    """How long the fixed header is."""
    at = 1
    while packet[at] & _MORE:
        at += 1
    return at + 1


def _whole(data: bytes) -> int | None:
    """How long the first packet is, None while it is not all there."""
    length, shift, at = 0, 0, 1
    while at < len(data):
        length |= (data[at] & ~_MORE) << shift
        at += 1
        if not data[at - 1] & _MORE:
            return at + length if at + length <= len(data) else None
        shift += 7
    return None
