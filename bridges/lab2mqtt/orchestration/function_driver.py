"""The functions of this process as an instrument: it does calls, and shows what came of the last one."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
import contextlib
from dataclasses import dataclass
import logging
import threading
from typing import Any

from lab2mqtt import wire
from lab2mqtt.adopt.declaration import buttons
from lab2mqtt.core.device import Device
from lab2mqtt.core.entities import Sensor
from lab2mqtt.core.errors import Fault, LabError
from lab2mqtt.core.house import HOUSE_TASKS
from lab2mqtt.core.run import Run
from lab2mqtt.orchestration.functions import Function
from lab2mqtt.runtime.daemon_pool import DaemonPool
from lab2mqtt.runtime.other_loop import Work, ended

_LOGGER = logging.getLogger(__name__)

MODEL = "functions"
AT_ONCE = 32  # reads
WAITING = 256  # commands, and reads under way: scripts ask for many at once
TURN_WITHIN = 0.2  # s for the functions' loop to begin a stop
STOP_WITHIN = 1.0  # s for what runs to end after a stop, until the stop is tried again
LONGEST = 255  # characters of a result that is shown


@dataclass(frozen=True)
class Snapshot:
    """What was called last and gave something; None when nothing was.

    Attributes:
        task: The task.
        result: What it gave, as text.
    """

    task: str | None = None
    result: str | None = None


def declare(functions: Mapping[str, Function], name: str) -> Device[Snapshot]:
    """Declare the device that functions are.

    Args:
        functions: By their tasks.
        name: What people call it.
    """
    # One that is called as a task of the house is what that calls: `emergency_stop`.
    tasks = {name: one.declaration for name, one in functions.items() if name not in HOUSE_TASKS}
    return Device(
        model=MODEL,
        name=name,
        manufacturer="",
        product="Python functions",
        driver="",
        entities=(
            Sensor(
                "last_task", "Last task", icon="mdi:function-variant", none="none", read=lambda now: now.task
            ),
            Sensor(
                "last_result", "Last result", icon="mdi:text-box-check-outline", read=lambda now: now.result
            ),
            *buttons(tasks, tasks),
        ),
        tasks=tuple(tasks.values()),
        stop="stop",
        after_stop="See that everything stands that the functions move.",
        icon="mdi:function",
        waiting=WAITING,
        reads=WAITING,
    )


class FunctionDriver:
    """Calls functions: plain ones in threads, coroutine functions in one loop of their own.

    So neither can hold up the link to the broker, whatever they do.
    """

    def __init__(self, functions: Mapping[str, Function], name: str) -> None:
        """Call nothing yet.

        Args:
            functions: By their tasks.
            name: For the threads.
        """
        self._functions = functions
        self._snapshot = Snapshot()
        self._reads = DaemonPool(f"{name} reads", AT_ONCE)
        self._others = DaemonPool(name, WAITING)  # one runs, what stops is beside it, and some may hang
        self._loop = asyncio.new_event_loop()
        # What a coroutine gives to a thread must not keep the process alive either.
        self._loop.set_default_executor(DaemonPool(f"{name} threads", AT_ONCE))
        self._thread = threading.Thread(target=self._turn, name=f"{name} loop", daemon=True)
        self._thread.start()
        self._moving: dict[Future[Any], str] = {}

    def _turn(self) -> None:
        """Let the loop turn until it is stopped; then end what is left in it, and close it."""
        self._loop.run_forever()
        if left := asyncio.all_tasks(self._loop):
            for one in left:
                one.cancel()
            self._loop.run_until_complete(asyncio.wait(left, timeout=STOP_WITHIN))
        self._loop.close()

    # What every driver has

    async def open(self) -> None:
        """There is nothing to connect to."""

    async def close(self) -> None:
        """Take no more calls."""
        self._reads.shutdown(wait=False, cancel_futures=True)
        self._others.shutdown(wait=False, cancel_futures=True)
        with contextlib.suppress(RuntimeError):  # closed before
            self._loop.call_soon_threadsafe(self._loop.stop)

    async def read(self) -> Snapshot:
        """What was called last."""
        return self._snapshot

    async def info(self) -> Mapping[str, object]:
        """Nothing is known of them."""
        return {}

    async def call(self, task: str, arguments: Mapping[str, Any], run: Run | None = None) -> object:
        """Call one function; what reads has no run.

        Raises:
            Fault: It raised something.
            LabError: The function's own, such as that of a run which was asked to end.
        """
        function = self._functions[task]
        if function.takes_run:
            arguments = {**arguments, function.takes_run: run}
        result = await self._result(function, arguments)
        if function.effect != "stop":
            self._snapshot = Snapshot(task, _shown(result))
        return result

    async def stop(self) -> None:
        """Call what stops, and see that everything else has ended.

        Raises:
            Fault: Something raised an error, or still runs.
        """
        stops = [one for one in self._functions.values() if one.effect == "stop"]
        calls = [self._stopped(one) for one in stops]
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        over = [asyncio.ensure_future(ended(one)) for one in self._moving if not one.done()]
        if over:
            _, late = await asyncio.wait(over, timeout=STOP_WITHIN)
            for one in late:
                one.cancel()
        if running := [name for one, name in self._moving.items() if not one.done()]:
            hint = "a function with a parameter of type Run can look whether it is to end"
            raise Fault(f"{running[0]} still runs; {hint}")

    async def _stopped(self, function: Function) -> None:
        """Call what stops; where a coroutine blocks the others, in a loop of its own."""
        if not function.is_coroutine:
            await self._result(function, {})
            return
        work = self._begin(function, {})
        await asyncio.wait([asyncio.ensure_future(ended(work))], timeout=TURN_WITHIN)
        if isinstance(work, Work) and work.withdraw():
            work = self._others.submit(lambda: asyncio.run(function.call()))
        await self._outcome(function, work)

    async def _result(self, function: Function, arguments: Mapping[str, Any]) -> object:
        result = await self._outcome(function, self._begin(function, arguments))
        if asyncio.iscoroutine(result):  # of a plain function around a coroutine function
            coroutine: Coroutine[Any, Any, Any] = result
            result = await self._outcome(function, self._turned(lambda: coroutine))
        return result

    async def _outcome(self, function: Function, work: Future[Any]) -> object:
        moves = function.effect not in ("read", "stop")
        if moves:
            self._moving[work] = function.name
            work.add_done_callback(lambda _: self._moving.pop(work, None))
        # A plain function cannot be broken off: until it returns, nothing else that moves is begun.
        await ended(work, hold=moves)
        try:
            return work.result()
        except LabError:
            raise
        except BaseException as error:  # `sys.exit()` in somebody's function is not our end
            _LOGGER.exception("%s failed", function.name)
            raise Fault(_told(error)) from error

    def _begin(self, function: Function, arguments: Mapping[str, Any]) -> Future[Any]:
        if function.is_coroutine:
            return self._turned(lambda: function.call(**arguments))
        pool = self._reads if function.effect == "read" else self._others
        return pool.submit(function.call, **arguments)

    def _turned(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> Future[Any]:
        """What gives a coroutine, in the functions' own loop."""
        work = Work(self._loop, _kept_in(call))
        self._loop.call_soon_threadsafe(work.begin)
        return work


async def _kept_in(call: Callable[[], Coroutine[Any, Any, Any]]) -> object:
    """A coroutine whose `sys.exit()` does not end the loop."""
    try:
        return await call()
    except (SystemExit, KeyboardInterrupt) as error:
        raise Fault(_told(error)) from error


def _told(error: BaseException) -> str:
    """An error in words: the function's own where it is meant for people, else with its type."""
    kind, text = type(error).__name__, str(error)
    if not text:
        return kind
    return text if isinstance(error, RuntimeError | ValueError) else f"{kind}: {text}"


def _shown(result: object) -> str | None:
    if result is None:
        return None
    if isinstance(result, str):
        return result[:LONGEST].encode(errors="replace").decode()
    try:
        return wire.encode(result)[:LONGEST]
    except wire.WireError:
        return None
