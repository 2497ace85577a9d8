"""Props as devices of the lab: answers, the queue, reservations, and the emergency stop on every way."""

from collections.abc import Iterator
import time
import uuid

import pytest
from tests.broker.brokers import Broker
from tests.broker.observer import until
from tests.broker.props_bench import PropsBench

MOVER = """
def __init__(self, *args):
    super().__init__(*args)
    self.going = asyncio.Event()

async def do_move(self, name: str, seconds: float = 0.3):
    self.telemetry("moving", name)
    await asyncio.sleep(seconds)
    self.telemetry("moved", name)
    return {"moved": name}

async def do_stop(self):
    self.telemetry("stopped", "by command")

async def do_set_speed(self, speed: int):
    self.telemetry("speed", speed)

async def do_get_speed(self):
    return 3

async def do_fail(self):
    raise ValueError("no such pin")

async def do_odd(self):
    return {1, 2}

async def do_refuse(self):
    from lab2mqtt.props import Refused
    raise Refused("the lid is open; close it", "not_allowed")

async def do_tell(self, target: str, word: str):
    return self.command(target, word)

async def do_ask(self, target: str, task: str):
    return await self.call(target, task)

async def do_listen(self, topic: str):
    self.listen(topic, lambda topic, payload: self.telemetry("heard", f"{topic} {payload}"))

async def do_later(self):
    self.spawn(self.crash())

async def crash(self):
    await asyncio.sleep(0)
    raise LookupError("nobody there")

async def on_emergency_stop(self):
    self.telemetry("emergency", "stopped")

async def on_emergency_stop_released(self):
    self.telemetry("released", "once")
"""
SIMPLE = "async def do_ping(self, arg):\n    self.telemetry('pong', arg or 'ok')\n    return 'answer'\n"
BOUND = """
boards = ("esp32-bound",)

async def do_fire(self, arg):
    self.telemetry("fired", "once")
"""


@pytest.fixture(scope="module")
def shared(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PropsBench]:
    """A host with a worker that moves."""
    made = PropsBench(broker, tmp_path_factory.mktemp("tasks"), "--stop-action", "fade/out")
    made.worker("mover", MOVER)
    made.worker("other", SIMPLE)
    made.worker("bound", BOUND)
    made.worker(
        "blocked", MOVER + "\nasync def do_block_all(self, seconds: float):\n    time.sleep(seconds)\n"
    )
    made.worker(
        "looks",
        "from worker_host.base import BaseWorker\n\n\nclass Worker(BaseWorker):\n"
        "    async def do_set_mode(self, arg):\n        self.telemetry('mode', arg)\n"
        "    async def on_emergency_stop(self):\n        self.telemetry('emergency', 'stopped')\n",
    )
    with made:
        yield made
    for words in ("never retrieved", "never awaited", "could not be passed on", "led to an error"):
        assert words not in made.host.said()


@pytest.fixture
def bench(shared: PropsBench) -> Iterator[PropsBench]:
    """It is ready, and nothing is stopped, before and after."""
    for device in ("mover", "other", "bound", "blocked", "looks"):
        shared.until_ready(device)
    yield shared
    if shared.last("mover", "state")["emergency_stop"]:
        since = shared.seen.mark()
        shared.stop_lab(engaged=False)
        shared.until("mover", "state", lambda told: not told["emergency_stop"], since)


def test_a_result(bench: PropsBench) -> None:
    """What a handler returns is the result."""
    result = bench.call("mover", "move", {"name": "a", "seconds": 0.01})
    assert result["status"] == "success"
    assert result["result"] == {"moved": "a"}
    assert bench.call("other", "ping", {"arg": "x"})["result"] == "answer"
    assert bench.call("mover", "odd")["result"] in ("{1, 2}", "{2, 1}")


@pytest.mark.parametrize(
    ("task", "parameters", "code", "words"),
    [
        ("fail", {}, "device_error", "ValueError: no such pin"),
        ("refuse", {}, "not_allowed", "the lid is open; close it"),
        ("mvoe", {}, "unknown_task", "move"),
        ("move", {}, "invalid_parameters", "name"),
        ("move", {"name": "a", "seconds": "soon"}, "invalid_parameters", "seconds"),
        ("set_speed", {"speed": 1.5}, "invalid_parameters", "speed"),
    ],
)
def test_an_error(bench: PropsBench, task: str, parameters: dict[str, object], code: str, words: str) -> None:
    """It has a code, and words that name what is wrong."""
    result = bench.call("mover", task, parameters)
    assert result["status"] == "error"
    assert result["error_code"] == code
    assert words in result["error"]


