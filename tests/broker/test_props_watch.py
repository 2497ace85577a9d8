"""Workers that change while the host runs: with ``--watch``, and when somebody asks for it."""

from collections.abc import Iterator
import shutil

import pytest
from tests.broker.brokers import Broker
from tests.broker.observer import until
from tests.broker.props_bench import PropsBench

TICKER = """
async def start(self):
    await super().start()
    self.spawn(self.tick())

async def tick(self):
    number = 0
    while True:
        self.telemetry("tick", number)
        number += 1
        await asyncio.sleep(0.1)
"""
ANSWERS = """
async def do_ping(self, arg):
    self.telemetry("pong", "{}")
"""


@pytest.fixture
def bench(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PropsBench]:
    """A host that watches, with one worker that ticks and one that will change."""
    made = PropsBench(broker, tmp_path_factory.mktemp("watch"), "--watch")
    made.worker("ticker", TICKER)
    made.worker("changing", ANSWERS.format("first"))
    with made:
        for prop in ("ticker", "changing"):
            made.until_ready(prop)
        yield made
        ticks = [int(one) for one in made.texts("ticker/telemetry/tick")]
        assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))  # nobody else was loaded anew
    for words in ("never retrieved", "never awaited", "could not be passed on", "led to an error"):
        assert words not in made.host.said()


def test_a_changed_file(bench: PropsBench) -> None:
    """It is loaded anew, alone; its old worker says that it goes, and the new one that it is there."""
    since = bench.seen.mark()
    bench.worker("changing", ANSWERS.format("second") + "\nasync def do_wave(self):\n    pass\n")
    bench.until_text("changing/availability", "offline", since)
    bench.until_text("changing/availability", "online", since)
    bench.until("changing", "description", lambda told: "wave" in told["tasks"], since)
    bench.until_ready("changing", since)
    bench.until_text("changing/telemetry/pong", "second", bench.cmd("changing", "ping"))
    assert bench.call("changing", "wave")["status"] == "success"
    assert bench.kept()[f"{bench.prefix}/changing/availability"] == b"online"


def test_a_changed_configuration(bench: PropsBench) -> None:
    """It counts as a change of its worker."""
    since = bench.seen.mark()
    bench.worker(
        "changing",
        "async def do_ping(self, arg):\n    self.telemetry('pong', self.config.get('word'))\n",
        config_yaml="word: configured\n",
    )
    bench.until_text("changing/availability", "offline", since)
    bench.until_text("changing/availability", "online", since)
    bench.until_ready("changing", since)
    bench.until_text("changing/telemetry/pong", "configured", bench.cmd("changing", "ping"))


def test_a_broken_change(bench: PropsBench) -> None:
    """The old worker goes on, and that is said; the mended file is taken."""
    since = bench.seen.mark()
    bench.worker("changing", "def x(:\n")
    assert "SyntaxError" in bench.until_words("changing/status/error", "is not run", since)
    bench.until_text("changing/telemetry/pong", "first", bench.cmd("changing", "ping"))
    assert not bench.texts("changing/availability", since)
    since = bench.seen.mark()
    bench.worker("changing", ANSWERS.format("mended"))
    bench.until_text("changing/availability", "online", since)
    bench.until_ready("changing", since)
    bench.until_text("changing/telemetry/pong", "mended", bench.cmd("changing", "ping"))


def test_a_new_and_a_removed_prop(bench: PropsBench) -> None:
    """A folder that comes is a device; one that goes leaves nothing behind."""
    since = bench.seen.mark()
    bench.worker("new", ANSWERS.format("new"))
    bench.until_text("new/availability", "online", since)
    bench.until_ready("new", since)
    bench.until_text("new/telemetry/pong", "new", bench.cmd("new", "ping"))
    bench.until_discovered("new")
    shutil.rmtree(bench.root / "new")
    until(
        lambda: not [topic for topic in bench.kept() if "/new/" in topic or topic.endswith("_new/config")],
        "nothing of it is kept",
        within=15.0,
        more=lambda: str(sorted(bench.kept())),
    )
    since = bench.cmd("new", "ping")
    bench.seen.barrier()
    assert not bench.texts("new/telemetry/pong", since)


def test_a_worker_that_is_restarted(bench: PropsBench) -> None:
    """By its own task and by the host's; twice at once is once more, and never two."""
    for device, parameters in (("ticker", {}), (bench.name, {"prop": "ticker"})):
        since = bench.seen.mark()
        result = bench.call(device, "restart_worker", parameters)
        assert result["status"] == "success", result
        bench.until_text("ticker/availability", "offline", since)
        bench.until_text("ticker/telemetry/tick", "0", since)
        bench.until_ready("ticker", since)
    for _ in range(2):
        bench.send("ticker", "restart_worker")
    since = bench.seen.mark()
    bench.until_text("ticker/telemetry/tick", "0", since)
    bench.until_text("ticker/telemetry/tick", "20", since)
    at = bench.seen.mark()
    bench.until_text("ticker/telemetry/tick", "30", at)
    ticks = [int(one) for one in bench.texts("ticker/telemetry/tick", at)]
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))
    refused = bench.call(bench.name, "restart_worker", {"prop": "tikcer"})
    assert refused["error"].startswith("no prop 'tikcer' (did you mean 'ticker'?)")
    bench.seen.close()  # its ticks are not those of one worker
    bench.seen = bench.observe()
    bench.until_text("ticker/telemetry/tick", "40")
