"""What came and waits for its turn: a queue for each topic, so that a flood on one starves no other.

To read a message takes a hundredth of what it takes to do what it says. So everything that is there is read
at once, stops are looked at as they come, and the rest is done in turn over the topics. Where nothing waits a
message is done at once, without a queue.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
import logging
import time

from lab2mqtt import wire
from lab2mqtt.runtime.mqtt import Message

_LOGGER = logging.getLogger(__name__)

MESSAGES = 1024  # that wait on a topic: a burst of a script, each of which gets its answer
BYTES = 16 * wire.MAX_COMMAND  # of them; also a bound of the time that they take
AT_ONCE = 64  # topics that are served without a queue in one turn of the loop
SLICE = 0.001  # s; then the link is read again
REST = 10  # while more comes, this many times as long as was worked, which costs as much again later


class _Queue:
    """What waits on one topic."""

    def __init__(self) -> None:
        self.messages: deque[Message] = deque()
        self.size = 0  # bytes

    def take(self) -> Message:
        """Take the oldest."""
        message = self.messages.popleft()
        self.size -= len(message.payload)
        return message


class Inbox:
    """All topics of one bridge."""

    def __init__(self, handle: Callable[[Message], None], drop: Callable[[str], None]) -> None:
        """Make an empty one.

        Args:
            handle: Does what a message says.
            drop: Told of the topic of a message for which there is no room.
        """
        self._handle = handle
        self._drop = drop
        self._queues: OrderedDict[str, _Queue] = (
            OrderedDict()
        )  # where something waits, whose turn is next first
        self._served: set[str] = set()  # topics that were served without a queue in this turn of the loop
        self._working = self._more_came = False

    def waits(self, topic: str = "") -> bool:
        """Whether anything waits on a topic, or on any."""
        return topic in self._queues if topic else bool(self._queues)

    def put(self, message: Message) -> None:
        """Do what a message says now, in its turn, or never."""
        topic = message.topic
        self._more_came = True
        waiting = self._queues.get(topic)
        if waiting is None and topic not in self._served and len(self._served) < AT_ONCE:
            if not self._served:
                asyncio.get_running_loop().call_soon(self._served.clear)
            self._served.add(topic)
            self._handle(message)
            return
        if waiting is None:
            if not self._working:
                self._working = True
                asyncio.get_running_loop().call_soon(self._work)
            waiting = self._queues[topic] = _Queue()
        if len(waiting.messages) >= MESSAGES or waiting.size + len(message.payload) > BYTES:
            self._drop(topic)
            return
        waiting.messages.append(message)
        waiting.size += len(message.payload)

    def catch_up(self, topic: str = "") -> None:
        """Do now what waits on a topic, or on all: something came that must not overtake it."""
        for name in [topic] if topic else list(self._queues):
            waiting = self._queues.pop(name, None)
            while waiting and waiting.messages:
                self._do(waiting.take())

    def _work(self) -> None:
        """Do one message of each topic in turn, for a moment."""
        began = now = time.perf_counter()
        while self._queues and now - began < SLICE:
            topic, waiting = self._queues.popitem(last=False)
            message = waiting.take()
            if waiting.messages:
                self._queues[topic] = waiting  # behind the others
            self._do(message)
            now = time.perf_counter()
        self._working = bool(self._queues)
        if self._working and self._more_came:
            self._more_came = False
            asyncio.get_running_loop().call_later(REST * (now - began), self._work)
        elif self._working:
            asyncio.get_running_loop().call_soon(self._work)

    def _do(self, message: Message) -> None:
        try:
            self._handle(message)
        except Exception:
            _LOGGER.exception("A message on %s could not be handled", message.topic)
