"""A lock for a line that carries one exchange at a time: first come, first served, but urgent ones first."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
import threading


class PacketLock:
    """Mutual exclusion with an order.

    An emergency stop waits for the packet under way and for nothing else, however many threads poll. And
    nobody who polls without a pause keeps a move from looking: an ordinary lock goes to whoever is quickest.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._held = False
        self._urgent: deque[threading.Event] = deque()
        self._waiting: deque[threading.Event] = deque()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._urgent) + len(self._waiting)

    def is_urgent(self) -> bool:
        """Whether something urgent waits."""
        return bool(self._urgent)

    @contextmanager
    def hold(self, *, urgent: bool = False) -> Iterator[None]:
        """Have the line to oneself. Not reentrant."""
        with self._mutex:
            turn = None
            if self._held:
                turn = threading.Event()
                (self._urgent if urgent else self._waiting).append(turn)
            self._held = True
        if turn:
            turn.wait()
        try:
            yield
        finally:
            with self._mutex:
                # Handed on while it stays held, so that nobody slips in between.
                if queue := self._urgent or self._waiting:
                    queue.popleft().set()
                else:
                    self._held = False
