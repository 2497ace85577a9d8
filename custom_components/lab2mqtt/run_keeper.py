"""Keeps a run's devices reserved for it, and notices when one is lost or nobody acts in it any more."""

import asyncio
from collections.abc import Callable
from datetime import datetime
import time
from typing import TYPE_CHECKING, Any

from homeassistant.core import CALLBACK_TYPE, Context, Event, callback
from homeassistant.helpers.event import (
    EventStateChangedData,
    async_call_later,
    async_track_state_change_event,
)

from . import wire
from .errors import NO_ANSWER, TaskError
from .script_runs import is_under_way

if TYPE_CHECKING:
    from .lab import Lab
    from .run import Run

_ANSWER_WITHIN = 5.0  # s
_LOOKS = (
    12  # in the time of a reservation; every fourth renews it, and what failed is tried again at the next
)


class Keeper:
    """Of one run.

    A sequence of actions is watched itself. Whoever else began the run, as by the REST API, has to give a
    sign of life: a note, a call, or a device that works for it.

    Attributes:
        run: Which.
    """

    def __init__(self, lab: "Lab", run: "Run", context: Context) -> None:
        """Prepare; nothing is reserved.

        Args:
            lab: Where.
            run: Which.
            context: In which it was begun.
        """
        self._lab = lab
        self.run = run
        self._context_id = context.id
        self._is_sequence = is_under_way(lab.hass, context.id)
        self._ends: dict[str, float] = {}  # device → until when it is ours at the least
        self._sign = self._renewed = time.time()
        self._timer: CALLBACK_TYPE | None = None
        self._remove: list[CALLBACK_TYPE] = []
        self._closed = False
        self._lost = False
        self._renewing = False
        self._error = "-"  # of the last renewal that failed

    def acts_in(self, context: Context) -> bool:
        """Whether a context belongs to the run."""
        return self._context_id in (context.id, context.parent_id)

    def live(self) -> None:
        """Somebody acts in the run."""
        self._sign = time.time()

    async def take(self) -> None:
        """Reserve all devices, one after the other; or none of them.

        Raises:
            TaskError: One is refused, or cannot be asked.
        """
        for device_id in self.run.devices:
            try:
                await self._reserve(device_id)
            except (TaskError, asyncio.CancelledError) as error:
                # Without an answer it may be ours as well.
                if not isinstance(error, TaskError) or error.code == NO_ANSWER:
                    self._ends[device_id] = time.time()
                await asyncio.shield(self._lab.entry.async_create_task(self._lab.hass, self.release()))
                raise

    def start(self, lost: Callable[[str], None], over: Callable[[str], None]) -> None:
        """Keep them from now on.

        Args:
            lost: Told why, when a device is not the run's any more.
            over: Told why, when nobody acts in it any more.
        """
        self._tell_lost, self._tell_over = lost, over
        self._remove.append(self._lab.on_change(self._look))
        if self.run.entity_id:
            self._remove.append(
                async_track_state_change_event(self._lab.hass, self.run.entity_id, self._script_changed)
            )
        self._schedule()

    def close(self) -> None:
        """Keep them no more."""
        self._closed = True
        for remove in self._remove:
            remove()
        if self._timer:
            self._timer()
            self._timer = None

    async def release(self) -> None:
        """Give back what is still the run's; what cannot be told to a device ends by itself."""
        await asyncio.gather(*(self._release(device_id) for device_id in self._ends), return_exceptions=True)
        self._ends.clear()

    async def _release(self, device_id: str) -> None:
        device = self._lab.devices.get(device_id)
        if device and device.reserved_by in (None, self.run.holder):
            await self._call(device_id, "release")

    async def _reserve(self, device_id: str) -> None:
        sent = time.time()
        await self._call(device_id, "reserve", seconds=self.run.seconds)
        self._ends[device_id] = sent + self.run.seconds

    async def _call(self, device_id: str, task: str, **parameters: Any) -> None:  # noqa: ANN401
        run = self.run
        device = self._lab.devices.get(device_id)
        if device is None:
            raise TaskError(wire.DEVICE_UNAVAILABLE, device_id, task, "it is not in the lab any more")
        await self._lab.calls.run(
            device,
            task,
            {"holder": run.holder, **parameters},
            issued_by=run.begun_by,
            timeout=_ANSWER_WITHIN,
            reservation=run.holder,
        )

    def _schedule(self) -> None:
        self._timer = async_call_later(self._lab.hass, self.run.seconds / _LOOKS, self._tick)

    @callback
    def _tick(self, _: datetime) -> None:
        self._timer = None
        self._look_at_script()
        if self._closed or self._lost:
            return
        now, seconds = time.time(), self.run.seconds
        devices = [device for each in self.run.devices if (device := self._lab.devices.get(each))]
        if any(device.state.get("task") for device in devices):
            self._sign = now
        if not self._is_sequence and now >= self._sign + seconds:
            self._tell_over(self._lab.words.sentence("run_without_sign", seconds=f"{seconds:g}"))
        elif any(end <= now for end in self._ends.values()):
            self._lose(self._lab.words.sentence("run_not_renewed", seconds=f"{seconds:g}", error=self._error))
        else:
            wanted = self._is_sequence or self._sign > self._renewed
            if wanted and not self._renewing and now >= self._renewed + seconds / 3:
                self._renewing = True
                self._lab.entry.async_create_background_task(
                    self._lab.hass, self._renew(now), f"lab2mqtt renews {self.run.holder}"
                )
            self._schedule()

    async def _renew(self, now: float) -> None:
        try:
            errors = await asyncio.gather(
                *(self._reserve(device_id) for device_id in self._ends), return_exceptions=True
            )
        finally:
            self._renewing = False
        failed = [error for error in errors if isinstance(error, TaskError)]
        if self._closed or self._lost:
            return
        if not failed:
            self._renewed = now
        for error in failed:
            self._error = self._lab.words.error(error)
            if error.code == wire.RESERVED:
                self._lose(self._error)
                return

    @callback
    def _script_changed(self, _: Event[EventStateChangedData]) -> None:
        self._look_at_script()

    @callback
    def _look_at_script(self) -> None:
        # When Home Assistant ends, its scripts are ended by it: then the run was interrupted.
        if (
            self._is_sequence
            and not self._closed
            and not self._lab.hass.is_stopping
            and not is_under_way(self._lab.hass, self._context_id)
        ):
            self._tell_over(self._lab.words.sentence("run_without_end"))

    @callback
    def _look(self) -> None:
        """Notice who has the devices by now."""
        self._look_at_script()
        if self._closed or self._lost:
            return
        for device_id in self._ends:
            device = self._lab.devices.get(device_id)
            if device and device.reachable and device.state.get("reserved_by") != self.run.holder:
                by = device.state.get("reserved_by")
                key = "run_device_taken" if by else "run_device_released"
                self._lose(self._lab.words.sentence(key, device=device.name, holder=str(by)))
                return

    def _lose(self, text: str) -> None:
        """Renew no more; but what it still has it keeps until its script is over, which is refused there."""
        self._lost = True
        if self._is_sequence:
            self._tell_lost(text)
        else:
            self._tell_over(text)
