"""One connection of mqtt_as, with what it does not do by itself."""

import asyncio
from time import ticks_ms

from micropython import const
from mqtt_as import MQTT_base, MQTTClient

from labboard import packets

_PIECE = const(256)  # bytes


class Client(MQTTClient):
    """One connection.

    Attributes:
        ended: Set when it has ended.
        why: The error that ended it, or None.
        too_long: Whether the message that is handed on was skipped.
    """

    def __init__(self, settings, link, every, max_packet):
        super().__init__(settings)
        self._ping_interval = every  # its own setting is in whole seconds
        self._link = link
        self._longest = max_packet
        self.ended = asyncio.Event()
        self.why = None
        self.too_long = False

    async def wifi_connect(self, *_):
        """Leave the Wi-Fi alone: it was joined before."""

    async def wait_msg(self):
        """Expect every error: it knows OSError alone, and its task would die of others."""
        try:
            await super().wait_msg()
        except Exception as error:
            self.why = error
            raise OSError(-1)

    async def say(self, topic, size, pieces, retain, qos):
        """Publish once, what has so many bytes in its pieces."""
        if not qos:
            await MQTT_base.publish(self, topic.encode(), b"".join(pieces), retain, 0)
            return
        pid = next(self.newpid)
        self.rcv_pids.add(pid)
        async with self.lock:
            await self._as_write(packets.publish(topic, size, retain, qos, pid))
            for piece in pieces:
                await self._as_write(piece)
        if not await self._await_pid(pid):
            raise OSError(-1)

    async def listen(self, topic):
        """Subscribe once, QoS 1."""
        await MQTT_base.subscribe(self, topic.encode(), 1)

    def end(self):
        """End, for ever."""
        self._has_connected = self._isconnected = self._in_connect = False
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self._close()
        self.ended.set()

    def _reconnect(self):
        if self._isconnected:
            self._isconnected = self._has_connected = False
            self.ended.set()

    async def _as_read(self, n, sock=None):
        if n > self._longest:
            self.too_long = True
            while n:
                n -= len(await self._as_read(min(n, _PIECE), sock))
            return b""
        found = await super()._as_read(n, sock)
        self._link.heard = ticks_ms()
        return found
