"""What happens in the lab, as server-sent events."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
import contextlib
import json
from typing import Any

from lab2mqtt.client import Lab
from lab2mqtt.gateway.link import no_link
from lab2mqtt.gateway.rights import Person

HEARTBEAT = 15.0  # s; proxies close what is silent for a minute
MOST = 1000  # events that wait for one reader
LARGEST = 4 * 1024 * 1024  # bytes that wait for one reader, but for one event at the least

_KINDS = ("state", "progress", "result", "event", "status")


def sse(kind: str, told: Any) -> bytes:  # noqa: ANN401 - JSON
    """One event as it goes over the line."""
    return f"event: {kind}\ndata: {json.dumps(told, separators=(',', ':'))}\n\n".encode()


class Reader:
    """What waits for one reader. One that is slow loses the oldest, and is told how many."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._missed = 0
        self._news = asyncio.Event()
        self.ended = False

    def put(self, event: bytes) -> None:
        """Let an event wait, unless it has ended."""
        if self.ended:
            return
        self._waiting.append(event)
        self._bytes += len(event)
        while len(self._waiting) > MOST or (self._bytes > LARGEST and len(self._waiting) > 1):
            self._bytes -= len(self._waiting.popleft())
            self._missed += 1
        self._news.set()

    def end(self) -> None:
        """Let the reader go once it has taken what waits."""
        self.ended = True
        self._news.set()

    def cut(self) -> None:
        """Let the reader go without what waits: it may not know it any more."""
        self._waiting.clear()
        self._bytes = self._missed = 0
        self.end()

    async def stream(self) -> AsyncIterator[bytes]:
        """All events from now on, with a comment where nothing happens."""
        while True:
            if self._missed:
                missed, self._missed = self._missed, 0
                yield sse("missed", {"events": missed})
            if self._waiting:
                event = self._waiting.popleft()
                self._bytes -= len(event)
                yield event
                continue
            if self.ended:
                return
            self._news.clear()
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await self._news.wait()
            except TimeoutError:
                yield b": still here\n\n"


class Events:
    """Tells everybody who reads what the lab says, as far as they may know it."""

    def __init__(self, lab: Lab) -> None:
        """Prepare; listening to the lab is up to who has it.

        Args:
            lab: Whose words they are.
        """
        self._lab = lab
        self._readers: dict[Reader, tuple[Person, str]] = {}
        self._was_up = False

    def hear(self, name: str, kind: str, message: dict[str, Any]) -> None:
        """Take a message of the lab; a listener of it."""
        if kind == "emergency_stop":
            self._tell("stop", message)
        elif kind in _KINDS and (kind != "status" or "device_id" in message):  # and so no bridge's
            self._tell(kind, {"device": name, "message": message}, name)

    def tell_link(self) -> None:
        """Tell whether there is a link to the broker, where that has changed."""
        if self._was_up is not self._lab.up:
            self._was_up = self._lab.up
            self._tell("link", self._link())

    def _link(self) -> dict[str, Any]:
        return {"up": True} if self._lab.up else {"up": False, "reason": no_link(self._lab)}

    def _tell(self, kind: str, told: dict[str, Any], device_id: str = "") -> None:
        event = b""
        for reader, (person, wanted) in self._readers.items():
            if device_id and (wanted not in ("", device_id) or not person.may("read", device_id)):
                continue
            event = event or sse(kind, told)
            reader.put(event)

    @contextlib.contextmanager
    def reading(self, person: Person, device_id: str = "") -> Iterator[Reader]:
        """Somebody who reads, everything or of one device."""
        reader = Reader()
        self._readers[reader] = person, device_id
        try:
            yield reader
        finally:
            del self._readers[reader]

    async def stream(self, person: Person, device_id: str = "") -> AsyncIterator[bytes]:
        """How it is now, then all that happens."""
        self.tell_link()  # else one that is lost before the next look was never there
        with self.reading(person, device_id) as reader:
            yield sse("link", self._link())
            if self._lab.stop:
                yield sse("stop", self._lab.stop)
            for one in person.seen_of([device_id] if device_id else self._lab.devices):
                if reader.ended:
                    return
                if (device := self._lab.devices.get(one)) and device.state:
                    yield sse("state", {"device": one, "message": device.state})
            async for event in reader.stream():
                yield event

    def end(self) -> None:
        """Let all readers go."""
        for reader in self._readers:
            reader.end()

    def cut(self) -> None:
        """Let all readers go at once: what they may know has changed."""
        for reader in self._readers:
            reader.cut()
