"""The link to one instrument: opened, read, lost and opened again, for ever."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
import contextlib
import logging
import random
import time
from typing import Any

from lab2mqtt.core.device import Device
from lab2mqtt.core.errors import LabError, Unreachable
from lab2mqtt.runtime.calls import Calls

_LOGGER = logging.getLogger(__name__)

LONGEST_PAUSE = 5.0  # s between two attempts to open
OPEN_WITHIN = 15.0  # s
READ_WITHIN = 5.0  # s; what has not answered by then is as good as gone


class Instrument:
    """Keeps one driver connected and its last reading at hand.

    Attributes:
        reachable: Whether it answers.
        problem: Why it does not, in words.
        snapshot: The last reading; None when there is none.
        info: What it tells of itself; another object only where that has changed.
        measured_at: When that was, in seconds since the epoch.
        wanted: Whether it is to be connected; the task ``disconnect`` clears it.
        tried: Set once the first attempt to connect has come to an end, well or not.
    """

    def __init__(
        self,
        name: str,
        device: Device[Any],
        calls: Calls,
        on_open: Callable[[], Awaitable[None]],
        on_reading: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare; ``run`` connects.

        Args:
            name: The device id, for the log.
            device: The declaration.
            calls: Its driver.
            on_open: Awaited after the driver has opened and before anybody may use it.
            on_reading: Called after each reading, and when the instrument is lost.
            clock: Seconds since the epoch.
        """
        self._name = name
        self._device = device
        self._call = calls
        self._on_open = on_open
        self._on_reading = on_reading
        self._clock = clock
        self._has_parts = any(entity.part for entity in device.entities)
        self._often = False
        self._soon = asyncio.Event()
        self._one_reading = asyncio.Lock()
        self.link_lock = asyncio.Lock()
        self.reachable = False
        self.problem = ""
        self.snapshot: object = None
        self.info: Mapping[str, object] = {}
        self.measured_at = 0.0
        self.wanted = True
        self.tried = asyncio.Event()

    async def run(self) -> None:
        """Open and read until cancelled."""
        while True:
            if not self.wanted:
                await self._rest(None)
                continue
            if not self.reachable:
                await self._open_for_ever()
            interval = self._device.poll_busy if self._often else self._device.poll
            await self._rest(interval.total_seconds())
            if self.reachable:
                with contextlib.suppress(LabError):  # told by ``read`` itself
                    await self.read()

    def read_soon(self) -> None:
        """Do not wait for the next regular reading."""
        self._soon.set()

    def read_often(self, *, often: bool) -> None:
        """Read as while a task moves it, or as at rest."""
        self._often = often
        if often:
            self._soon.set()

    async def read(self) -> None:
        """Measure now.

        Raises:
            LabError: It did not answer; the instrument counts as lost.
        """
        async with self._one_reading:
            try:
                await self._measure()
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
        await self._on_open()
        await self._ask_info()
        await self._measure()
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
        while self.wanted:
            try:
                async with self.link_lock:
                    if self.wanted:
                        await self._within(OPEN_WITHIN, "open")
                        await self.opened()
            except LabError as error:
                self._complain(str(error))
            except Exception as error:
                _LOGGER.exception("%s: opening failed", self._name)
                self._complain(f"opening failed: {error}")
            else:
                return
            finally:
                self.tried.set()
            await self._call("close")
            await asyncio.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - no secret
            longest = min(2 * longest, LONGEST_PAUSE)

    async def _measure(self) -> None:
        began = self._clock()
        self.snapshot = await self._within(READ_WITHIN, "read")
        self.measured_at = began
        if self._has_parts:  # what else an instrument tells of itself does not change while it is open
            await self._ask_info()

    async def _ask_info(self) -> None:
        info = await self._within(READ_WITHIN, "info")
        if info != self.info:
            self.info = info

    async def _within(self, seconds: float, method: str) -> Any:  # noqa: ANN401
        """Call a method of the driver that must not hang.

        Raises:
            Unreachable: It does.
        """
        try:
            async with asyncio.timeout(seconds):
                return await self._call(method)
        except TimeoutError as error:
            raise Unreachable(f"no answer within {seconds:g} s") from error

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
