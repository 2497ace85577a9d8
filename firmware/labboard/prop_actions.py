"""The actions of a prop's board: what comes on its cmd topic is done, or it is said why not."""

import asyncio
import sys

from micropython import const
import wire

from labboard import spoken_action
from labboard.stop import told

_QUEUE = const(4)  # actions that wait for one that takes its time
_TEXT = const(500)  # characters of a warning
_STOPS = ("emergency_stop", "reset_emergency_stop")


class PropActions:
    """Takes the commands of a prop's board.

    What needs no time is done at once, past all that does: a stop waits for nobody. Of the others one is done
    after the other.

    Args:
        tasks: Name → task.
        stop: The board's emergency stop.
        state: Asked to measure what an action led to.
        clear: Clears what is retained on the command topic.
        warn: Says that something is not done, and why.
        error: Says what failed.

    Attributes:
        hung_at: None; the guard asks.
    """

    hung_at = None

    def __init__(self, tasks, stop, state, clear, warn, error):
        self._tasks = tasks
        self._stop = stop
        self._state = state
        self._clear = clear
        self._warn = warn
        self._error = error
        self._waiting = []  # (task, its coroutine)
        self._go = asyncio.Event()
        self._handle = None
        self._ended_by = ""
        self._closed = ""

    def receive(self, payload, retained):
        """Take what came on the cmd topic."""
        if not payload:
            return
        if retained:
            self._clear()
        try:
            action, given = spoken_action.read(payload)
        except ValueError as error:
            if b"emergency_stop" in payload and b"reset_emergency_stop" not in payload:
                self._stop.itself("", "a command that cannot be read")
            else:
                self._refuse("the command", str(error))
            return
        if action == "emergency_stop":
            self._stop.itself("", given if isinstance(given, str) else "a command")
            return
        try:
            if retained:
                text = "commands must not be retained; this one has been cleared"
                raise wire.WireError(wire.RETAINED_COMMAND, text)
            self._take(action, given)
        except Exception as error:  # too little memory, too: whoever asked is told
            self._fail(action, error)

    def why_not(self):
        """Why nothing may move now; "" where it may."""
        return told(self._stop.engaged) if self._stop.engaged else ""

    def close(self, why):
        """Start nothing more: the board is about to restart."""
        self._closed = why
        self.end_all(wire.INTERRUPTED, why)

    def end_all(self, _, text):
        """End what runs or waits."""
        for task, doing in self._waiting:
            doing.close()
            self._refuse(task.name, text)
        self._waiting.clear()
        if self._handle:
            self._ended_by = text
            self._handle.cancel()

    async def run(self):
        """Do what takes its time, for ever."""
        while True:
            await self._go.wait()
            self._go.clear()
            while self._waiting:
                task, doing = self._waiting.pop(0)
                self._handle = asyncio.create_task(self._do(task, doing))
                try:
                    await self._handle
                except asyncio.CancelledError:  # before it began
                    self._refuse(task.name, self._ended_by)
                self._handle = None
                await self._state.measure(task.part)

    async def _do(self, task, doing):
        try:
            await asyncio.wait_for(doing, task.timeout)
        except asyncio.CancelledError:
            self._refuse(task.name, self._ended_by)
        except asyncio.TimeoutError:
            self._error("%s failed: it was not done within %g s" % (task.name, task.timeout))
        except Exception as error:
            self._fail(task.name, error)

    def _take(self, action, given):
        """Do an action, or let it wait.

        Raises:
            wire.WireError: It is refused.
        """
        if action == "reset_emergency_stop":
            self._stop.reset()
            return
        task = self._tasks.get(action)
        if task is None:
            known = ", ".join(sorted(list(self._tasks) + list(_STOPS)))
            raise wire.WireError(wire.UNKNOWN_TASK, "no such action; there are " + known)
        arguments = task.arguments(spoken_action.by_name(task, given))
        if task.effect == "move" and self._stop.engaged:
            raise wire.WireError(wire.EMERGENCY_STOPPED, self.why_not() + "; reset it first")
        if self._closed:
            raise wire.WireError(wire.BUSY, self._closed)
        doing = task.run(**arguments)
        if not hasattr(doing, "send"):
            asyncio.create_task(self._state.measure(task.part))
        elif len(self._waiting) < _QUEUE:
            self._waiting.append((task, doing))
            self._go.set()
        else:
            doing.close()
            raise wire.WireError(wire.BUSY, "%d actions are waiting already" % _QUEUE)

    def _refuse(self, action, why):
        self._warn(("%s refused: %s" % (action, why))[:_TEXT])

    def _fail(self, action, error):
        """Tell that an action was refused, or failed."""
        if isinstance(error, wire.WireError):
            self._refuse(action, error.message)
        elif isinstance(error, OSError):
            self._error(("%s failed: %s" % (action, error))[:_TEXT])
        else:
            sys.print_exception(error)
            self._error(("%s failed: %s: %s" % (action, type(error).__name__, error))[:_TEXT])
