"""MQTT 3.1.1 over asyncio streams, without polling; it takes no message larger than it wants."""

import asyncio
from errno import ENOTCONN
import struct
from time import ticks_ms

from micropython import const

from labboard import clock, packets
from labboard.borrowed import borrow
from labboard.reconnecting import ANSWER, Reconnecting

_PIECE = const(256)  # bytes
_TOGETHER = const(256)  # bytes that are put together to one write; more would need their room twice
_RECENT = const(8)  # messages


class Link(Reconnecting):
    """The link to the broker, as ``Reconnecting`` tells."""

    def __init__(self, *args, **named):
        super().__init__(*args, **named)
        self._address = None  # kept: looking a name up blocks everything
        self._stream = self._socket = None
        self._lock = asyncio.Lock()  # a packet at a time
        self._pid = 0
        self._waiting = {}  # packet id → event of its PUBACK
        self._taken = []  # the last packet ids of the broker's
        self._granted = None

    async def _publish(self, topic, size, pieces, retain, qos):
        if not self.up:
            raise OSError(ENOTCONN, "no link to the broker")
        pid = acknowledged = None
        if qos:
            pid = self._next_pid()
            acknowledged = self._waiting[pid] = asyncio.Event()
        packet = packets.publish(topic, size, retain, qos, pid)
        try:
            await self._write(packet, pieces)
            if qos:
                await asyncio.wait_for_ms(acknowledged.wait(), ANSWER)
        except asyncio.TimeoutError:
            raise OSError("the broker did not acknowledge a message on " + topic)
        finally:
            lost = self._waiting.pop(pid, None)
        if lost:
            raise OSError(ENOTCONN, "the link was lost")

    def _next_pid(self):
        while True:
            self._pid = self._pid % 65535 + 1
            if self._pid not in self._waiting:
                return self._pid

    async def _write(self, packet, pieces=()):
        """Write a packet, a short one in one go. Who is ended in the middle of it ends the link."""
        async with self._lock:
            stream = self._stream
            if stream is None:
                raise OSError(ENOTCONN, "no link to the broker")
            done = False
            try:
                for piece in pieces:
                    if len(packet) + len(piece) > _TOGETHER:
                        stream.write(packet)
                        await _drain(stream)
                        packet = bytearray()
                    if len(piece) > _TOGETHER:
                        stream.write(piece)
                        await _drain(stream)
                    else:
                        packet.extend(piece)
                if packet:
                    stream.write(packet)
                    await _drain(stream)
                done = True
            finally:
                if not done and self._stream is stream:
                    self._drop(OSError(ENOTCONN, "writing to the broker broke off"))

    async def _serve(self):
        while True:
            await self._receive()

    async def _ping(self):
        # Where something is being sent, an answer to that is due. And whoever waits here, waits for the dead.
        if not self._lock.locked():
            try:
                self._stream.write(packets.PING)
            except OSError as error:
                self._drop(error)

    def _close(self):
        self._stream = None
        if self._socket:
            try:
                self._socket.close()
            except OSError:
                pass
            self._socket = None
        for event in self._waiting.values():
            event.set()

    def _failed(self, failures):
        if failures % 4 == 3:
            self._address = None

    async def _open(self):
        self._lock = asyncio.Lock()  # whoever holds the last one may wait for a socket that is closed
        self._taken = []
        joining = borrow("joining")
        settings = self._settings
        if settings["broker"].get("tls") and clock.now() is None:
            await clock.sync(settings["ntp_host"])  # a certificate is valid from a day to a day
        if self._address is None:
            self._address = joining.look_up(settings["broker"])
        self._socket, self._stream = await joining.join(self._address, settings, self._client_id, self._will)
        self.heard = ticks_ms()
        for number, topic in enumerate(self._subscriptions):
            pid = self._next_pid()
            if await self._subscribe(joining.subscribe(topic, pid), pid) & 0x80:
                self._refuse(number)

    async def _subscribe(self, packet, pid):
        """Ask for a topic: the code of the SUBACK."""
        self._granted = None
        await self._write(packet)
        while self._granted is None or self._granted[0] != pid:
            await self._receive()
        return self._granted[1]

    async def _receive(self):
        """Read one packet and do what it asks for."""
        head = (await self._read(1))[0]
        size = shift = 0
        while True:
            byte = (await self._read(1))[0]
            size |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 21:
                raise OSError("the broker sent a length that is none")
        kind = head & 0xF0
        if kind == 0x30:
            await self._receive_message(head, size)
            return
        if size > _PIECE:
            raise OSError("the broker sent a packet of %d bytes that we did not ask for" % size)
        body = await self._read(size)
        if kind == 0x40:
            event = self._waiting.pop(struct.unpack_from("!H", body)[0], None)
            if event:
                event.set()
        elif kind == 0x90:
            self._granted = struct.unpack_from("!HB", body)

    async def _receive_message(self, head, size):
        """Read the rest of a PUBLISH, hand it on and acknowledge it."""
        qos = head >> 1 & 3
        where = struct.unpack("!H", await self._read(2))[0]
        rest = size - 2 - where - (2 if qos else 0)
        if qos > 1 or rest < 0:
            raise OSError("the broker sent a message that is none, or of QoS 2")
        payload = None
        if size <= self._max_packet:
            try:
                payload = bytearray(rest)
            except MemoryError:
                pass
        topic = await self._read(where)
        pid = await self._read(2) if qos else None
        if payload is None:
            await self._skip(rest)
        else:
            await self._fill(payload)
        # What we have acknowledged on this link comes again only from a broker that missed that.
        if not (head & 8 and pid in self._taken):
            self._take(topic, payload, bool(head & 1))
        if qos:
            self._taken = self._taken[1 - _RECENT :] + [pid]  # noqa: RUF005 - MicroPython
            await self._write(packets.puback(pid))

    async def _read(self, count):
        buffer = bytearray(count)
        await self._fill(buffer)
        return buffer

    async def _skip(self, count):
        buffer = memoryview(bytearray(min(count, _PIECE)))
        while count:
            piece = buffer[:count]
            await self._fill(piece)
            count -= len(piece)

    async def _fill(self, buffer):
        view = memoryview(buffer)
        while view:
            count = await self._stream.readinto(view)
            if count == 0:
                raise OSError("the broker closed the connection")
            if count:
                self.heard = ticks_ms()
                view = view[count:]


async def _drain(stream):
    """Send what waits, within a time: a socket that is closed meanwhile never says that it takes more."""
    if stream.out_buf:
        await asyncio.wait_for_ms(stream.drain(), ANSWER)
