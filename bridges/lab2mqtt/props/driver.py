"""A prop as the runtime drives it: the driver of a device whose instrument is a worker."""

import asyncio
from collections.abc import Callable, Mapping

from lab2mqtt import wire
from lab2mqtt.core.errors import Refused, Unreachable
from lab2mqtt.props.actions import Action, as_text
from lab2mqtt.props.declaration import can_move
from lab2mqtt.props.prop import Prop
from lab2mqtt.props.view import Snapshot, View


class PropDriver:
    """Drives one prop. Its worker may be another one after a reload.

    Attributes:
        prop: The one that runs now.
        begun: Set while it has been started, well or not.
        is_stopping: Whether it is being told to stop now; the latch is engaged a moment later.
        to_release: Whether it was told to stop, and not yet that this is over.
    """

    def __init__(self, prop: Prop, view: View, restart: Callable[[], None]) -> None:
        """Drive a prop.

        Args:
            prop: The one that runs now.
            view: What is shown of it.
            restart: Loads its file anew, once nothing runs.
        """
        self.prop = prop
        self.begun = asyncio.Event()
        self.to_release = self.is_stopping = False
        self._view = view
        self._restart = restart

    async def open(self) -> None:
        """Wait until the worker has been started; one that could not be is there, and has a fault."""
        await self.begun.wait()

    async def close(self) -> None:
        """Nothing: the host ends it."""

    async def read(self) -> Snapshot:
        """How it is now."""
        return self._view.snapshot(self.prop.problems)

    async def info(self) -> Mapping[str, object]:
        """Nothing is known of a worker but what it declares."""
        return {}

    async def do(self, task: str, arguments: Mapping[str, object]) -> object:
        """Run an action.

        Raises:
            Exception: What its handler raises.
        """
        action = self._action(task)
        args, kwargs = action.call_arguments(dict(arguments))
        return _plain(await self._running().do(action.method, args, kwargs))

    async def do_command(self, task: str, arguments: Mapping[str, object]) -> object:
        """Give the worker a command that it has no action for.

        Raises:
            Exception: What ``do_command`` of the worker raises.
        """
        args = (arguments["action"], as_text(arguments.get("args")))
        return _plain(await self._running().do(task, args, {}))

    async def restart_worker(self, task: str, arguments: Mapping[str, object]) -> object:
        """Load the worker's file anew, once this has been answered."""
        del task, arguments
        self._restart()
        return {"restarting": True}

    def stop(self) -> None:
        """Bring everything to rest; from any thread.

        Raises:
            Exception: It did not.
        """
        self.to_release = True
        if self.prop.worker and not can_move(self.prop.worker, self.prop.actions):
            return
        self.is_stopping = True
        try:
            self.prop.emergency_stop()
        finally:
            self.is_stopping = False

    def _action(self, task: str) -> Action:
        for action in self.prop.actions.values():
            if action.task == task:
                return action
        raise Refused(f"the worker has no {task} any more", wire.UNKNOWN_TASK)

    def _running(self) -> Prop:
        if self.prop.phase != "running":
            raise Unreachable("; ".join(self.prop.problems) or f"the worker is {self.prop.phase}")
        return self.prop


def _plain(result: object) -> object:
    """A result as JSON holds it: what it cannot hold was never meant for anybody."""
    try:
        wire.encode({"result": result})
    except wire.WireError:
        return repr(result)
    return result
