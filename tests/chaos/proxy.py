"""A bad network between a bridge and its broker: it drops, delays, half-closes, swallows and duplicates."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
import contextlib
import itertools
import random
import threading
from typing import Any, Literal

from tests.chaos.mqtt_framing import PUBACK, PUBLISH, Framer, duplicate, kind, packet_id

from lab2mqtt.hub.ports import LOOPBACK

Side = Literal["bridge", "broker"]

_CHUNK = 65_536
_FOREIGN_IDS = range(40_000, 65_536)  # brokers count from 1
_LATE = 1.5  # s that a duplicate may come behind its original, and so behind other commands


class Network:
    """The event loop in which all proxies of a bench run, in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.servers: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self.loop.run_forever, name="network", daemon=True)
        self._thread.start()

    def do(self, work: Callable[[], None]) -> None:
        """Call something in the loop."""
        self.loop.call_soon_threadsafe(work)

    def wait(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the loop to its end."""
        asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def close(self) -> None:
        """End the loop."""
        for server in self.servers:
            self.do(server.close)
        self.wait(_end_others())
        self.do(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Proxy:
    """The way of one bridge to its broker.

    Attributes:
        port: Where the bridge connects.
        delay: Seconds that everything takes longer, both ways.
        swallows: To whom nothing gets through for now; it is late afterwards, not lost.
        duplicates: How PUBLISH packets are repeated to the bridge: with the ``same`` packet id, with
            ``another``, or not at all.
        repeated: How many packets were.
    """

    def __init__(self, network: Network, broker_port: int, seed: str) -> None:
        self.port = 0
        self.delay = 0.0
        self.swallows: frozenset[Side] = frozenset()
        self.duplicates: Literal["", "same", "another"] = ""
        self.repeated = 0
        self.random = random.Random(seed)  # noqa: S311 - a seed
        self._network = network
        self._broker_port = broker_port
        self._calls: set[_Call] = set()
        network.wait(self._listen())

    def passed(self, to: Side, packet: bytes) -> None:
        """A packet got through; whoever wants to know that has it in a subclass."""

    def ended(self) -> None:
        """A connection is over, as ``passed``."""

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._serve, LOOPBACK, self.port)
        self._network.servers.append(server)
        self.port = server.sockets[0].getsockname()[1]

    def swallow(self, *sides: Side) -> None:
        """Let nothing through to some sides from now on; to none: what was held goes on its way."""

        def switch() -> None:
            self.swallows = frozenset(sides)
            for call in self._calls:
                call.look()

        self._network.do(switch)

    def drop(self) -> None:
        """Cut every connection, without a goodbye."""

        def cut() -> None:
            for call in list(self._calls):
                call.abort()

        self._network.do(cut)

    def half_close(self, side: Side) -> None:
        """Tell one side that the other has nothing more to say, and go on listening to it."""

        def close() -> None:
            for call in list(self._calls):
                call.half_close(side)

        self._network.do(close)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self._broker_port)
        except OSError:
            writer.transport.abort()
            return
        call = _Call(self, (reader, writer), (far_reader, far_writer))
        self._calls.add(call)
        try:
            await call.run()
        finally:
            self._calls.discard(call)
            call.abort()
            self.ended()


class _Call:
    """One connection through a proxy."""

    def __init__(
        self,
        proxy: Proxy,
        bridge: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        broker: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._proxy = proxy
        self._readers: dict[Side, asyncio.StreamReader] = {"bridge": bridge[0], "broker": broker[0]}
        self._writers: dict[Side, asyncio.StreamWriter] = {"bridge": bridge[1], "broker": broker[1]}
        # To each side: when it is due, and what; None is the end.
        self._ways: dict[Side, asyncio.Queue[tuple[float, bytes | None]]] = {
            "bridge": asyncio.Queue(),
            "broker": asyncio.Queue(),
        }
        self._flows: dict[Side, asyncio.Event] = {"bridge": asyncio.Event(), "broker": asyncio.Event()}
        self._closed: set[Side] = set()
        self._foreign = itertools.cycle(_FOREIGN_IDS)
        self._not_asked_for: Counter[int] = Counter()  # acknowledgements that the broker must not see
        self._loop = asyncio.get_running_loop()
        self.look()

    def look(self) -> None:
        """Take note of what the proxy swallows."""
        for side, flows in self._flows.items():
            (flows.clear if side in self._proxy.swallows else flows.set)()

    def abort(self) -> None:
        """End it at once."""
        for writer in self._writers.values():
            writer.transport.abort()

    def half_close(self, side: Side) -> None:
        """Send one side the end of the stream."""
        if side not in self._closed:
            self._closed.add(side)
            with contextlib.suppress(OSError, RuntimeError):
                self._writers[side].write_eof()

    async def run(self) -> None:
        """Pass everything on until both sides have ended."""
        with contextlib.suppress(OSError):
            async with asyncio.TaskGroup() as group:
                for side in self._ways:
                    group.create_task(self._write(side))
                group.create_task(self._read("bridge", "broker"))
                group.create_task(self._read("broker", "bridge"))

    async def _read(self, source: Side, to: Side) -> None:
        framer = Framer()
        while data := await self._hear(source):
            for packet in framer.feed(data):
                if to == "bridge":
                    self._put(to, packet)
                    self._repeat(packet)
                elif not self._is_surplus(packet):
                    self._put(to, packet)
        self._put(to, None)

    def _is_surplus(self, packet: bytes) -> bool:
        """Whether it acknowledges what only the proxy has sent."""
        acknowledged = packet_id(packet) if kind(packet) == PUBACK else None
        if acknowledged is None or not self._not_asked_for[acknowledged]:
            return False
        self._not_asked_for[acknowledged] -= 1
        return True

    async def _hear(self, source: Side) -> bytes:
        try:
            return await self._readers[source].read(_CHUNK)
        except OSError:
            return b""

    def _put(self, to: Side, packet: bytes | None) -> None:
        self._ways[to].put_nowait((self._loop.time() + self._proxy.delay, packet))

    def _repeat(self, packet: bytes) -> None:
        proxy = self._proxy
        original = packet_id(packet)
        if not proxy.duplicates or kind(packet) != PUBLISH or original is None:
            return
        new = next(self._foreign) if proxy.duplicates == "another" else None
        self._not_asked_for[new or original] += 1
        proxy.repeated += 1
        late = proxy.random.choice([0.0, 0.0, proxy.random.uniform(0, _LATE)])
        self._loop.call_later(late, self._put, "bridge", duplicate(packet, new))

    async def _write(self, to: Side) -> None:
        while True:
            due, packet = await self._ways[to].get()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            await self._flows[to].wait()
            if packet is None:
                self.half_close(to)
                return
            if to not in self._closed:
                self._writers[to].write(packet)
                self._proxy.passed(to, packet)
                await self._drain(to)

    async def _drain(self, to: Side) -> None:
        try:
            await self._writers[to].drain()
        except OSError:
            self._closed.add(to)


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
