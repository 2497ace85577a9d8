"""One run: its queue of commands, what may be asked of it, and how it ends.

What the real server does and nobody expects: a stop of a run that was started homes and throws into the trash
what it believes to be on the pipettes, and so does its end in any other way; a stop of one that was not
started waits for the command under way and moves nothing; a pause shows at once and comes later.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
import contextlib
from typing import Any
import uuid

from lab2mqtt.simulators.ot2.commands import execute
from lab2mqtt.simulators.ot2.failure import CommandFailed, command_failed, protocol_failed
from lab2mqtt.simulators.ot2.liquid_commands import drop_everything
from lab2mqtt.simulators.ot2.machine import asked_by
from lab2mqtt.simulators.ot2.session import Session


class NotAllowed(Exception):
    """Not now: the server answers 409."""


class RecoveryOnly(Exception):
    """A fixit command outside of recovery: the server answers 500, not 409."""


class Run:
    """A run on the robot.

    Attributes:
        commands: As they are told, in the order in which they were added.
        actions: What was asked of it.
        errors: None or one.
        lost: The power went while it was under way; only its id and its actions were kept.
    """

    def __init__(
        self,
        session: Session,
        protocol_id: str | None = None,
        steps: Sequence[dict[str, Any]] = (),
        error: dict[str, Any] | None = None,
        notify: Callable[[str], None] = lambda _: None,
        run_id: str | None = None,
    ) -> None:
        """Begin, idle.

        Args:
            session: The engine's state.
            protocol_id: What it plays; None only takes commands.
            steps: The commands of the protocol, ``{"commandType", "params"}``.
            error: What the protocol itself raises after its steps.
            notify: Called with ``run`` or ``command`` whenever one changed.
            run_id: Its id; a new one by default.
        """
        self.run_id = run_id or str(uuid.uuid4())
        self.protocol_id = protocol_id
        self.session = session
        self.clock = session.machine.clock
        self.created_at = self.clock.stamp()
        self.started_at: str | None = None
        self.completed_at: str | None = None
        self.commands: list[dict[str, Any]] = []
        self.actions: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []
        self.offsets: list[dict[str, Any]] = []
        self.parameters: list[dict[str, Any]] = []
        self.lost = False
        self._result: str | None = None
        self._paused = self._blocked = self._ending = False
        self._steps = deque(steps)
        self._error = error
        self._waiting: deque[dict[str, Any]] = deque()
        self._done: dict[str, asyncio.Event] = {}
        self._notify = notify
        self._changed = asyncio.Event()
        self._doing: asyncio.Task[dict[str, Any]] | None = None
        session.hold = self._hold
        self._worker = asyncio.create_task(self._work())

    # What it is.

    @property
    def status(self) -> str:
        """In the server's words."""
        if self.lost:
            return "stopped"
        if self._result and self.completed_at:
            return self._result
        if self._ending:
            return "stop-requested"
        if self._result:
            return "finishing"
        if self._blocked or self._paused:
            return "blocked-by-open-door" if self._blocked else "paused"
        return "running" if self.started_at else "idle"

    @property
    def active(self) -> bool:
        """Whether it cannot be let go: started and not over, or busy with a command."""
        if self.lost or self.completed_at:
            return False
        return bool(self.started_at or self._ending or self._doing or self._waiting_for_setup())

    @property
    def running(self) -> tuple[int, dict[str, Any]] | None:
        """The command under way, or the last one that was, with its index."""
        for index in range(len(self.commands) - 1, -1, -1):
            if self.commands[index]["status"] != "queued":
                return index, self.commands[index]
        return None

    # What may be asked.

    def play(self, *, door_open: bool = False) -> None:
        """Begin, or go on; while it runs this is accepted too."""
        if self._over():
            raise NotAllowed("The run has already stopped.")
        if door_open:
            raise NotAllowed("Front door or top window is currently open.")
        self.started_at = self.started_at or self.clock.stamp()
        self._paused = self._blocked = False
        self._wake("run")

    def pause(self) -> None:
        """Show as paused from now on; the command under way goes on to its end."""
        if self._over() or not self.started_at or self._paused:
            raise NotAllowed("Cannot pause a run that is not running.")
        self._paused = True
        self._wake("run")

    def stop(self) -> None:
        """End it. Accepted after its end, too."""
        if self._over():
            return
        self._ending = True
        if self.started_at and self._doing:
            self._doing.cancel()
        self._wake("run")

    def door(self, *, is_open: bool) -> None:
        """The door was opened or closed, where that matters."""
        if self.started_at and not self._over() and is_open:
            self._blocked = True
            self._wake("run")
        elif self._blocked and not is_open:
            self._blocked, self._paused = False, True
            self._wake("run")

    def add(
        self, kind: str, params: dict[str, Any], intent: str = "setup", key: str | None = None
    ) -> dict[str, Any]:
        """Queue a command; a setup command is done at once, a protocol command once the run plays.

        Raises:
            NotAllowed: A setup command after the start, or anything after the end.
            RecoveryOnly: A fixit command.
        """
        if intent == "fixit":
            raise RecoveryOnly("fixit commands are only allowed in recovery")
        if self._over():
            raise NotAllowed("The run has already stopped.")
        if intent == "setup" and self.started_at:
            raise NotAllowed("Setup commands are not allowed after run has started.")
        command = self._new(kind, params, intent, key)
        self._waiting.append(command)
        self._wake("command")
        return command

    async def wait(self, command: dict[str, Any], seconds: float | None) -> None:
        """Wait until a command is done, for ever where no time is given."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._done[command["id"]].wait()

    async def end(self) -> None:
        """Let go of a run that is not active."""
        self.stop()
        await self._worker

    def power_cut(self) -> None:
        """Everything is gone."""
        self._worker.cancel()
        if self._doing:
            self._doing.cancel()
        self.lost = self.lost or not self.completed_at
        for done in self._done.values():
            done.set()

    # How it goes.

    async def _work(self) -> None:
        with asked_by(self.run_id):
            failure: dict[str, Any] | None = None
            while failure is None and (command := await self._next()):
                error = await self._perform(command)
                if error and self.started_at and not self._ending:
                    failure = self._failure(command, error)
            if not self._ending and failure is None:
                failure = self._error
            await self._finish(failure)

    async def _next(self) -> dict[str, Any] | None:
        while True:
            self._changed.clear()
            if self._ending:
                return None
            free = self.started_at and not self._paused and not self._blocked
            if self._waiting and (free or self._waiting_for_setup()):
                return self._waiting.popleft()
            if free and self._steps:
                step = self._steps.popleft()
                return self._new(step["commandType"], dict(step["params"]), "protocol", step.get("key"))
            if free:
                return None  # all done; a run without a protocol ends then, too
            await self._changed.wait()

    async def _perform(self, command: dict[str, Any]) -> CommandFailed | None:
        command["status"], command["startedAt"] = "running", self.clock.stamp()
        self._notify("command")
        error: CommandFailed | None = None
        self._doing = asyncio.create_task(execute(self.session, command["commandType"], command["params"]))
        try:
            command["result"] = await self._doing
        except CommandFailed as failed:
            error = failed
        except asyncio.CancelledError:
            if not self._ending:
                raise
            error = CommandFailed("RunStoppedError", "The run was stopped.")
        self._doing = None
        command["completedAt"] = self.clock.stamp()
        command["status"] = "failed" if error else "succeeded"
        if error:
            command["error"] = error.told(command["completedAt"])
        self._done[command["id"]].set()
        self._notify("command")
        return error

    async def _finish(self, failure: dict[str, Any] | None) -> None:
        self._result = "stopped" if self._ending else "failed" if failure else "succeeded"
        if failure:
            self.errors = [failure]
        self._notify("run")
        for command in self._waiting:
            self._done[command["id"]].set()
        if self.started_at:
            machine = self.session.machine
            if self._result != "succeeded":
                machine.halt()
            await drop_everything(self.session)
            await machine.home()
        self.completed_at = self.clock.stamp()
        self._notify("run")

    async def _hold(self) -> None:
        self._paused = True
        self._notify("run")
        while self._paused:
            self._changed.clear()
            await self._changed.wait()

    # Parts.

    def _new(self, kind: str, params: dict[str, Any], intent: str, key: str | None) -> dict[str, Any]:
        command_id = str(uuid.uuid4())
        command = {
            "id": command_id,
            "key": key or str(uuid.uuid4()),
            "commandType": kind,
            "createdAt": self.clock.stamp(),
            "status": "queued",
            "params": params,
            "intent": intent,
            "notes": [],
        }
        self.commands.append(command)
        self._done[command_id] = asyncio.Event()
        return command

    def _failure(self, command: dict[str, Any], error: CommandFailed) -> dict[str, Any]:
        failed = protocol_failed if self.protocol_id else command_failed
        return failed(error, command["error"], self.clock.stamp())

    def _waiting_for_setup(self) -> bool:
        return bool(self._waiting) and self._waiting[0]["intent"] == "setup"

    def _over(self) -> bool:
        return self.lost or self._ending or self._result is not None

    def _wake(self, what: str) -> None:
        self._changed.set()
        self._notify(what)
