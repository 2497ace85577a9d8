"""What a board says: retained topics as they change, the rest in order; kept, within bounds, offline."""

import asyncio
import gc

from micropython import const
import wire

_MANY = const(24)  # messages that wait; of more, events are given up, and no command is taken
_BYTES = const(8192)  # of all that wait; with more, nothing is read
_SETTLE = const(20)  # ms in which changes of the state become one message


class Say:
    """The one who publishes.

    Attributes:
        link: The connection; set before ``run``.
        spare: Called where memory is too short to say something: gives up what can be done without.
        dropped: Messages that were given up, because too many waited.
    """

    def __init__(self, base, device_id):
        self._topic = base + "/" + device_id + "/"
        self._waiting = []  # (topic, payload, retained, QoS, may be dropped first)
        self._bytes = 0
        self._retained = []  # (kind, makes its payload, whether in pieces), in the order of saying
        self._changed = set()
        self._news = asyncio.Event()
        self.link = None
        self.spare = None
        self.dropped = 0

    def topic(self, kind):
        """The device's topic of a kind."""
        return self._topic + kind

    def retain(self, kind, make, in_pieces=False):
        """Name what says a retained topic: gives bytes, or a generator of them."""
        self._retained.append((kind, make, in_pieces))

    def changed(self, kind):
        """A retained topic is to be said again; what is said of it is made when its turn comes."""
        self._changed.add(kind)
        self._news.set()

    def all_changed(self):
        """A new link: everything retained is said again."""
        for kind, _, _ in self._retained:
            self._changed.add(kind)
        self._news.set()

    def put(self, kind, message, qos=1):
        """Say a message on the device's topic of a kind; as bytes, or to be encoded."""
        if qos or (self.link and self.link.up):  # progress that comes late is worth nothing
            payload = message if isinstance(message, bytes) else wire.encode(message).encode()
            self.publish(self._topic + kind, payload, False, qos, kind != "result")

    def publish(self, topic, payload, retained=False, qos=1, less=False):
        """Say bytes on any topic; ``less``: it goes first when too much waits."""
        self._waiting.append((topic, payload, retained, qos, less))
        self._bytes += len(payload)
        if len(self._waiting) > _MANY or self._bytes > _BYTES:
            self._drop()
        self._news.set()

    @property
    def is_full(self):
        """Whether so many messages wait that whoever sends commands has to wait, too."""
        return len(self._waiting) >= _MANY

    @property
    def is_heavy(self):
        """Whether what waits takes so much memory that nothing more should be read."""
        return self._bytes > _BYTES

    async def run(self):
        """Publish for ever."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._say()
            except (OSError, MemoryError) as error:
                if self.spare and isinstance(error, MemoryError):
                    self.spare()
                gc.collect()
                await asyncio.sleep_ms(100)  # what was not said stays
                if self.link.up:
                    self._news.set()

    async def _say(self):
        link = self.link
        while link.up and (self._changed or self._waiting):
            # Before what waits: who hears a result can trust the state.
            for kind, make, in_pieces in self._retained:
                if kind in self._changed:
                    if kind == "state" and not self._waiting:
                        await asyncio.sleep_ms(_SETTLE)
                    self._changed.discard(kind)
                    try:
                        if in_pieces:
                            await link.publish_pieces(self._topic + kind, make, True)
                        else:
                            await link.publish(self._topic + kind, make(), True, 1)
                    except (OSError, MemoryError):
                        self._changed.add(kind)
                        raise
            if self._waiting and not self._changed:
                first = self._waiting[0]
                topic, payload, retained, qos, _ = first
                if qos:
                    await link.publish(topic, payload, retained, qos)
                self._take(first)
                if not qos:
                    await link.publish(topic, payload, retained, qos)

    def _take(self, one):
        if one in self._waiting:
            self._waiting.remove(one)
            self._bytes -= len(one[1])

    def _drop(self):
        """Give up the oldest event, never a result: there are no more of those than commands at work."""
        for one in self._waiting:
            if one[4]:
                self._take(one)
                self.dropped += 1
                return
