"""Props whose worker's file a test writes, with real threads, a real outbox, and what came out of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
import contextlib
from pathlib import Path
import sys
from textwrap import dedent

from lab2mqtt.cli.props import SWITCH_EVERY
from lab2mqtt.props.base import STOPS
from lab2mqtt.props.finding import Found
from lab2mqtt.props.outbox import Message, Outbox
from lab2mqtt.props.prop import Prop
from lab2mqtt.props.ties import Handler

HEAD = """
import asyncio, sys, threading, time
from lab2mqtt.props import BaseWorker
"""


class Said:
    """What the main loop was told to publish."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._news = asyncio.Event()

    def __call__(self, message: Message) -> None:
        """Take one."""
        self.messages.append(message)
        self._news.set()

    def of(self, key: str) -> list[str]:
        """All payloads said on topics that end so."""
        return [one.payload for one in self.messages if one.topic.endswith(f"/{key}")]

    async def until(self, condition: Callable[[], object], within: float = 5.0) -> None:
        """Wait until something holds, looked at after each message."""
        async with asyncio.timeout(within):
            while not condition():
                self._news.clear()
                await self._news.wait()


class BoxTies:
    """A worker's ties that lead into a box of the outbox, and nowhere else."""

    prefix = "halloween"
    root = Path()
    stopped = ""
    stop_actions = STOPS

    def __init__(self, prop: Prop, outbox: Outbox) -> None:
        self.loop = prop.loop
        self.box = outbox.box(prop.prop_id)

    def publish(self, topic: str, payload: str, *, qos: int = 0, retain: bool = False) -> None:
        """Into the box."""
        self.box.put(topic, payload, qos, retain)

    def command(self, target: str, action: str, args: object, qos: int) -> bool:
        """Past all, as what stops is."""
        self.box.urgent(f"{self.prefix}/{target}/cmd", f"{action} {args}", qos)
        return True

    def subscribe(self, topic: str, handler: Handler | None = None) -> None:
        """Nothing: nobody speaks to it."""

    def value(self, key: str, value: object) -> None:
        """Nothing: nobody looks."""

    def state(self, word: str) -> None:
        """Nothing: nobody looks."""

    def message(self, key: str, text: str) -> None:
        """Nothing: nobody looks."""

    def problem(self, text: str) -> None:
        """Nothing: nobody looks."""

    async def call(
        self, device_id: str, task: str, parameters: Mapping[str, object], within: float
    ) -> object:
        """Fail: there is nobody."""
        raise AssertionError((device_id, task, parameters, within))


class Bench:
    """Makes props, and ends them."""

    def __init__(self, root: Path) -> None:
        self.said = Said()
        self.outbox = Outbox(asyncio.get_running_loop(), self.said)
        self._root = root
        self._props: list[Prop] = []

    def prop(self, name: str, source: str) -> Prop:
        """One whose file holds this, and what every such file begins with."""
        folder = self._root / name / "backend"
        folder.mkdir(parents=True)
        file = folder / "worker.py"
        file.write_text(HEAD + dedent(source))
        prop = Prop(Found(name, file, "prop"), lambda made: BoxTies(made, self.outbox))
        self._props.append(prop)
        return prop

    async def running(self, name: str, source: str) -> Prop:
        """The same, loaded and started."""
        prop = self.prop(name, source)
        await prop.load()
        await prop.start()
        assert (prop.phase, prop.problems) == ("running", ())
        return prop

    async def end(self) -> None:
        """End all of them; what hangs is left."""
        await asyncio.gather(*(prop.stop(0.3) for prop in self._props))


@contextlib.contextmanager
def switching_as_the_host() -> Iterator[None]:
    """Let threads take turns as often as in `lab2mqtt props`."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_EVERY)
    yield
    sys.setswitchinterval(before)


async def longest_wait(work: Awaitable[object], turn: float = 0.01) -> float:
    """Do something, and give the most seconds by which a turn of this loop came too late meanwhile."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    worst = 0.0
    while not task.done():
        before = loop.time()
        await asyncio.wait([task], timeout=turn)
        worst = max(worst, loop.time() - before - turn)
    await task
    return worst
