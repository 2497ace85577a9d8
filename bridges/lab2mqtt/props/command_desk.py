"""Where commands on ``halloween/<prop>/cmd`` come in: in order, in turn, and past a flood where they stop."""

from collections.abc import Callable
from functools import partial
import time

from lab2mqtt.props.commands import Commands
from lab2mqtt.props.early import Early
from lab2mqtt.props.link import PropsLink
from lab2mqtt.props.resident import Resident
from lab2mqtt.runtime.inbox import Inbox
from lab2mqtt.runtime.mqtt import Message

SAY_DROPS_EVERY = 1.0  # s between two words of commands that were dropped


class _Desk:
    """One prop's."""

    def __init__(self, resident: Resident, early: Early) -> None:
        self.resident = resident
        self.early = early
        self.drops_said = float("-inf")


class CommandDesk:
    """Takes the commands of all props of a host."""

    def __init__(self, link: PropsLink, commands: Commands, answers: Callable[[Resident], bool]) -> None:
        """Take none yet.

        Args:
            link: Where they come from.
            commands: Translates them.
            answers: Whether a prop answers by now.
        """
        self._link = link
        self._commands = commands
        self._answers = answers
        self._desks: dict[str, _Desk] = {}  # by topic
        self._inbox = Inbox(self._take, self._drop)

    def open(self, resident: Resident) -> None:
        """Take a prop's commands from now on."""
        topic = self._topic(resident)
        early = Early(partial(self._answers, resident), partial(self._commands.take, resident))
        self._desks[topic] = _Desk(resident, early)
        self._link.hear(topic, self._hear)

    def close(self, resident: Resident) -> None:
        """Take a prop's commands no more."""
        self._desks.pop(self._topic(resident), None)

    def _topic(self, resident: Resident) -> str:
        return f"{resident.front}/cmd"

    def _hear(self, message: Message) -> None:
        desk = self._desks.get(message.topic)
        if desk is None:
            return
        self._inbox.put(message)
        if self._inbox.waits(message.topic) and self._commands.stops(desk.resident, message):
            self._inbox.catch_up(message.topic)

    def _take(self, message: Message) -> None:
        desk = self._desks.get(message.topic)
        if desk and self._commands.stops(desk.resident, message):
            self._commands.take(desk.resident, message)
        elif desk:
            desk.early.put(message)

    def _drop(self, topic: str) -> None:
        desk, now = self._desks.get(topic), time.monotonic()
        if desk and now > desk.drops_said + SAY_DROPS_EVERY:
            desk.drops_said = now
            desk.resident.say(
                "warn", "more commands come than can be done; those that are too many are dropped"
            )
