"""A worker's ties: what it says goes into the outbox, what it asks goes to the main loop."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
import contextlib
import inspect
from itertools import islice
import json
from pathlib import Path
import threading
from typing import Protocol

from lab2mqtt.props.actions import effect_of
from lab2mqtt.props.outbox import Box, Outbox
from lab2mqtt.props.prop import Prop
from lab2mqtt.props.seen import members
from lab2mqtt.props.ties import Handler
from lab2mqtt.props.topics import filter_or_error
from lab2mqtt.props.view import View, shown
from lab2mqtt.runtime.mqtt import Message

MOST_AT_ONCE = 200  # members of one value that are looked at
WAITING = 1000  # messages that a worker has not taken yet; more are dropped


class House(Protocol):
    """What the host does for one worker."""

    prefix: str
    stop_actions: Sequence[str]
    root: Path

    def why_stopped(self, prop_id: str) -> str:
        """Which emergency stop is engaged for a prop, in words; from any thread."""

    def tell(self, prop_id: str, key: str, text: str) -> None:
        """Tell people of a status message."""

    def hear(self, prop_id: str, topic: str, handler: Callable[[Message], None]) -> None:
        """Hear what comes on a topic, until the prop is gone."""

    def call(
        self, prop_id: str, device_id: str, task: str, parameters: Mapping[str, object], within: float
    ) -> Awaitable[object]:
        """Call a task of another device."""


class WayOut:
    """The ``Ties`` of one worker.

    Attributes:
        box: Its messages.
        available: What it said of its availability last.
    """

    def __init__(self, house: House, prop: Prop, outbox: Outbox, view: View) -> None:
        """Tie one worker to its host; called in the main loop, when its file has been loaded.

        Args:
            house: The host.
            prop: The worker.
            outbox: Takes messages from all workers.
            view: What is shown of this one.
        """
        self.prefix = house.prefix
        self.root = house.root
        self.stop_actions = house.stop_actions
        self._house = house
        self._prop = prop
        self._prop_id = prop_id = prop.prop_id
        self.box: Box = outbox.box(prop_id)
        self._view = view
        self.available = ""
        self._main = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._values: dict[str, object] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = 0  # messages that the worker's loop has not taken

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The worker's own event loop."""
        return self._prop.loop

    @property
    def stopped(self) -> str:
        """Which emergency stop is engaged, in words; "" when none is."""
        return self._house.why_stopped(self._prop_id)

    def publish(self, topic: str, payload: str, *, qos: int = 0, retain: bool = False) -> None:
        """Publish."""
        if retain and topic == f"{self.prefix}/{self._prop_id}/availability":
            self.available = payload
        self.box.put(topic, payload, qos, retain=retain)

    def subscribe(self, topic: str, handler: Handler | None = None) -> None:
        """Call a handler with what comes on a topic.

        Raises:
            ValueError: It is no topic.
        """
        filter_or_error(topic)

        def hear(message: Message) -> None:
            if self._waiting >= WAITING or self.loop.is_closed():
                return
            self._waiting += 1
            text = message.payload.decode(errors="replace")
            with contextlib.suppress(RuntimeError):  # it was closed in this moment
                self.loop.call_soon_threadsafe(
                    self._deliver, handler or self._prop.on_message, message.topic, text
                )

        self.box.run_soon(lambda: self._house.hear(self._prop_id, topic, hear))

    def value(self, key: str, value: object) -> None:
        """Show a value: the last one, where many come at once."""
        # Here and not in the main loop: a large object takes its time, and may change meanwhile.
        told = {member: shown(one) for member, one in islice(members(key, value), MOST_AT_ONCE)}
        with self._lock:
            is_first = not self._values
            self._values |= told
        if is_first:
            self.box.run_soon(self._show)

    def state(self, word: str) -> None:
        """Show the state."""
        self.box.run_soon(lambda: self._view.state(word))

    def message(self, key: str, text: str) -> None:
        """Show a status message."""

        def show() -> None:
            self._view.message(text)
            self._house.tell(self._prop_id, key, text)

        self.box.run_soon(show)

    def problem(self, text: str) -> None:
        """Show why the prop does not work."""
        self.box.run_soon(lambda: self._view.problem(text))

    def command(self, target: str, action: str, args: object, qos: int) -> bool:
        """Send a command; while stopped only what stops or reads."""
        topic = f"{self.prefix}/{target}/cmd"
        stops = effect_of(action) == "stop" or action in self.stop_actions
        if not stops and effect_of(action) != "read" and (why := self.stopped):
            text = f"{action} was not sent to {target}: {why}"
            self.publish(f"{self.prefix}/{self._prop_id}/status/warn", text, qos=1)
            self.message("warn", text)
            return False
        message = {"action": action, "args": args}
        if isinstance(args, dict):
            message["params"] = args  # which is what firmware reads
        put = self.box.urgent if stops else self.box.put
        put(topic, json.dumps(message), qos)
        return True

    async def call(
        self, device_id: str, task: str, parameters: Mapping[str, object], within: float
    ) -> object:
        """Call a task of any device of the lab.

        Raises:
            LabError: It refused or failed, or did not answer.
        """

        async def ask() -> object:
            return await self._house.call(self._prop_id, device_id, task, parameters, within)

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(ask(), self._main))

    def _show(self) -> None:
        with self._lock:
            values, self._values = self._values, {}
        self._view.values(values)

    def _deliver(self, handler: Handler, topic: str, text: str) -> None:
        async def work() -> None:
            done = handler(topic, text)
            if inspect.isawaitable(done):
                await done

        self._waiting -= 1
        task = self.loop.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, topic))

    def _ended(self, task: "asyncio.Task[None]", topic: str) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            text = f"{topic}: {type(error).__name__}: {error}"
            self.publish(f"{self.prefix}/{self._prop_id}/status/error", text, qos=1)
            self.message("error", text)
