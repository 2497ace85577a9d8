"""Emergency stops of a run: engaged, proven, released, and none forgotten."""

from dataclasses import dataclass
import time
from typing import Any

from tests.chaos.book import LAB_STOP, Book, Command


@dataclass
class Stop:
    """One stop.

    Attributes:
        mark: Its ``stop_id``, or for a device's own its ``by``: what its proofs are known by.
        device: Whose own it is; empty for a stop of the lab.
        topic: On which the lab is stopped.
        sent_at: Monotonic, before it was published.
        released_at: Monotonic, before its release was published for the first time.
    """

    mark: str
    device: str
    topic: str
    sent_at: float
    released_at: float | None = None


class Stops:
    """All stops of one run."""

    def __init__(self, seed: str, book: Book, devices: list[str]) -> None:
        self.all: list[Stop] = []
        self._held: list[Stop] = []
        self._book = book
        self._devices = devices
        self._seed = seed

    def engage(self, which: str, device: str) -> Stop | None:
        """Stop the ``lab``, the ``base`` or a ``device``; None where that is stopped already."""
        topic = {"lab": LAB_STOP, "base": f"{self._book.base}/emergency_stop"}.get(which, "")
        if any((stop.topic, stop.device) == (topic, device) for stop in self._held):
            return None
        mark = f"stop {len(self.all)} of {self._book.base}"
        stop = Stop(mark, device, topic, time.monotonic())
        self.all.append(stop)
        self._held.append(stop)
        if topic:
            self._book.publish_stop(topic, self._words(mark, engaged=True))
        else:
            payload = {
                "task": "emergency_stop",
                "parameters": {"reason": "chaos"},
                "request_id": f"{device}-{mark}",
                "issued_by": mark,
            }
            self._book.send(Command(device, payload))
        return stop

    def release(self, stop: Stop) -> None:
        """Release it; what does not arrive is released again by ``tidy``."""
        self._held.remove(stop)
        self.tidy()

    def told(self, stop: Stop) -> bool:
        """Whether a device has told that it obeyed."""
        return any(tells_of(heard.body, stop) for _, heard in list(self._book.events))

    def tidy(self) -> None:
        """Release whatever is engaged and not meant to be."""
        held = {stop.topic for stop in self._held if stop.topic}
        for topic, told in list(self._book.stops.items()):
            if told.get("engaged") and topic not in held:
                self._released(topic, "")
                self._book.publish_stop(topic, self._words(told["stop_id"], engaged=False))
        for device in self._devices:
            own = any(stop.device == device for stop in self._held)
            state = self._book.states.get(device)
            if state and state.body.get("emergency_stop") and not own and not held:
                self._released("", device)
                self._book.send_aside(device, "reset_emergency_stop", {})

    def _released(self, topic: str, device: str) -> None:
        """Note the moment before a release is said; whichever stop it ends, none of these counts any more."""
        now = time.monotonic()
        for stop in self.all:
            if (stop.topic, stop.device) == (topic, device) and stop.released_at is None:
                stop.released_at = now

    def _words(self, stop_id: str, *, engaged: bool) -> dict[str, Any]:
        return {
            "engaged": engaged,
            "stop_id": stop_id,
            "by": "chaos",
            "reason": self._seed,
            "timestamp": int(time.time()),
        }


def tells_of(event: dict[str, Any], stop: Stop) -> bool:
    """Whether a device tells by an event that it obeyed a stop."""
    known_by = event.get("by") if stop.device else event.get("stop_id")
    return event.get("event_type") == "emergency_stopped" and known_by == stop.mark
