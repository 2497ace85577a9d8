"""One prop: whatever its worker does, everybody else goes on, and it can be stopped."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
import threading
import time

import pytest
from tests.unit.props.prop_bench import Bench, longest_wait, switching_as_the_host

from lab2mqtt.core.errors import Fault, LabError, Refused, Unreachable
from lab2mqtt.props.prop import ATTEMPTS, Prop

BLOCKING = """
import time

BEGUN = threading.Event()
OPENED = threading.Event()

class Worker(BaseWorker):
    where = ""

    async def do_block(self, arg):
        BEGUN.set()
        OPENED.wait(10)

    async def do_sleep(self, arg):
        BEGUN.set()
        time.sleep(10)

    async def do_spin(self, arg):
        BEGUN.set()
        while not OPENED.is_set():
            pass

    async def do_stop(self, arg):
        self.where = threading.current_thread().name
        return arg

    async def on_emergency_stop(self):
        await asyncio.sleep(0)
        await self.do_stop(None)
        self.command("fogger", "stop")
"""


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Makes props, and ends them."""
    one = Bench(tmp_path)
    yield one
    await one.end()


def seen(prop: Prop, name: str) -> object:
    """Something of the module of a prop's worker."""
    worker = prop.worker
    assert worker is not None
    function = type(worker).__dict__[next(one for one in vars(type(worker)) if one.startswith("do_"))]
    found: object = function.__globals__[name]
    return found


async def reached(prop: Prop, name: str = "BEGUN") -> None:
    """Wait until the worker has set an event of its module."""
    event = seen(prop, name)
    assert isinstance(event, threading.Event)
    assert await asyncio.to_thread(event.wait, 5)


async def let_go(prop: Prop) -> None:
    """Let one that blocks go on."""
    event = seen(prop, "OPENED")
    assert isinstance(event, threading.Event)
    event.set()


def stop_seconds(prop: Prop) -> float:
    """Seconds that an emergency stop takes."""
    began = time.monotonic()
    prop.emergency_stop()
    return time.monotonic() - began


async def test_a_worker_is_loaded_made_and_started_in_its_own_thread(bench: Bench) -> None:
    """And stopped there; its phases, its id, and what it says."""
    prop = bench.prop(
        "coffin",
        """
        PROP_ID = "coffin_jumper"
        IMPORTED = threading.current_thread().name

        class Worker(BaseWorker):
            def __init__(self, prop_id, mqtt, config):
                super().__init__(prop_id, mqtt, config)
                self.made = threading.current_thread().name

            async def start(self):
                await super().start()
                same = asyncio.get_running_loop() is self.mqtt.loop
                self.telemetry("where", f"{IMPORTED} {self.made} {threading.current_thread().name} {same}")

            async def do_ping(self, arg):
                return arg
        """,
    )
    assert (prop.phase, prop.prop_id) == ("loading", "coffin")
    await prop.load()
    assert (prop.phase, prop.prop_id, list(prop.actions)) == ("loading", "coffin_jumper", ["ping"])
    await prop.start()
    assert (prop.phase, prop.problems) == ("running", ())
    await bench.said.until(lambda: bench.said.of("telemetry/where"))
    assert bench.said.of("telemetry/where") == ["prop coffin prop coffin prop coffin True"]
    assert bench.said.of("status/availability") == ["online"]
    assert await prop.stop()
    assert prop.phase == "stopped"
    await bench.outbox.drained()
    assert bench.said.of("status/availability") == ["online", "offline"]
    assert bench.said.of("state") == ["started", "stopped"]
    assert await prop.stop()


# Handlers


async def test_handlers_give_what_they_return(bench: Bench) -> None:
    """Coroutines from the loop, plain ones from a thread."""
    prop = await bench.running(
        "coffin",
        """
        class Worker(BaseWorker):
            async def do_add(self, one: int, two: int = 1):
                return one + two, threading.current_thread().name

            def do_plain(self, one: int, two: int = 1):
                return one + two, threading.current_thread().name

            def do_mixed(self, arg):
                return self.do_add(1, 2)
        """,
    )
    assert await prop.do("do_add", (1,), {"two": 2}) == (3, "prop coffin")
    assert await prop.do("do_plain", (1,), {"two": 2}) == (3, "prop coffin 1")
    assert await prop.do("do_mixed", (None,), {}) == (3, "prop coffin")


