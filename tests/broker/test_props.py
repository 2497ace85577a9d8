"""The worker host in the old dialect, as its users know it."""

from collections.abc import Iterator
import json
from pathlib import Path
import time

import pytest
from tests.broker.brokers import Broker
from tests.broker.observer import until
from tests.broker.props_bench import PropsBench

TALKER = """
async def do_ping(self, arg):
    self.telemetry("pong", arg or "ok")

def do_plain(self, arg: str | None):
    self.telemetry("plain", repr(arg))

async def do_two(self, left: str, right: str = "none"):
    self.telemetry("two", f"{left} {right}")

async def do_count(self, times: int, loud: bool = False):
    self.telemetry("count", f"{times!r} {loud!r}")

async def do_fail(self, arg):
    raise ValueError("no such pin")

async def do_fail_silently(self, arg):
    raise RuntimeError

async def do_gun_open(self, arg):
    self.telemetry("gun", arg or "open")
"""
ANYTHING = """
async def do_ping(self, arg):
    self.telemetry("pong", "own")

async def do_command(self, action, arg):
    if action == "refuse":
        raise KeyError(action)
    self.telemetry("any", f"{action} {arg!r}")
"""


@pytest.fixture(scope="module")
def bench(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PropsBench]:
    """One host with a few workers on one broker."""
    made = PropsBench(broker, tmp_path_factory.mktemp("props"))
    made.worker("talker", TALKER)
    made.worker("anything", ANYTHING)
    with made:
        yield made
    for words in ("never retrieved", "never awaited", "could not be passed on", "led to an error"):
        assert words not in made.host.said()


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


@pytest.mark.parametrize(
    ("payload", "key", "answer"),
    [
        ("ping", "pong", "ok"),
        ("ping  two words ", "pong", "two words"),
        (b"ping \xc3\xa4", "pong", "ä"),
        ("gun/open", "gun", "open"),
        ({"action": "gun/open", "args": 3}, "gun", "3"),
        ({"action": "ping"}, "pong", "ok"),
        ({"action": "ping", "args": None}, "pong", "ok"),
        ({"action": "ping", "args": 7}, "pong", "7"),
        ({"action": "ping", "params": "hello"}, "pong", "hello"),
        ({"action": "ping", "args": {"a": [1]}}, "pong", '{"a": [1]}'),
        ({"action": "ping", "args": ["a", 1]}, "pong", '["a", 1]'),
        ({"action": "ping", "params": {"volume": 3}}, "pong", '{"volume": 3}'),
        ("plain", "plain", "None"),
        ("plain x", "plain", "'x'"),
        ("two a b", "two", "a b"),
        ({"action": "two", "args": ["a", "b"]}, "two", "a b"),
        ({"action": "two", "args": {"left": "a"}}, "two", "a none"),
        ("count 3", "count", "3 False"),
        ("count 3 on", "count", "3 True"),
        ({"action": "count", "params": {"times": 3, "loud": True}}, "count", "3 True"),
        ({"action": "count", "args": "4"}, "count", "4 False"),
    ],
)
def test_what_a_handler_is_given(bench: PropsBench, payload: object, key: str, answer: str) -> None:
    """Text and JSON, ``args`` and ``params``, objects and lists."""
    since = bench.cmd("talker", payload)
    bench.until_text(f"talker/telemetry/{key}", answer, since)
    assert not bench.texts("talker/status/warn", since)
    assert not bench.texts("talker/status/error", since)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ("pign", "no action 'pign' (did you mean 'ping'?); there are count, fail"),
        ("xyz", "there are"),
        ("", "the command is empty"),
        ("  ", "the command is empty"),
        (b"ping \xff", "not UTF-8"),
        ('{"action": "ping"', "no JSON"),
        ('{"args": "ping"}', 'no "action"'),
        ('{"action": 5}', "is not a text"),
        ("restart_worker", "no action 'restart_worker'"),
        ("two", "left"),
        ("two a b c", "more than that"),
        ("count many", "times"),
        ({"action": "count", "args": {"tims": 3}}, "tims"),
        (b"ping " + b"x" * 70_000, "at most 65536"),
        ("p" * 65, "at most 64"),
    ],
)
def test_what_is_no_command(bench: PropsBench, payload: object, words: str) -> None:
    """It is said in words, which name what would be right, and nothing is done."""
    since = bench.cmd("talker", payload)
    assert words in bench.until_words("talker/status/warn", "", since)
    marker = bench.cmd("talker", "ping after")
    bench.until_text("talker/telemetry/pong", "after", marker)
    assert len(bench.texts("talker/status/warn", since)) == 1
    assert not bench.texts("talker/status/error", since)


