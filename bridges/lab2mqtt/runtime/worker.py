"""One device: takes its commands, sees that each gets exactly one answer, and stops at once when told to."""

import asyncio
from collections.abc import Callable, Coroutine
import contextlib
import time
from typing import Any
import uuid

from lab2mqtt import wire
from lab2mqtt.core.device import Device
from lab2mqtt.core.errors import Cancelled, EmergencyStopped, LabError, Refused
from lab2mqtt.core.house import RESERVATION_ENDED, RESET, TAKEN_OVER
from lab2mqtt.core.lease import Held, Lease
from lab2mqtt.core.words import near
from lab2mqtt.runtime import history
from lab2mqtt.runtime.answers import Answers
from lab2mqtt.runtime.calls import Calls
from lab2mqtt.runtime.config import DeviceConfig
from lab2mqtt.runtime.execution import Execution
from lab2mqtt.runtime.holds import Maintenance
from lab2mqtt.runtime.instrument import Instrument
from lab2mqtt.runtime.interlocks import Interlocks
from lab2mqtt.runtime.permits import Permits, Shared
from lab2mqtt.runtime.presence import Presence
from lab2mqtt.runtime.record import Record
from lab2mqtt.runtime.running import GRACE
from lab2mqtt.runtime.say import Say
from lab2mqtt.runtime.stop import told
from lab2mqtt.runtime.stopping import Stopping


