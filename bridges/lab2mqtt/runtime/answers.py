"""What a device says about its commands: progress, the one result of each, and events for people."""

import asyncio
from collections.abc import Callable
import logging
import time
from typing import Any

from lab2mqtt import wire
from lab2mqtt.core.errors import LabError, Refused
from lab2mqtt.core.house import TASK_FAILED, TASK_SUCCEEDED
from lab2mqtt.runtime.fitting import shortened, too_long
from lab2mqtt.runtime.ledger_file import Known
from lab2mqtt.runtime.presence import Presence
from lab2mqtt.runtime.record import Record, asks_for
from lab2mqtt.runtime.say import Say

_LOGGER = logging.getLogger(__name__)

PROGRESS_EVERY = 0.2  # s between two messages of progress


class Answers:
    """The answers of one device.

    Attributes:
        done: How many commands were done.
        failed: How many were refused or failed.
    """

    def __init__(
        self,
        name: str,
        say: Say,
        record: Record,
        presence: Presence,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare.

        Args:
            name: The device id, for the log.
            say: Publishes a message on the device's topic of a kind.
            record: Its commands.
            presence: Its state, for the record.
            clock: Seconds since the epoch.
        """
        self._name = name
        self._say = say
        self._record = record
        self._presence = presence
        self._clock = clock
        self._progress_at = 0.0
        self._background: set[asyncio.Task[None]] = set()
        self.done = self.failed = 0

    def is_new(self, command: dict[str, Any]) -> bool:
        """Whether nothing is known of a command's id, which is noted now; what is known is answered."""
        match self._record.ask(command):
            case "new":
                self._record.take(command)
                return True
            case "running":
                pass  # the first one will answer
            case "conflict":
                self._conflict(command)
            case "known":
                task = asyncio.create_task(self._ask_ledger(command))
                self._background.add(task)
                task.add_done_callback(self._background.discard)
            case result:
                self._say("result", wire.replayed(result))
        return False

    async def _ask_ledger(self, command: dict[str, Any]) -> None:
        try:
            known = await self._record.known(command)
        except LabError as error:  # an answer made up now could be another than the first one
            _LOGGER.error("%s: a repeated command cannot be answered: %s", self._name, error)
        else:
            self.answer_known(command, known)

    def answer_known(self, command: dict[str, Any], known: Known | None) -> None:
        """Answer a command whose id the ledger knows."""
        if known is None or not asks_for(command, known.content):
            self._conflict(command)
        elif known.result:
            self._say("result", wire.replayed(known.result))

    def _conflict(self, command: dict[str, Any]) -> None:
        text = f"request_id {command['request_id']!r} was used before, for another task or other parameters"
        self.refuse(command, Refused(text, wire.CONFLICT))

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
    ) -> "asyncio.Future[None]":
        """Write the one result of a command into the ledger, then publish it.

        Args:
            command: Which.
            result: What it gave.
            error: Why it was not done.
            tell: Whether people and automations get an event.

        Returns:
            Done when it has been published.
        """
        message, text = self._outcome(command, result, error)
        failed = message["status"] == "error"
        self.failed += failed
        self.done += not failed
        said: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def say(known: Known | None) -> None:
            if known:
                self.answer_known(command, known)
                if not said.done():
                    said.set_result(None)
                return
            if tell:
                more = {key: message[key] for key in ("error", "error_code") if failed}
                about = {"task": command["task"], "request_id": command["request_id"]}
                self.event(TASK_FAILED if failed else TASK_SUCCEEDED, **about, **more)
            self._say("result", text)
            if not said.done():
                said.set_result(None)

        self._record.settle(command, message, text, self._presence.state, self._presence.sw_version, say)
        return said

    def give(self, command: dict[str, Any], result: object) -> None:
        """Answer a command that leaves no trace; sent again, it is done again."""
        self.done += 1
        self._record.forget(command)
        _, text = self._outcome(command, result, None)
        self._say("result", text)

    def progress(self, command: dict[str, Any], percent: float | None, message: str) -> None:
        """Tell how far a task is, not too often."""
        now = asyncio.get_running_loop().time()
        if now - self._progress_at >= PROGRESS_EVERY:
            self._progress_at = now
            self._publish(command, "progress", percent, message)

    def tell(self, command: dict[str, Any], status: str, message: str = "") -> None:
        """Tell that a command waits, runs or is paused."""
        self._record.tell(command, status, message)
        self._publish(command, status, None, message)

    def event(self, event_type: str, **data: Any) -> None:  # noqa: ANN401 - JSON
        """Tell that something happened."""
        self._say("event", wire.event(event_type, round(self._clock(), 3), **data))

    def _publish(self, command: dict[str, Any], status: str, percent: float | None, message: str) -> None:
        request_id, name, now = command["request_id"], command["task"], int(self._clock())
        self._say("progress", wire.progress(request_id, name, status, now, percent, message or None), qos=0)

    def _outcome(
        self, command: dict[str, Any], result: object, error: Exception | None
    ) -> tuple[dict[str, Any], str]:
        """The result as an object, and as it goes out."""
        if error is None:
            message = wire.success(command["request_id"], command["task"], result, int(self._clock()))
            try:
                text = wire.encode(message)
            except wire.WireError as unfit:
                why = f"returned what JSON cannot hold: {unfit.message}"
            else:
                if not (why := too_long(text)):
                    return message, text
                why = f"what it returned has {why}"
            error = LabError(f"{command['task']} was done, but {why}")
        message = self._failure(command, error)
        return message, wire.encode(message)

    def _failure(self, command: dict[str, Any], error: Exception) -> dict[str, Any]:
        text = str(error)
        code = wire.DEVICE_ERROR
        if isinstance(error, LabError):
            code = error.error_code
        else:
            _LOGGER.error("%s: %s failed", self._name, command["task"], exc_info=error)
            text = f"{type(error).__name__}: {text}" if text else type(error).__name__
        text = text.encode(errors="backslashreplace").decode()  # half of a surrogate pair is no JSON
        now = int(self._clock())
        return wire.failure(command["request_id"], command["task"], code, shortened(text), now)
