"""The packets of MQTT 3.1.1 that a board sends."""

import struct

_CONNECT, _PUBLISH, _SUBSCRIBE = 0x10, 0x30, 0x82
PING = b"\xc0\x00"


def connect(client_id, will, keepalive, user, password):
    """Ask to be let in, with a clean session, and a will, (topic, payload), that is retained and of QoS 1."""
    flags = 0x2E
    texts = [client_id.encode(), will[0].encode(), will[1]]
    if user:
        flags |= 0x80
        texts.append(user.encode())
        if password:
            flags |= 0x40
            texts.append(password.encode())
    packet = _begun(_CONNECT, 10 + sum(len(text) + 2 for text in texts))
    packet.extend(b"\x00\x04MQTT\x04")
    packet.append(flags)
    packet.extend(struct.pack("!H", keepalive))
    for text in texts:
        _add(packet, text)
    return packet


def publish(topic, size, retain, qos, pid):
    """A message up to where its payload of that size begins; ``pid`` counts with QoS 1 alone."""
    where = topic.encode()
    packet = _begun(_PUBLISH | qos << 1 | (1 if retain else 0), len(where) + (4 if qos else 2) + size)
    _add(packet, where)
    if qos:
        packet.extend(struct.pack("!H", pid))
    return packet


def subscribe(topic, pid):
    """Ask for the messages of a topic, with QoS 1."""
    where = topic.encode()
    packet = _begun(_SUBSCRIBE, len(where) + 5)
    packet.extend(struct.pack("!H", pid))
    _add(packet, where)
    packet.append(1)
    return packet


def puback(pid):
    """Acknowledge the message of a packet id, as it came."""
    return b"\x40\x02" + pid


def _begun(kind, length):
    packet = bytearray((kind,))
    while length > 0x7F:
        packet.append(length & 0x7F | 0x80)
        length >>= 7
    packet.append(length)
    return packet


def _add(packet, text):
    packet.extend(struct.pack("!H", len(text)))
    packet.extend(text)
