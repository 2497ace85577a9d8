"""Commands on ``halloween/<prop>/cmd``: each becomes a command with an id, and its failure words."""

from collections.abc import Callable, Mapping
import logging
import time
from typing import Any, Protocol
import uuid

from lab2mqtt import wire
from lab2mqtt.core.errors import LabError, Refused
from lab2mqtt.core.words import near
from lab2mqtt.props.actions import Action
from lab2mqtt.props.declaration import COMMAND
from lab2mqtt.props.spoken_command import Spoken, Unreadable, read
from lab2mqtt.runtime.mqtt import Message

_LOGGER = logging.getLogger(__name__)

# A handler that was begun and failed is an error; what was refused or ended on purpose is a warning.
_FAILED = (wire.DEVICE_ERROR, wire.TIMEOUT, wire.INTERRUPTED)


class Commanded(Protocol):
    """A prop that takes commands."""

    @property
    def actions(self) -> Mapping[str, Action]:
        """What it can be asked for, by word."""

    @property
    def takes_any(self) -> bool:
        """Whether it takes commands that it has no action for."""

    def say(self, key: str, text: str) -> None:
        """Say a status message."""

    def receive(self, payload: bytes) -> bool:
        """Do a command of ours; False where the device is not there yet."""


class Commands:
    """Translates, for all props of a host."""

    def __init__(self, clear: Callable[[str], None], clock: Callable[[], float] = time.time) -> None:
        """Know of no command yet.

        Args:
            clear: Clears what is retained on a topic.
            clock: Seconds since the epoch.
        """
        self._clear = clear
        self._clock = clock
        self._open: dict[str, Commanded] = {}
        self._cleared: set[str] = set()

    def forget(self) -> None:
        """A new link: what we cleared on the last one does not come back."""
        self._cleared.clear()

    def take(self, prop: Commanded, message: Message) -> None:
        """Take what came on a prop's ``cmd`` topic."""
        if not message.payload and message.topic in self._cleared:
            self._cleared.discard(message.topic)  # our own clearing comes back to us
            return
        if message.retained:
            if message.topic in self._cleared:  # amqtt tells a newcomer twice
                return
            self._cleared.add(message.topic)
            self._clear(message.topic)
            prop.say("warn", "a retained command was refused and cleared: publish commands without retain")
            return
        request_id = uuid.uuid4().hex
        try:
            spoken = read(message.payload)
            task, arguments = self._asked(prop, spoken)
            command = wire.command(
                task, arguments, request_id=request_id, timestamp=int(self._clock()), issued_by=message.topic
            )
            payload = wire.encode(command).encode()
            wire.read_command(payload)
        except (Unreadable, LabError, wire.WireError) as error:
            prop.say("warn", str(error))
            return
        self._open[request_id] = prop
        if not prop.receive(payload):
            del self._open[request_id]
            prop.say("warn", f"{spoken.action} was not done: the prop is not ready yet")

    def stops(self, prop: Commanded, message: Message) -> bool:
        """Whether a message is a command that stops something, and so waits behind no flood."""
        try:
            action = prop.actions.get(read(message.payload).action)
        except Unreadable:
            return False
        return action is not None and action.effect == "stop"

    def result(self, message: Mapping[str, Any] | str) -> None:
        """Hear a result of any device of the host."""
        if not self._open:
            return
        result = message if isinstance(message, Mapping) else wire.read_result(message.encode())
        prop = self._open.pop(result["request_id"], None)
        if prop and result["status"] == "error":
            prop.say("error" if result["error_code"] in _FAILED else "warn", result["error"])

    def _asked(self, prop: Commanded, spoken: Spoken) -> tuple[str, dict[str, object]]:
        """The task and its parameters.

        Raises:
            Refused: There is no such action, or it does not take that.
        """
        action = prop.actions.get(spoken.action)
        if action:
            return action.task, action.arguments_of(spoken.args)
        if prop.takes_any:
            more = {} if spoken.args is None else {"args": spoken.args}
            return COMMAND, {"action": spoken.action, **more}
        known = ", ".join(sorted(prop.actions)) or "none"
        raise Refused(f"no action {spoken.action!r}{near(spoken.action, prop.actions)}; there are {known}")
