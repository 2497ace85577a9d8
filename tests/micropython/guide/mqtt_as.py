"""Stands in for mqtt_as, with the part of its face that the guide's program uses, on our own transport.

As there: the first connection that fails ends the program, a lost one comes back by itself, what was
subscribed to is not subscribed to again, and topic and message are bytes.
"""

import asyncio

from labboard import joining
from labboard.mqtt import Link

config = {"client_id": "board", "server": None, "port": 1883, "keepalive": 60, "will": None, "subs_cb": None}


class _Network:
    async def ensure(self):
        """The Wi-Fi is there."""


class MQTTClient:
    """One link."""

    def __init__(self, settings):
        self._subs_cb = settings["subs_cb"]
        topic, payload = settings["will"][:2]
        told = {
            "broker": {"host": settings["server"], "port": settings["port"]},
            "keepalive": settings["keepalive"],
            "ntp_host": "",
        }
        will = (topic, payload.encode())
        self._up = asyncio.Event()
        self._link = Link(told, settings["client_id"], will, [], self._heard, self._came, _Network())
        self._link.needed = 0

    async def connect(self, quick=False):
        """Connect."""
        del quick
        self._running = asyncio.create_task(self._link.run())
        await asyncio.wait_for(self._up.wait(), 10)

    async def subscribe(self, topic, qos):
        """Subscribe on this connection."""
        del qos
        link = self._link
        pid = link._next_pid()
        await link._write(joining.subscribe(topic, pid))
        while link._granted is None or link._granted[0] != pid:
            await asyncio.sleep_ms(10)

    async def publish(self, topic, msg, retain=False, qos=0):
        """Say it."""
        await self._link.publish(topic, msg.encode(), retain, qos)

    async def _came(self):
        self._up.set()

    def _heard(self, topic, payload, retained):
        self._subs_cb(topic.encode(), payload, retained)
