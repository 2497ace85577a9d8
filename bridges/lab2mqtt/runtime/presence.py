"""What a device says of itself without being asked: description, status and state, all retained."""

import asyncio
from collections.abc import Callable
import time
from typing import Any

from lab2mqtt import wire
from lab2mqtt.core.description import describe, entities_of
from lab2mqtt.core.device import Device
from lab2mqtt.core.entities import Entity, Image, Picture
from lab2mqtt.runtime.config import DeviceConfig
from lab2mqtt.runtime.instrument import Instrument
from lab2mqtt.runtime.permits import Permits, Shared
from lab2mqtt.runtime.say import Say
from lab2mqtt.runtime.state import measured, readiness
from lab2mqtt.runtime.stopping import Stopping

SETTLE = 0.02  # s in which changes become one message
KNOWN_AFTER = 3.0  # s; by then a hub knows other entities, whose announcement waits for 2 s at the most


class Presence:
    """The retained messages of one device, said when they change.

    Attributes:
        state: The state as it was said last.
        task: The task that runs.
        paused: Whether it is paused.
    """

    def __init__(
        self,
        config: DeviceConfig,
        shared: Shared,
        permits: Permits,
        stopping: Stopping,
        instrument: Instrument,
        say: Say,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare.

        Args:
            config: The declaration, its tasks, and which one it is.
            shared: Latches, reservations and maintenance of the bridge.
            permits: What stands in the way of its tasks.
            stopping: Its stop.
            instrument: The link to it.
            say: Publishes.
            clock: Seconds since the epoch.
        """
        device = config.device
        self._instance = config.instance
        self._tasks = config.tasks
        self._shared = shared
        self._permits = permits
        self._stopping = stopping
        self._instrument = instrument
        self._say = say
        self._clock = clock
        self._device, self._all = device, entities_of(device)
        self._parts = {""}  # those that were told of
        self._entities: list[Entity[Any]] = []
        self._pictures: list[Image[Any]] = []
        # Interlocks look at the age of a state: an instrument that moves is trusted for seconds only.
        self.longest = 10.0 if any(task.effect == "move" for task in device.tasks) else 60.0
        self._settle: asyncio.TimerHandle | None = None
        self._again: asyncio.TimerHandle | None = None
        self._info: object = None
        self._description: dict[str, Any] = {}
        self._taken: dict[str, float] = {}  # the pictures that were said, by key
        self._state_said: dict[str, Any] = {}
        self._state_at = 0.0
        self._online: bool | None = None
        self.state: dict[str, Any] = {}
        self.task: str | None = None
        self.paused = False

    @property
    def device_id(self) -> str:
        """The device's id."""
        return self._instance.device_id

    @property
    def sw_version(self) -> object:
        """The instrument's software, where it tells."""
        return self._instrument.info.get("sw_version")

    async def run(self) -> None:
        """Say the state even when nothing changes, until cancelled."""
        while True:
            await asyncio.sleep(self.longest / 2)
            if self._clock() - self._state_at > self.longest / 2:
                self._state_said = {}
                self.say_changes()

    def say_everything(self) -> None:
        """Say all that is retained."""
        self._description, self._state_said, self._online, self._taken = {}, {}, None, {}
        self.say_changes()

    def change(self) -> None:
        """Say what has changed in a moment, together with what else changes until then."""
        if self._settle is None:
            self._settle = asyncio.get_running_loop().call_later(SETTLE, self.say_changes)

    def show(self, device: Device[Any]) -> None:
        """Show other entities from now on."""
        self._device, self._all = device, entities_of(device)
        self._info = None  # the description is made anew
        self.change()

    def say_changes(self) -> None:
        """Say what has changed now."""
        if self._settle:
            self._settle.cancel()
            self._settle = None
        is_known = not self._device.known_late or self._instrument.tried.is_set()
        if is_known and (self._info is not self._instrument.info or not self._description):
            self._say_description()
        if self._instrument.reachable is not self._online:
            self._online = self._instrument.reachable
            self.say_status(online=self._online)
        if not is_known:
            self.state = self._now()
            return
        self._say_pictures()
        state = self._now()
        if state != self._state_said:
            self.state = self._state_said = state
            self._state_at = self._clock()
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

    def _say_description(self) -> None:
        info = self._info = self._instrument.info
        description: dict[str, Any] = describe(self._device, self._tasks, self._instance, info)
        if description == self._description:
            return
        self._description = description
        there = description["entities"]
        # What a part leaves behind in the state is unknown, and not gone: the hub may still look there.
        self._parts |= description.get("parts", {}).keys()
        self._entities = [entity for entity in self._all if entity.part in self._parts]
        # But its pictures are cleared, and said again when it comes back.
        self._pictures = [one for one in self._entities if isinstance(one, Image) and one.key in there]
        self._taken = {key: at for key, at in self._taken.items() if key in there}
        self._say("description", description, retain=True)
        if self._again:
            self._again.cancel()
            self._again = None
        if any(not entity.sure for entity in self._entities):  # the hub did not take what it did not know
            self._again = asyncio.get_running_loop().call_later(KNOWN_AFTER, self._say_state_again)

    def _say_state_again(self) -> None:
        self._again = None
        self._state_said = {}
        self.change()

    def _say_pictures(self) -> None:
        """Say those that were not said, before the state that tells of them."""
        snapshot = self._instrument.snapshot
        for entity in self._pictures:
            picture = entity.read(snapshot) if entity.read and snapshot is not None else None
            if isinstance(picture, Picture) and picture.taken_at != self._taken.get(entity.key):
                self._taken[entity.key] = picture.taken_at
                self._say(f"picture/{entity.key}", picture.content, retain=True)

    def _now(self) -> dict[str, Any]:
        word, reasons = self._readiness()
        device_id = self._instance.device_id
        latches, holds, _, _ = self._shared
        stopped = latches.of(device_id) is not None
        lease, maintenance = holds.reserved(device_id), holds.maintained(device_id)
        return measured(self._entities, self._instrument.snapshot) | {
            "connected": self._instrument.reachable,
            "emergency_stop": stopped,
            "stop_confirmed": self._stopping.confirmed if stopped else None,
            "task": self.task,
            "reserved_by": lease.holder if lease else None,
            "reserved_until": self._steady(holds.until(lease)) if lease else None,
            "reservation_reason": lease.reason if lease else None,
            "maintenance": maintenance is not None,
            "maintenance_by": maintenance.by if maintenance else None,
            "readiness": word,
            "readiness_reasons": reasons,
        }

    def _steady(self, until: float) -> int:
        """The end of a reservation in whole seconds: two clocks give it, which differ a little each time."""
        said = self.state.get("reserved_until")
        return said if isinstance(said, int) and abs(said - until) < 1 else round(until)

    def _readiness(self) -> tuple[str, list[str]]:
        reasons = self._permits.reasons()
        if self.task:
            word = "paused" if self.paused else "busy"
            own = f"{self.task} {'is paused' if self.paused else 'runs'}"
            reasons[word] = [own, *reasons.get(word, ())]
        return readiness(reasons)
