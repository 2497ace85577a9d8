"""What workers' threads hand over to the main loop: fairly, and no faster than that can take it."""

import asyncio
from collections import deque
from collections.abc import Callable
import contextlib
import logging
import threading
import time
from typing import NamedTuple

from lab2mqtt.props.topics import topic_or_error

_LOGGER = logging.getLogger(__name__)

AT_ONCE = 32  # messages of one box in one turn
BYTES_AT_ONCE = 64 * 1024  # of one box in one turn, the last message apart
ROOM = 256  # that wait; who has more to say waits
ROOM_BYTES = 2_000_000  # of them
PATIENCE = 0.5  # s that it waits
TURN = 0.005  # s of the main loop in one turn
LOOK_AGAIN = 0.002  # s, where the broker does not keep up
LONGEST = 1_000_000  # bytes of a message; mosquitto 2.1 drops the link for one of 2 MB


class Message(NamedTuple):
    """What is to be published."""

    topic: str
    payload: str
    qos: int
    retain: bool


class Outbox:
    """All workers' way into the main loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        say: Callable[[Message], None],
        is_behind: Callable[[], bool] = lambda: False,
    ) -> None:
        """Hand nothing over yet.

        Args:
            loop: The main loop.
            say: Called there with each message.
            is_behind: Tells there whether the broker does not take what was said; then only stops go out.
        """
        self._loop = loop
        self._say = say
        self._is_behind = is_behind
        self._lock = threading.Lock()
        self._first: deque[Callable[[], object]] = deque()
        self._full: deque[Box] = deque()  # with something in them, by whose turn it is
        self._is_coming = False

    def box(self, name: str) -> "Box":
        """A box for one worker."""
        return Box(name, self)

    def run_first(self, function: Callable[[], object]) -> None:
        """Run a function in the main loop before all that waits; from any thread, which never waits."""
        self._first.append(function)
        self._come()

    async def drained(self, within: float = 1.0) -> None:
        """Wait, in the main loop, until all that workers have handed over has been said.

        Args:
            within: Seconds; one that never falls silent is not waited for.
        """
        until = time.monotonic() + within
        while self._is_coming and time.monotonic() < until:  # noqa: ASYNC110 - each turn says some of it
            await asyncio.sleep(0)

    def say(self, message: Message) -> None:
        """Say a message, in the main loop."""
        self._say(message)

    def take_up(self, box: "Box") -> None:
        """A box has something in it again."""
        self._full.append(box)
        self._come()

    def is_here(self) -> bool:
        """Whether this is the main loop, which never waits for itself."""
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    def _come(self) -> None:
        with self._lock:
            if self._is_coming:
                return
            self._is_coming = True
        with contextlib.suppress(RuntimeError):  # the host has ended
            self._loop.call_soon_threadsafe(self._turn)

    def _turn(self) -> None:
        until = time.monotonic() + TURN
        for _ in range(len(self._first)):
            _try(self._first.popleft())
        is_behind = self._is_behind()
        if not is_behind:
            for _ in range(len(self._full)):
                box = self._full.popleft()
                if box.hand_over(until):
                    self._full.append(box)
                if time.monotonic() > until:
                    break
        with self._lock:
            self._is_coming = bool(self._first or self._full)
            if self._is_coming:
                self._loop.call_later(LOOK_AGAIN if is_behind else 0, self._turn)


class Box:
    """What one worker says and asks of the main loop, in order. It loses nothing but what waits too long.

    Attributes:
        dropped: How many messages were lost.
    """

    def __init__(self, name: str, outbox: Outbox) -> None:
        """Make a box; ``Outbox.box`` does.

        Args:
            name: Whose it is, for the log.
            outbox: Of all.
        """
        self._name = name
        self._outbox = outbox
        self._changed = threading.Condition()
        self._waiting: deque[Message | Callable[[], object]] = deque()
        self._size = 0  # of what waits
        self._is_listed = False
        self._closed = False
        self.dropped = 0

    def put(self, topic: str, payload: str, qos: int = 0, retain: bool = False) -> None:  # noqa: FBT001, FBT002
        """Hand a message over; from any thread, which waits up to half a second where too many wait.

        Then the oldest is dropped that the broker would not have to confirm.

        Raises:
            ValueError: No broker would take it, and might drop the link for it.
        """
        self._put(_message(topic, payload, qos, retain=retain))

    def urgent(self, topic: str, payload: str, qos: int = 1, retain: bool = False) -> None:  # noqa: FBT001, FBT002
        """Hand over what passes all that waits, of whomever: a stop. Never waits.

        What waits for the same topic is dropped: it would be done after the stop.

        Raises:
            ValueError: No broker would take it.
        """
        message = _message(topic, payload, qos, retain=retain)
        with self._changed:
            kept = [one for one in self._waiting if not isinstance(one, Message) or one.topic != topic]
            self._waiting = deque(kept)
            self._size = sum(map(_size, kept))
        self._outbox.run_first(lambda: self._do(message))

    def run_soon(self, function: Callable[[], object]) -> None:
        """Run a function in the main loop, unless the box is closed by then; waits as ``put`` does."""
        self._put(function)

    async def drained(self, within: float = 0.5) -> None:
        """Wait, in the main loop, until what has been handed over by now has been said.

        Args:
            within: Seconds; the broker may not take it.
        """
        said = asyncio.Event()
        with self._changed:
            self._waiting.append(said.set)
            is_listed, self._is_listed = self._is_listed, True
        if not is_listed:
            self._outbox.take_up(self)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await said.wait()

    def close(self) -> None:
        """Let nothing of it go out any more: its worker was given up."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._size = 0
            self._changed.notify_all()

    def hand_over(self, until: float) -> bool:
        """Say and do some of it, in the main loop.

        Args:
            until: Monotonic seconds when it is enough.

        Returns:
            Whether there is more.
        """
        size = 0
        for _ in range(AT_ONCE):
            with self._changed:
                if not self._waiting:
                    break
                one = self._waiting.popleft()
                self._size -= _size(one)
            self._do(one)
            size += _size(one)
            if size >= BYTES_AT_ONCE or time.monotonic() > until:
                break
        with self._changed:
            self._changed.notify_all()
            self._is_listed = bool(self._waiting)
            return self._is_listed

    def _put(self, one: Message | Callable[[], object]) -> None:
        with self._changed:
            is_here = self._outbox.is_here()
            if self._is_full() and not is_here:
                self._changed.wait_for(lambda: self._closed or not self._is_full(), PATIENCE)
            if self._closed:
                return
            if self._is_full() and not self._drop_one() and is_here and not _is_kept(one):
                self.dropped += 1  # else it would grow as long as others may ask something of the worker
                return
            self._waiting.append(one)
            self._size += _size(one)
            if self._is_listed:
                return
            self._is_listed = True
        self._outbox.take_up(self)

    def _is_full(self) -> bool:
        return len(self._waiting) >= ROOM or self._size >= ROOM_BYTES

    def _do(self, one: Message | Callable[[], object]) -> None:
        if not self._closed:
            _try((lambda: self._outbox.say(one)) if isinstance(one, Message) else one)

    def _drop_one(self) -> bool:
        waiting = enumerate(self._waiting)
        oldest = next((place for place, one in waiting if isinstance(one, Message) and not one.qos), None)
        if oldest is None:
            return False
        self._size -= _size(self._waiting[oldest])
        del self._waiting[oldest]
        if not self.dropped:
            _LOGGER.warning("%s says more than can be sent; the oldest is dropped", self._name)
        self.dropped += 1
        return True


def _message(topic: str, payload: str, qos: int, *, retain: bool) -> Message:
    if (size := len(payload.encode())) > LONGEST:
        raise ValueError(f"a message on {topic} has {size} bytes; at most {LONGEST} go")
    return Message(topic_or_error(topic), payload, qos, retain)


def _is_kept(one: Message | Callable[[], object]) -> bool:
    """Whether the broker keeps it: what a newcomer is told must be right."""
    return isinstance(one, Message) and one.retain


def _size(one: Message | Callable[[], object]) -> int:
    return len(one.payload) if isinstance(one, Message) else 0


def _try(function: Callable[[], object]) -> None:
    try:
        function()
    except Exception:
        _LOGGER.exception("what a worker said could not be passed on")
