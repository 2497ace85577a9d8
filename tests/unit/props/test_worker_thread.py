"""A thread of its own for a worker: what happens in it stays in it."""

import asyncio
from collections.abc import AsyncIterator
import concurrent.futures
import gc
import logging
from pathlib import Path
import resource
import subprocess
import sys
import threading
import time

import pytest

from lab2mqtt.core.errors import Fault
from lab2mqtt.props.worker_thread import SPARE_FILES, THREADS, WorkerThread
from lab2mqtt.runtime.other_loop import ended


@pytest.fixture
async def thread() -> AsyncIterator[WorkerThread]:
    """One that turns."""
    one = WorkerThread("coffin")
    one.start()
    yield one
    await one.end(0.3)


class Gate:
    """What a blocked thread waits for, and what tells that it does."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.reached = threading.Event()

    async def block(self) -> None:
        """Block the loop."""
        self.reached.set()
        self.opened.wait()


def test_the_last_files_are_not_a_workers() -> None:
    """The links of the host need them."""
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Path("/dev/null").open() as lowest:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest.fileno() + SPARE_FILES // 2, most))
        try:
            with pytest.raises(Fault, match="ulimit -n"):
                WorkerThread("one too many").start()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))


async def test_a_coroutine_runs_in_its_thread(thread: WorkerThread) -> None:
    """And in its loop, not in ours."""

    async def where() -> tuple[str, asyncio.AbstractEventLoop]:
        return threading.current_thread().name, asyncio.get_running_loop()

    work = thread.submit(where())
    await ended(work)
    assert work.result() == ("prop coffin", thread.loop)
    assert threading.current_thread().name != "prop coffin"


async def test_an_error_comes_back_as_it_is_with_its_place(thread: WorkerThread) -> None:
    """The same object, with the line that raised it."""
    error = TimeoutError("no answer from the hue")

    async def fail() -> None:
        raise error

    work = thread.submit(fail())
    await ended(work)
    with pytest.raises(TimeoutError) as caught:
        work.result()
    assert caught.value is error
    assert caught.traceback[-1].name == "fail"


async def test_a_wait_that_is_cancelled_cancels_the_coroutine(thread: WorkerThread) -> None:
    """In its own loop, where it cleans up."""
    begun, cleaned = threading.Event(), threading.Event()

    async def wait() -> None:
        try:
            begun.set()
            await asyncio.sleep(60)
        finally:
            cleaned.set()

    waiting = asyncio.create_task(ended(thread.submit(wait())))
    await asyncio.to_thread(begun.wait, 5)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.to_thread(cleaned.wait, 5)


async def test_a_wait_that_holds_goes_on_until_the_coroutine_has_cleaned_up(thread: WorkerThread) -> None:
    """So that nothing else begins before."""
    begun, cleaned = threading.Event(), threading.Event()
    may_clean = asyncio.Event()

    async def move() -> None:
        try:
            begun.set()
            await asyncio.sleep(60)
        finally:
            await may_clean.wait()
            cleaned.set()

    waiting = asyncio.create_task(ended(thread.submit(move()), hold=True))
    await asyncio.to_thread(begun.wait, 5)
    waiting.cancel()
    assert not (await asyncio.wait([waiting], timeout=0.1))[0]
    thread.loop.call_soon_threadsafe(may_clean.set)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert cleaned.is_set()


async def test_a_wait_that_holds_ends_when_cancelled_once_more(thread: WorkerThread) -> None:
    """Who ends the host waits for nobody."""
    gate = Gate()
    waiting = asyncio.create_task(ended(thread.submit(gate.block()), hold=True))
    await asyncio.to_thread(gate.reached.wait, 5)
    for _ in range(2):
        waiting.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.opened.set()


@pytest.mark.filterwarnings("error")
async def test_what_is_withdrawn_never_begins(thread: WorkerThread) -> None:
    """And what has begun is not withdrawn."""
    gate, ran = Gate(), threading.Event()

    async def late() -> None:
        ran.set()

    blocking = thread.submit(gate.block())
    await asyncio.to_thread(gate.reached.wait, 5)
    work = thread.submit(late())
    assert work.withdraw()
    gate.opened.set()
    await ended(blocking)
    await ended(thread.submit(asyncio.sleep(0)))
    assert not ran.is_set()
    assert not blocking.withdraw()


async def test_plain_functions_run_in_a_few_threads_although_the_loop_is_blocked(
    thread: WorkerThread,
) -> None:
    """One more than there are waits."""
    gate = Gate()
    thread.submit(gate.block())
    await asyncio.to_thread(gate.reached.wait, 5)
    at_once = threading.Barrier(THREADS + 1)
    works = [thread.in_thread(at_once.wait) for _ in range(THREADS)]
    fifth = thread.in_thread(lambda: threading.current_thread().daemon)
    await asyncio.sleep(0.05)
    assert not fifth.done()
    await asyncio.to_thread(at_once.wait, 5)
    for work in (*works, fifth):
        await ended(work)
    assert fifth.result()
    gate.opened.set()


async def test_a_thread_that_is_idle_is_used_again(thread: WorkerThread) -> None:
    """No second one is made."""
    names = set()
    for _ in range(10):
        work = thread.in_thread(lambda: threading.current_thread().name)
        await ended(work)
        names.add(work.result())
        assert await asyncio.to_thread(
            thread._pool._idle.acquire, timeout=5
        )  # it has answered before it is idle
        thread._pool._idle.release()
    assert names == {"prop coffin 1"}


async def test_to_thread_of_a_worker_uses_the_same(thread: WorkerThread) -> None:
    """They are its loop's default."""
    work = thread.submit(asyncio.to_thread(lambda: threading.current_thread().name))
    await ended(work)
    assert work.result() == "prop coffin 1"


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
async def test_who_ends_the_program_ends_nothing(thread: WorkerThread, error: type[BaseException]) -> None:
    """Not the loop, not a thread, and not the host."""

    async def leave() -> None:
        raise error

    def leave_plainly() -> None:
        raise error

    works: tuple[concurrent.futures.Future[None], ...] = (
        thread.submit(leave()),
        thread.in_thread(leave_plainly),
    )
    for work in works:
        await ended(work)
        assert isinstance(work.exception(), error)
    thread.loop.call_soon_threadsafe(leave_plainly)  # as a callback of the worker's
    await ended(thread.submit(asyncio.sleep(0)))