@pytest.mark.parametrize("kind", ["async def", "def"])
async def test_errors_of_handlers_come_as_they_are(bench: Bench, kind: str) -> None:
    """With their code, and with the line that raised them."""
    prop = await bench.running(
        "coffin",
        f"""
        from lab2mqtt.props import Refused

        class Worker(BaseWorker):
            {kind} do_refuse(self, arg):
                raise Refused("no fluid; fill the tank", "not_allowed")

            {kind} do_fail(self, arg):
                return {{}}["relay"]

            {kind} do_time_out(self, arg):
                raise TimeoutError("no answer")
        """,
    )
    with pytest.raises(Refused, match="fill the tank") as refused:
        await prop.do("do_refuse", (None,), {})
    assert refused.value.error_code == "not_allowed"
    for method, error in (("do_fail", KeyError), ("do_time_out", TimeoutError)):
        with pytest.raises(error) as caught:
            await prop.do(method, (None,), {})
        assert (caught.traceback[-1].path.name, caught.traceback[-1].name) == ("worker.py", method)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["async def", "def"])
@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("sys.exit(3)", "do_leave raised SystemExit: 3"),
        ("raise KeyboardInterrupt", "do_leave raised KeyboardInterrupt"),
        ("raise asyncio.CancelledError", "what do_leave waited for was dropped"),
        ("raise GeneratorExit", "do_leave raised GeneratorExit"),
    ],
)
async def test_what_ends_a_program_ends_only_the_handler(
    bench: Bench, kind: str, statement: str, words: str
) -> None:
    """And does not look as if we had been cancelled."""
    prop = await bench.running(
        "coffin",
        f"""
        class Worker(BaseWorker):
            {kind} do_leave(self, arg):
                {statement}

            async def do_ping(self, arg):
                return arg
        """,
    )
    with pytest.raises(LabError, match=words):
        await prop.do("do_leave", (None,), {})
    assert await prop.do("do_ping", ("still here",), {}) == "still here"


async def test_a_plain_handler_may_run_out_of_an_iterator(bench: Bench) -> None:
    """An error that futures do not take."""
    prop = await bench.running(
        "coffin",
        """
        class Worker(BaseWorker):
            def do_next(self, arg):
                return next(iter(()))
        """,
    )
    with pytest.raises((RuntimeError, StopIteration)):
        await asyncio.wait_for(prop.do("do_next", (None,), {}), 5)


async def test_cancelling_do_cancels_the_handler_and_waits_for_it(bench: Bench) -> None:
    """Until it has cleaned up."""
    prop = await bench.running(
        "coffin",
        """
        BEGUN = threading.Event()

        class Worker(BaseWorker):
            async def do_shake(self, arg):
                BEGUN.set()
                try:
                    await asyncio.sleep(60)
                finally:
                    await asyncio.sleep(0.1)
                    self.telemetry("relay", "off")
        """,
    )
    doing = asyncio.create_task(prop.do("do_shake", (None,), {}))
    await reached(prop)
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    await bench.outbox.drained()
    assert bench.said.of("telemetry/relay") == ["off"]


async def test_a_plain_handler_that_moves_holds_who_cancels(bench: Bench) -> None:
    """One that reads does not."""
    prop = await bench.running(
        "coffin",
        """
        BEGUN, OPENED = threading.Event(), threading.Event()

        class Worker(BaseWorker):
            def do_shake(self, arg):
                BEGUN.set()
                OPENED.wait(10)

            def do_get_count(self, arg):
                OPENED.wait(10)
        """,
    )
    moving = asyncio.create_task(prop.do("do_shake", (None,), {}))
    reading = asyncio.create_task(prop.do("do_get_count", (None,), {}))
    await reached(prop)
    moving.cancel()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading  # nothing moves: nothing is to be waited for
    assert not (await asyncio.wait([moving], timeout=0.1))[0]
    await let_go(prop)
    with pytest.raises(asyncio.CancelledError):
        await moving


