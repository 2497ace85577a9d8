"""Stopping one device: at once, past everything that runs or hangs, until the instrument has confirmed it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
import contextlib
import logging
import time
from typing import Any

from lab2mqtt import wire
from lab2mqtt.core.errors import CannotStop
from lab2mqtt.core.house import STOPPED
from lab2mqtt.runtime.calls import Calls
from lab2mqtt.runtime.instrument import Instrument
from lab2mqtt.runtime.say import Say

_LOGGER = logging.getLogger(__name__)

KEPT_WITHIN = 0.2  # s that the disk may take
AGAIN = 0.2  # s between two attempts on an instrument that did not confirm


class Stopping:
    """The stop of one device, and its proof.

    Attributes:
        confirmed: Whether the instrument has confirmed the last stop.
    """

    def __init__(
        self,
        name: str,
        method: str,
        calls: Calls,
        instrument: Instrument,
        kept: Callable[[], Awaitable[object]],
        say: Say,
        changed: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare.

        Args:
            name: The device id, for the log.
            method: The driver's stop; empty where nothing moves.
            calls: The driver.
            instrument: The link to it.
            kept: Waits until the latch would survive a restart.
            say: Publishes.
            changed: Called when it is confirmed, or cannot be.
            clock: Seconds since the epoch.
        """
        self._name = name
        self._method = method
        self._calls = calls
        self._instrument = instrument
        self._kept = kept
        self._say = say
        self._changed = changed
        self._clock = clock
        self._task: asyncio.Task[bool] | None = None
        self._cannot = ""
        self.confirmed = False

    def start(self, stop: Mapping[str, Any], received: float) -> "asyncio.Task[bool]":
        """Stop now.

        Args:
            stop: The stop that is obeyed.
            received: When it came in.

        Returns:
            Done when the instrument has confirmed (true), or cannot be reached or stopped (false).
        """
        self.end()
        self.confirmed = False
        first = self._calls.past_everything(self._method) if self._method else None
        self._task = asyncio.create_task(self._until_confirmed(first, stop, received))
        return self._task

    def end(self) -> None:
        """Try no more: the stop was released, or the bridge ends."""
        if self._task:
            self._task.cancel()
            self._task = None

    async def before_use(self, stop: Mapping[str, Any] | None) -> None:
        """An instrument that comes back while a stop is engaged is stopped before anybody may use it.

        Raises:
            LabError: It did not confirm.
        """
        if stop and self._method:
            now = self._clock()
            with contextlib.suppress(CannotStop):  # that was told when the stop came
                await self._calls.past_everything(self._method)
                self._prove(stop, now, self._clock())

    async def _until_confirmed(
        self, attempt: "asyncio.Future[None] | None", stop: Mapping[str, Any], received: float
    ) -> bool:
        complaint = ""
        while attempt:
            try:
                await attempt
                break
            except CannotStop as error:
                if str(error) != self._cannot:  # once, not at every stop
                    self._cannot = str(error)
                    _LOGGER.warning("%s did not stop: %s", self._name, error)
                self._prove(stop, received, None, str(error))
                return False
            except Exception as error:  # noqa: BLE001 - whatever it was, the next attempt may do it
                if str(error) != complaint:
                    complaint = str(error)
                    _LOGGER.error("%s did not confirm the emergency stop: %s", self._name, error)
                    self._prove(stop, received, None, complaint)
                if not self._instrument.reachable:
                    return False  # stopped as soon as it answers again
            await asyncio.sleep(AGAIN)
            attempt = self._calls.past_everything(self._method)
        stopped = self._clock()
        self._instrument.read_soon()
        with contextlib.suppress(TimeoutError):  # a proof that says more, but not one that comes late
            async with asyncio.timeout(KEPT_WITHIN):
                await self._kept()
        self._prove(stop, received, stopped)
        return True

    def _prove(
        self, stop: Mapping[str, Any], received: float, stopped: float | None, error: str | None = None
    ) -> None:
        proof = {
            "stop_id": stop["stop_id"],
            "by": stop["by"],
            "reason": stop["reason"],
            "received_at": round(received, 3),
            "stopped_at": round(stopped, 3) if stopped else None,
            "confirmed": stopped is not None,
        }
        self.confirmed = stopped is not None
        if error:
            proof["error"] = error
        self._say("event", wire.event(STOPPED, round(self._clock(), 3), **proof))
        self._changed()