async def test_blocked_tells_for_how_long_and_where(thread: WorkerThread) -> None:
    """After a second without a turn, until it turns."""
    assert thread.blocked() is None
    gate = Gate()
    began = time.monotonic()
    work = thread.submit(gate.block())
    await asyncio.to_thread(gate.reached.wait, 5)
    assert thread.blocked() is None  # not yet a second
    await asyncio.sleep(max(0.0, began + 1.1 - time.monotonic()))
    blocked = thread.blocked()
    assert blocked is not None
    seconds, where = blocked
    assert 1.0 < seconds < time.monotonic() - began + 0.1
    assert where.startswith("test_worker_thread.py:")
    assert where.endswith(" in block")
    gate.opened.set()
    await ended(work)
    await ended(thread.submit(asyncio.sleep(0.01)))
    assert thread.blocked() is None


async def test_a_loop_that_has_much_to_do_is_not_blocked(thread: WorkerThread) -> None:
    """It turns."""

    async def work() -> None:
        until = time.monotonic() + 1.3
        while time.monotonic() < until:  # noqa: ASYNC110 - the turns themselves are meant
            await asyncio.sleep(0)

    busy = thread.submit(work())
    while not busy.done():
        assert thread.blocked() is None
        await asyncio.sleep(0.1)


async def test_the_end_waits_for_what_it_cancels(caplog: pytest.LogCaptureFixture) -> None:
    """And nothing is said of it."""
    thread = WorkerThread("coffin")
    thread.start()
    begun = threading.Event()
    done: list[str] = []

    async def work() -> None:
        try:
            begun.set()
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.1)
            done.append("cleaned up")
            raise

    work_ = thread.submit(work())
    await asyncio.to_thread(begun.wait, 5)
    assert await thread.end(5)
    assert done == ["cleaned up"]
    assert isinstance(work_.exception(), concurrent.futures.CancelledError)
    assert thread.loop.is_closed()
    assert not caplog.records


