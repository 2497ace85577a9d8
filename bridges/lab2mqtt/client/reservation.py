"""A device that a script keeps for itself: taken, renewed by itself, given back, and never taken back."""

import asyncio
from collections.abc import AsyncIterator, Mapping
import contextlib
from typing import TYPE_CHECKING, Any

from lab2mqtt.client.errors import NoAnswer, Reserved, TaskError
from lab2mqtt.core.house import HOUSE_TASKS
from lab2mqtt.runtime.mqtt import BrokerError
from lab2mqtt.runtime.spoken import reserved_by

if TYPE_CHECKING:
    from lab2mqtt.client.lab import Lab
    from lab2mqtt.client.remote import RemoteDevice

ANSWER_WITHIN = 5.0  # s; a bridge that hangs must not hold up the end of a script
AGAIN = 1.0  # s until a renewal that was not answered is tried again

# What the reservation of somebody else does not stand in the way of.
_FREE_TASKS = HOUSE_TASKS.keys() - {"resume"}


@contextlib.asynccontextmanager
async def reserved(
    lab: "Lab", device: "RemoteDevice", holder: str, seconds: float, reason: str
) -> AsyncIterator["RemoteDevice"]:
    """Keep a device; see ``RemoteDevice.reserved``."""
    reservation = Reservation(device, holder, seconds)
    with lab.listening(reservation.hear):
        await reservation.take(reason)
        renewing = asyncio.create_task(reservation.renew())
        try:
            yield device.under(reservation)
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await reservation.release()


class Reservation:
    """One device, kept for one holder."""

    def __init__(self, device: "RemoteDevice", holder: str, seconds: float) -> None:
        self._device = device
        self._holder = holder
        self._seconds = seconds
        self._has = False
        self._ends = 0.0  # by the clock of the loop; not later than by the device's
        self._lost = ""

    def shown_for(self, task: str) -> str:
        """The word that a command has to show.

        Raises:
            Reserved: The reservation is lost, and the task is none that needs no reservation.
        """
        reads = self._device.tasks.get(task, {}).get("effect") == "read"
        if not reads and task not in _FREE_TASKS and (lost := self._why_lost()):
            raise Reserved(lost)
        return self._holder

    async def take(self, reason: str) -> None:
        """Take the device.

        Raises:
            Reserved: Somebody has it.
            TaskError: It was refused for another reason, or nobody answered.
            BrokerError: There is no link to the broker.
        """
        if self._device.state.get("reserved_by") == self._holder:
            if not reason:
                raise Reserved(self._told_namesake(self._device.state))
            await self._call("release")  # so that the other one sees it go
        more = {"reason": reason} if reason else {}
        sent = _now()
        try:
            told = await self._call("reserve", seconds=self._seconds, **more)
        except (NoAnswer, asyncio.CancelledError):  # it may have been taken
            await self.release()
            raise
        if told.get("renewed"):  # somebody else has just taken it under this name
            raise Reserved(self._told_namesake(self._device.state))
        self._has, self._ends = True, sent + self._seconds

    async def renew(self) -> None:
        """Renew it until it is lost."""
        pause = self._seconds / 3
        while True:
            await asyncio.sleep(pause)
            if self._why_lost():
                return
            sent = _now()
            try:
                async with asyncio.timeout(min(ANSWER_WITHIN, self._seconds / 4)):
                    # Without a reason, so that it takes nothing from anybody.
                    await self._call("reserve", seconds=self._seconds)
            except Reserved as refused:
                self._lost = str(refused)
            except (TaskError, BrokerError, TimeoutError):
                pause = min(AGAIN, self._seconds / 12)
            else:
                self._ends = sent + self._seconds
                pause = self._seconds / 3

    async def release(self) -> None:
        """Give it back if it is still ours; what cannot be told to the device ends by itself."""
        if not self._why_lost():
            with contextlib.suppress(TaskError, BrokerError, TimeoutError):
                async with asyncio.timeout(ANSWER_WITHIN):
                    await self._call("release")

    def hear(self, name: str, kind: str, message: Mapping[str, Any]) -> None:
        """Notice who has the device by now."""
        if not self._has or self._lost or (name, kind) != (self._device.device_id, "state"):
            return
        if message.get("reserved_by") != self._holder:
            self._lost = self._told_lost(message)

    def _why_lost(self) -> str:
        """Why it is not ours any more; empty while it is."""
        if self._ends and not self._lost and _now() >= self._ends:
            # Without an answer for so long, the device may have been somebody else's meanwhile.
            self._lost = (
                f"the reservation of {self._device.device_id} by {self._holder!r} could not be renewed "
                f"for {self._seconds:g} s"
            )
        return self._lost

    async def _call(self, task: str, **parameters: object) -> dict[str, Any]:
        told: dict[str, Any] = await self._device.call(
            task, {"holder": self._holder, **parameters}, reservation=self._holder
        )
        return told

    def _told_lost(self, state: Mapping[str, Any]) -> str:
        if state.get("reserved_by"):
            return f"{self._device.device_id} was taken over: {_told(state)}"
        return f"the reservation of {self._device.device_id} by {self._holder!r} has been ended"

    def _told_namesake(self, state: Mapping[str, Any]) -> str:
        return (
            f"{self._device.device_id} is {_told(state)} already, by another program or one that was killed; "
            "wait, take another name, or give a reason to take it over"
        )


def _told(state: Mapping[str, Any]) -> str:
    """A reservation in words, out of a state."""
    return reserved_by(state.get("reserved_by"), state.get("reserved_until"), state.get("reservation_reason"))


def _now() -> float:
    return asyncio.get_running_loop().time()
