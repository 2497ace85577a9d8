"""The lab's emergency stop, obeyed as it comes, and put back where somebody cleared it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
import logging
import time
from typing import Any

from lab2mqtt import wire
from lab2mqtt.runtime.inbox import Inbox
from lab2mqtt.runtime.mqtt import Message
from lab2mqtt.runtime.stop import Latches
from lab2mqtt.runtime.worker import Worker

_LOGGER = logging.getLogger(__name__)

AGAIN = 0.1  # s; of the stops that come within it the first and the last are obeyed

_NEVER = float("-inf")


class LabStop:
    """Obeys the lab's stop on its topics.

    Attributes:
        topics: Where it is said.
        heard: On which of them something was heard on the present link.
    """

    def __init__(
        self,
        topics: Sequence[str],
        latches: Latches,
        workers: Mapping[str, Worker],
        inbox: Inbox,
        retain: Callable[[str, str], None],
        drop: Callable[[str, str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare.

        Args:
            topics: Where it is said.
            latches: The emergency stops.
            workers: Who is to be stopped.
            inbox: What came before a stop and has not been done yet.
            retain: Publishes a retained payload on a topic.
            drop: Told of a topic, and why a message on it did nothing.
            clock: Seconds since the epoch.
        """
        self.topics = topics
        self.heard: set[str] = set()
        self._latches = latches
        self._workers = workers
        self._inbox = inbox
        self._retain = retain
        self._drop = drop
        self._clock = clock
        self._obeyed_at: dict[str, float] = {}
        self._newest: dict[str, tuple[dict[str, Any], bool, float]] = {}  # obeyed in a moment
        self._put_at: dict[str, float] = {}
        self._putting: set[str] = set()

    def hear(self, message: Message) -> None:
        """Take what was said on one of the topics."""
        topic, received = message.topic, self._clock()
        self.heard.add(topic)
        try:
            stop = _read(message.payload)
        except wire.WireError as error:
            if topic in self._latches.lab:
                self._put_back(topic)  # cleared by somebody: releases nothing
            elif message.payload:
                self._drop(topic, error.message)
            return
        told = (stop, message.retained, received)
        if stop["engaged"] and time.monotonic() < self._obeyed_at.get(topic, _NEVER) + AGAIN:
            # Everything stands and stays so; a flood of stops must not hold up what else is to be stopped.
            if not self._newest:
                asyncio.get_running_loop().call_later(AGAIN, self._obey_newest)
            self._newest[topic] = told
            return
        self._obey_newest()
        self._obey(topic, *told)

    def say_missing(self) -> None:
        """Tell a broker that came back empty."""
        for topic, stop in self._latches.lab.items():
            if topic not in self.heard:
                self._retain(topic, wire.encode(stop))

    def _obey_newest(self) -> None:
        while self._newest:
            topic, told = self._newest.popitem()
            self._obey(topic, *told)

    def _obey(self, topic: str, stop: dict[str, Any], retained: bool, received: float) -> None:  # noqa: FBT001
        known = stop["stop_id"] == (self._latches.lab.get(topic) or {}).get("stop_id")
        engaged = stop["engaged"] and not known
        # Said again it is obeyed again; only what the broker repeats on a new link is old.
        obeyed = engaged or (stop["engaged"] and not retained)
        if obeyed:
            self._obeyed_at[topic] = time.monotonic()
            self._stop_all(stop, received)
        elif known:
            self._obeyed_at.pop(topic, None)
            self._inbox.catch_up()  # what was sent before the release must not be done after it
        changed = self._latches.hear(topic, stop)
        if obeyed and self._inbox.waits():
            self._inbox.catch_up()
            self._stop_all(stop, received)  # what came before the stop ends by it, too
        if (kept := self._latches.lab.get(topic)) and not stop["engaged"]:
            self._drop(topic, f"the stop {kept['stop_id']} stays: {stop['by']} released another one")
            self._put_back(topic)
        if changed:
            word = "engaged" if engaged else "released"
            by, reason = stop["by"] or "somebody", f" ({stop['reason']})" if stop["reason"] else ""
            _LOGGER.warning("The lab's emergency stop was %s by %s%s", word, by, reason)
            for worker in self._workers.values():
                if engaged:
                    worker.stop_changed()
                else:
                    worker.lab_released(stop["stop_id"])

    def _stop_all(self, stop: dict[str, Any], received: float) -> None:
        for worker in self._workers.values():
            worker.stop_now(stop, received)

    def _put_back(self, topic: str) -> None:
        wait = self._put_at.get(topic, _NEVER) + AGAIN - time.monotonic()
        if wait <= 0:
            self._say(topic)
        elif topic not in self._putting:
            self._putting.add(topic)
            asyncio.get_running_loop().call_later(wait, self._say, topic)

    def _say(self, topic: str) -> None:
        self._putting.discard(topic)
        self._put_at[topic] = time.monotonic()
        self._obey_newest()
        if kept := self._latches.lab.get(topic):
            self._retain(topic, wire.encode(kept))


def _read(payload: bytes) -> dict[str, Any]:
    """Read a stop or a release.

    Raises:
        wire.WireError: It is neither.
    """
    if b'"engaged"' not in payload and b"\\" not in payload:  # much rubbish would take long to read
        raise wire.WireError(wire.MALFORMED, "no engaged, which is true or false")
    return wire.read_stop(payload)
