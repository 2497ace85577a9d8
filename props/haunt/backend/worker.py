"""The coordinator: arms the props, and when the coffin jumps, fires fog and grave after it."""

import asyncio
from collections.abc import Mapping, Sequence
import time
from typing import Any

from lab2mqtt.props import BaseWorker, BinarySensor, Fault, Refused, Sensor, action

NOT_ALLOWED = "not_allowed"
LISTS = ("arm", "disarm", "fire", "follow")
STOP_WITHIN = 1.0  # s for the answer to a stop
ANSWER_WITHIN = 30.0  # s for any other: an action is answered when it has ended

Cues = Sequence[Mapping[str, Any]]


class Worker(BaseWorker):
    """Commands other props as anybody could, with answers."""

    name = "Haunt"
    product = "Coordinator"
    icon = "mdi:ghost"
    states = ("disarmed", "armed", "firing", "lockout", "stopped")
    entities = (
        BinarySensor("armed", "Armed", icon="mdi:shield-check"),
        Sensor("fires", "Fires", icon="mdi:counter", state_class="total_increasing"),
        Sensor("silent", "Did not answer", icon="mdi:account-question"),
    )

    async def start(self) -> None:
        """Begin disarmed, and hear what arms and fires."""
        await super().start()
        for cue in (cue for name in LISTS for cue in self.config.get(name, ())):
            if not {"prop", "action"} <= cue.keys():
                raise ValueError(
                    f"config.yaml: {dict(cue)} is no cue: it takes prop, action, parameters, after"
                )
        self.lockout = float(self.config.get("lockout", 20))
        self._armed = False
        self._fires = 0
        self._locked_until = 0.0  # monotonic
        self._running: set[asyncio.Task[Any]] = set()  # what a stop ends
        self._coffin = ""
        self._state = ""
        self.telemetry("fires", 0)
        self.telemetry("silent", "none")
        self._show()
        trigger = self.config.get("trigger", "coffin_jumper")
        self.listen(f"{self.mqtt.prefix}/{trigger}/state", self._hear_coffin)

    @action(icon="mdi:shield-check")
    async def do_arm(self) -> dict[str, object]:
        """Arm all props; armed only when each has said that it is."""
        self._refuse_if_stopped()
        try:
            silent = await self._all_of("arm")
        except asyncio.CancelledError:
            self.spawn(self._disarm())
            raise
        self._refuse_if_stopped()
        if silent:
            await self._disarm()
            raise Fault(f"not armed: {_listed(silent)}")
        self._armed = True
        self._show()
        return {"armed": True}

    @action(icon="mdi:shield-off-outline")
    async def do_disarm(self) -> dict[str, object]:
        """End what runs, and disarm all props."""
        if silent := await self._disarm():
            raise Fault(f"disarmed, but {_listed(silent)}")
        return {"armed": False}

    @action(icon="mdi:fire")
    async def do_fire(self) -> dict[str, object]:
        """Let the coffin jump, and all that follows; done when all has ended."""
        self._refuse_if_stopped()
        if not self._armed:
            raise Refused("disarmed; `arm` first", NOT_ALLOWED)
        if (left := self._locked_until - time.monotonic()) > 0:
            raise Refused(f"locked out after its last fire, for {left:.1f} s more", NOT_ALLOWED)
        self._lock()
        if silent := await self._all_of("fire", "follow"):
            raise Fault(f"fired, but {_listed(silent)}")
        return {"fires": self._fires}

    def on_emergency_stop(self) -> None:
        """End what runs, and tell each armed prop to disarm; that it did, each prop's own stop confirms."""
        was_armed = self._armed or self._running
        self._end()
        for cue in self.config.get("disarm", ()) if was_armed else ():
            self.command(cue["prop"], cue["action"], cue.get("parameters"))

    def on_emergency_stop_released(self) -> None:
        """Stay disarmed: nothing follows by itself."""
        self._show()

    def _lock(self) -> None:
        """Count a fire, and let no other begin for a while."""
        self._locked_until = time.monotonic() + self.lockout
        self._fires += 1
        self.telemetry("fires", self._fires)
        self.spawn(self._end_lockout())

    async def _end_lockout(self) -> None:
        await asyncio.sleep(max(0.0, self._locked_until - time.monotonic()))
        self._show()

    async def _disarm(self) -> dict[str, str]:
        self._end()
        return await self._all_of("disarm", within=STOP_WITHIN)

    def _end(self) -> None:
        self._armed = False
        for task in self._running.copy():
            self.mqtt.loop.call_soon_threadsafe(task.cancel)  # a stop may be in another thread
        self._show()

    async def _all_of(self, *lists: str, within: float = ANSWER_WITHIN) -> dict[str, str]:
        """Send the cues of some lists; gives who did not do it, and why."""
        if "follow" in lists and not self._armed:
            return {}  # disarmed before it began
        cues: Cues = [cue for name in lists for cue in self.config.get(name, ())]
        stops = "disarm" in lists
        tasks = [asyncio.ensure_future(self._cue(cue, within, stops=stops)) for cue in cues]
        if not stops:
            self._running.update(tasks)
        try:
            self._show()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._running.difference_update(tasks)
            self._show()
        silent: dict[str, str] = {}
        for cue, answer in zip(cues, answers, strict=True):
            if isinstance(answer, BaseException):
                silent[f"{cue['prop']} {cue['action']}"] = str(answer) or "ended before"
        self.telemetry("silent", ", ".join(silent) or "none")
        if silent:
            self.status("warn", _listed(silent))
        return silent

    async def _cue(self, cue: Mapping[str, Any], within: float, *, stops: bool) -> None:
        await asyncio.sleep(float(cue.get("after", 0)))
        if self.stopped and not stops:
            raise Refused(f"stopped: {self.stopped}", "emergency_stopped")
        await self.call(cue["prop"], cue["action"], within, **cue.get("parameters", {}))

    def _refuse_if_stopped(self) -> None:
        if self.stopped:
            raise Refused(f"stopped: {self.stopped}", "emergency_stopped")

    def _hear_coffin(self, topic: str, payload: str) -> None:
        """Let the others follow when the coffin has begun, however that came."""
        del topic
        jumps = payload == "action" and self._coffin != "action"
        self._coffin = payload
        if jumps and self._armed and not self.stopped and time.monotonic() >= self._locked_until:
            self._lock()
            self.spawn(self._all_of("follow"))

    def _show(self) -> None:
        word = "disarmed"
        if self.stopped:
            word = "stopped"
        elif self._armed and self._running:
            word = "firing"
        elif self._armed:
            word = "lockout" if time.monotonic() < self._locked_until else "armed"
        if word != self._state:
            self._state = word
            self.publish_state(word, retain=True)
            self.telemetry("armed", self._armed)


def _listed(silent: Mapping[str, str]) -> str:
    return "; ".join(f"{who}: {why}" for who, why in silent.items())
