"""What a device says of itself without being asked: description, status and state, all retained."""

import asyncio
from collections.abc import Callable
import time
from typing import Any, Protocol

from lab2mqtt import wire
from lab2mqtt.core.description import BoundTask, Instance, describe, entities_of
from lab2mqtt.core.device import Device
from lab2mqtt.runtime.instrument import Instrument
from lab2mqtt.runtime.state import measured, readiness
from lab2mqtt.runtime.stop import Latches, told

SETTLE = 0.02  # s in which changes become one message


class Say(Protocol):
    """Publishes a message on the device's topic of that kind."""

    def __call__(self, kind: str, message: dict[str, Any], *, qos: int = 1, retain: bool = False) -> None:
        """Publish."""


class Presence:
    """The retained messages of one device, said when they change."""

    def __init__(
        self,
        device: Device[Any],
        instance: Instance,
        tasks: dict[str, BoundTask],
        latches: Latches,
        instrument: Instrument,
        say: Say,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare.

        Args:
            device: The declaration.
            instance: Which one it is.
            tasks: Its tasks.
            latches: The emergency stops.
            instrument: The link to it.
            say: Publishes.
            clock: Seconds since the epoch.
        """
        self._device = device
        self._instance = instance
        self._tasks = tasks
        self._latches = latches
        self._instrument = instrument
        self._say = say
        self._clock = clock
        self._entities = entities_of(device)
        # Interlocks look at the age of a state: an instrument that moves is trusted for seconds only.
        self.longest = 10.0 if any(task.effect == "move" for task in device.tasks) else 60.0
        self._settle: asyncio.TimerHandle | None = None
        self._info: object = None
        self._description: dict[str, object] = {}
        self._state: dict[str, Any] = {}
        self._state_at = 0.0
        self._online: bool | None = None
        self.task: str | None = None
        self.paused = False

    async def run(self) -> None:
        """Say the state even when nothing changes, until cancelled."""
        while True:
            await asyncio.sleep(self.longest / 2)
            if self._clock() - self._state_at > self.longest / 2:
                self._state = {}
                self.say_changes()

    def say_everything(self) -> None:
        """Say all that is retained."""
        self._description, self._state, self._online = {}, {}, None
        self.say_changes()

    def change(self) -> None:
        """Say what has changed in a moment, together with what else changes until then."""
        if self._settle is None:
            self._settle = asyncio.get_running_loop().call_later(SETTLE, self.say_changes)

    def say_changes(self) -> None:
        """Say what has changed now."""
        if self._settle:
            self._settle.cancel()
            self._settle = None
        if self._info is not self._instrument.info or not self._description:
            self._info = self._instrument.info
            description = describe(self._device, self._tasks, self._instance, self._instrument.info)
            if description != self._description:
                self._description = description
                self._say("description", description, retain=True)
        if self._instrument.reachable is not self._online:
            self._online = self._instrument.reachable
            self.say_status(online=self._online)
        state = self._now()
        if state != self._state:
            self._state, self._state_at = state, self._clock()
            # The moment of the measurement, not of the message: one that hangs grows old.
            at = self._instrument.measured_at if self._instrument.snapshot is not None else self._state_at
            self._say("state", {**state, "updated_at": round(at, 3)}, retain=True)

    def say_status(self, *, online: bool) -> None:
        """Say whether the device can be reached."""
        word = wire.ONLINE if online else wire.OFFLINE
        tasks = list(self._tasks)
        message = wire.status(
            self._instance.device_id, word, int(self._clock()), self._instance.bridge, tasks
        )
        self._say("status", message, retain=True)

    def _now(self) -> dict[str, Any]:
        word, reasons = self._readiness()
        return measured(self._entities, self._instrument.snapshot) | {
            "connected": self._instrument.reachable,
            "emergency_stop": self._latches.of(self._instance.device_id) is not None,
            "task": self.task,
            "readiness": word,
            "readiness_reasons": reasons,
        }

    def _readiness(self) -> tuple[str, list[str]]:
        instrument = self._instrument
        reasons: dict[str, list[str]] = {}
        if not instrument.reachable:
            word = "unreachable" if instrument.problem else "starting"
            reasons[word] = [instrument.problem or "connecting to the instrument"]
        if stop := self._latches.of(self._instance.device_id):
            reasons["emergency_stopped"] = [told(stop)]
        for word, find in (("fault", self._device.faults), ("needs_homing", self._device.needs_homing)):
            if find and instrument.snapshot is not None and (found := list(find(instrument.snapshot))):
                reasons[word] = found
        if self.task:
            word = "paused" if self.paused else "busy"
            reasons[word] = [f"{self.task} {'is paused' if self.paused else 'runs'}"]
        return readiness(reasons)
