"""Boards that speak under the same prefix: which there are, and how they are stopped."""

from collections.abc import Callable, Iterable
import json
from pathlib import Path
import threading
import time

from lab2mqtt.props.base import ONLINE
from lab2mqtt.runtime.mqtt import Message

MOST = 1000
WORKER = Path(__file__).with_name("firmware_worker.py")  # speaks for a board that has none
NEW_AFTER = 5.0  # s; a worker that owns it may still be starting


class Firmware:
    """The boards and props that are heard of beside our own workers."""

    def __init__(self, prefix: str, is_ours: Callable[[str], bool]) -> None:
        """Know of none yet.

        Args:
            prefix: In front of all topics.
            is_ours: Whether a name is one of our workers, or the host's.
        """
        self.topics = (f"{prefix}/+/availability", f"{prefix}/+/status/availability")
        self._is_ours = is_ours
        self._lock = threading.Lock()
        self._online: dict[str, float] = {}  # since when, by the monotonic clock
        self._cleared: set[str] = set()

    def hear(self, message: Message) -> None:
        """Take an availability."""
        name = message.topic.split("/status/")[0].removesuffix("/availability").rpartition("/")[2]
        if self._is_ours(name):
            return
        with self._lock:
            if message.payload != ONLINE.encode():
                self._online.pop(name, None)
                if not message.payload:
                    self._cleared.add(name)
            elif len(self._online) < MOST:
                self._online.setdefault(name, time.monotonic())

    @property
    def online(self) -> list[str]:
        """Those that say that they are there; from any thread."""
        with self._lock:
            return list(self._online)

    @property
    def settled(self) -> list[str]:
        """Those that have been there for a while."""
        until = time.monotonic() - NEW_AFTER
        with self._lock:
            return [name for name, since in self._online.items() if since < until]

    def take_cleared(self) -> set[str]:
        """Those that somebody has cleared from the broker since this was asked last."""
        with self._lock:
            cleared, self._cleared = self._cleared, set()
        return cleared


def orders(prefix: str, names: Iterable[str], actions: Iterable[str]) -> list[tuple[str, str]]:
    """What to publish, so that each of some boards hears each of some actions; topic and payload."""
    return [(f"{prefix}/{name}/cmd", json.dumps({"action": action})) for name in names for action in actions]