def test_two_moves_and_a_stop_beside(bench: PropsBench) -> None:
    """Moves come one after the other, by either way; what stops or reads waits for none of them."""
    since = bench.seen.mark()
    first = bench.send("mover", "move", {"name": "1", "seconds": 2.0})
    bench.until_text("mover/telemetry/moving", "1", since)
    bench.cmd("mover", "move 2 0.1")
    began = time.monotonic()
    assert bench.call("mover", "get_speed")["result"] == 3
    assert bench.call("mover", "stop")["status"] == "success"
    bench.cmd("mover", "stop")
    until(lambda: len(bench.texts("mover/telemetry/stopped", since)) == 2, "both stopped")
    assert time.monotonic() - began < 1.8  # nobody has waited for the move
    assert bench.texts("mover/telemetry/moved", since) == []
    assert bench.result("mover", first)["status"] == "success"
    bench.until_text("mover/telemetry/moved", "2", since)
    assert bench.texts("mover/telemetry/moving", since) == ["1", "2"]
    assert bench.texts("mover/telemetry/moved", since) == ["1", "2"]


def test_a_repeated_id(bench: PropsBench) -> None:
    """The same answer, and it is not done twice."""
    since = bench.seen.mark()
    request_id = uuid.uuid4().hex
    first = bench.call("mover", "move", {"name": "only", "seconds": 0.01}, request_id=request_id)
    again = bench.seen.mark()
    bench.send("mover", "move", {"name": "only", "seconds": 0.01}, request_id=request_id)
    assert bench.result("mover", request_id, again)["result"] == first["result"]
    bench.seen.barrier()
    assert bench.texts("mover/telemetry/moving", since) == ["only"]


def test_a_reservation(bench: PropsBench) -> None:
    """Who has the prop is named to whoever has it not, on the old topic too; a stop passes."""
    assert bench.call("mover", "reserve", {"holder": "Ada", "seconds": 60})["status"] == "success"
    try:
        since = bench.cmd("mover", "move 1")
        assert "Ada" in bench.until_words("mover/status/warn", "", since)
        bench.until_text("mover/telemetry/stopped", "by command", bench.cmd("mover", "stop"))
        assert not bench.texts("mover/telemetry/moving", since)
        assert not bench.texts("mover/status/error", since)
    finally:
        assert bench.call("mover", "release", {"holder": "Ada"})["status"] == "success"
    bench.until_text("mover/telemetry/moved", "1", bench.cmd("mover", "move 1 0"))


def test_the_emergency_stop_of_the_lab(bench: PropsBench) -> None:
    """It reaches every worker at once; moves are refused on both ways; its release moves nothing."""
    since = bench.seen.mark()
    moving = bench.send("mover", "move", {"name": "long", "seconds": 30})
    bench.until_text("mover/telemetry/moving", "long", since)
    bench.stop_lab()
    bench.until_text("mover/telemetry/emergency", "stopped", since)
    bench.until_text("looks/telemetry/emergency", "stopped", since)
    assert bench.result("mover", moving)["error_code"] == "emergency_stopped"
    bench.until("mover", "state", lambda told: told["stop_confirmed"] is True, since)
    at = bench.cmd("mover", "move 1")
    assert "emergency stop" in bench.until_words("mover/status/warn", "", at)
    assert bench.call("mover", "move", {"name": "2"})["error_code"] == "emergency_stopped"
    assert bench.call("mover", "get_speed")["result"] == 3
    assert bench.call("mover", "stop")["status"] == "success"
    bench.until_text("mover/telemetry/stopped", "by command", bench.cmd("mover", "stop"))
    assert not bench.texts("mover/telemetry/released", since)
    at = bench.seen.mark()
    bench.stop_lab(engaged=False)
    bench.until_text("mover/telemetry/released", "once", at)
    bench.until_text("mover/telemetry/moved", "3", bench.cmd("mover", "move 3 0"))
    assert bench.texts("mover/telemetry/released", since) == ["once"]
    assert bench.texts("mover/telemetry/moving", since) == ["long", "3"]


