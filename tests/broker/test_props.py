"""The worker host, as its users know it, and as any bridge of the lab."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.broker.brokers import Broker
from tests.broker.props_bench import PropsBench


@pytest.fixture(scope="module")
def bench(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PropsBench]:
    """One host with a few workers on one broker."""
    made = PropsBench(broker, tmp_path_factory.mktemp("props"))
    made.worker("plain", "async def do_ping(self, arg):\n    self.telemetry('pong', arg or 'ok')\n")
    with made:
        yield made


def test_the_documented_check(bench: PropsBench) -> None:
    """What the original's document tells to try, to the letter."""
    bench.until_text("heartbeat/status/availability", "online")
    bench.until_text("heartbeat/telemetry/tick", "0")
    for payload, key, answer in (
        ("ping hello", "pong", "hello"),
        ("set_mode armed", "mode", "armed"),
        ("fire 750", "event", "fire start 750ms"),
        ('{"action": "ping", "args": "hello"}', "pong", "hello"),
    ):
        since = bench.cmd("heartbeat", payload)
        bench.until_text(f"heartbeat/telemetry/{key}", answer, since)
    bench.until_text("heartbeat/telemetry/event", "fire end")
    bench.until_text("heartbeat/telemetry/tick", "1")
