"""How a board gets its link to the broker: needed at the beginning of one."""

import asyncio
from errno import EINPROGRESS
import socket
import struct
import sys

from micropython import const

from labboard.packets import add, begun

_CONNECT = const(0x10)
_SUBSCRIBE = const(0x82)
_REASONS = ("", "protocol", "client id", "not ready", "user or password", "not authorised")  # CONNACK


def look_up(broker):
    """Find the broker's address, as ``join`` takes it; blocks everything meanwhile.

    Raises:
        OSError: Nobody knows its name.
    """
    port = broker.get("port") or (8883 if broker.get("tls") else 1883)
    return socket.getaddrinfo(broker["host"], port, 0, socket.SOCK_STREAM)[0]


async def join(address, settings, client_id, will):
    """Connect: the socket, and its stream, on which the broker has let us in.

    Args:
        address: Of ``look_up``.
        settings: As ``Reconnecting`` takes them.
        client_id: Ours.
        will: (topic, payload).

    Raises:
        OSError: There is no broker there, or it does not let us in.
        ValueError: Its certificate is wrong.
    """
    broker = settings["broker"]
    family, kind, protocol, _, place = address
    plain = used = socket.socket(family, kind, protocol)
    let_in = False
    try:
        plain.setblocking(0)
        no_delay = getattr(socket, "TCP_NODELAY", 1 if sys.platform in ("linux", "darwin") else None)
        if no_delay is not None:
            plain.setsockopt(getattr(socket, "IPPROTO_TCP", 6), no_delay, 1)
        try:
            plain.connect(place)
        except OSError as error:
            if error.errno != EINPROGRESS:
                raise
        if broker.get("tls"):
            used = _secured(plain, broker["host"], broker["ca"])
        stream = asyncio.StreamWriter(used)
        # drain() waits until there is a connection; write() would try at once.
        stream.out_buf = _connect(
            client_id, will, settings["keepalive"], settings.get("user"), settings.get("password")
        )
        await stream.drain()
        try:
            head, length, _, code = await stream.readexactly(4)
        except EOFError:
            raise OSError("the broker closed the connection")
        if head != 0x20 or length != 2:
            raise OSError("that is no MQTT broker")
        if code:
            raise OSError("the broker refuses us: " + (_REASONS[code] if code < len(_REASONS) else str(code)))
        let_in = True
    finally:
        if not let_in:
            used.close()
    return used, stream


def subscribe(topic, pid):
    """Ask for the messages of a topic, with QoS 1."""
    where = topic.encode()
    packet = begun(_SUBSCRIBE, len(where) + 5)
    packet.extend(struct.pack("!H", pid))
    add(packet, where)
    packet.append(1)
    return packet


def _connect(client_id, will, keepalive, user, password):
    """Ask to be let in, with a clean session, and a will, (topic, payload), that is retained and of QoS 1."""
    flags = 0x2E
    texts = [client_id.encode(), will[0].encode(), will[1]]
    if user:
        flags |= 0x80
        texts.append(user.encode())
        if password:
            flags |= 0x40
            texts.append(password.encode())
    packet = begun(_CONNECT, 10 + sum(len(text) + 2 for text in texts))
    packet.extend(b"\x00\x04MQTT\x04")
    packet.append(flags)
    packet.extend(struct.pack("!H", keepalive))
    for text in texts:
        add(packet, text)
    return packet


def _secured(plain, host, ca):
    """TLS with the broker's own authority and its name, by a DER file: not every port reads PEM."""
    import tls

    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED
    with open(ca, "rb") as file:
        context.load_verify_locations(file.read())
    secured = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
    secured.setblocking(0)
    return secured
