"""The link to one instrument: opened, read, lost and opened again, for ever."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
import contextlib
import logging
import random
from typing import Any

from lab2mqtt.core.device import Device
from lab2mqtt.core.errors import LabError
from lab2mqtt.runtime.calls import Calls

_LOGGER = logging.getLogger(__name__)

LONGEST_PAUSE = 5.0  # s between two attempts to open


class Instrument:
    """Keeps one driver connected and its last reading at hand.

    Attributes:
        reachable: Whether it answers.
        problem: Why it does not, in words.
        snapshot: The last reading; None when there is none.
        info: What it told of itself when it was opened.
        busy: Whether a task moves it, so that it is read more often.
        wanted: Whether it is to be connected; the task ``disconnect`` clears it.
    """

    def __init__(
        self,
        name: str,
        device: Device[Any],
        calls: Calls,
        on_open: Callable[[], Awaitable[None]],
        on_reading: Callable[[], None],
    ) -> None:
        """Prepare; ``run`` connects.

        Args:
            name: The device id, for the log.
            device: The declaration.
            calls: Its driver.
            on_open: Awaited after the driver has opened and before anybody may use it.
            on_reading: Called after each reading, and when the instrument is lost.
        """
        self._name = name
        self._device = device
        self._call = calls
        self._on_open = on_open
        self._on_reading = on_reading
        self._soon = asyncio.Event()
        self._one_reading = asyncio.Lock()
        self.link_lock = asyncio.Lock()
        self.reachable = False
        self.problem = ""
        self.snapshot: object = None
        self.info: Mapping[str, object] = {}
        self.busy = False
        self.wanted = True

    async def run(self) -> None:
        """Open and read until cancelled."""
        while True:
            if not self.wanted:
                await self._rest(None)
                continue
            if not self.reachable:
                await self._open_for_ever()
            interval = self._device.poll_busy if self.busy else self._device.poll
            await self._rest(interval.total_seconds())
            if self.reachable:
                with contextlib.suppress(LabError):  # told by ``read`` itself
                    await self.read()

    def read_soon(self) -> None:
        """Do not wait for the next regular reading."""
        self._soon.set()

    async def read(self) -> None:
        """Measure now.

        Raises:
            LabError: It did not answer; the instrument counts as lost.
        """
        async with self._one_reading:
            try:
                self.snapshot = await self._call("read")
            except LabError as error:
                await self._lose(str(error))
                raise
            except Exception as error:
                _LOGGER.exception("%s: reading failed", self._name)
                await self._lose(f"reading failed: {error}")
                raise LabError(self.problem) from error
        self._on_reading()

    async def opened(self) -> None:
        """Take note that the driver is connected."""
        self.info = await self._call("info")
        self.snapshot = await self._call("read")
        await self._on_open()
        if self.problem:
            _LOGGER.info("%s answers again", self._name)
        self.reachable, self.problem, self.wanted = True, "", True
        self._on_reading()

    def closed(self, why: str) -> None:
        """Take note that the driver was told to let go, and is to stay so."""
        self.wanted = False
        self._unreachable(why)

    async def _open_for_ever(self) -> None:
        longest = 0.25
        while self.wanted and not self.reachable:
            try:
                async with self.link_lock:
                    if self.wanted and not self.reachable:
                        await self._call("open")
                        await self.opened()
                return
            except LabError as error:
                self._complain(str(error))
            except Exception as error:
                _LOGGER.exception("%s: opening failed", self._name)
                self._complain(f"opening failed: {error}")
            await self._call("close")
            await asyncio.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - no secret
            longest = min(2 * longest, LONGEST_PAUSE)

    async def _lose(self, why: str) -> None:
        if self.reachable:
            self._complain(why)
            self._unreachable(why)
            await self._call("close")

    def _complain(self, why: str) -> None:
        """Log once when it goes, not at every attempt."""
        if why != self.problem:
            _LOGGER.warning("%s does not answer: %s", self._name, why)
            self.problem = why
            self._on_reading()

    def _unreachable(self, why: str) -> None:
        self.reachable, self.problem, self.snapshot = False, why, None
        self._soon.set()
        self._on_reading()

    async def _rest(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._soon.wait()
        self._soon.clear()
