"""The worker host with many props, against one with a single prop: memory, start, commands, stop, rest."""

import asyncio
from collections.abc import Callable
import itertools
import json
import os
import statistics
import time
import uuid

from bench import Bench
from figures import Figure, ratio
from flights import Trial
from processes import Process, running
from requester import Client

MANY = 200  # props in one host; a loaded house has some ten
ROUNDS = 3  # of the starts; the first compiles, and is not counted
AT_ONCE = 64
SETTLED = 3.0  # s; what is announced is said by then
REST = 10.0  # s, two ticks of each
WITHIN = 60.0  # s
_WORKER = """\
import asyncio

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.spawn(self.tick())

    async def tick(self):
        count = 0
        while True:
            self.telemetry("tick", count)
            count += 1
            await asyncio.sleep(5)

    async def do_ping(self, arg):
        self.telemetry("pong", arg)
        return arg

    async def do_fire(self, arg):
        await asyncio.sleep(1)

    async def on_emergency_stop(self):
        pass
"""


class House:
    """One host with a number of props, and a client that hears all of them."""

    def __init__(self, bench: Bench, client: Client, size: int) -> None:
        """Write the props; ``run`` starts the host.

        Args:
            bench: The run.
            client: Subscribed to what the house says.
            size: How many props.
        """
        self.size = size
        self.name = f"house{size}"
        self.client = client
        self._root = bench.folder / self.name
        for number in range(size):
            folder = self._root / f"prop{number}" / "backend"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "worker.py").write_text(_WORKER, encoding="utf-8")
        self._root.mkdir(exist_ok=True)
        names = ["--client-id", self.name, "--prefix", f"{self.name}-props", "--base", self.name]
        broker = ["--broker", f"mqtt://127.0.0.1:{bench.port}", "--discovery", f"{self.name}-hub"]
        state = ["--state", str(bench.folder / f"{self.name}-state")]
        self.command = ["-m", "lab2mqtt", "props", "--root", str(self._root), *names, *broker, *state]

    async def listen(self) -> None:
        """Subscribe to all that is waited for."""
        for topic in (f"{self.name}-props/#", f"{self.name}/+/result", f"{self.name}/+/state"):
            await self.client.subscribe(topic)

    def until(self, rest: str, fits: Callable[[bytes], bool]) -> "asyncio.Future[float]":
        """The moment when something fitting has come of every prop."""
        front = f"{self.name}-props" if "availability" in rest or "telemetry" in rest else self.name
        missing = {f"{front}/prop{number}/{rest}" for number in range(self.size)}
        done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        hear_before = self.client.on_message

        def hear(topic: str, payload: bytes) -> None:
            hear_before(topic, payload)
            if topic in missing and fits(payload):
                missing.discard(topic)
                if not missing:
                    done.set_result(time.perf_counter())

        self.client.on_message = hear
        return done

    async def ask(self, way: str, in_flight: int, seconds: float, host: Process) -> Trial:
        """Ask props again and again; each answer sends the next question.

        Args:
            way: ``cmd`` in the old dialect, ``command`` in ours.
            in_flight: How many props at once.
            seconds: For how long.
            host: Whose CPU is counted.

        Raises:
            RuntimeError: Something was not answered.
        """
        numbers, sent, latencies = itertools.count(), dict[str, tuple[str, float]](), list[float]()
        run, ends, over = uuid.uuid4().hex[:8], False, asyncio.Event()
        kind = "/telemetry/pong" if way == "cmd" else "/result"

        def send(prop: str) -> None:
            words = f"{run}-{next(numbers):08x}"
            sent[words] = prop, time.perf_counter()
            if way == "cmd":
                self.client.publish(f"{self.name}-props/{prop}/cmd".encode(), f"ping {words}".encode())
                return
            command = {"task": "ping", "parameters": {"arg": words}, "request_id": words}
            self.client.publish(f"{self.name}/{prop}/command".encode(), json.dumps(command).encode())

        def hear(topic: str, payload: bytes) -> None:
            if not topic.endswith(kind):
                return
            now = time.perf_counter()
            words = payload.decode() if way == "cmd" else json.loads(payload)["request_id"]
            if words not in sent:
                return
            prop, at = sent.pop(words)
            if not ends:
                latencies.append((now - at) * 1000)
                send(prop)
            elif not sent:
                over.set()

        self.client.on_message = hear
        began, used = time.perf_counter(), host.cpu()
        for number in range(in_flight):
            send(f"prop{number % self.size}")
        await asyncio.sleep(seconds)
        took, used = time.perf_counter() - began, host.cpu() - used
        ends = True
        try:
            async with asyncio.timeout(WITHIN):
                await over.wait()
        except TimeoutError as error:
            raise RuntimeError(f"{len(sent)} props never answered") from error
        return Trial(latencies, took, used)

    async def stop(self) -> float:
        """Stop the lab and release it; gives ms until the last prop has said that it stands."""
        self.client.on_message = lambda *_: None
        stopped = self.until("state", lambda payload: bool(json.loads(payload)["stop_confirmed"]))
        stop_id = uuid.uuid4().hex
        began = self._stop_lab(stop_id, engaged=True)
        async with asyncio.timeout(WITHIN):
            took = await stopped - began
        released = self.until("state", _is_ready)
        self._stop_lab(stop_id, engaged=False)
        async with asyncio.timeout(WITHIN):
            await released
        return took * 1000

    def _stop_lab(self, stop_id: str, *, engaged: bool) -> float:
        told = {"engaged": engaged, "stop_id": stop_id, "by": "bench", "reason": "", "timestamp": 0}
        began = time.perf_counter()
        self.client.publish(f"{self.name}/emergency_stop".encode(), json.dumps(told).encode(), retain=True)
        return began


