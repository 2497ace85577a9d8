"""One device, seen from a script."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from lab2mqtt import wire
from lab2mqtt.core.words import near

if TYPE_CHECKING:
    from lab2mqtt.client.lab import Lab

OnProgress = Callable[[dict[str, Any]], None]


class RemoteDevice:
    """One device, as its retained messages tell it; its tasks are its methods.

    Attributes:
        device_id: Its id.
        description: What it is and can do; empty until it was heard.
        state: Its last state, by entity key.
    """

    def __init__(self, lab: "Lab", device_id: str) -> None:
        self._lab = lab
        self.device_id = device_id
        self.description: dict[str, Any] = {}
        self.state: dict[str, Any] = {}
        self.status = wire.OFFLINE

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
        on_progress: OnProgress | None = None,
        request_id: str | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the task returns
        """Call a task and wait for its one result.

        Args:
            task: Its name.
            parameters: By name.
            timeout: Seconds that the task may take; by default its own.
            on_progress: Called with each message of progress.
            request_id: Of a call that is to be repeated; the device does nothing twice.

        Returns:
            The task's result.

        Raises:
            TaskError: It was refused or failed; one of its subclasses, by ``error_code``.
            BrokerError: There is no link to the broker.
        """
        return await self._lab.call(
            self.device_id, task, parameters, timeout=timeout, on_progress=on_progress, request_id=request_id
        )

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