class Worker:
    """One device of a bridge.

    Attributes:
        instrument: The link to the instrument.
        record: Its commands.
    """

    def __init__(
        self,
        config: DeviceConfig,
        driver: Any,  # noqa: ANN401 - any driver
        shared: Shared,
        say: Say,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare; ``run`` connects to the instrument.

        Args:
            config: The declaration, its tasks, and which one it is.
            driver: The driver, not yet opened.
            shared: What all devices of the bridge have in common.
            say: Publishes a message on the device's topic of a kind.
            clock: Seconds since the epoch.
        """
        device = self._device = config.device
        name = self._name = config.instance.device_id
        self._tasks = config.tasks
        self._latches, self._holds, self._ledger, others = shared
        self._clock = clock
        self._call = Calls(driver, name)
        for task in config.tasks.values():
            task.is_coroutine = bool(task.method) and self._call.is_coroutine(task.method)
        self.instrument = Instrument(name, device, self._call, self._before_use, self._changed, clock)
        self._interlocks = Interlocks(config.interlocks, others)
        self._looks_at = {rule.device for rule in config.interlocks}
        self._permits = Permits(name, device, shared, self._interlocks, self.instrument, clock)
        kept = shared.latches.kept
        self._stopping = Stopping(
            name, device.stop, self._call, self.instrument, kept, say, self._changed, clock
        )
        self._presence = Presence(config, shared, self._permits, self._stopping, self.instrument, say, clock)
        self.record = Record(name, shared.ledger, clock)
        self._answers = Answers(name, say, self.record, self._presence, clock)
        self._execution = Execution(
            device,
            self._call,
            self.instrument,
            self._permits,
            self._interlocks,
            self._presence,
            self._answers,
            self.record,
        )
        self._reservation_timer: asyncio.TimerHandle | None = None

    @property
    def queued(self) -> int:
        """How many commands wait."""
        return self._execution.queued

    @property
    def is_known_late(self) -> bool:
        """Whether it says what it has only once it was opened."""
        return self._device.known_late

    @property
    def idle(self) -> bool:
        """Whether nothing runs or waits."""
        return not self._execution.running and not self._execution.queued

    @property
    def done(self) -> int:
        """How many commands were done."""
        return self._answers.done

    @property
    def failed(self) -> int:
        """How many commands were refused or failed."""
        return self._answers.failed

    async def run(self) -> None:
        """Keep the instrument connected and its state said, until cancelled."""
        self._await_end_of_reservation()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.instrument.run())
            group.create_task(self._presence.run())
            group.create_task(self._watch_interlocks())

    async def close(self) -> None:
        """End what runs, leave the instrument as its settings say, and say that it is offline."""
        why = Cancelled("the bridge was shut down")
        why.error_code = wire.INTERRUPTED
        self._stopping.end()
        if self._reservation_timer:
            self._reservation_timer.cancel()
        await self._execution.close(why)
        with contextlib.suppress(Exception):  # the driver's own word is that it raises nothing
            async with asyncio.timeout(GRACE / 2):
                await self._call("close")
        self._call.close()
        self._presence.say_status(online=False)

    def say_everything(self) -> None:
        """Publish all that is retained: description, status and state."""
        self._presence.say_everything()

    def say_changes(self) -> None:
        """Publish what has changed, such as a ledger that cannot be written."""
        self._changed()

    def show(self, device: Device[Any]) -> None:
        """Show other entities from now on; the tasks stay."""
        self._presence.show(device)

    def tell(self, event_type: str, **data: Any) -> None:  # noqa: ANN401 - JSON
        """Tell people and automations of something that the driver has noticed."""
        self._answers.event(event_type, **data)

    def _changed(self) -> None:
        self._presence.change()

    # Commands

    def receive(self, payload: bytes, *, retained: bool = False) -> None:
        """Take a command from the wire.

        Raises:
            wire.WireError: It cannot be answered, because it has no id that can be read.
        """
        try:
            command = wire.read_command(payload)
        except wire.WireError as error:
            if error.task == "emergency_stop":
                self._stop_itself("unknown", "")
            if error.request_id is None:
                raise
            unread = {"request_id": error.request_id, "task": error.task or ""}
            self._answers.refuse(unread, Refused(error.message, error.code))
            return
        if command["request_id"] is None:
            command["request_id"] = uuid.uuid4().hex
        command["received"] = asyncio.get_running_loop().time()
        if command["task"] == "emergency_stop":
            self._emergency_stop(command)
        elif self._answers.is_new(command):
            try:
                self._check_past(command)
                self._take(command, retained=retained)
            except LabError as refusal:
                # An entity hears no results: without the event a person's refused click would seem ignored.
                self._answers.settle(command, error=refusal, tell=True)

    def _check_past(self, command: dict[str, Any]) -> None:
        """Say nothing of a command that may have been done by a predecessor of this process.

        Raises:
            Refused: Nobody knows.
        """
        task = self._tasks.get(command["task"])
        if task and task.method and task.effect not in ("read", "stop") and not self.record.knows_past:
            text = f"whether it was done before is not known, and it is not done now: {self._ledger.problem}"
            raise Refused(text, wire.INTERRUPTED)

    def _take(self, command: dict[str, Any], *, retained: bool) -> None:
        """Check a new command, and start it, let it wait, or refuse it.

        Raises:
            LabError: It is refused.
        """
        name = command["task"]
        if retained:
            raise Refused("commands must not be retained; this one has been cleared", wire.RETAINED_COMMAND)
        task = self._tasks.get(name)
        if task is None:
            known = ", ".join(sorted(self._tasks))
            raise Refused(f"no task {name!r}{near(name, self._tasks)}; there are {known}", wire.UNKNOWN_TASK)
        self._permits.check_expiry(task, command)
        arguments = task.arguments(command["parameters"])
        if task.method:
            self._permits.check(task, command)
            self._execution.add(command, task, arguments)
        else:
            self._do_at_once(command, arguments)

    # Tasks of the house, which never wait

    def _do_at_once(self, command: dict[str, Any], arguments: dict[str, Any]) -> None:
        """Do a task of the house.

        Raises:
            LabError: It is refused.
        """
        result: object
        match command["task"]:
            case "cancel":
                result = self._execution.cancel(arguments.get("request_id"))
            case "pause":
                result = self._execution.pause(paused=True)
            case "resume":
                result = self._execution.pause(paused=False, reservation=command["reservation"])
            case "get_history":
                # Not on the record: each answer would hold all that were given before.
                asked = self._ledger.read(lambda ledger: history.page(ledger, self._name, arguments))
                self._answer(command, asked, record=False)
                return
            case "reset_emergency_stop":
                self._answer(command, self._reset())
                return
            case "reserve":
                answer = self._reserve(command, arguments)
                # A script that renews every minute would be most of the record.
                self._answer(command, self._kept(answer), record="renewed" not in answer)
                return
            case "release":
                self._answer(command, self._kept(self._release(arguments["holder"])))
                return
            case _:
                self._answer(command, self._kept(self._maintain(command, arguments)))
                return
        self._answers.settle(command, result=result, tell=True)

    def _answer(
        self, command: dict[str, Any], work: Coroutine[Any, Any, object], *, record: bool = True
    ) -> None:
        """Answer with what a coroutine gives; ``record`` tells people and the ledger of it."""

        async def answer() -> None:
            try:
                result = await work
            except LabError as error:
                await self._answers.settle(command, error=error, tell=True)
            else:
                if record:
                    await self._answers.settle(command, result=result, tell=True)
                else:
                    self._answers.give(command, result)

        self._execution.spawn(answer())

    async def _kept(self, result: object) -> object:
        """Give a result once what led to it would survive a restart."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await self._holds.kept()
        return result

    def _reserve(self, command: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
        holder, seconds, reason = arguments["holder"], arguments["seconds"], arguments.get("reason", "")
        before = self._holds.reserved(self._name)
        try:
            lease = self._holds.reserve(self._name, holder, seconds, reason)
        except Held as held:
            raise self._held(held.lease, "; a reason takes it over") from held
        taken_from = before.holder if before and before.holder != holder else None
        if taken_from:
            by = command["issued_by"] or "unknown"
            self._answers.event(TAKEN_OVER, holder=holder, taken_from=taken_from, reason=reason, by=by)
        self._await_end_of_reservation()
        self._presence.say_changes()
        more: dict[str, Any] = {"taken_from": taken_from} if taken_from else {}
        if before and before.holder == holder:
            more["renewed"] = True
        return {"holder": holder, "until": round(self._holds.until(lease), 3), **more}

    def _release(self, holder: str) -> dict[str, Any]:
        try:
            ended = self._holds.release(self._name, holder)
        except Held as held:
            raise self._held(held.lease) from held
        self._await_end_of_reservation()
        self._presence.say_changes()
        return {"released": ended.holder if ended else None}

    def _held(self, lease: Lease, hint: str = "") -> Refused:
        return Refused(self._permits.reserved(lease) + hint, wire.RESERVED)

    def _await_end_of_reservation(self) -> None:
        """Tell when the reservation ends by itself."""
        if self._reservation_timer:
            self._reservation_timer.cancel()
            self._reservation_timer = None
        if lease := self._holds.reserved(self._name):

            def over() -> None:
                self._reservation_timer = None
                self._answers.event(RESERVATION_ENDED, holder=lease.holder)
                self._presence.say_changes()

            left = self._holds.left(lease)
            self._reservation_timer = asyncio.get_running_loop().call_later(left + 0.001, over)

    def _maintain(self, command: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
        by = command["issued_by"] or "unknown"
        maintenance = Maintenance(by, arguments.get("reason", ""), round(self._clock(), 3))
        self._holds.maintain(self._name, maintenance if arguments["on"] else None)
        self._presence.say_changes()
        return {"maintenance": arguments["on"], "by": by}

    def _reset(self) -> Coroutine[Any, Any, object]:
        for lab in self._latches.lab.values():
            raise EmergencyStopped(f"{told(lab)}; release the lab's stop first")
        was = self._latches.own(self._name)
        self._latches.release(self._name)
        return self._released(was["stop_id"] if was else None)

    async def _released(self, stop_id: str | None) -> dict[str, Any]:
        """A stop was released: look at the instrument anew, and tell what a person has to do first."""
        self.stop_changed()
        await self._latches.kept()
        if self.instrument.reachable:
            with contextlib.suppress(LabError):
                await self.instrument.read()
        self._presence.say_changes()
        homing = self._device.needs_homing
        snapshot = self.instrument.snapshot
        must = list(homing(snapshot)) if homing and snapshot is not None else []
        told_more = {"needs_homing": must, "look_at": self._device.after_stop} if stop_id else {}
        if stop_id:
            self._answers.event(RESET, stop_id=stop_id, **told_more)
        return {"released": stop_id, "readiness": self._presence.state["readiness"], **told_more}

    # Interlocks

    def looks_at(self, device_id: str) -> bool:
        """Whether an interlock of this device depends on another one."""
        return device_id in self._looks_at

    def look_at_interlocks(self) -> None:
        """Another device has changed: end what it forbids by now."""
        self._execution.look_at_interlocks()
        self._changed()

    async def _watch_interlocks(self) -> None:
        """Look again when an answer changes by time alone, because nothing was heard."""
        while True:
            doubt = self._interlocks.next_doubt
            if doubt is None:
                await asyncio.sleep(1.0)
            else:
                await asyncio.sleep(min(doubt, 1.0))
                self.look_at_interlocks()

    # The emergency stop

    def stop_now(self, stop: dict[str, Any], received: float) -> "asyncio.Task[bool]":
        """Stop all motion, end the running task and everything that waits; past queue, lock and thread.

        Args:
            stop: The stop that is obeyed.
            received: When it came in.

        Returns:
            Done when the instrument has confirmed.
        """
        stopping = self._stopping.start(stop, received)
        self._execution.end(EmergencyStopped(told(stop)))
        self._changed()
        return stopping

    def stop_changed(self) -> None:
        """A stop was engaged or released; moves nothing."""
        if self._latches.of(self._name) is None:
            self._stopping.end()  # or a late attempt would stop the next move
        self._presence.say_changes()

    def lab_released(self, stop_id: str) -> None:
        """The lab's stop was released."""

        async def tell() -> None:
            await self._released(stop_id)

        self._execution.spawn(tell())

    def _emergency_stop(self, command: dict[str, Any]) -> None:
        """The device's own stop: stop first, look at the rest of the command after."""
        reason = command["parameters"].get("reason")
        text = reason if isinstance(reason, str) else ""
        stop, stopping = self._stop_itself(command["issued_by"] or "unknown", text)
        if self._answers.is_new(command):
            self._execution.spawn(self._answer_stop(command, stop, stopping))

    def _stop_itself(self, by: str, reason: str) -> tuple[dict[str, Any], "asyncio.Task[bool]"]:
        now = self._clock()
        stop = wire.stop_message(
            engaged=True, stop_id=uuid.uuid4().hex, by=by, reason=reason[:255], timestamp=int(now)
        )
        stopping = self.stop_now(stop, now)
        self._latches.engage(self._name, stop)
        return stop, stopping

    async def _answer_stop(
        self, command: dict[str, Any], stop: dict[str, Any], stopping: "asyncio.Task[bool]"
    ) -> None:
        kept = asyncio.ensure_future(self._latches.kept())
        await asyncio.wait([stopping, kept], timeout=GRACE)
        confirmed = stopping.done() and not stopping.cancelled() and stopping.result()
        result = {"stop_id": stop["stop_id"], "confirmed": confirmed}
        await self._answers.settle(command, result=result, tell=True)

    async def _before_use(self) -> None:
        await self._stopping.before_use(self._latches.of(self._name))
