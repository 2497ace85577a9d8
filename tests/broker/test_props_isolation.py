"""Workers that hang, crash, flood and grow, all at once in one host, and what the others feel of it: nothing.

docs/performance.md tells the figures. On two cores that others used little the ticks came 12 ms late, 35 to
69 ms at the worst; where other work has the cores nobody is on time, and one run of three showed 342 ms.
So what comes late is compared with a tick of this process's own, which takes the same way through the broker,
and of a few rounds the best counts: what is late by its nature is late in each.
"""

from collections.abc import Callable, Iterator
import statistics
import threading
import time
from typing import NamedTuple, Self
import uuid

import pytest
from tests.broker.brokers import Amqtt, Broker
from tests.broker.observer import Heard, Observer, until
from tests.broker.props_bench import PropsBench

LATE = 0.1  # s; the figure of the issue
ANSWERED_WITHIN = 0.2  # s
STOPPED_WITHIN = 0.5  # s
IMPORT = 10.0  # s that one module takes
ROUNDS = 4
SECONDS = 3.0  # of one
EVERY = 0.1  # s between two ticks
PACE = 0.02  # s between two of this process
ENDS_WITHIN = 6.0  # s

QUIET = ("quiet_a", "quiet_b")
_QUIET = """\
async def start(self):
    await super().start()
    self.spawn(self.tick())

async def tick(self):
    number, began = 0, time.monotonic()
    while True:
        number += 1
        due = began + number * 0.1
        await asyncio.sleep(max(0, due - time.monotonic()))
        self.telemetry("tick", f"{number} {due}")

async def do_ping(self, arg):
    self.telemetry("pong", arg)
    return arg

async def on_emergency_stop(self):
    self.telemetry("stopped", time.monotonic(), qos=1)
"""
_STOP = """
async def on_emergency_stop(self):
    self.telemetry("stopped", time.monotonic(), qos=1)
"""
BAD = {
    "sleeper": """\
async def do_begin(self):
    while True:
        time.sleep(10)
""",
    "spinner": """\
async def do_begin(self):
    while True:
        pass
""",
    "flooder": """\
async def do_begin(self):
    number = 0
    while True:
        number += 1
        self.telemetry("flood", number)
""",
    "grower": """\
async def do_begin(self):
    size = 0
    while True:
        size += 1_000_000
        try:
            self.telemetry("all", "x" * size)
        except ValueError:
            size = 0
        await asyncio.sleep(0)
""",
    "spawner": """\
async def fail(self):
    raise ValueError("one of a thousand")

async def do_begin(self):
    for _ in range(1000):
        self.spawn(self.fail())
""",
}
FLOODS = ("flooder", "grower")  # the embedded broker itself stands still under these
BLOCKED = ("sleeper", "spinner")


class Pace:
    """This process's own ticks, each with the moment when it was due, by the broker and back."""

    def __init__(self, bench: PropsBench) -> None:
        self._seen = bench.seen
        self._topic = f"{bench.name}/pace"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def late(self, begin: float, end: float) -> float:
        """How late the latest was that was under way in some time; it took no longer than that itself."""
        ticks = [(float(one.payload), one.at) for one in self._seen.heard(self._topic)]
        return max((at - due for due, at in ticks if due < end and at > begin), default=0.0)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._over.is_set():
            due += PACE
            time.sleep(max(0.0, due - time.monotonic()))
            self._seen.publish(self._topic, str(due), qos=0)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


class Round(NamedTuple):
    """Seconds by which things came late, less what this process itself was late by then."""

    late: list[float]
    raw: list[float]

    @property
    def worst(self) -> float:
        """The worst."""
        return max(self.late)

    def __str__(self) -> str:
        """For who reads of a failure."""
        return (
            f"{len(self.late)} taken: {_ms(statistics.median(self.late))}, worst {_ms(self.worst)}"
            f" (not corrected: {_ms(statistics.median(self.raw))}, worst {_ms(max(self.raw))})"
        )


@pytest.fixture(scope="module")
def bench(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PropsBench]:
    """A host with all of them; the bad ones have begun."""
    made = PropsBench(broker, tmp_path_factory.mktemp("isolation"))
    bad = _bad(broker)
    for name in QUIET:
        made.worker(name, _QUIET)
    for name in bad:
        made.worker(name, BAD[name] + _STOP)
    made.worker("raiser", 'async def start(self):\n    raise ValueError("no such pin")\n')
    made.worker("scribble", "async def do_ping(self, arg):\n    return arg\n", config_yaml="a: [1\nb: }")
    made.worker(
        "importer",
        "import time\nfrom worker_host.base import BaseWorker\n\n"
        f"time.sleep({IMPORT})\n\n\nclass Worker(BaseWorker):\n    pass\n",
    )
    made.seen.close()  # who hears the flood is flooded, too
    topics = [f"{made.prefix}/{name}/#" for name in (*QUIET, "importer", made.name)]
    topics += [f"{made.prefix}/+/{rest}" for rest in ("telemetry/stopped", "status/error", "status/warn")]
    topics += [f"{made.name}/+/{kind}" for kind in ("result", "status", "state")]
    made.seen = Observer(broker.port, *topics, f"{made.name}/pace")
    with made:
        for name in (*QUIET, *bad):
            made.until_ready(name)
        for name in bad:
            made.seen.publish(f"{made.prefix}/{name}/cmd", "begin")
        for name in BLOCKED:
            made.until_words(f"{name}/status/error", "do_begin blocks since")
        made.until_words("raiser/status/error", "no such pin")
        made.until_words("scribble/status/warn", "config.yaml:2")
        with Observer(broker.port, *(f"{made.prefix}/{name}/telemetry/#" for name in bad)) as hurt:
            for name in set(FLOODS).intersection(bad):
                until(lambda name=name: _of(hurt, name), f"{name} floods")  # type: ignore[misc]
        yield made


