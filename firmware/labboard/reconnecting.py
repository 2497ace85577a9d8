"""A link that always comes back: what both transports have in common."""

import asyncio
from errno import ECONNREFUSED, ECONNRESET
import gc
import random
import sys
from time import ticks_diff, ticks_ms

from micropython import const

ANSWER = const(5000)  # ms within which the broker acknowledges a message, and answers a ping
_CONNECT = const(6000)  # ms for TCP and all subscriptions
_SECURED = const(20000)  # ms for the same with TLS; a Pico takes seconds for the handshake
_LONG = const(5000)  # ms, and twice our last pause: who puts us out as we do him comes back sooner than that
_SLOWEST = const(30000)  # ms between two attempts
_REFUSED = const(2000)  # ms, where the host is up and only the broker is not: a refusal costs nobody anything


class Reconnecting:
    """A link to the broker; how it speaks is another's business.

    Args:
        settings: ``broker`` (``host``, ``port``, ``tls``, ``ca``: a DER file), ``keepalive`` in s, ``user``,
            ``password``, ``ntp_host``.
        client_id: At most 23 characters are safe with every broker.
        will: (topic, payload), said retained by the broker when the link is lost.
        subscriptions: Topics, QoS 1, in this order.
        on_message: Called with topic, payload and whether it was retained. Its errors are printed. Of what
            was too long to be read, on one of the ``needed`` topics, the payload is None.
        on_up: A coroutine function, called after all subscriptions. Where it fails, the link is made anew.
        network: ``await ensure()`` returns once there is a network.
        max_packet: Bytes; a longer message is skipped, acknowledged and counted.

    Attributes:
        up: Whether all is subscribed.
        heard: ``ticks_ms`` of the last byte from the broker.
        reconnects: How often the link was lost.
        oversized: How many messages were skipped.
        refused: Topics that the broker did not let us read.
        why: Why there is no link; "" while there is one.
        safe_after: The shortest time in s after which somebody must know that the link is lost, or None.
        needed: So many of the subscriptions, the first ones, must be granted: the stop's.
    """

    def __init__(self, settings, client_id, will, subscriptions, on_message, on_up, network, max_packet=4608):
        self._settings = settings
        self._client_id = client_id
        self._will = will
        self._subscriptions = subscriptions
        self._on_message = on_message
        self._on_up = on_up
        self._network = network
        self._max_packet = max_packet
        self._task = self._failure = None
        self._quick_ends = 0
        self.up = False
        self.heard = ticks_ms()
        self.reconnects = 0
        self.oversized = 0
        self.refused = []
        self.why = ""
        self.safe_after = None
        self.needed = 1

    async def run(self):
        """Connect, and again, for ever."""
        failures = pause = 0
        while True:
            gc.collect()  # what the last session left, before TLS wants its buffers
            began = ticks_ms()
            was_up, error = await self._one_session()
            if was_up:
                self.reconnects += 1
                failures = 0
                # Taken over by another client of our id: two that come back at once would fight for ever.
                quick = ticks_diff(ticks_ms(), began) < _LONG + 2 * pause
                self._quick_ends = self._quick_ends + 1 if quick else 0
                pause = 1000 << min(max(0, self._quick_ends - 2), 5)
            else:
                pause = 1000 << min(failures, 5)
                failures += 1
                if error.args and error.args[0] in (ECONNREFUSED, ECONNRESET):
                    self._quick_ends = 0
                    pause = min(pause, _REFUSED)
            self._explain(error)
            self._failed(failures)
            await asyncio.sleep_ms(min(pause, _SLOWEST) * random.randint(50, 120) // 100)  # noqa: S311 - no secret

    async def publish(self, topic, payload, retain=False, qos=1):
        """Say it; with QoS 1 until the broker has it.

        Raises:
            OSError: There is no link, or the broker did not acknowledge it within 5 s.
        """
        await self._publish(topic, len(payload), (payload,), retain, qos)

    async def publish_pieces(self, topic, make_pieces, retain=False):
        """Say, QoS 1, what need not be in memory as a whole.

        Args:
            topic: Where.
            make_pieces: Gives the pieces, bytes, the same ones each time: it is called twice.
            retain: Whether the broker keeps it.

        Raises:
            OSError: As ``publish``.
        """
        size = 0
        for piece in make_pieces():
            size += len(piece)
        await self._publish(topic, size, make_pieces(), retain, 1)

    async def _one_session(self):
        """Connect, and stay until that ends: whether it was up, and why it ended."""
        watcher = None
        self._failure = None
        try:
            await self._network.ensure()
            self._task = asyncio.create_task(self._session())
            watcher = asyncio.create_task(self._watch())
            await self._task
        except asyncio.CancelledError:
            if self._failure is None:  # it is we who are ended, not the session
                raise
            return self.up, self._failure
        except Exception as error:
            return self.up, error
        finally:
            if watcher:
                watcher.cancel()
                self._task.cancel()
            self._task = None
            self._close()
            self.up = False

    async def _session(self):
        self.refused = []
        await self._open()
        self.up = True
        self.why = ""
        starter = asyncio.create_task(self._start())
        try:
            await self._serve()
        finally:
            starter.cancel()

    async def _start(self):
        try:
            await self._on_up()
        except Exception as error:
            self._drop(error)

    async def _watch(self):
        """Ask often enough for a sign of life, and end a session that gives none."""
        every = self._every()
        limit = _SECURED if self._settings["broker"].get("tls") else _CONNECT
        began = ticks_ms()
        while True:
            await asyncio.sleep_ms(every)
            if not self.up:
                if ticks_diff(ticks_ms(), began) > limit:
                    self._drop(OSError("the broker did not let us in within %d s" % (limit // 1000)))
            elif ticks_diff(ticks_ms(), self.heard) > every + ANSWER:
                self._drop(OSError("the broker is silent"))
            else:
                await self._ping()

    def _every(self):
        """How often the broker is asked, in ms."""
        every = self._settings["keepalive"] * 500
        return min(every, int(self.safe_after * 1000) // 3) if self.safe_after else every

    def _drop(self, error):
        """End the session from outside it."""
        if self._task and self._task is not asyncio.current_task() and not self._task.done():
            self._failure = error
            self._task.cancel()

    def _refuse(self, number):
        """The broker does not let us read one of the subscriptions."""
        topic = self._subscriptions[number]
        self.refused.append(topic)
        print("mqtt: the broker does not let us read", topic)
        if number < self.needed:
            raise OSError("the broker does not let us read " + topic + ", without which nothing may run")

    def _take(self, topic, payload, retained):
        """Hand a message on; of one that was too long (None) only that it came, where that may be a stop."""
        try:
            topic = str(topic, "utf-8")
            if payload is None:
                self.oversized += 1
                if topic not in self._subscriptions[: self.needed]:
                    return
            self._on_message(topic, None if payload is None else bytes(payload), retained)
        except Exception as error:  # else a retained one would end every link
            sys.print_exception(error)

    def _explain(self, error):
        """Print why there is no link; the same only once."""
        why = str(error) if isinstance(error, (OSError, ValueError)) else repr(error)
        if self._quick_ends > 1:
            why += "; is there another client called " + self._client_id + "?"
        if why != self.why:
            self.why = why
            print("mqtt:", why)

    def _failed(self, failures):
        """So many attempts in a row have failed."""
