"""The link on mqtt_as, for those who know and trust it; with the face of ``labboard.mqtt``.

A client of mqtt_as serves one connection here. When that ends we make a new one, as its own way back has an
end: an error of TLS stops it for ever, and it leaves the Wi-Fi where only the broker was away. What it does
not do is added in ``mqtt_as_client``. It looks at its socket hundreds of times a second, and a TLS handshake
blocks the loop.
"""

from errno import ENOTCONN

from mqtt_as import config as defaults

from labboard import clock
from labboard.mqtt_as_client import Client
from labboard.reconnecting import ANSWER, Reconnecting


class Link(Reconnecting):
    """The link to the broker, as ``Reconnecting`` tells."""

    def __init__(self, *args):
        super().__init__(*args)
        self._client = None
        self._denied = []  # topics that would end each connection

    async def _publish(self, topic, size, pieces, retain, qos):
        """Publish; what ends in the middle of a packet ends the connection."""
        if not self.up:
            raise OSError(ENOTCONN, "no link to the broker")
        client = self._client
        try:
            await client.say(topic, size, pieces, retain, qos)
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
        client = self._client = Client(settings, self, self._every(), self._max_packet)
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
            payload = None
        self._take(topic, payload, retained)