async def test_what_was_cancelled_already_is_not_broken_off_at_the_end() -> None:
    """It is let to clean up."""
    thread = WorkerThread("coffin")
    thread.start()
    begun, cleaned = threading.Event(), threading.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            begun.set()
            await asyncio.sleep(0.1)
            cleaned.set()

    work_ = thread.submit(work())
    await ended(thread.submit(asyncio.sleep(0)))
    work_.cancel()
    await asyncio.to_thread(begun.wait, 5)
    assert await thread.end(5)
    assert cleaned.is_set()


async def test_one_that_hangs_is_left_and_nobody_waits_for_it() -> None:
    """It ends when it comes to itself."""
    thread = WorkerThread("coffin")
    thread.start()
    gate = Gate()
    blocking = thread.submit(gate.block())
    await asyncio.to_thread(gate.reached.wait, 5)
    waiting = thread.submit(asyncio.sleep(0))
    began = time.monotonic()
    assert not await thread.end(0.2)
    assert time.monotonic() - began < 2
    assert waiting.cancelled()
    assert isinstance(blocking.exception(), concurrent.futures.CancelledError)
    gate.opened.set()
    await asyncio.to_thread(thread._thread.join, 5)
    assert not thread._thread.is_alive()


async def test_a_plain_function_that_hangs_is_left_as_well() -> None:
    """With the loop, which waits for it."""
    thread = WorkerThread("coffin")
    thread.start()
    opened = threading.Event()
    work = thread.in_thread(opened.wait)
    assert not await thread.end(0.2)
    assert isinstance(work.exception(), concurrent.futures.CancelledError)
    opened.set()
    await asyncio.to_thread(thread._thread.join, 5)
    assert thread.loop.is_closed()


@pytest.mark.filterwarnings("error")
async def test_what_comes_after_the_end_is_cancelled() -> None:
    """And no coroutine is left that nobody awaited."""
    thread = WorkerThread("coffin")
    thread.start()
    assert await thread.end(5)
    assert thread.submit(asyncio.sleep(0)).cancelled()
    assert thread.in_thread(time.monotonic).cancelled()


async def test_one_that_never_began_has_ended() -> None:
    """There is nothing to wait for."""
    assert await WorkerThread("coffin").end(0.1)


async def test_what_fails_where_nobody_waits_is_told_in_the_log(
    thread: WorkerThread, caplog: pytest.LogCaptureFixture
) -> None:
    """In one line of ours, with the name of the prop."""

    async def fail() -> None:
        raise ValueError("no such lamp")

    async def start_and_forget() -> None:
        task = asyncio.get_running_loop().create_task(fail())
        await asyncio.sleep(0)
        del task
        gc.collect()

    await ended(thread.submit(start_and_forget()))
    await ended(thread.submit(asyncio.sleep(0)))
    gc.collect()
    assert [(one.levelno, one.message) for one in caplog.records] == [
        (logging.ERROR, "coffin: ValueError: no such lamp")
    ]


def test_a_program_ends_in_silence_although_threads_of_workers_hang() -> None:
    """Loops and plain functions, busy and asleep."""
    program = """
import asyncio, time
from lab2mqtt.props.worker_thread import WorkerThread

async def spin():
    while True:
        pass

async def main():
    for hang in (spin(), asyncio.sleep(3600)):
        thread = WorkerThread("coffin")
        thread.start()
        thread.submit(hang)
        thread.in_thread(lambda: time.sleep(3600))
        thread.submit(asyncio.to_thread(time.sleep, 3600))
        thread.submit(asyncio.sleep(0))
    await asyncio.sleep(0.2)
    await thread.end(0.1)

asyncio.run(main())
"""
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-W", "default", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert time.monotonic() - began < 15
