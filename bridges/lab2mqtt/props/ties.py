"""What ties a worker to its host: all that a ``BaseWorker`` does to the world goes through here."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

Handler = Callable[[str, str], object]
"""Takes topic and payload of a message; plain or a coroutine function. Runs in the worker's own loop."""


class Ties(Protocol):
    """One worker's way out. Every method may be called from any thread, and none waits for the network."""

    @property
    def prefix(self) -> str:
        """In front of all topics: ``halloween``."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The worker's own event loop."""

    @property
    def root(self) -> Path:
        """The folder of the props, where a worker finds what is no single prop's, such as shows."""

    @property
    def stop_actions(self) -> Sequence[str]:
        """Actions by which boards are told to stop; what one does not know it leaves alone."""

    @property
    def stopped(self) -> str:
        """Which emergency stop is engaged for this worker, in words; "" when none is."""

    def publish(self, topic: str, payload: str, *, qos: int = 0, retain: bool = False) -> None:
        """Publish; what is retained is said again on every new link."""

    def subscribe(self, topic: str, handler: Handler | None = None) -> None:
        """Call a handler, or ``on_message`` of the worker, with what comes on a topic or filter."""

    def value(self, key: str, value: object) -> None:
        """Show a value of the telemetry in Home Assistant."""

    def state(self, word: str) -> None:
        """Show the state."""

    def message(self, key: str, text: str) -> None:
        """Show a status message."""

    def problem(self, text: str) -> None:
        """Show why the prop does not work; "" when it does."""

    def command(self, target: str, action: str, args: object, qos: int) -> bool:
        """Send a command to a worker or a firmware; refused, with a status message, while stopped."""

    async def call(
        self, device_id: str, task: str, parameters: Mapping[str, object], within: float
    ) -> object:
        """Call a task of any device of the lab and wait for its result.

        Raises:
            LabError: It refused or failed, or did not answer.
        """