def test_a_worker_asks_others_while_stopped(bench: PropsBench) -> None:
    """``self.command`` sends what stops or reads; anything else it does not, and says so."""
    topic = f"{bench.prefix}/fogger/cmd"
    assert bench.call("mover", "tell", {"target": "fogger", "word": "fog"})["result"] is True
    bench.seen.wait(topic, lambda told: told == {"action": "fog", "args": None})
    # Handlers that ask others must themselves be allowed: what the worker spawned goes on, and asks.
    bench.stop_lab()
    bench.until("mover", "state", lambda told: told["emergency_stop"])
    since = bench.seen.mark()
    for word in ("fog", "heat_on"):
        assert (
            bench.call("mover", "tell", {"target": "fogger", "word": word})["error_code"]
            == "emergency_stopped"
        )
    bench.seen.barrier()
    assert not bench.seen.heard(topic, since)


def test_a_worker_that_blocks_is_stopped(bench: PropsBench) -> None:
    """Its loop does not turn; its stop is called past it, in time, and others never notice."""
    since = bench.cmd("blocked", "block_all 4")
    bench.until_words("blocked/status/error", "block", since)
    bench.until_text("other/telemetry/pong", "on", bench.cmd("other", "ping on"))
    began = time.monotonic()
    bench.stop_lab()
    bench.until_words("blocked/telemetry/emergency", "stopped", since)
    assert time.monotonic() - began < 1.5


def test_a_firmware_is_stopped(bench: PropsBench) -> None:
    """A board under the prefix gets the words that stop, those of the settings too, and the release."""
    board = f"{bench.prefix}/esp32-alone"
    bench.seen.publish(f"{board}/availability", "online", retain=True)
    bench.until(bench.name, "state", lambda told: "esp32-alone" in (told["firmware"] or ""))
    since = bench.seen.mark()
    bench.stop_lab()

    def orders() -> set[str]:
        return {one.json["action"] for one in bench.seen.heard(f"{board}/cmd", since)}

    until(lambda: {"emergency_stop", "stop_action", "stop", "fade_out"} <= orders(), "it is told to stop")
    bound = f"{bench.prefix}/esp32-bound/cmd"
    until(
        lambda: len({one.json["action"] for one in bench.seen.heard(bound, since)}) >= 3, "so is a worker's"
    )
    assert "reset_emergency_stop" not in orders()
    at = bench.seen.mark()
    bench.stop_lab(engaged=False)
    for topic in (f"{board}/cmd", bound):
        bench.seen.wait(topic, lambda told: told["action"] == "reset_emergency_stop", since=at)
    bench.seen.publish(f"{board}/availability", "offline", retain=True)


def test_a_call_between_workers(bench: PropsBench) -> None:
    """It gives the answer, or raises the error, which its own caller is told."""
    assert bench.call("mover", "ask", {"target": "other", "task": "ping"})["result"] == "answer"
    result = bench.call("mover", "ask", {"target": "other", "task": "pnig"})
    assert result["status"] == "error"
    assert "ping" in result["error"]
    result = bench.call("mover", "ask", {"target": "mover", "task": "ping"})
    assert "cannot ask itself" in result["error"]


def test_listening(bench: PropsBench) -> None:
    """A worker hears what others say, also what is retained and another worker hears already."""
    topic = f"{bench.prefix}/esp32-motion/state"
    bench.seen.publish(topic, "still", retain=True)
    for worker in ("mover", "blocked"):
        since = bench.seen.mark()
        assert bench.call(worker, "listen", {"topic": topic})["status"] == "success"
        bench.until_text(f"{worker}/telemetry/heard", f"{topic} still", since)
    since = bench.seen.mark()
    bench.seen.publish(topic, "motion")
    for worker in ("mover", "blocked"):
        bench.until_text(f"{worker}/telemetry/heard", f"{topic} motion", since)


def test_a_spawned_task_that_raises(bench: PropsBench) -> None:
    """It is reported in words."""
    since = bench.cmd("mover", "later")
    bench.until_text("mover/status/error", "LookupError: nobody there", since)


def test_a_stop_while_the_host_was_away(bench: PropsBench) -> None:
    """It holds for a host that comes later, and for the firmware that comes later."""
    bench.host.terminate()
    bench.stop_lab()
    since = bench.seen.mark()
    bench.start()
    bench.until("mover", "state", lambda told: told["emergency_stop"], since)
    bench.until_text("mover/availability", "online", since)
    at = bench.cmd("mover", "move 1")
    assert "emergency stop" in bench.until_words("mover/status/warn", "", at)
    board = f"{bench.prefix}/esp32-late"
    at = bench.seen.mark()
    bench.seen.publish(f"{board}/availability", "online", retain=True)
    bench.seen.wait(f"{board}/cmd", lambda told: told["action"] == "emergency_stop", since=at)
    assert not bench.texts("mover/telemetry/moving", since)
    bench.seen.publish(f"{board}/availability", "offline", retain=True)
