"""A worker's ties that lead to a list: what it says and asks is kept, and answered as a test wants."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lab2mqtt.props.base import STOPS
from lab2mqtt.props.ties import Handler


class Asked(NamedTuple):
    """A command that the worker sent, by a call or on the cmd topic."""

    at: float  # s, of the loop's clock
    target: str
    action: str
    args: object
    via: str


async def _done(_: Asked) -> None:
    """Answer at once."""


@dataclass
class RecordedTies:
    """Ties to nowhere. Made within the worker's loop."""

    root: Path = field(default_factory=Path)
    answer: Callable[[Asked], Awaitable[object]] = _done
    prefix: str = "halloween"
    stopped: str = ""
    stop_actions: tuple[str, ...] = STOPS
    asked: list[Asked] = field(default_factory=list)
    published: list[tuple[str, str]] = field(default_factory=list)
    retained: dict[str, str] = field(default_factory=dict)
    values: dict[str, object] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)
    messages: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    async def until(self, condition: Callable[[], object], within: float = 5.0) -> None:
        """Wait until something holds, looked at whenever the worker says or asks something."""
        async with asyncio.timeout(within):
            while not condition():
                self._news.clear()
                await self._news.wait()

    @property
    def words(self) -> list[str]:
        """What was asked for, as ``fogger fog``."""
        return [f"{one.target} {one.action}" for one in self.asked]

    def publish(self, topic: str, payload: str, *, qos: int = 0, retain: bool = False) -> None:
        """Keep a message."""
        assert qos in (0, 1)
        self.published.append((topic, payload))
        if retain:
            self.retained[topic] = payload
        self._news.set()

    def subscribe(self, topic: str, handler: Handler | None = None) -> None:
        """Fail: nothing here is ever said to the worker."""
        raise AssertionError((topic, handler))

    def value(self, key: str, value: object) -> None:
        """Keep a value."""
        self.values[key] = value
        self._news.set()

    def state(self, word: str) -> None:
        """Keep a state."""
        self.states.append(word)
        self._news.set()

    def message(self, key: str, text: str) -> None:
        """Keep a message."""
        self.messages.append((key, text))
        self._news.set()

    def problem(self, text: str) -> None:
        """Keep a problem."""
        self.message("problem", text)

    def command(self, target: str, action: str, args: object, qos: int) -> bool:
        """Keep a command; none is sent while stopped."""
        assert qos == 1
        if not self.stopped:
            self._ask(target, action, args, "cmd")
        return not self.stopped

    async def call(
        self, device_id: str, task: str, parameters: Mapping[str, object], within: float
    ) -> object:
        """Keep a call, and answer as the test wants."""
        assert within > 0
        return await self.answer(self._ask(device_id, task, dict(parameters), "call"))

    def _ask(self, target: str, action: str, args: object, via: str) -> Asked:
        asked = Asked(self.loop.time(), target, action, args, via)
        self.asked.append(asked)
        self._news.set()
        return asked
