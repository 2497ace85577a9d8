"""The functions of a program as a device, without a broker: the real worker, ledger and latches."""

import asyncio
from collections.abc import Iterator
import contextlib
from itertools import count
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from lab2mqtt import wire
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.orchestration import Run, task
from lab2mqtt.orchestration.served import Served

if TYPE_CHECKING:
    from concurrent.futures import Future

WITHIN = 10.0  # s

_ids = count()


@pytest.fixture
def served() -> Iterator[Served]:
    """Not started: a test says first what there is."""
    made = Served("cell")
    yield made
    made.stop()


def ask(served: Served, task_name: str, request_id: str = "", **parameters: Any) -> "Future[dict[str, Any]]":  # noqa: ANN401
    """Give a command."""
    return served.submit(wire.command(task_name, parameters, request_id=request_id or f"r{next(_ids)}"))


def done(served: Served, task_name: str, request_id: str = "", **parameters: Any) -> dict[str, Any]:  # noqa: ANN401
    """Give a command, and wait for its result."""
    return ask(served, task_name, request_id, **parameters).result(WITHIN)


def test_functions_of_every_kind_answer(served: Served) -> None:
    """Plain ones, coroutine functions, and what they raise, in the function's own words."""

    @task
    def add(a: int, b: int = 2) -> int:
        return a + b

    @task
    async def wait(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "waited"

    @task
    def fail(kind: str) -> None:
        raise {"value": ValueError, "key": KeyError, "none": RuntimeError}[kind](*["A9"] * (kind != "none"))

    served.start()
    assert done(served, "add", a=1)["result"] == 3
    assert done(served, "wait", seconds=0.01)["result"] == "waited"
    told = [done(served, "fail", kind=kind) for kind in ("value", "key", "none")]
    assert [(one["error_code"], one["error"]) for one in told] == [
        ("device_error", "A9"),
        ("device_error", "KeyError: 'A9'"),
        ("device_error", "RuntimeError"),
    ]
    assert done(served, "add", a="x")["error"] == "a 'x' is not a whole number"
    assert "did you mean 'add'" in done(served, "ad")["error"]


def test_many_wait_and_none_is_lost_or_mixed_up(served: Served) -> None:
    """One after the other, in their order; what reads runs beside them."""
    began: list[int] = []
    inside = threading.Semaphore(1)

    @task
    def move(number: int) -> int:
        assert inside.acquire(blocking=False), "two moves at once"
        began.append(number)
        inside.release()
        return number

    both = threading.Barrier(2)

    @task(effect="read")
    def look() -> int:
        both.wait(WITHIN)  # passed only by two at once
        return len(began)

    served.start()
    looks = [ask(served, "look") for _ in range(2)]
    asked = [ask(served, "move", number=number) for number in range(64)]
    assert [one.result(WITHIN)["result"] for one in asked] == list(range(64))
    assert began == list(range(64))
    assert all(one.result(WITHIN)["status"] == "success" for one in looks)


def test_a_command_that_comes_again_is_answered_from_the_ledger(served: Served) -> None:
    """Also by a later process; another content under the same id is a conflict."""
    poured: list[float] = []

    @task
    def pour(volume: float) -> int:
        poured.append(volume)
        return len(poured)

    served.start()
    assert done(served, "pour", "once", volume=5)["result"] == 1
    again = done(served, "pour", "once", volume=5)
    assert (again["result"], again["replayed"]) == (1, True)
    assert done(served, "pour", "once", volume=6)["error_code"] == "conflict"
    served.stop()
    later = Served("cell")
    later.start()
    try:
        assert done(later, "pour", "once", volume=5)["result"] == 1
    finally:
        later.stop()
    assert poured == [5.0]


def test_a_stop_ends_a_coroutine_and_calls_what_stops(served: Served) -> None:
    """It is confirmed once nothing runs any more; then what may move is refused, and what reads is not."""
    running, halted = threading.Event(), threading.Event()

    @task
    async def turn() -> None:
        running.set()
        await asyncio.sleep(WITHIN)

    @task
    def halt() -> None:
        halted.set()

    @task(effect="read")
    def look() -> str:
        return "seen"

    served.start()
    turning = ask(served, "turn")
    assert running.wait(WITHIN)
    assert done(served, "emergency_stop")["result"]["confirmed"] is True
    assert halted.is_set()
    assert turning.result(WITHIN)["error_code"] == "emergency_stopped"
    assert done(served, "turn")["error_code"] == "emergency_stopped"
    assert done(served, "look")["result"] == "seen"
    assert done(served, "reset_emergency_stop")["status"] == "success"


def test_a_plain_function_that_cannot_be_ended_leaves_the_stop_unconfirmed(served: Served) -> None:
    """Nobody is told that all stands while something runs; and nothing else begins until it has returned."""
    running, go = threading.Event(), threading.Event()

    @task
    def grind() -> None:
        running.set()
        go.wait(WITHIN)

    served.start()
    grinding = ask(served, "grind")
    assert running.wait(WITHIN)
    assert done(served, "emergency_stop")["result"]["confirmed"] is False
    assert grinding.result(WITHIN)["error_code"] == "emergency_stopped"
    go.set()
    assert done(served, "emergency_stop")["result"]["confirmed"] is True


def test_a_function_that_has_its_run_ends_when_it_is_told_to(served: Served) -> None:
    """By ``sleep`` and ``check``, at a cancel as at a stop."""
    running = threading.Event()

    @task
    def pour(run: Run) -> None:
        running.set()
        run.sleep(WITHIN)

    served.start()
    pouring = ask(served, "pour")
    assert running.wait(WITHIN)
    began = time.monotonic()
    assert done(served, "cancel")["status"] == "success"
    assert pouring.result(WITHIN)["error_code"] == "cancelled"
    assert time.monotonic() - began < WITHIN / 2


def test_what_runs_at_the_end_is_answered(served: Served) -> None:
    """Nobody waits for ever."""
    running, go = threading.Event(), threading.Event()

    @task
    def grind() -> None:
        running.set()
        go.wait(WITHIN)

    served.start()
    grinding = ask(served, "grind")
    assert running.wait(WITHIN)
    served.stop()
    assert grinding.result(WITHIN)["error_code"] == "interrupted"
    assert done(served, "grind")["error"] == "cell does not run"
    go.set()


def test_one_robot_one_process(served: Served) -> None:
    """A second one is refused with the reason, and the first goes on."""

    @task(effect="read")
    def look() -> str:
        return "seen"

    served.start()
    second = Served("cell")
    with pytest.raises(Misconfigured, match="another process serves cell on this machine: one robot"):
        second.start()
    assert done(served, "look")["result"] == "seen"


def test_wrong_names_and_no_tasks_are_told() -> None:
    """Before anything is opened."""
    with pytest.raises(ValueError, match="device_id '///' cannot be made an id"):
        Served("///")
    with pytest.raises(ValueError, match="topic_prefix 'ot2/#' is not a topic"):
        Served("cell", topic_prefix="ot2/#")
    with pytest.raises(ValueError, match="topic_prefix 'lab/bridge' is where bridges speak"):
        Served("cell", base="lab", topic_prefix="lab/bridge")
    with pytest.raises(ValueError, match="there is no task: put @task"):
        Served("cell").start()


@pytest.mark.parametrize("effect", ["move", "read", "stop"])
@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_a_function_that_wants_to_end_the_program_fails_alone(served: Served, effect: Any, kind: str) -> None:  # noqa: ANN401
    """`sys.exit()` is an error of the call, and the device goes on."""

    def plain() -> None:
        sys.exit("no robot")

    async def coroutine() -> None:
        sys.exit("no robot")

    @task(effect="read")
    def look() -> str:
        return "seen"

    task("leave", effect=effect)(plain if kind == "plain" else coroutine)
    served.start()
    assert done(served, "leave")["error"] == "SystemExit: no robot"
    assert done(served, "look")["result"] == "seen"


def test_half_of_a_surrogate_pair_is_no_end(served: Served) -> None:
    """Such text comes from names of files; the next call is answered as ever."""

    @task
    def name(fails: bool) -> str:  # noqa: FBT001
        if fails:
            raise ValueError("bad \udcff")
        return "\ud800"

    served.start()
    assert done(served, "name", fails=True)["error"] == "bad \\udcff"
    assert "surrogate" in done(served, "name", fails=False)["error"]
    assert done(served, "name", fails=True)["status"] == "error"


def test_a_stop_that_is_a_coroutine_passes_one_that_blocks(served: Served) -> None:
    """All coroutine functions share a loop, but for a stop that it holds up."""
    running, halted, go = threading.Event(), threading.Event(), threading.Event()

    @task
    async def blocks() -> None:
        running.set()
        go.wait(WITHIN)

    @task
    async def halt() -> None:
        halted.set()

    served.start()
    blocking = ask(served, "blocks")
    assert running.wait(WITHIN)
    stopping = ask(served, "emergency_stop")
    assert halted.wait(2.0)
    go.set()
    assert stopping.result(WITHIN)["status"] == "success"
    assert blocking.result(WITHIN)["error_code"] == "emergency_stopped"


def test_a_read_that_hangs_is_answered_in_its_time(served: Served) -> None:
    """It holds nothing that others could need."""
    go = threading.Event()

    @task(effect="read", timeout=0.2)
    def look() -> None:
        go.wait(WITHIN)

    served.start()
    began = time.monotonic()
    assert done(served, "look")["error_code"] == "timeout"
    assert time.monotonic() - began < WITHIN / 2
    go.set()


def test_a_plain_function_around_a_coroutine_function(served: Served) -> None:
    """As a decorator of somebody's makes one; what it gives is awaited."""

    @task
    def wrapped(number: int) -> Any:  # noqa: ANN401
        async def work() -> int:
            await asyncio.sleep(0)
            return number + 1

        return work()

    served.start()
    assert done(served, "wrapped", number=1)["result"] == 2


def test_a_later_start_serves_what_is_defined_by_then(served: Served) -> None:
    """As in a notebook; and who gives a result up breaks nothing."""

    def define(word: str) -> None:
        @task("say", effect="read")
        def say() -> str:
            return word

    define("old")
    served.start()
    ask(served, "say").cancel()
    assert done(served, "say")["result"] == "old"
    served.stop()
    define("new")
    served.start()
    assert done(served, "say")["result"] == "new"


def test_a_stop_is_not_confirmed_while_what_a_wrapper_gave_goes_on(served: Served) -> None:
    """The coroutine of a plain function is what moves, and it may take no cancellation."""
    running, go = threading.Event(), threading.Event()

    @task
    def wrapped() -> Any:  # noqa: ANN401
        async def work() -> None:
            running.set()
            while not go.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.01)

        return work()

    served.start()
    moving = ask(served, "wrapped")
    assert running.wait(WITHIN)
    assert done(served, "emergency_stop")["result"]["confirmed"] is False
    assert moving.result(WITHIN)["error_code"] == "emergency_stopped"
    go.set()
    assert done(served, "emergency_stop")["result"]["confirmed"] is True
