"""What a board says about its commands: progress, the one result of each, and events for people."""

import math
import sys
from time import ticks_diff, ticks_ms

from micropython import const
import wire

from labboard import clock

LONGEST_ANSWER = 4096  # bytes
_TEXT = const(2000)  # characters of an error or of progress
_PROGRESS_EVERY = const(200)  # ms


class Answers:
    """The answers of one board.

    Args:
        say: Publishes them.
        remembered: The last ids, which are kept with their answers.
    """

    def __init__(self, say, remembered):
        self._say = say
        self.remembered = remembered
        self._progress_at = 0

    def refuse(self, request_id, task, code, text):
        """Answer what is not remembered: it could not be read, or its id belongs to another command."""
        self._say.put("result", wire.failure(request_id, task, code, _cut(text), clock.now()))

    def settle(self, command, result=None, error=None, tell=False, keep=True):
        """Give the one result of a command.

        Args:
            command: Which.
            result: What it gave.
            error: Why it was not done: any exception.
            tell: Whether people and automations get an event.
            keep: Whether it is remembered; what is not is done again when it is sent again.
        """
        request_id, task = command["request_id"], command["task"]
        if error is None:
            payload, error = self._encoded(request_id, task, result)
        if error is not None:
            code, text = _why(error, task)
            payload = wire.encode(wire.failure(request_id, task, code, text, clock.now())).encode()
        if keep:
            self.remembered.answer(request_id, payload)
        else:
            self.remembered.forget(request_id)
        if tell and error is None:
            self.event("task_succeeded", task=task, request_id=request_id)
        elif tell:
            self.event("task_failed", task=task, request_id=request_id, error=text, error_code=code)
        self._say.put("result", payload)

    @property
    def are_heavy(self):
        """Whether so much waits to be said that nothing more should be read."""
        return self._say.is_heavy

    def again(self, payload):
        """Say an answer that was kept."""
        self._say.put("result", payload)

    def tell(self, command, status, message=None):
        """Tell that a command waits or runs."""
        self._progress(command, status, None, message)

    def progress(self, command, percent, message):
        """Tell how far a task is, not too often."""
        if ticks_diff(ticks_ms(), self._progress_at) < _PROGRESS_EVERY:
            return
        self._progress_at = ticks_ms()
        if percent is not None:
            percent = min(max(percent, 0), 100) if percent == percent else None  # noqa: PLR0124 - NaN
        self._progress(command, "progress", percent, message and _cut(message))

    def event(self, event_type, **data):
        """Tell that something happened."""
        self._say.put("event", wire.event(event_type, clock.now(), **data))

    def _progress(self, command, status, percent, message):
        told = wire.progress(
            command["request_id"], command["task"], status, clock.now(), percent, message or None
        )
        self._say.put("progress", told, 0)

    def _encoded(self, request_id, task, result):
        """A result as it goes out, or an error in its place."""
        try:
            text = wire.encode(wire.success(request_id, task, clean(result), clock.now()))
            if len(text) <= LONGEST_ANSWER:
                payload = text.encode()
                if len(payload) <= LONGEST_ANSWER:
                    return payload, None
            why = "what it returned has %d bytes; at most %d are allowed" % (len(text), LONGEST_ANSWER)
        except wire.WireError as error:
            why = "returned what JSON cannot hold: " + error.message
        except MemoryError:
            why = "what it returned does not fit into memory"
        return None, wire.WireError(wire.DEVICE_ERROR, "%s was done, but %s" % (task, why))


def clean(value, depth=wire.MAX_DEPTH):
    """A value as JSON can hold it: NaN and infinity as null, bytes as hex, sets as lists."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, dict) and depth:
        return {
            key if isinstance(key, str) else str(key): clean(each, depth - 1) for key, each in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)) and depth:
        return [clean(each, depth - 1) for each in value]
    return value


def _cut(text):
    return text if len(text) <= _TEXT else "%s… (%d characters)" % (text[:_TEXT], len(text))


def _why(error, task):
    """Code and text of an error."""
    if isinstance(error, wire.WireError):
        return error.code, _cut(error.message)
    text = str(error)
    if isinstance(error, OSError):
        return wire.DEVICE_UNAVAILABLE, _cut(text)
    print(task + " failed:")
    sys.print_exception(error)
    return wire.DEVICE_ERROR, _cut("%s: %s" % (type(error).__name__, text))
