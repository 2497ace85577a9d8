"""The base of every worker: what it may declare, is asked to do, and can say."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
import inspect
import json
import os
import re
from typing import Any, ClassVar

from lab2mqtt.core.entities import AnyEntity
from lab2mqtt.core.errors import CannotStop
from lab2mqtt.props.ties import Handler, Ties

ONLINE, OFFLINE = "online", "offline"
STARTED, STOPPED = "started", "stopped"
STOPS = ("emergency_stop", "stop_action", "stop")
"""Actions by which firmware of all ages stands; what one does not know it leaves alone."""
RELEASE = "reset_emergency_stop"

_VARIABLE = re.compile(r"\$\{(\w+)\}")


class BaseWorker:
    """One prop's logic. All of it runs in a thread and an event loop of the worker's own.

    ``do_<action>`` methods are its actions, plain (then in a thread) or coroutines. One that takes a single
    argument without a hint, or ``str | None``, is given the text behind the action; any other takes what
    its hints say, checked. What they return is the result of the command; what they raise is its error.

    Attributes:
        name: What people call the prop; else made of its id.
        area: The room that Home Assistant suggests for it.
        manufacturer: Who made it.
        product: What it is.
        icon: A Material Design icon.
        entities: What Home Assistant shows, where it is to be more than telemetry shows by itself: the key is
            that of the telemetry. May be set in ``__init__``.
        states: The words of its state, as far as they are known before they are said.
        boards: The firmware that it alone commands: stopped with it, and no prop of its own.
    """

    name: ClassVar[str] = ""
    area: ClassVar[str] = ""
    manufacturer: ClassVar[str] = ""
    product: ClassVar[str] = ""
    icon: ClassVar[str] = ""
    entities: Sequence[AnyEntity] = ()
    states: ClassVar[Sequence[str]] = ()
    boards: Sequence[str] = ()

    def __init__(self, prop_id: str, mqtt: Ties, config: Any = None) -> None:  # noqa: ANN401 - a dict or a model
        """Keep what it is given; called in the worker's thread.

        Args:
            prop_id: Its id, as in its topics.
            mqtt: Its way out.
            config: Of the file beside it: a dict, or the module's ``ConfigModel``.
        """
        self.prop_id = prop_id
        self.mqtt = mqtt
        self.config: Any = {} if config is None else config
        self._tasks: set[asyncio.Task[Any]] = set()

    # Its life

    async def start(self) -> None:
        """Say that it is there. Overridden, it calls this first, and spawns what is to run."""
        self._available(ONLINE)
        self.publish_state(STARTED, retain=True)

    async def stop(self) -> None:
        """Cancel what was spawned, and say that it is gone."""
        for task in self._tasks:
            task.cancel()
        self._available(OFFLINE)
        self.publish_state(STOPPED, retain=True)

    def spawn(self, coro: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine beside everything until it ends or the worker stops; what it raises is reported."""
        loop = self.mqtt.loop
        if _running_loop() is loop:
            self._spawn(coro)
        else:
            loop.call_soon_threadsafe(self._spawn, coro)

    async def on_emergency_stop(self) -> None:
        """Bring everything that moves to rest; may be plain, and is called past whatever runs or hangs.

        It returns once that is sure, or raises, and is called again. Unless overridden it tells the worker's
        boards to stop and calls its own ``do_stop_action`` or ``do_stop``.

        Raises:
            CannotStop: There is neither.
        """
        own = next((name for name in (f"do_{word}" for word in STOPS) if hasattr(self, name)), None)
        for board in self.boards:
            for word in self.mqtt.stop_actions:
                self.command(board, word)
        if own:
            handler = getattr(self, own)
            done = handler(*[None] * _takes_text(handler))
            if inspect.isawaitable(done):
                await done
        if not own and not self.boards:
            raise CannotStop("it has no on_emergency_stop, no do_stop and no boards to tell")

    async def on_emergency_stop_released(self) -> None:
        """Make it ready to move again, and move nothing; may be plain. Tells the worker's boards."""
        for board in self.boards:
            self.command(board, RELEASE)

    @property
    def stopped(self) -> str:
        """Which emergency stop is engaged, in words; "" when none is. Else nothing may begin to move."""
        return self.mqtt.stopped

    # What it says

    def telemetry(self, key: str, value: object, qos: int = 0, retain: bool = False) -> None:  # noqa: FBT001, FBT002
        """Say a value; it becomes a sensor when it is first seen.

        Args:
            key: Its name; may have several levels.
            value: A number, a text, true or false; of an object each member becomes a value.
            qos: Of the message.
            retain: Whether the broker keeps it.
        """
        text = json.dumps(value) if isinstance(value, (dict, list)) else str(value)
        self.mqtt.publish(self._topic(f"telemetry/{key}"), text, qos=qos, retain=retain)
        self.mqtt.value(key, value)

    def status(self, key: str, value: object) -> None:
        """Say something in words: ``warn``, ``error`` or any other key."""
        if key == "availability":
            self._available(str(value))
            return
        self.mqtt.publish(self._topic(f"status/{key}"), str(value), qos=1)
        self.mqtt.message(key, str(value))

    publish_status = status

    def publish_state(self, state: object, qos: int = 1, retain: bool = False) -> None:  # noqa: FBT001, FBT002
        """Say the state, one word."""
        self.mqtt.publish(self._topic("state"), str(state), qos=qos, retain=retain)
        self.mqtt.state(str(state))

    def problem(self, text: str) -> None:
        """Say why the prop does not work, such as a board that is offline; "" when it does again."""
        self.mqtt.problem(text)

    # What it asks of others

    def command(self, target: str, action: str, args: object = None, qos: int = 1) -> bool:
        """Send a command to another worker or a firmware, on ``halloween/<target>/cmd``.

        Returns:
            Whether it was sent: while an emergency stop is engaged nothing is but what stops.
        """
        return self.mqtt.command(target, action, args, qos)

    def broadcast(self, targets: Iterable[str], action: str, args: object = None, qos: int = 1) -> None:
        """Send the same command to several."""
        for target in targets:
            self.command(target, action, args, qos)

    async def call(self, device_id: str, task: str, /, within: float = 30.0, **parameters: object) -> object:
        """Call a task of any device of the lab, and wait for its result.

        Args:
            device_id: Which.
            task: Its task.
            within: Seconds for the answer.
            **parameters: Of the task.

        Raises:
            LabError: It refused or failed, or did not answer.
        """
        return await self.mqtt.call(device_id, task, parameters, within)

    def listen(self, topic: str, handler: Handler) -> None:
        """Call a function with topic and payload of what comes on a topic; wildcards are allowed."""
        self.mqtt.subscribe(topic, handler)

    def on_message(self, topic: str, payload: str) -> object:
        """Take what comes on a topic that was subscribed without a handler."""

    def resolve_config_var(self, key: str, default: object = None) -> Any:  # noqa: ANN401
        """A value of the configuration; ``${NAME}`` is taken from the environment.

        Returns:
            The default where the key, or the variable, is missing.
        """
        config = self.config
        value = config.get(key) if isinstance(config, Mapping) else getattr(config, key, None)
        if isinstance(value, str) and (named := _VARIABLE.fullmatch(value)):
            value = os.environ.get(named[1])
        return default if value is None else value

    # Inside

    def _topic(self, rest: str) -> str:
        return f"{self.mqtt.prefix}/{self.prop_id}/{rest}"

    def _available(self, word: str) -> None:
        for topic in ("availability", "status/availability"):
            self.mqtt.publish(self._topic(topic), word, qos=1, retain=True)

    def _spawn(self, coro: Coroutine[Any, Any, Any]) -> None:
        task = self.mqtt.loop.create_task(coro)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.status("error", f"{type(error).__name__}: {error}")


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _takes_text(handler: Callable[..., object]) -> int:
    """How many arguments must be given."""
    parameters = inspect.signature(handler).parameters.values()
    return sum(one.default is one.empty for one in parameters)
