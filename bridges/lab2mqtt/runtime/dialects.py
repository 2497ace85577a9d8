"""A device in an older dialect: its messages become commands like any other, their results its answers."""

import asyncio
from collections.abc import Callable, Mapping
import hashlib
import importlib
import logging
from typing import Any

from lab2mqtt import wire
from lab2mqtt.core.dialect import Dialect, Order, Topics, Unreadable
from lab2mqtt.runtime.config import DeviceConfig
from lab2mqtt.runtime.say import Say

_LOGGER = logging.getLogger(__name__)


class Interpreter:
    """Speaks the dialect of one device. What it asks for goes the way of every command.

    Attributes:
        device_id: Whose.
        topics: Where it is spoken; None as long as nobody knows.
        deliver: Takes a command for the device.
    """

    def __init__(
        self,
        config: DeviceConfig,
        say: Say,
        publish: Callable[[str, str], None],
        on_topics: Callable[["Interpreter"], None],
    ) -> None:
        """Prepare; ``deliver`` is set before the first message.

        Args:
            config: The device.
            say: Publishes a message on the device's topic of a kind.
            publish: Publishes a payload on a topic.
            on_topics: Called when the topics are known, and when they are others.
        """
        module, _, name = config.device.dialect.partition(":")
        self._dialect: Dialect = getattr(importlib.import_module(module), name)(config.settings)
        self._say = say
        self._publish = publish
        self._on_topics = on_topics
        self._open: dict[str, tuple[Order, int]] = {}
        self.device_id = config.instance.device_id
        self.topics: Topics | None = None
        self.deliver: Callable[[bytes], None]

    def say(
        self, kind: str, message: dict[str, Any] | str | bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        """Publish what the device says, and answer in the dialect where that is due."""
        self._say(kind, message, qos=qos, retain=retain)
        if kind == "description" and isinstance(message, dict):
            self._learn(message)
        elif kind == "result" and self._open:
            if isinstance(message, dict):
                self._hear(message)
            else:
                self._hear(wire.read_result(message.encode() if isinstance(message, str) else message))

    def receive(self, payload: bytes, *, retained: bool = False) -> None:
        """Take a message of the dialect.

        Raises:
            wire.WireError: It cannot be answered, because nobody knows whose it is.
        """
        try:
            order = self._dialect.read(payload)
        except Unreadable as error:
            if error.failed is None:
                raise wire.WireError(wire.MALFORMED, str(error)) from error
            self._fail(error.failed, str(error), wire.MALFORMED)
            return
        if retained:  # not on record: the same message, sent as it should be, is another matter
            text = "commands must not be retained; this one has been cleared"
            self._fail(order.failed, text, wire.RETAINED_COMMAND)
            return
        self._begin(order, 0)

    def _learn(self, description: Mapping[str, object]) -> None:
        topics = self._dialect.topics(description)
        if topics and topics != self.topics:
            self.topics = topics
            _LOGGER.info("%s is also commanded on %s, answering on %s", self.device_id, *topics)
            self._on_topics(self)

    def _begin(self, order: Order, step: int) -> None:
        """Do one step, unless it was done before: then the ledger has the result."""
        # Of the same message always the same id: by that nothing is done twice.
        request_id = f"{hashlib.sha256(order.key.encode()).hexdigest()[:32]}-{step}"
        self._open[request_id] = (order, step)
        task, parameters = order.steps[step]
        issued_by = self.topics.commands if self.topics else None
        command = wire.command(task, dict(parameters), request_id=request_id, issued_by=issued_by)
        self.deliver(wire.encode(command).encode())

    def _hear(self, result: Mapping[str, Any]) -> None:
        order, step = self._open.pop(result["request_id"], (None, 0))
        if order is None:
            return
        if result["status"] == "error":
            self._fail(order.failed, f"{result['task']}: {result['error']}", result["error_code"])
        elif step + 1 < len(order.steps):
            asyncio.get_running_loop().call_soon(self._begin, order, step + 1)
        else:
            self._answer(order.done)

    def _fail(self, answer: Mapping[str, object], why: str, error_code: str) -> None:
        self._answer({**answer, "error": why, "error_code": error_code})

    def _answer(self, answer: Mapping[str, object]) -> None:
        if self.topics:
            self._publish(self.topics.answers, wire.encode(dict(answer)))