async def props(bench: Bench) -> list[Figure]:
    """One host of many props, one of a single prop, and one of none."""
    client = await Client.connect(bench.port, "props")
    os.environ["WORKER_DISABLE_ALL_BUILTINS"] = "1"
    houses = {size: House(bench, client, size) for size in (0, 1, MANY)}
    taken: dict[str, list[dict[int, float]]] = {}
    for number in bench.rounds(min(ROUNDS, bench.trials) + 1):
        for size, house in houses.items():
            for what, value in (await _round(bench, house)).items():
                if number:
                    rounds = taken.setdefault(what, [])
                    if len(rounds) < number:
                        rounds.append({})
                    rounds[number - 1][size] = value
    client.close()
    memory = taken.pop("memory, MiB")
    empty = statistics.median(one[0] for one in memory)
    each = statistics.median((one[MANY] - one[1]) / (MANY - 1) * 1024 for one in memory)
    figures = [
        Figure("worker host without props, resident memory", "MiB", empty),
        Figure(f"a prop more, memory, 1 → {MANY}", "KiB", each),
    ]
    for key, rounds in taken.items():
        what, _, unit = key.rpartition(", ")
        if 1 in rounds[0]:
            pairs = [(one[MANY], one[1]) for one in rounds]
            figures.append(ratio(f"{MANY} props against one: {what}", unit, pairs))
        else:
            figures.append(
                Figure(f"{MANY} props: {what}", unit, statistics.median(one[MANY] for one in rounds))
            )
    return figures


def _is_ready(payload: bytes) -> bool:
    return bool(json.loads(payload)["readiness"] == "ready")


async def _round(bench: Bench, house: House) -> dict[str, float]:
    """Start a host, ask it everything, and end it."""
    client = house.client
    client.on_message = lambda *_: None
    await bench.clear(*(f"{house.name}-props/prop{number}/availability" for number in range(house.size)))
    await house.listen()
    online = house.until("availability", lambda payload: payload == b"online")
    ticks = house.until("telemetry/tick", lambda _: True)
    ready = house.until("state", _is_ready)
    found: dict[str, float] = {}
    with running(*house.command) as host:
        if house.size:
            async with asyncio.timeout(WITHIN):
                found["start until online, ms"] = (await online - host.started) * 1000
                found["start until all tick, ms"] = (await ticks - host.started) * 1000
                await ready
        await asyncio.sleep(SETTLED)
        found["memory, MiB"] = host.memory()
        if not house.size:
            return found
        client.on_message = lambda *_: None
        began, used = time.perf_counter(), host.cpu()
        await asyncio.sleep(REST)
        found["CPU a second at rest, a tick each 5 s, ms"] = (
            (host.cpu() - used) / (time.perf_counter() - began) * 1000
        )
        for way, words in (("cmd", "cmd → telemetry"), ("command", "command → result")):
            trial = await house.ask(way, 1, bench.seconds, host)
            found[f"{words}, p50, ms"] = trial.percentile(50)
            found[f"{words}, p99, ms"] = trial.percentile(99)
            if house.size < AT_ONCE:
                continue
            trial = await house.ask(way, AT_ONCE, bench.seconds, host)
            found[f"{words}, {AT_ONCE} props at once, p50, ms"] = trial.percentile(50)
            found[f"{words}, {AT_ONCE} props at once, p99, ms"] = trial.percentile(99)
            found[f"{words}, {AT_ONCE} props at once, /s"] = trial.rate
        found["emergency stop until the last one stands, ms"] = await house.stop()
        ended = time.perf_counter()
        gone = house.until("availability", lambda payload: payload == b"offline")
        host.terminate()
        async with asyncio.timeout(WITHIN):
            found["end until the last one is offline, ms"] = (await gone - ended) * 1000
    return found
