"""Firmware that speaks under the same prefix: which there is, and how it is stopped."""

from collections.abc import Callable, Iterable
import json
import threading

from lab2mqtt.props.base import ONLINE
from lab2mqtt.runtime.mqtt import Message

MOST = 1000


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
        self._online: dict[str, None] = {}

    def hear(self, message: Message) -> None:
        """Take an availability."""
        name = message.topic.split("/status/")[0].removesuffix("/availability").rpartition("/")[2]
        if self._is_ours(name):
            return
        with self._lock:
            if message.payload != ONLINE.encode():
                self._online.pop(name, None)
            elif len(self._online) < MOST:
                self._online[name] = None

    @property
    def online(self) -> list[str]:
        """Those that say that they are there; from any thread."""
        with self._lock:
            return list(self._online)


def orders(prefix: str, names: Iterable[str], actions: Iterable[str]) -> list[tuple[str, str]]:
    """What to publish, so that each of some boards hears each of some actions; topic and payload."""
    return [(f"{prefix}/{name}/cmd", json.dumps({"action": action})) for name in names for action in actions]
