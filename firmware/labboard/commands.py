"""Commands: from what came to exactly one answer."""

import os

import wire

from labboard import clock
from labboard.answers import LONGEST_ANSWER
from labboard.borrowed import borrow
from labboard.remembered import content, is_gone, replayed
from labboard.stop import told

# What every device can do.
_HOUSE = ("cancel", "emergency_stop", "reset_emergency_stop", "reserve", "release", "set_maintenance")


class Commands:
    """Takes the commands of a board.

    Args:
        tasks: Name → task, of the board's own.
        stop: Its emergency stop.
        holds: Its reservation and maintenance.
        answers: Says what becomes of them.
        health: Counts what cannot be answered.
        state: Tells its readiness.
        clear: Clears what is retained on the command topic.
    """

    def __init__(self, tasks, stop, holds, answers, health, state, clear):
        self._tasks = tasks
        self._stop = stop
        self._holds = holds
        self._remembered = answers.remembered
        self._answers = answers
        self._health = health
        self._state = state
        self._clear = clear
        self.execution = None

    @staticmethod
    def house():
        """The names of the tasks that every device has."""
        return _HOUSE

    def receive(self, payload, retained):  # noqa: C901 - the one way of every command
        """Take what came on the command topic."""
        if not payload:
            return
        if retained:
            self._clear()
        try:
            command = wire.read_command(payload, LONGEST_ANSWER)
        except wire.WireError as error:
            if error.task == "emergency_stop":
                self._stop.itself("unknown", "")
            if error.request_id is None:
                self._health.malformed += 1
            else:
                self._answers.refuse(error.request_id, error.task or "", error.code, error.message)
            return
        if command["request_id"] is None:
            command["request_id"] = os.urandom(8).hex()
        if command["task"] == "emergency_stop":
            reason = command["parameters"].get("reason")
            by = command["issued_by"] or "unknown"
            stop = self._stop.itself(by, reason if isinstance(reason, str) else "")
            if self._is_new(command):
                told = {"stop_id": stop["stop_id"], "confirmed": self._stop.confirmed}
                self._answers.settle(command, told, tell=True)
        elif self._is_new(command):
            try:
                self._take(command, retained)
            except Exception as error:  # too little memory, too: whoever asked has an answer
                self._answers.settle(command, error=error, tell=True)

    def check(self, task, command):
        """Let a task start.

        Raises:
            wire.WireError: It may not; the text says why.
        """
        moves = task.effect == "move"
        wire.check_expiry(command, clock.now(), moves)
        if task.effect != "read":
            if moves and self._stop.engaged:
                raise wire.WireError(wire.EMERGENCY_STOPPED, told(self._stop.engaged) + "; reset it first")
            self._holds.check(command["reservation"])

    def why_not(self):
        """Why nothing may move now; "" where it may."""
        try:
            if self._stop.engaged:
                return told(self._stop.engaged)
            self._holds.check(None)
        except wire.WireError as refusal:
            return refusal.message
        return ""

    def _is_new(self, command):
        """Whether nothing is known of a command's id, which is noted now; what is known is answered."""
        request_id, task, asked = command["request_id"], command["task"], content(command)
        known = self._remembered.find(request_id)
        if known is None and not self._remembered.was_done(request_id):
            self._remembered.note(request_id, asked)
            return True
        if known and known[1] != asked:
            text = "request_id %r was used before, for another task or other parameters" % request_id
            self._answers.refuse(request_id, task, wire.CONFLICT, text)
        elif known and known[3] is None:
            pass  # the first one will answer
        elif known is None or is_gone(known[3]):
            text = "it has ended, and is not done again; its answer is not kept any more"
            self._answers.refuse(request_id, task, wire.DEVICE_ERROR, text)
        else:
            self._answers.again(replayed(known[3]))
        return False

    def _take(self, command, retained):
        """Check a new command, and do it, let it wait, or refuse it.

        Raises:
            wire.WireError: It is refused.
        """
        if retained:
            text = "commands must not be retained; this one has been cleared"
            raise wire.WireError(wire.RETAINED_COMMAND, text)
        name = command["task"]
        task = self._tasks.get(name)
        if task is None:
            self._do_at_once(command, name)
            return
        if task.effect == "read":
            self._remembered.reads(command["request_id"])
        else:
            self._check_past(command)  # first: that it expired would say that it was not done
        wire.check_expiry(command, clock.now(), task.effect == "move")
        arguments = task.arguments(command["parameters"])
        command["parameters"] = None  # they are in the arguments
        self.check(task, command)
        self.execution.add(command, task, arguments)

    def _check_past(self, command):
        """Say nothing of a command that may have been done before the last reset.

        Raises:
            wire.WireError: Nobody knows.
        """
        now, sent = clock.now(), command["timestamp"]
        if now is None or sent is None:
            return
        began = now - self._health.uptime_ms // 1000 - 1
        if sent < began:
            text = (
                "sent before this board was reset: whether it was done is not known, and it is not done now"
            )
            raise wire.WireError(wire.INTERRUPTED, text)

    def _do_at_once(self, command, name):
        """Do a task of the house, which never waits.

        Raises:
            wire.WireError: It is refused, or there is none of that name.
        """
        if name not in _HOUSE:
            known = ", ".join(sorted(list(self._tasks) + list(_HOUSE)))
            raise wire.WireError(wire.UNKNOWN_TASK, "no task %r; there are %s" % (name, known))
        wire.check_expiry(command, clock.now(), False)
        self._remembered.acts(command["request_id"])
        stop, holds, state = self._stop, self._holds, self._state
        result = borrow("house").do(name, command, stop, holds, self.execution, state)
        # A script that renews every minute would push all else out of what is remembered.
        renewed = "renewed" in result
        self._answers.settle(command, result, tell=not renewed, keep=not renewed)