@pytest.mark.parametrize(
    ("payload", "words"), [("fail now", "ValueError: no such pin"), ("fail_silently", "RuntimeError")]
)
def test_a_handler_that_raises(bench: PropsBench, payload: str, words: str) -> None:
    """It is said in words; its worker and all others go on."""
    since = bench.cmd("talker", payload)
    assert bench.until_words("talker/status/error", "", since).strip(": ") == words
    bench.until_text("talker/telemetry/pong", "on", bench.cmd("talker", "ping on"))
    bench.until_text("heartbeat/telemetry/pong", "on", bench.cmd("heartbeat", "ping on"))
    assert "Traceback" in bench.host.said()  # for whoever wrote it


def test_what_a_catch_all_takes(bench: PropsBench) -> None:
    """``do_command`` takes what has no handler of its own, and its errors are errors."""
    for payload, answer in (
        ("dance", "dance None"),
        ("dance all night", "dance 'all night'"),
        ({"action": "a/b", "args": [1, 2]}, "a_b '[1, 2]'"),
    ):
        bench.until_text("anything/telemetry/any", answer, bench.cmd("anything", payload))
    bench.until_text("anything/telemetry/pong", "own", bench.cmd("anything", "ping"))
    since = bench.cmd("anything", "refuse")
    bench.until_text("anything/status/error", "KeyError: 'refuse'", since)
    assert bench.call("anything", "do_command", {"action": "dance", "args": 3})["status"] == "success"


def test_a_retained_command(bench: PropsBench) -> None:
    """What is published retained is done at most once, and never by a host that comes later."""
    since = bench.seen.mark()
    bench.host.terminate()
    bench.cmd("talker", "ping left over", retain=True)
    bench.start()
    bench.until_words("talker/status/warn", "retained", since)
    bench.until_text("talker/telemetry/pong", "now", bench.cmd("talker", "ping now"))
    assert "left over" not in bench.texts("talker/telemetry/pong", since)
    assert f"{bench.prefix}/talker/cmd" not in bench.kept()
    assert len(bench.texts("talker/status/warn", since)) == 1  # the clearing is no empty command


def test_what_the_broker_keeps(bench: PropsBench) -> None:
    """Both availability topics and the host's, and no command, telemetry or message."""
    kept = {
        topic.removeprefix(f"{bench.prefix}/"): payload.decode()
        for topic, payload in bench.kept().items()
        if topic.startswith(f"{bench.prefix}/")
    }
    for prop in ("talker", "anything", "heartbeat"):
        assert kept[f"{prop}/availability"] == kept[f"{prop}/status/availability"] == "online"
        assert kept[f"{prop}/state"] == "started"
    assert kept[f"{bench.name}/availability"] == "online"
    assert not [topic for topic in kept if "telemetry" in topic or "cmd" in topic or "warn" in topic]


def test_the_uptime(bench: PropsBench) -> None:
    """A bare number of seconds, from the start on, and not retained."""
    said = bench.seen.wait(f"{bench.prefix}/{bench.name}/uptime", within=12.0)
    assert said.json == 0
    assert not said.retain
    later = bench.seen.wait(f"{bench.prefix}/{bench.name}/uptime", lambda told: told > 0, within=12.0)
    assert later.json in (10, 11)


