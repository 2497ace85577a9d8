"""Whether a task may start now: the one place that says so, for commands and for the readiness."""

from collections.abc import Callable
import time
from typing import Any, NamedTuple

from lab2mqtt import wire
from lab2mqtt.core.description import BoundTask
from lab2mqtt.core.device import Device
from lab2mqtt.core.errors import EmergencyStopped, Refused, Unreachable
from lab2mqtt.core.lease import Lease
from lab2mqtt.runtime.holds import Holds, Maintenance
from lab2mqtt.runtime.instrument import Instrument
from lab2mqtt.runtime.interlocks import Interlocks
from lab2mqtt.runtime.ledger import Ledger
from lab2mqtt.runtime.others import Others
from lab2mqtt.runtime.spoken import local_time, reserved_by
from lab2mqtt.runtime.stop import Latches, told

CLOCK_IS_SET = 1_735_689_600  # 2025; a clock that shows less has not been set


class Shared(NamedTuple):
    """What all devices of a bridge have in common.

    Attributes:
        latches: The emergency stops.
        holds: Reservations and maintenance.
        ledger: The record of all commands.
        others: What is known of other devices.
    """

    latches: Latches
    holds: Holds
    ledger: Ledger
    others: Others


class Permits:
    """What stands in the way of one device's tasks."""

    def __init__(
        self,
        device_id: str,
        device: Device[Any],
        shared: Shared,
        interlocks: Interlocks,
        instrument: Instrument,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare.

        Args:
            device_id: Which device.
            device: Its declaration.
            shared: Latches, holds and ledger of the bridge.
            interlocks: Its interlocks.
            instrument: The link to it.
            clock: Seconds since the epoch.
        """
        self._device_id = device_id
        self._device = device
        self._latches, self._holds, self._ledger, _ = shared
        self._interlocks = interlocks
        self._instrument = instrument
        self._clock = clock

    def check(self, task: BoundTask, command: dict[str, Any]) -> None:
        """Let a task start.

        Raises:
            LabError: It may not; the text says why, and what would have to be otherwise.
        """
        self.check_expiry(task, command)
        if task.effect == "stop":
            return
        if task.effect != "read":
            self.check_nobody_objects(task, command["reservation"])
        if not self._instrument.reachable and not task.link:
            why = self._instrument.problem or "not connected yet"
            raise Unreachable(f"the instrument does not answer: {why}")
        if task.effect != "read" and self._ledger.problem:
            raise Refused(f"not without a record of it: {self._ledger.problem}", wire.NOT_ALLOWED)
        must = self._device.needs_homing
        if task.effect == "move" and not task.homes and must and (first := must(self._instrument.snapshot)):
            raise Refused(f"it must be homed first: {'; '.join(first)}", wire.NOT_ALLOWED)

    def check_nobody_objects(self, task: BoundTask, reservation: str | None) -> None:
        """Let a task start, or a paused one go on, as far as people and other devices are concerned.

        Raises:
            LabError: It may not.
        """
        if task.effect == "move" and (stop := self._latches.of(self._device_id)):
            raise EmergencyStopped(f"{told(stop)}; reset it first")
        if maintenance := self._holds.maintained(self._device_id):
            raise Refused(_maintained(maintenance), wire.MAINTENANCE)
        lease = self._holds.reserved(self._device_id)
        if lease and lease.holder != reservation:
            raise Refused(self.reserved(lease), wire.RESERVED)
        if words := self._interlocks.against(task.name, task.effect):
            raise Refused("; ".join(words), wire.INTERLOCKED)

    def check_expiry(self, task: BoundTask, command: dict[str, Any]) -> None:
        """Refuse a command that comes too late.

        Raises:
            Refused: It does.
        """
        try:
            now = self._clock()
            # A Raspberry Pi has no clock of its own: it starts in the past until the network tells.
            wire.check_expiry(command, now if now > CLOCK_IS_SET else None, moves=task.effect == "move")
        except wire.WireError as error:
            raise Refused(error.message, error.code) from error

    def reasons(self) -> dict[str, list[str]]:
        """All that stands in the way of motion, in words, by the word of the readiness."""
        found: dict[str, list[str]] = {}
        instrument = self._instrument
        if not instrument.reachable:
            word = "unreachable" if instrument.problem else "starting"
            found[word] = [instrument.problem or "connecting to the instrument"]
        if stop := self._latches.of(self._device_id):
            found["emergency_stopped"] = [told(stop)]
        device = self._device
        asked = (("fault", device.faults), ("needs_homing", device.needs_homing), ("busy", device.occupied))
        for word, find in asked:
            if find and instrument.snapshot is not None and (words := list(find(instrument.snapshot))):
                found[word] = words
        if self._ledger.problem:
            found.setdefault("fault", []).append(f"no record can be kept: {self._ledger.problem}")
        if maintenance := self._holds.maintained(self._device_id):
            found["maintenance"] = [_maintained(maintenance)]
        if words := self._interlocks.against_motion():
            found["interlocked"] = words
        if lease := self._holds.reserved(self._device_id):
            found["reserved"] = [self.reserved(lease)]
        return found

    def reserved(self, lease: Lease) -> str:
        """A reservation in words."""
        return reserved_by(lease.holder, self._holds.until(lease), lease.reason)


def _maintained(maintenance: Maintenance) -> str:
    reason = f" ({maintenance.reason})" if maintenance.reason else ""
    return f"in maintenance by {maintenance.by} since {local_time(maintenance.since)}{reason}"
