"""One device, seen from a script."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
import time
from typing import TYPE_CHECKING, Any
import uuid

from lab2mqtt import wire
from lab2mqtt.client import reservation as reservations
from lab2mqtt.core.words import near

if TYPE_CHECKING:
    from lab2mqtt.client.lab import Lab

OnProgress = Callable[[dict[str, Any]], None]

EXPIRES_IN = 120.0  # s; longer in a queue, and the command is refused


@dataclass
class Told:
    """What a device said of itself: its retained messages."""

    description: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    status: str = wire.OFFLINE


def readable(description: dict[str, Any]) -> dict[str, Any]:
    """A description without what is no bridge and no task: anything may be said, and must break nothing."""
    found = dict(description)
    if not isinstance(found.get("bridge"), str):
        found.pop("bridge", None)
    if "tasks" in found:
        tasks = found["tasks"] if isinstance(found["tasks"], dict) else {}
        found["tasks"] = {name: task for name, task in tasks.items() if isinstance(task, dict)}
    return found


class RemoteDevice:
    """One device, as its retained messages tell it; its tasks are its methods.

    Attributes:
        device_id: Its id.
        told: What it said of itself.
    """

    def __init__(
        self,
        lab: "Lab",
        device_id: str,
        told: Told | None = None,
        reservation: "reservations.Reservation | None" = None,
    ) -> None:
        self._lab = lab
        self.device_id = device_id
        self.told = told or Told()
        self._reservation = reservation

    @property
    def description(self) -> dict[str, Any]:
        """What it is and can do; empty until it was heard."""
        return self.told.description

    @property
    def state(self) -> dict[str, Any]:
        """Its last state, by entity key."""
        return self.told.state

    @property
    def status(self) -> str:
        """``online`` or ``offline``, as it says itself; ``reachable`` also asks its bridge."""
        return self.told.status

    @property
    def reachable(self) -> bool:
        """Whether the device and its bridge are online."""
        bridge = self.description.get("bridge")
        return self.status == wire.ONLINE and (not bridge or self._lab.bridges.get(bridge) == wire.ONLINE)

    @property
    def tasks(self) -> dict[str, Any]:
        """Its tasks with their schemas."""
        tasks: dict[str, Any] = self.description.get("tasks", {})
        return tasks

    async def call(
        self,
        task: str,
        parameters: dict[str, Any] | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the device's, not only ours
        reservation: str | None = None,
        on_progress: OnProgress | None = None,
        request_id: str | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the task returns
        """Call a task and wait for its one result.

        Args:
            task: Its name.
            parameters: By name.
            timeout: Seconds that the task may take; by default its own.
            reservation: The holder under whose reservation it is called; by default that of ``reserved``.
            on_progress: Called with each message of progress.
            request_id: Of a call that is to be repeated; the device does nothing twice.

        Returns:
            The task's result.

        Raises:
            TaskError: It was refused or failed; one of its subclasses, by ``error_code``.
            BrokerError: There is no link to the broker.
        """
        if reservation is None and self._reservation:
            reservation = self._reservation.shown_for(task)
        now = time.time()
        command = wire.command(
            task,
            parameters,
            request_id=request_id or uuid.uuid4().hex,
            timestamp=int(now),
            timeout=timeout,
            expires_at=int(now + EXPIRES_IN),
            issued_by=self._lab.issued_by,
            reservation=reservation,
        )
        return await self._lab.ask(self, command, on_progress)

    def reserved(
        self, holder: str, *, seconds: float = 60.0, reason: str = ""
    ) -> AbstractAsyncContextManager["RemoteDevice"]:
        """Keep the device for oneself in an ``async with``; gives a view of it whose calls show that.

        It is renewed by itself, released at the end, and ends by itself within ``seconds`` when the script
        dies. If it is lost meanwhile, it is not taken back: the next call through the view raises.

        Args:
            holder: Who has it, for people, such as the name of a run. A name that has the device already is
                refused too: it may be the same script, started twice.
            seconds: For how long the device is kept after the last sign of life; 1 to 86400.
            reason: Why; takes the device over from whoever has it.

        Raises:
            Reserved: On entry, somebody has it; the text names the holder and until when.
            TaskError: On entry, it was refused for another reason.
            BrokerError: On entry, there is no link to the broker.
        """
        return reservations.reserved(self._lab, self, holder, seconds, reason)

    def under(self, reservation: "reservations.Reservation") -> "RemoteDevice":
        """The same device, with calls that show a reservation."""
        return RemoteDevice(self._lab, self.device_id, self.told, reservation)

    def __getattr__(self, task: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        if task.startswith("_"):
            raise AttributeError(task)
        if self.tasks and task not in self.tasks:
            known = ", ".join(sorted(self.tasks))
            raise AttributeError(f"{self.device_id} has no task {task!r}{near(task, self.tasks)}: {known}")

        async def call(*, timeout: float | None = None, **parameters: Any) -> Any:  # noqa: ANN401, ASYNC109
            return await self.call(task, parameters, timeout=timeout)

        call.__name__ = task
        call.__doc__ = self.tasks.get(task, {}).get("description")
        return call

    def __repr__(self) -> str:
        return f"<{self.device_id}: {self.state.get('readiness', self.status)}>"