def test_the_end_in_order(bench: PropsBench) -> None:
    """Every worker says that it is gone, before the host does."""
    bench.until_ready("talker")
    since = bench.seen.mark()
    ended = bench.host.terminate()
    assert ended.code == 0
    assert ended.seconds < 3
    host = bench.until_text(f"{bench.name}/availability", "offline", since)
    for prop in ("talker", "anything", "heartbeat"):
        for topic in ("availability", "status/availability"):
            said = bench.until_text(f"{prop}/{topic}", "offline", since)
            assert bench.seen.place(said) < bench.seen.place(host)
        bench.until_text(f"{prop}/state", "stopped", since)
        bench.until(prop, "status", lambda told: told["status"] == "offline", since)
    bench.start()


def test_the_host_is_killed(bench: PropsBench) -> None:
    """The broker says its wills: that of the old dialect, and the bridge's, which Home Assistant looks at."""
    config = bench.until_discovered("talker")
    topics = [one["topic"] for one in config["components"]["do_ping"]["availability"]]
    assert topics == [f"{bench.name}/bridge/{bench.name}/status", f"{bench.name}/talker/status"]
    assert config["components"]["do_ping"]["availability_mode"] == "all"
    since = bench.seen.mark()
    bench.host.kill()
    bench.until_text(f"{bench.name}/availability", "offline", since)
    bench.seen.wait(topics[0], lambda told: told["status"] == "offline", since=since, within=15.0)
    since = bench.seen.mark()
    bench.start()
    bench.until_text("talker/availability", "online", since)
    bench.until_text("talker/telemetry/pong", "back", bench.cmd("talker", "ping back"))


def test_a_lost_broker(bench: PropsBench) -> None:
    """After a restart all is said anew on both links, and a command is answered; the worker ran on."""
    bench.until_ready("talker")
    pid = bench.host.pid
    ticks = [int(one) for one in bench.texts("heartbeat/telemetry/tick")]
    bench.lose_broker()
    for prop in ("talker", "heartbeat"):
        bench.until_text(f"{prop}/availability", "online")
        bench.until_text(f"{prop}/status/availability", "online")
        bench.until_text(f"{prop}/state", "started")
    bench.until_text("talker/telemetry/pong", "back", bench.cmd("talker", "ping back"))
    bench.until_ready("talker")
    assert bench.call("talker", "ping", {"arg": "ours"})["status"] == "success"
    bench.until_text("talker/telemetry/pong", "ours")
    tick = until(lambda: bench.texts("heartbeat/telemetry/tick"), "it ticks on", within=8.0)
    assert int(tick[0]) >= ticks[-1]
    assert bench.host.pid == pid


def test_no_broker_at_the_start(bench: PropsBench, broker: Broker, tmp_path: Path) -> None:
    """Workers run, and are heard of as soon as there is a broker."""
    since = bench.seen.mark()
    made = PropsBench(broker, tmp_path)
    notes = tmp_path / "notes"
    made.worker(
        "early",
        f"""
        async def start(self):
            await super().start()
            open({str(notes)!r}, "w").close()

        async def do_ping(self, arg):
            self.telemetry("pong", arg)
        """,
    )
    made.seen.close()
    broker.stop()
    made.host.start()
    try:
        until(notes.exists, "the worker runs", within=10.0, more=made.host.said)
        broker.start()
        made.seen = made.observe()
        made.until_text("early/availability", "online")
        made.until_text("early/telemetry/pong", "1", made.cmd("early", "ping 1"))
        made.until_ready("early")
        assert made.call("early", "ping")["status"] == "success"
        bench.until_text("talker/availability", "online", since)  # the next test needs it
    finally:
        made.close()


def test_commands_come_in_order(bench: PropsBench) -> None:
    """As many as may wait are all done, one after the other; what is more is refused in words."""
    bench.until_ready("talker")
    since = bench.seen.mark()
    began = time.monotonic()
    for number in range(16):
        bench.cmd("talker", json.dumps({"action": "two", "args": ["n", number]}))
    bench.until_text("talker/telemetry/two", "n 15", since)
    assert bench.texts("talker/telemetry/two", since) == [f"n {number}" for number in range(16)]
    assert time.monotonic() - began < 10
