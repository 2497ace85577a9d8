"""What a device says about its commands: progress, the one result of each, and events for people."""

import asyncio
from collections.abc import Callable
import logging
import time
from typing import Any

from lab2mqtt import wire
from lab2mqtt.core.errors import LabError, Refused
from lab2mqtt.core.house import TASK_FAILED, TASK_SUCCEEDED
from lab2mqtt.runtime.presence import Say
from lab2mqtt.runtime.record import Record

_LOGGER = logging.getLogger(__name__)

PROGRESS_EVERY = 0.2  # s between two messages of progress


class Answers:
    """The answers of one device.

    Attributes:
        done: How many commands were done.
        failed: How many were refused or failed.
    """

    def __init__(self, name: str, say: Say, clock: Callable[[], float] = time.time) -> None:
        """Prepare.

        Args:
            name: The device id, for the log.
            say: Publishes a message on the device's topic of a kind.
            clock: Seconds since the epoch.
        """
        self._name = name
        self._say = say
        self._clock = clock
        self._record = Record()
        self._progress_at = 0.0
        self.done = self.failed = 0

    def is_new(self, command: dict[str, Any]) -> bool:
        """Whether nothing is known of a command's id, which is noted now; what is known is answered."""
        known = self._record.ask(command)
        if known == "new":
            self._record.take(command, self._clock())
            return True
        if known == "conflict":
            text = (
                f"request_id {command['request_id']!r} was used before, for another task or other parameters"
            )
            self.refuse(command, Refused(text, wire.CONFLICT))
        elif isinstance(known, dict):
            self._say("result", wire.replayed(known))
        return False

    def refuse(self, command: dict[str, Any], why: LabError) -> None:
        """Answer what must not be noted: it could not be read, or its id belongs to another command."""
        self.failed += 1
        self._say("result", self._failure(command, why))

    def settle(
        self,
        command: dict[str, Any],
        *,
        result: object = None,
        error: Exception | None = None,
        tell: bool = False,
    ) -> None:
        """Publish the one result of a command, and with ``tell`` an event for people and automations."""
        message = self._failure(command, error) if error else self._success(command, result)
        failed = message["status"] == "error"
        self.failed += failed
        self.done += not failed
        self._record.settle(command["request_id"], message)
        if tell:
            more = {key: message[key] for key in ("error", "error_code") if failed}
            about = {"task": command["task"], "request_id": command["request_id"]}
            self.event(TASK_FAILED if failed else TASK_SUCCEEDED, **about, **more)
        self._say("result", message)

    def progress(self, command: dict[str, Any], percent: float | None, message: str) -> None:
        """Tell how far a task is, not too often."""
        now = asyncio.get_running_loop().time()
        if now - self._progress_at >= PROGRESS_EVERY:
            self._progress_at = now
            self.tell(command, "progress", percent=percent, message=message)

    def tell(
        self, command: dict[str, Any], status: str, *, percent: float | None = None, message: str = ""
    ) -> None:
        """Tell that a command waits, runs or is paused."""
        request_id, name, now = command["request_id"], command["task"], int(self._clock())
        self._say("progress", wire.progress(request_id, name, status, now, percent, message or None), qos=0)

    def event(self, event_type: str, **data: Any) -> None:  # noqa: ANN401 - JSON
        """Tell that something happened."""
        self._say("event", wire.event(event_type, round(self._clock(), 3), **data))

    def _success(self, command: dict[str, Any], result: object) -> dict[str, Any]:
        message = wire.success(command["request_id"], command["task"], result, int(self._clock()))
        try:
            wire.encode(message)
        except wire.WireError as unfit:
            text = f"{command['task']} was done, but returned what JSON cannot hold: {unfit.message}"
            return self._failure(command, LabError(text))
        return message

    def _failure(self, command: dict[str, Any], error: Exception) -> dict[str, Any]:
        text = str(error)
        code = wire.DEVICE_ERROR
        if isinstance(error, LabError):
            code = error.error_code
        else:
            _LOGGER.error("%s: %s failed", self._name, command["task"], exc_info=error)
            text = f"{type(error).__name__}: {text}"
        return wire.failure(command["request_id"], command["task"], code, text, int(self._clock()))