@pytest.mark.parametrize("method", ["do_sleep", "do_spin"])
async def test_a_handler_that_blocks_delays_nobody(bench: Bench, method: str) -> None:
    """No other worker, and not the main loop."""
    blocking = await bench.running("blocking", BLOCKING)
    quick = await bench.running(
        "quick",
        """
        class Worker(BaseWorker):
            async def do_ping(self, arg):
                before = time.monotonic()
                await asyncio.sleep(0.01)
                return time.monotonic() - before - 0.01
        """,
    )
    doing = asyncio.create_task(blocking.do(method, (None,), {}))
    await reached(blocking)
    late: list[float] = []

    async def ping() -> None:
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            late.append(float(str(await quick.do("do_ping", (None,), {}))))

    with switching_as_the_host():
        ours = await longest_wait(ping())
    assert len(late) > 5
    assert sorted(late)[len(late) * 9 // 10] < 0.1
    assert ours < 0.5  # where other programs want the processor too
    assert not doing.done()
    await let_go(blocking)
    for _ in range(2):
        doing.cancel()
        await asyncio.sleep(0)


# Emergency stop


@pytest.mark.parametrize("method", ["do_block", "do_sleep", "do_spin"])
async def test_a_blocked_worker_is_stopped_past_its_loop(bench: Bench, method: str) -> None:
    """By the emergency stop and by its own stop action."""
    prop = await bench.running("coffin", BLOCKING)
    doing = asyncio.create_task(prop.do(method, (None,), {}))
    await reached(prop)
    assert await asyncio.to_thread(stop_seconds, prop) < 0.3
    assert prop.worker.where == "prop coffin stop"  # type: ignore[union-attr]
    await bench.said.until(lambda: "stop None" in bench.said.of("cmd"))
    assert not doing.done()
    # Its own stop action as well.
    began = time.monotonic()
    assert await prop.do("do_stop", ("now",), {}) == "now"
    assert time.monotonic() - began < 0.3
    await let_go(prop)
    for _ in range(2):
        doing.cancel()
        await asyncio.sleep(0)


async def test_a_worker_that_turns_is_stopped_in_its_own_loop(bench: Bench) -> None:
    """Where nothing else of it runs meanwhile."""
    prop = await bench.running("coffin", BLOCKING)
    assert await asyncio.to_thread(stop_seconds, prop) < 0.1
    assert prop.worker.where == "prop coffin"  # type: ignore[union-attr]


async def test_a_plain_stop_waits_neither_for_the_loop_nor_for_a_thread(bench: Bench) -> None:
    """All of them hang here."""
    prop = await bench.running(
        "coffin",
        """
        BEGUN, OPENED = threading.Semaphore(0), threading.Event()

        class Worker(BaseWorker):
            def do_get_slowly(self, arg):
                BEGUN.release()
                OPENED.wait(10)

            async def do_block(self, arg):
                BEGUN.release()
                OPENED.wait(10)

            def do_stop(self, arg):
                return "stopped"

            def on_emergency_stop(self):
                self.telemetry("stood", self.do_stop(None))
        """,
    )
    doing = [asyncio.create_task(prop.do("do_get_slowly", (None,), {})) for _ in range(4)]
    doing.append(asyncio.create_task(prop.do("do_block", (None,), {})))
    begun = seen(prop, "BEGUN")
    assert isinstance(begun, threading.Semaphore)
    for _ in doing:
        assert await asyncio.to_thread(begun.acquire, timeout=5)
    assert await asyncio.to_thread(stop_seconds, prop) < 0.1
    await bench.said.until(lambda: bench.said.of("telemetry/stood") == ["stopped"])
    assert await asyncio.wait_for(prop.do("do_stop", (None,), {}), 0.3) == "stopped"
    await let_go(prop)
    await asyncio.wait(doing)


@pytest.mark.parametrize("kind", ["async def", "def"])
async def test_a_stop_that_fails_says_so(bench: Bench, kind: str) -> None:
    """Each time."""
    prop = await bench.running(
        "coffin",
        f"""
        from lab2mqtt.props import Fault

        class Worker(BaseWorker):
            {kind} on_emergency_stop(self):
                raise Fault("the relay is stuck")
        """,
    )
    for _ in range(2 * ATTEMPTS):
        with pytest.raises(Fault, match="the relay is stuck"):
            await asyncio.to_thread(prop.emergency_stop)


async def test_a_stop_that_hangs_is_not_waited_for_and_not_tried_for_ever(bench: Bench) -> None:
    """Threads that hang do not pile up."""
    prop = await bench.running(
        "coffin",
        """
        OPENED = threading.Event()

        class Worker(BaseWorker):
            def do_nothing(self, arg):
                pass

            def on_emergency_stop(self):
                OPENED.wait(20)
        """,
    )

    def attempt() -> tuple[float, str]:
        began = time.monotonic()
        with pytest.raises(TimeoutError) as caught:
            prop.emergency_stop()
        return time.monotonic() - began, str(caught.value)

    first = await asyncio.gather(*(asyncio.to_thread(attempt) for _ in range(ATTEMPTS)))
    assert all(2.0 <= seconds < 2.4 and "has not returned after 2 s" in words for seconds, words in first)
    seconds, words = await asyncio.to_thread(attempt)
    assert seconds < 0.1
    assert "calls of on_emergency_stop hang" in words
    await let_go(prop)
    for _ in range(ATTEMPTS):
        assert await asyncio.to_thread(prop._attempts.acquire, timeout=5)
    prop._attempts.release()
    prop.emergency_stop()


async def test_nothing_that_was_not_made_moves(bench: Bench) -> None:
    """So there is nothing to stop."""
    prop = bench.prop("coffin", "class Worker(BaseWorker): pass")
    prop.emergency_stop()
    await prop.load()
    prop.emergency_stop()
    broken = bench.prop("broken", "class Worker(BaseWorker:")
    await broken.load()
    broken.emergency_stop()


async def test_one_that_is_being_made_cannot_confirm_a_stop(bench: Bench) -> None:
    """Who stops tries again."""
    prop = bench.prop(
        "coffin",
        """
        class Worker(BaseWorker):
            def __init__(self, *args):
                super().__init__(*args)
                time.sleep(0.5)
        """,
    )
    await prop.load()
    await prop.start(0.1)
    assert prop.phase == "loading"
    with pytest.raises(LabError, match="coffin is being made"):
        prop.emergency_stop()
    await prop.start()
    assert prop.phase == "running"


# What does not come up


async def test_one_that_cannot_be_loaded_says_why(bench: Bench) -> None:
    """Also to who calls it."""
    prop = bench.prop("broken", "class Worker(BaseWorker:")
    await prop.load()
    assert prop.phase == "failed"
    assert prop.problems[0].startswith("cannot be loaded: SyntaxError")
    await prop.start()
    with pytest.raises(Unreachable, match="SyntaxError"):
        await prop.do("do_ping", (None,), {})
    assert await prop.stop()


async def test_one_that_ends_the_program_when_it_is_imported_ends_nothing(bench: Bench) -> None:
    """It has failed."""
    prop = bench.prop("rude", "sys.exit(1)")
    await prop.load()
    assert prop.phase == "failed"
    assert "SystemExit" in prop.problems[0]
    assert await prop.stop()


async def test_one_that_blocks_at_import_is_reported_and_costs_nobody_anything(bench: Bench) -> None:
    """It starts as soon as it comes from there."""
    prop = bench.prop(
        "slow",
        """
        time.sleep(1.5)

        class Worker(BaseWorker):
            async def do_ping(self, arg):
                return arg
        """,
    )
    assert await longest_wait(prop.load(0.2)) < 0.4
    assert prop.phase == "loading"
    assert prop.problems == ("its import has not returned after 0.2 s (worker.py:5)",)
    await asyncio.sleep(1.0)
    prop.look()
    assert len(prop.problems) == 2
    assert prop.problems[1].startswith("its import blocks since ")
    assert prop.problems[1].endswith(" (worker.py:5)")
    await prop.start()  # which waits for it
    prop.look()
    assert (prop.phase, prop.problems) == ("running", ())
    assert await prop.do("do_ping", ("late",), {}) == "late"


async def test_one_that_never_comes_from_its_import_is_left_to_itself(bench: Bench) -> None:
    """And what waits for it ends."""
    prop = bench.prop("hung", "while True: time.sleep(0.01)")
    await prop.load(0.1)
    starting = asyncio.create_task(prop.start())
    assert not await prop.stop(0.3)
    assert prop.problems == ("its import hangs (worker.py:4); it was left to itself",)
    await starting
    with pytest.raises(Unreachable):
        await prop.do("do_ping", (None,), {})


@pytest.mark.parametrize("method", ["__init__(self, *args)", "start(self)"])
@pytest.mark.parametrize("statement", ["raise ValueError('no bridge')", "sys.exit('no bridge')"])
async def test_one_whose_start_fails_is_reported(bench: Bench, method: str, statement: str) -> None:
    """What it had begun is ended, and it can be stopped."""
    kind = "async def" if method.startswith("start") else "def"
    prop = bench.prop(
        "coffin",
        f"""
        class Worker(BaseWorker):
            {kind} {method}:
                {"await super().start()" if method.startswith("start") else "super().__init__(*args)"}
                {"self.spawn(self.tick())" if method.startswith("start") else "pass"}
                {statement}

            async def tick(self):
                try:
                    await asyncio.sleep(60)
                finally:
                    self.telemetry("tick", "ended")

            async def do_ping(self, arg):
                return arg

            async def do_stop(self, arg):
                return "stopped"
        """,
    )
    await prop.load()
    await prop.start()
    assert prop.phase == "failed"
    assert prop.problems[0].startswith("start failed: ")
    assert "no bridge" in prop.problems[0]
    with pytest.raises(Unreachable, match="no bridge"):
        await prop.do("do_ping", (None,), {})
    if method.startswith("start"):  # what it had begun is ended, and it can be stopped
        await bench.said.until(lambda: bench.said.of("telemetry/tick") and bench.said.of("availability"))
        await bench.said.until(lambda: bench.said.of("status/availability")[-1] == "offline")
        assert await prop.do("do_stop", (None,), {}) == "stopped"
    assert await prop.stop()


async def test_one_that_never_returns_from_start_works_and_is_reported(bench: Bench) -> None:
    """Some do all their work there."""
    prop = bench.prop(
        "coffin",
        """
        class Worker(BaseWorker):
            async def start(self):
                await super().start()
                while True:
                    await asyncio.sleep(0.01)

            async def do_ping(self, arg):
                return arg
        """,
    )
    await prop.load()
    await prop.start(0.2)
    assert prop.phase == "running"
    assert prop.problems == ("start has not returned after 0.2 s",)
    assert await prop.do("do_ping", ("here",), {}) == "here"
    assert await prop.stop()


async def test_one_that_is_late_and_then_fails_has_failed(bench: Bench) -> None:
    """What it fails at says more than that it was late."""
    prop = bench.prop(
        "coffin",
        """
        class Worker(BaseWorker):
            async def start(self):
                await asyncio.sleep(0.3)
                raise OSError("no bridge")
        """,
    )
    await prop.load()
    await prop.start(0.1)
    assert prop.phase == "running"
    await prop.start()
    assert (prop.phase, prop.problems) == ("failed", ("start failed: OSError: no bridge",))


async def test_a_late_one_keeps_the_id_that_it_has_its_place_by(bench: Bench) -> None:
    """Its topics and its device have been made of it."""
    prop = bench.prop("slow", "PROP_ID = 'other'\ntime.sleep(0.3)\nclass Worker(BaseWorker): pass")
    await prop.load(0.1)
    await prop.load()
    assert (prop.phase, prop.prop_id) == ("failed", "slow")
    assert prop.problems == ("was loaded too late to be other and not slow",)


async def test_look_tells_what_blocks_since_when_and_where(bench: Bench) -> None:
    """In the same words as long as it does."""
    prop = await bench.running("coffin", BLOCKING)
    prop.look()
    assert prop.problems == ()
    doing = asyncio.create_task(prop.do("do_spin", (None,), {}))
    await reached(prop)
    await asyncio.sleep(1.2)
    prop.look()
    told = prop.problems
    assert len(told) == 1
    assert told[0].startswith("do_spin blocks since ")
    assert "(worker.py:" in told[0]
    await asyncio.sleep(0.3)
    prop.look()
    assert prop.problems == told  # said once
    await let_go(prop)
    await doing
    await prop.do("do_stop", (None,), {})
    prop.look()
    assert prop.problems == ()


# The end


async def test_stop_waits_for_what_it_cancels(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Spawned or a task of its own."""
    prop = await bench.running(
        "coffin",
        """
        class Worker(BaseWorker):
            async def start(self):
                await super().start()
                self.spawn(self.tick())
                self.own = asyncio.create_task(self.tick())

            async def tick(self):
                try:
                    self.telemetry("tick", "begun")
                    await asyncio.sleep(60)
                finally:
                    await asyncio.sleep(0.1)
                    self.telemetry("tick", "ended")
        """,
    )
    await bench.said.until(lambda: len(bench.said.of("telemetry/tick")) == 2)
    assert await prop.stop()
    await bench.outbox.drained()
    assert bench.said.of("telemetry/tick") == ["begun", "begun", "ended", "ended"]
    assert not caplog.records


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("raise ValueError('no bridge')", "stop failed: ValueError: no bridge"),
        ("sys.exit()", "stop failed: LabError: stop raised SystemExit"),
        ("await asyncio.sleep(60)", "stop has not returned after 0.5 s"),
    ],
)
async def test_a_stop_that_fails_or_hangs_ends_it_all_the_same(
    bench: Bench, statement: str, problem: str
) -> None:
    """With what it had spawned, within the time."""
    prop = await bench.running(
        "coffin",
        f"""
        class Worker(BaseWorker):
            async def start(self):
                await super().start()
                self.spawn(self.tick())

            async def tick(self):
                try:
                    self.telemetry("tick", "begun")
                    await asyncio.sleep(60)
                finally:
                    self.telemetry("tick", "ended")

            async def stop(self):
                {statement}
        """,
    )
    await bench.said.until(lambda: bench.said.of("telemetry/tick"))
    assert await prop.stop(1.0)
    assert prop.problems[0].startswith(problem)
    await bench.outbox.drained()
    assert bench.said.of("telemetry/tick") == ["begun", "ended"]


async def test_one_that_hangs_is_left_and_who_waits_for_it_is_told(bench: Bench) -> None:
    """It may move still, and can be stopped still."""
    prop = await bench.running("coffin", BLOCKING)
    doing = asyncio.create_task(prop.do("do_block", (None,), {}))
    await reached(prop)
    began = time.monotonic()
    assert await longest_wait(prop.stop(0.5)) < 0.4
    assert time.monotonic() - began < 2
    assert not await prop.stop(0.5)
    place = prop.problems[0].removeprefix("do_block hangs (worker.py:")
    assert place.endswith("); it was left to itself")
    with pytest.raises(LabError, match="what do_block waited for was dropped"):
        await doing
    with pytest.raises(Unreachable, match="left to itself"):
        await prop.do("do_block", (None,), {})
    assert await asyncio.to_thread(stop_seconds, prop) < 0.3  # it may move still
    await let_go(prop)


async def test_a_plain_handler_that_hangs_is_left_too(bench: Bench) -> None:
    """Its loop has ended by then."""
    prop = await bench.running(
        "coffin",
        """
        BEGUN, OPENED = threading.Event(), threading.Event()

        class Worker(BaseWorker):
            def do_shake(self, arg):
                BEGUN.set()
                OPENED.wait(10)
        """,
    )
    doing = asyncio.create_task(prop.do("do_shake", (None,), {}))
    await reached(prop)
    assert not await prop.stop(0.4)
    assert prop.problems == ("a thread of it hangs; it was left to itself",)
    with pytest.raises(LabError, match="dropped"):
        await doing
    await let_go(prop)


async def test_one_that_starts_still_can_be_stopped(bench: Bench) -> None:
    """Its start is cancelled."""
    prop = bench.prop(
        "coffin",
        """
        class Worker(BaseWorker):
            async def start(self):
                await super().start()
                try:
                    await asyncio.sleep(60)
                finally:
                    self.telemetry("start", "ended")
        """,
    )
    await prop.load()
    starting = asyncio.create_task(prop.start())
    await bench.said.until(lambda: bench.said.of("availability"))
    assert await prop.stop()
    await starting
    await bench.outbox.drained()
    assert bench.said.of("telemetry/start") == ["ended"]
    assert prop.phase == "stopped"


async def test_one_that_was_never_loaded_can_be_stopped(bench: Bench) -> None:
    """It has no thread."""
    assert await bench.prop("coffin", "class Worker(BaseWorker): pass").stop()


async def test_messages_go_to_the_worker(bench: Bench) -> None:
    """Before it is made there is nobody."""
    prop = bench.prop(
        "coffin",
        """
        class Worker(BaseWorker):
            def on_message(self, topic, payload):
                return f"{topic} {payload}"
        """,
    )
    assert prop.on_message("halloween/pir", "on") is None
    await prop.load()
    await prop.start()
    assert prop.on_message("halloween/pir", "on") == "halloween/pir on"