def _bad(broker: Broker) -> list[str]:
    return [name for name in BAD if name not in FLOODS or not isinstance(broker, Amqtt)]


def _of(seen: Observer, name: str) -> list[Heard]:
    return [one for one in seen.heard() if f"/{name}/" in one.topic]


def _best(take: Callable[[Pace], Round], pace: Pace, most: float) -> Round:
    """The first round that is good enough, or the best."""
    rounds: list[Round] = []
    while len(rounds) < ROUNDS and (not rounds or min(one.worst for one in rounds) >= most):
        rounds.append(take(pace))
    return min(rounds, key=lambda one: one.worst)


def test_who_hangs_at_import_is_not_waited_for(bench: PropsBench) -> None:
    """The others ticked before, and it comes when it has done."""
    own = bench.until_text("importer/availability", "online")
    first = bench.until_words("quiet_a/telemetry/tick", "1 ")
    begun = bench.seen.wait(f"{bench.prefix}/quiet_a/telemetry/tick", read=lambda _: first)
    assert begun.at < own.at - IMPORT / 2


def test_ticks_of_others_are_not_late(bench: PropsBench) -> None:
    """And none is missing."""

    def take(pace: Pace) -> Round:
        since = bench.seen.mark()
        time.sleep(SECONDS)
        late, raw = [], []
        for name in QUIET:
            ticks = bench.seen.heard(f"{bench.prefix}/{name}/telemetry/tick", since)
            numbers = [int(one.payload.split()[0]) for one in ticks]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            for one in ticks:
                due = float(one.payload.split()[1])
                raw.append(one.at - due)
                late.append(one.at - due - pace.late(due, one.at))
        assert len(raw) >= len(QUIET) * SECONDS / EVERY / 2
        return Round(late, raw)

    with Pace(bench) as pace:
        best = _best(take, pace, LATE)
    assert best.worst < LATE, str(best)
    assert statistics.median(best.late) < LATE / 2, str(best)


@pytest.mark.parametrize("way", ["cmd", "command"])
def test_commands_to_others_are_answered(bench: PropsBench, way: str) -> None:
    """In the old dialect, and in ours."""

    def ask(words: str) -> tuple[float, float]:
        since = bench.seen.mark()
        if way == "cmd":
            at = bench.seen.publish(f"{bench.prefix}/quiet_b/cmd", f"ping {words}")
            return at, bench.until_text("quiet_b/telemetry/pong", words, since).at
        command = {"task": "ping", "parameters": {"arg": words}, "request_id": words}
        at = bench.seen.publish(bench.topic("quiet_b", "command"), command)
        heard = bench.until("quiet_b", "result", lambda told: told["request_id"] == words, since)
        assert heard.json["result"] == words
        return at, heard.at

    def take(pace: Pace) -> Round:
        asked = [ask(uuid.uuid4().hex) for _ in range(30)]
        return Round(
            [at - sent - pace.late(sent, at) for sent, at in asked], [at - sent for sent, at in asked]
        )

    with Pace(bench) as pace:
        best = _best(take, pace, ANSWERED_WITHIN)
    assert best.worst < ANSWERED_WITHIN, str(best)


def test_an_emergency_stop_reaches_all(bench: PropsBench) -> None:
    """Those that hang, too. Each tells the moment by the clock of the machine."""
    names = {*QUIET, *_bad(bench.broker)}

    def take(pace: Pace) -> Round:
        since, sent = bench.seen.mark(), time.monotonic()
        bench.stop_lab()
        stopped: dict[str, float] = {}
        for name in names:
            heard = bench.seen.wait(f"{bench.prefix}/{name}/telemetry/stopped", since=since, within=15)
            stopped[name] = float(heard.payload)
        for name in names:
            bench.until(name, "state", lambda told: told["stop_confirmed"], since)
        since = bench.seen.mark()
        bench.stop_lab(engaged=False)
        for name in names:
            bench.until(name, "state", lambda told: not told["emergency_stop"], since)
        raw = [at - sent for at in stopped.values()]
        return Round([at - sent - pace.late(sent, at) for at in stopped.values()], raw)

    with Pace(bench) as pace:
        best = _best(take, pace, STOPPED_WITHIN)
    assert best.worst < STOPPED_WITHIN, str(best)


def test_the_host_ends_although_they_hang(bench: PropsBench) -> None:
    """In order, and soon. The last test: the host is gone."""
    since = bench.seen.mark()
    ended = bench.host.terminate()
    assert ended.code == 0
    assert ended.seconds < ENDS_WITHIN
    for name in QUIET:
        bench.until_text(f"{name}/availability", "offline", since)
    bench.until_text(f"{bench.name}/availability", "offline", since)
