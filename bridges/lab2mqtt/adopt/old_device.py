"""A device of the older dialect: what is known of it, and how it is commanded."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
import time
from typing import Any, Protocol
import uuid

from lab2mqtt import wire
from lab2mqtt.adopt import old_words
from lab2mqtt.adopt.known_tasks import ASK_AIR, ASK_STATUS, STOPS
from lab2mqtt.adopt.settings import OldSettings
from lab2mqtt.core.errors import CannotStop, Ended, Fault, TimedOut, Unreachable
from lab2mqtt.core.run import Run

ASK_EVERY = 30.0  # s between two questions how it is
ASK_WITHIN = 2.0  # s for the answer; two of them fit into a reading
SILENT_FIRST = 2.0  # s until a device that did not answer is asked again; later ever more rarely
STOP_WITHIN = 2.0  # s until a stop is sent again
NOT_KNOWN = "whether it was done is not known"


class Port(Protocol):
    """The way to one device."""

    @property
    def up(self) -> bool:
        """Whether there is a link to the broker."""

    def command(self, message: Mapping[str, object], *, qos: int) -> None:
        """Publish a command, now or never."""


@dataclass(frozen=True)
class Snapshot:
    """What was measured; None is not known.

    Attributes:
        free_memory: In bytes.
        uptime: In seconds.
        temperature: Of the air, in °C.
        humidity: Of the air, in %.
    """

    free_memory: float | None = None
    uptime: float | None = None
    temperature: float | None = None
    humidity: float | None = None


class OldDevice:
    """One device. It remembers nothing, so what is sent is sent once and never kept for later.

    Attributes:
        name: Its id on the wire.
        settings: What the configuration says of it.
        told: The tasks that it told of; None as long as it told of none.
        heard: Whether it was ever heard live.
    """

    def __init__(
        self,
        name: str,
        settings: OldSettings,
        port: Port,
        told: tuple[str, ...] | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know nothing but what was known before.

        Args:
            name: Its id on the wire.
            settings: What the configuration says of it.
            port: The way to it.
            told: The tasks that it told of when it was heard last.
            clock: Seconds since the epoch.
            monotonic: Seconds on a clock that nobody sets.
        """
        self.name = name
        self.settings = settings
        self.told = told
        self.heard = False
        self._declared = settings.declared()
        self._port = port
        self._clock = clock
        self._monotonic = monotonic
        self._calls: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._offline = False
        self._refuses_status = False
        self._heard_at = self._asked_at = self._air_at = float("-inf")
        self._pause = 0.0
        self._snapshot = Snapshot()
        self._platform = ""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of its tasks, as far as they are known."""
        return tuple(dict.fromkeys((*self._declared, *(self.told or ()))))

    @property
    def may_be_asked(self) -> bool:
        """Whether it may have the one task that is asked for without anybody's wish."""
        return not self._refuses_status and (self.told is None or ASK_STATUS in self.tasks)

    @property
    def stop_task(self) -> str:
        """The task that ends all its motion; empty where there is none."""
        return self.settings.stop or next((name for name in STOPS if name in self.tasks), "")

    @property
    def polls(self) -> bool:
        """Whether the air is measured from time to time."""
        return self.settings.poll > 0 and ASK_AIR in self.tasks

    def doubt(self) -> None:
        """A new link to the broker: whether it is there is asked before anything else."""
        self._heard_at = self._asked_at = float("-inf")
        self._pause = 0.0

    # What it says

    def hear_status(self, payload: bytes, *, retained: bool) -> None:
        """Take a status.

        Raises:
            wire.WireError: It is none.
        """
        status = old_words.read_status(payload)
        if status.tasks:
            self.told = status.tasks
        if status.online:
            self._alive()
            self._refuses_status = False  # it may have another program now
        elif retained and self.may_be_asked:
            # Its will outlives it: many say online without retaining it, so this may be long past.
            self._asked_at = float("-inf")
        else:
            self._offline = True
            self._asked_at, self._heard_at = self._monotonic(), float("-inf")

    def hear_result(self, payload: bytes) -> None:
        """Take a result.

        Raises:
            wire.WireError: It is none.
        """
        try:
            result = wire.read_result(payload)
        except wire.WireError as error:
            call = self._calls.get(old_words.answered(payload))
            if call and not call.done():
                call.set_exception(Fault(f"it answered, but not in JSON ({error.message}); {NOT_KNOWN}"))
                self._alive()
            raise
        self._alive()
        if (call := self._calls.get(result["request_id"])) and not call.done():
            call.set_result(result)

    def _alive(self) -> None:
        self._heard_at = self._monotonic()
        self._pause = 0.0
        self.heard, self._offline = True, False

    # The driver

    async def open(self) -> None:
        """Find out whether it is there.

        Raises:
            Unreachable: It says that it is not, or says nothing.
        """
        if not self._port.up:
            raise Unreachable("no link to the broker")
        if self.may_be_asked:
            if self._monotonic() - self._heard_at > ASK_EVERY:
                if self._monotonic() - self._asked_at < self._pause:
                    raise Unreachable(self._absence)
                await self._ask()
        elif self._offline:
            raise Unreachable(self._absence)

    async def close(self) -> None:
        """Nothing is open that could be closed."""

    async def read(self) -> Snapshot:
        """Give what it told last; ask anew from time to time, while it does nothing.

        Raises:
            Unreachable: It is gone.
        """
        if self._offline:
            raise Unreachable(self._absence)
        if self._port.up and not self._calls:
            if self.may_be_asked and self._monotonic() - self._asked_at > ASK_EVERY:
                await self._ask()
            if self.polls and self._monotonic() - self._air_at > self.settings.poll:
                await self._measure_air()
        return self._snapshot

    async def info(self) -> Mapping[str, object]:
        """What it tells of itself."""
        return {"platform": self._platform} if self._platform else {}

    async def do(self, task: str, arguments: Mapping[str, Any], run: Run | None = None) -> object:
        """Let it do a task, once.

        Raises:
            Fault: It refused or failed, in its own words.
            Unreachable: There is no link to the broker, or it is not there; nothing was sent.
            Ended: It did not answer in time, or nobody waits any more.
        """
        try:
            if self.may_be_asked and self._heard_at < 0:
                await self._ask()
            # QoS 0: neither twice, nor from a broker's queue when it is back, when nobody expects it.
            result = await self._call(task, arguments, qos=0)
        except asyncio.CancelledError:
            try:
                if run:
                    run.check()
            except Ended as why:
                if isinstance(why, TimedOut):
                    self._asked_at = float("-inf")  # is it still there?
                raise type(why)(f"{why}; {NOT_KNOWN}") from why
            raise
        if result["status"] == "error":
            raise Fault(result["error"])
        return result.get("result")

    async def stop(self) -> None:
        """Send its own stop, if it has one.

        Raises:
            CannotStop: It has none.
            Unreachable: It did not answer.
            Fault: It could not.
        """
        task = self.stop_task
        if not task:
            raise CannotStop(
                "it cannot be stopped from here: it has no task for that, or none that is configured (stop)"
            )
        try:
            async with asyncio.timeout(STOP_WITHIN):
                result = await self._call(task, {}, qos=1)
        except TimeoutError:
            raise Unreachable(f"its task {task} was not answered within {STOP_WITHIN:g} s") from None
        if result["status"] == "error":
            raise Fault(f"its task {task} failed: {result['error']}")

    async def look(self) -> None:
        """Ask how it is, and so which tasks it has.

        Raises:
            Unreachable: It does not answer.
        """
        if self.may_be_asked:
            await self._ask()

    @property
    def _absence(self) -> str:
        if self._offline:
            return "it is offline, as its own status or its last will says"
        return f"it does not answer {ASK_STATUS}"

    async def _ask(self) -> None:
        self._asked_at = self._monotonic()
        try:
            async with asyncio.timeout(ASK_WITHIN):
                answer = await self._call(ASK_STATUS, {}, qos=0)
        except TimeoutError:
            if self._heard_at >= self._asked_at:
                return  # it has just come
            self._heard_at = float("-inf")
            self._pause = min(max(2 * self._pause, SILENT_FIRST), ASK_EVERY)
            raise Unreachable(self._absence) from None
        told = answer.get("result")
        if answer["status"] == "error":
            self._refuses_status = True  # and so it is there
        if not isinstance(told, Mapping):
            return
        uptime, platform = old_words.number(told.get("uptime_ms")), told.get("platform")
        self._snapshot = replace(
            self._snapshot,
            free_memory=old_words.number(told.get("free_memory")),
            uptime=None if uptime is None else round(uptime / 1000),
        )
        if old_words.is_name(platform):
            self._platform = str(platform)
        if tasks := old_words.names(told.get("tasks_available")):
            self.told = tasks

    async def _measure_air(self) -> None:
        self._air_at = self._monotonic()
        air: Mapping[str, object] = {}
        try:
            async with asyncio.timeout(ASK_WITHIN):
                answer = await self._call(ASK_AIR, {}, qos=0)
        except TimeoutError:
            answer = {}
        if isinstance(answer.get("result"), Mapping):
            air = answer["result"]
        self._snapshot = replace(
            self._snapshot,
            temperature=old_words.number(air.get("temperature")),
            humidity=old_words.number(air.get("humidity")),
        )

    async def _call(self, task: str, parameters: Mapping[str, Any], *, qos: int) -> dict[str, Any]:
        """Send a command and wait for its answer.

        Raises:
            Unreachable: There is no link to the broker; nothing was sent.
            Fault: Its answer cannot be read.
        """
        if not self._port.up:
            raise Unreachable("no link to the broker; it was not asked")
        request_id = uuid.uuid4().hex
        call: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._calls[request_id] = call
        try:
            now = int(self._clock())
            self._port.command(old_words.command(request_id, task, parameters, now), qos=qos)
            return await call
        finally:
            del self._calls[request_id]
