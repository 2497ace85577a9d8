"""Commands in flight: each answer sends the next."""

import asyncio
from dataclasses import dataclass
import itertools
import time

from processes import Process
from requester import Client

WARM_UP = 0.3  # s
_ANSWER_WITHIN = 15.0  # s
_TEMPLATE = (
    b'{"request_id":"%032x","task":"apply","parameters":{"value":42.5,"label":"a word or two"},'
    b'"timestamp":%d,"issued_by":"bench"}'
)
_numbers = itertools.count(time.time_ns())  # a bridge that runs on must not see an id twice


@dataclass
class Trial:
    """What one trial gave.

    Attributes:
        latencies: Of each command, in ms.
        seconds: How long it flew.
        used: Seconds of CPU of the responder.
    """

    latencies: list[float]
    seconds: float
    used: float

    @property
    def rate(self) -> float:
        """Commands per second."""
        return len(self.latencies) / self.seconds

    @property
    def cpu(self) -> float:
        """µs of the responder's CPU per command."""
        return self.used / len(self.latencies) * 1e6

    def percentile(self, percent: int) -> float:
        """A latency that so many of a hundred do not pass, in ms."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]


class Flights:
    """A number of devices, each with one command in flight."""

    def __init__(self, client: Client, base: str, devices: int) -> None:
        """Prepare; the client is subscribed to all results."""
        self._client = client
        self._base = base
        self._devices = devices
        self._sent: dict[str, tuple[str, float]] = {}
        self._latencies: list[float] = []
        self._counts = self._ends = False
        self._landed = asyncio.Event()

    async def fly(self, seconds: float, responder: Process) -> Trial:
        """Warm up, measure, and wait for the last answers.

        Raises:
            RuntimeError: A command was refused or not answered.
        """
        self._client.on_message = self._answered
        for number in range(self._devices):
            self._send(f"noop-{number}")
        await asyncio.sleep(WARM_UP)
        began, used = time.perf_counter(), responder.cpu()
        self._counts = True
        await asyncio.sleep(seconds)
        self._counts = False
        took, used = time.perf_counter() - began, responder.cpu() - used
        self._ends = True
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                await self._landed.wait()
        except TimeoutError as error:
            raise RuntimeError(f"{len(self._sent)} commands were never answered") from error
        return Trial(self._latencies, took, used)

    def _send(self, device: str) -> None:
        number = next(_numbers)
        now = time.perf_counter()
        self._sent[f"{number:032x}"] = device, now
        topic = f"{self._base}/{device}/command".encode()
        self._client.publish(topic, _TEMPLATE % (number, int(time.time())))

    def _answered(self, topic: str, payload: bytes) -> None:
        if not topic.startswith(self._base) or not topic.endswith("/result"):
            return
        now = time.perf_counter()
        at = payload.index(b"request_id") + len('request_id":')
        at = payload.index(b'"', at) + 1
        device, sent = self._sent.pop(payload[at : at + 32].decode())
        if b"success" not in payload:
            raise RuntimeError(f"refused: {payload!r}")
        if self._counts:
            self._latencies.append((now - sent) * 1000)
        if not self._ends:
            self._send(device)
        elif not self._sent:
            self._landed.set()
