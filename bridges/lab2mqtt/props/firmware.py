"""Boards that speak under the same prefix: which there are, and how they are stopped."""

from collections.abc import Callable, Iterable, Mapping, Sequence
import json
from pathlib import Path
import threading
import time
from typing import Protocol

from lab2mqtt.props.base import ONLINE, RELEASE
from lab2mqtt.runtime.mqtt import Message

MOST = 1000
WORKER = Path(__file__).with_name("firmware_worker.py")  # speaks for a board that has none
NEW_AFTER = 5.0  # s; a worker that owns it may still be starting


class Speaker(Protocol):
    """A prop of the host."""

    @property
    def speaks(self) -> bool:
        """Whether a worker speaks on its topics, and not a board."""

    @property
    def boards(self) -> tuple[str, ...]:
        """The boards that it alone commands."""


class Firmware:
    """The boards that are heard of beside our own workers."""

    def __init__(
        self,
        prefix: str,
        host: str,
        props: Mapping[str, Speaker],
        stops: Sequence[str],
        send: Callable[[str, str], None],
    ) -> None:
        """Know of none yet.

        Args:
            prefix: In front of all topics.
            host: The host's own name there.
            props: Those of the host, boards that became devices among them; read from any thread.
            stops: The actions by which boards are told to stop.
            send: Publishes a payload on a topic before all that waits; from any thread.
        """
        self.topics = (f"{prefix}/+/availability", f"{prefix}/+/status/availability")
        self._prefix = prefix
        self._host = host
        self._props = props
        self._stops = stops
        self._send = send
        self._lock = threading.Lock()
        self._online: dict[str, float] = {}  # since when, by the monotonic clock
        self._cleared: set[str] = set()
        self._tried: set[str] = set()
        self._was_stopped = False

    def hear(self, message: Message) -> None:
        """Take an availability."""
        name = message.topic.split("/status/")[0].removesuffix("/availability").rpartition("/")[2]
        prop = self._props.get(name)
        if name == self._host or (prop and prop.speaks):
            return
        with self._lock:
            if message.payload != ONLINE.encode():
                self._online.pop(name, None)
                if not message.payload:
                    self._cleared.add(name)
            elif len(self._online) < MOST:
                self._online.setdefault(name, time.monotonic())

    @property
    def without_worker(self) -> list[str]:
        """Those that say that they are there, and are no worker's; from any thread."""
        with self._lock:
            online = list(self._online)
        owned = self._owned()
        return [name for name in online if name not in owned]

    def take_new(self) -> list[str]:
        """Those of which devices are to be made; each is told once, until it is gone."""
        until = time.monotonic() - NEW_AFTER
        known = {*self._props, *self._tried}
        found = [name for name in self.without_worker if self._online[name] < until and name not in known]
        self._tried.update(found)
        return found

    def take_gone(self) -> set[str]:
        """Those that are devices, and are to be none: a worker owns them by now, or somebody cleared them."""
        with self._lock:
            cleared, self._cleared = self._cleared, set()
        gone = cleared | self._owned()
        self._tried -= gone
        return {name for name, prop in self._props.items() if not prop.speaks and name in gone}

    def stop(self) -> None:
        """Tell those that are no devices to stop; from any thread."""
        self._was_stopped = True  # a stop may be shorter than the time between two looks
        self._order(self._stops)

    def look(self, *, stopped: bool) -> None:
        """Tell those that are no devices that they may move again, once the stop is released."""
        if self._was_stopped and not stopped:
            self._order((RELEASE,))
        self._was_stopped = stopped

    def _owned(self) -> set[str]:
        return {board for prop in list(self._props.values()) for board in prop.boards}

    def _order(self, actions: Iterable[str]) -> None:
        for name in self.without_worker:
            if name not in self._props:
                for action in actions:
                    self._send(f"{self._prefix}/{name}/cmd", json.dumps({"action": action}))
