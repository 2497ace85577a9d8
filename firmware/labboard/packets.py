"""The packets of MQTT 3.1.1 that a board sends as long as it has a link."""

import struct

from micropython import const

_PUBLISH = const(0x30)
PING = b"\xc0\x00"


def publish(topic, size, retain, qos, pid):
    """A message up to where its payload of that size begins; ``pid`` counts with QoS 1 alone."""
    where = topic.encode()
    packet = begun(_PUBLISH | qos << 1 | (1 if retain else 0), len(where) + (4 if qos else 2) + size)
    add(packet, where)
    if qos:
        packet.extend(struct.pack("!H", pid))
    return packet


def puback(pid):
    """Acknowledge the message of a packet id, as it came."""
    return b"\x40\x02" + pid


def begun(kind, length):
    """The head of a packet of a kind, with so many bytes behind it."""
    packet = bytearray((kind,))
    while length > 0x7F:
        packet.append(length & 0x7F | 0x80)
        length >>= 7
    packet.append(length)
    return packet


def add(packet, text):
    """Put a text, bytes, behind it, as MQTT has them."""
    packet.extend(struct.pack("!H", len(text)))
    packet.extend(text)
