"""A device's own stop overtakes what waits for its turn."""

from collections.abc import Callable, Mapping
import time
from typing import Any
import uuid

from lab2mqtt import wire
from lab2mqtt.runtime.inbox import Inbox
from lab2mqtt.runtime.mqtt import Message
from lab2mqtt.runtime.worker import Worker

AGAIN = 0.1  # s; a stop that comes so soon after another takes its turn

_STOP = b'"emergency_stop"'  # who spells it with escapes waits for the turn


class Overtaking:
    """Finds stops among commands as they come."""

    def __init__(
        self,
        workers: Mapping[str, Worker],
        inbox: Inbox,
        handle: Callable[[Message], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare.

        Args:
            workers: The devices, by their command topics.
            inbox: Where commands wait.
            handle: Does what a command says.
            clock: Seconds since the epoch.
        """
        self._workers = workers
        self._inbox = inbox
        self._handle = handle
        self._clock = clock
        self._stopped_at: dict[str, float] = {}  # by topic, until a reset comes

    def hear(self, message: Message) -> bool:
        """Look at a command; obey it now if it is a stop that may not wait.

        Returns:
            Whether it was.
        """
        topic, payload, _ = message
        if self._stopped_at and (b"reset_emergency_stop" in payload or b"\\" in payload):
            self._stopped_at.pop(topic, None)
        if _STOP not in payload or (worker := self._workers.get(topic)) is None:
            return False
        now = time.monotonic()
        if now < self._stopped_at.get(topic, float("-inf")) + AGAIN:
            return False  # the device stands, and nothing lets it go: a flood of stops is a flood
        stop = stop_of(payload)
        if stop is None:
            return False
        self._stopped_at[topic] = now
        if self._inbox.waits(topic):
            worker.stop_now(stop, self._clock())
            # What came before is answered, and what it starts is ended before it begins.
            self._inbox.catch_up(topic)
        self._handle(message)
        return True


def stop_of(payload: bytes) -> dict[str, Any] | None:
    """The stop that a command asks for, if it does; as for the rest of it, it may be malformed."""
    by, reason = "unknown", None
    try:
        command = wire.read_command(payload)
    except wire.WireError as error:
        task = error.task
    else:
        task, by = command["task"], command["issued_by"] or by
        reason = command["parameters"].get("reason")
    if task != "emergency_stop":
        return None
    text = reason[:255] if isinstance(reason, str) else ""
    return wire.stop_message(engaged=True, stop_id=uuid.uuid4().hex, by=by, reason=text, timestamp=0)
