"""The link on mqtt_as, for those who know and trust it; with the face of ``labboard.mqtt``.

A client of mqtt_as serves one connection here. When that ends we make a new one, as its own way back has an
end: an error of TLS stops it for ever, and it leaves the Wi-Fi where only the broker was away. What it does
not do is added in ``_Client``. It looks at its socket hundreds of times a second, and a TLS handshake blocks
the loop.
"""

import asyncio
from errno import ENOTCONN
from time import ticks_ms

from micropython import const
from mqtt_as import MQTT_base, MQTTClient, config as defaults

from labboard import clock, packets
from labboard.reconnecting import ANSWER, Reconnecting

_PIECE = const(256)  # bytes


class _Client(MQTTClient):
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

    async def say(self, topic, payload, retain, qos):
        """Publish once."""
        await MQTT_base.publish(self, topic.encode(), payload, retain, qos)

    async def say_pieces(self, topic, size, pieces, retain):
        """Publish in pieces, QoS 1, once."""
        pid = next(self.newpid)
        self.rcv_pids.add(pid)
        async with self.lock:
            await self._as_write(packets.publish(topic, size, retain, 1, pid))
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


class Link(Reconnecting):
    """The link to the broker, as ``Reconnecting`` tells."""

    def __init__(self, *args):
        super().__init__(*args)
        self._client = None
        self._denied = []  # topics that would end each connection

    async def publish(self, topic, payload, retain=False, qos=1):
        """Say it; with QoS 1 until the broker has it.

        Raises:
            OSError: There is no link, or the broker did not acknowledge it within 5 s.
        """
        client = self._there()
        await self._whole(client, client.say(topic, payload, retain, qos))

    async def publish_pieces(self, topic, make_pieces, retain=False):
        """Say, QoS 1, what need not be in memory as a whole.

        Args:
            topic: Where.
            make_pieces: Gives the pieces, bytes, the same ones each time: it is called twice.
            retain: Whether the broker keeps it.

        Raises:
            OSError: As ``publish``.
        """
        client = self._there()
        size = sum(len(piece) for piece in make_pieces())
        await self._whole(client, client.say_pieces(topic, size, make_pieces(), retain))

    def _there(self):
        if not self.up:
            raise OSError(ENOTCONN, "no link to the broker")
        return self._client

    async def _whole(self, client, publishing):
        """Publish; what ends in the middle of a packet ends the connection."""
        try:
            await publishing
        except OSError as error:
            if error.args == (-1,) and self._client is client and self.up:
                raise OSError("the broker did not acknowledge a message")
            client.end()
            raise OSError(ENOTCONN, "the link was lost")
        except BaseException:
            client.end()
            raise

    async def _open(self):
        broker = self._settings["broker"]
        settings = dict(defaults)
        settings.update(
            client_id=self._client_id.encode(),
            server=broker["host"],
            port=broker.get("port", 0),
            user=(self._settings.get("user") or "").encode(),
            password=(self._settings.get("password") or "").encode(),
            keepalive=self._settings["keepalive"],
            response_time=ANSWER // 1000,
            max_repubs=0,  # who publishes tries again
            will=(self._will[0].encode(), self._will[1], True, 1),
            subs_cb=self._hear,
        )
        if broker.get("tls"):
            if clock.now() is None:
                await clock.sync(self._settings["ntp_host"])
            with open(broker["ca"], "rb") as file:
                authority = file.read()
            # 2: a certificate is required; it would do without one.
            settings["ssl"] = True
            settings["ssl_params"] = {"server_hostname": broker["host"], "cert_reqs": 2, "cadata": authority}
        client = self._client = _Client(settings, self, self._every(), self._max_packet)
        await client.connect(quick=True)
        for number, topic in enumerate(self._subscriptions):
            if topic in self._denied:
                self._refuse(number)
            else:
                await self._subscribe(client, number, topic)

    async def _subscribe(self, client, number, topic):
        try:
            await client.listen(topic)
        except OSError:
            # A refusal ends its connection; so the next one goes without.
            if "SUBACK" in str(client.why):
                self._refuse(number)
                self._denied.append(topic)
            raise client.why or OSError("the broker did not take a subscription")

    async def _serve(self):
        await self._client.ended.wait()
        raise self._client.why or OSError("the link was lost")

    async def _ping(self):
        """Leave it to mqtt_as."""

    def _close(self):
        if self.up:
            self._denied = []
        if self._client:
            self._client.end()
            self._client = None

    def _hear(self, topic, payload, retained, *_):
        client = self._client
        if client and client.too_long:
            client.too_long = False
            self.oversized += 1
        else:
            self._take(topic, payload, retained)
