"""One prop: a worker that is loaded, started, called and stopped in a thread of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
import concurrent.futures
from concurrent.futures import Future
from functools import partial
import inspect
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from lab2mqtt.core.errors import Fault, LabError, Unreachable
from lab2mqtt.props.actions import Action, actions_of
from lab2mqtt.props.finding import Found
from lab2mqtt.props.loading import Loaded, LoadError, load
from lab2mqtt.props.ties import Ties
from lab2mqtt.props.worker_thread import WorkerThread
from lab2mqtt.runtime.other_loop import ended

if TYPE_CHECKING:
    from lab2mqtt.props.base import BaseWorker

_LOGGER = logging.getLogger(__name__)

T = TypeVar("T")

BEGIN_WITHIN = 0.2  # s in which the worker's loop begins with an emergency stop, or it is done past it
STOP_WITHIN = 2.0  # s in which it is done
SAME = 0.05  # s between two beginnings that are one
ATTEMPTS = 4  # emergency stops of one worker at once; more only if these end


class Prop:
    """One prop and its worker. Of the main loop, but for ``emergency_stop``.

    Attributes:
        prop_id: Its id; the name of its file or folder until it is loaded.
        actions: What it does when asked, by word.
        kind: The worker's class; None until it is loaded.
        worker: The instance; None until it is made.
        warnings: What is wrong with its files although it was loaded.
        phase: ``failed`` is what cannot be loaded or started, and what had to be left to itself ``stopped``.
    """

    def __init__(self, found: Found, ties: Callable[["Prop"], Ties]) -> None:
        """Know where it is; ``load`` and ``start`` do the rest.

        Args:
            found: Its file.
            ties: Gives its way out, in the main loop, when it is loaded.
        """
        self.prop_id = found.name
        self.actions: Mapping[str, Action] = {}
        self.kind: type[BaseWorker] | None = None
        self.worker: BaseWorker | None = None
        self.warnings: Sequence[str] = ()
        self.phase: Literal["loading", "running", "failed", "stopped"] = "loading"
        self._found = found
        self._ties = ties
        self._thread = WorkerThread(found.name)
        self._loaded: Loaded | None = None
        self._loading: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[bool] | None = None
        self._problem = ""
        self._blocked = ""
        self._blocked_since = 0.0
        self._attempts = threading.Semaphore(ATTEMPTS)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The worker's own event loop; there as soon as it is being loaded."""
        return self._thread.loop

    @property
    def problems(self) -> tuple[str, ...]:
        """Why it does not work, in words."""
        return tuple(text for text in (self._problem, self._blocked) if text)

    async def load(self, within: float = 10.0) -> None:
        """Load its file, in its thread.

        Late, it goes on: ``phase`` is ``loading`` still, and a further call waits on.

        Args:
            within: Seconds to wait.
        """
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
        if not await _is_done_within(within, self._loading) and self.phase == "loading":
            self._problem = self._late("its import", within)

    async def start(self, within: float = 10.0) -> None:
        """Make the worker and start it, as soon as it is loaded.

        Late, it goes on, and what is made may be used: some workers do all their work in ``start``.

        Args:
            within: Seconds to wait.
        """
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        if not await _is_done_within(within, self._starting) and self.phase == "loading" and self._loaded:
            self._problem = self._late("start", within)
            if self.worker:
                self.phase = "running"

    async def do(self, method: str, args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        """Call a handler, in the worker's loop or, where it is plain, in one of its threads.

        What stops something is done at once, past a loop that is blocked. Cancelled, it cancels a coroutine.
        What moves or sets something then holds the caller until it has ended, so that nothing else begins
        before; cancelled once more it does not.

        Args:
            method: Of the worker.
            args: By place.
            kwargs: By name.

        Raises:
            Unreachable: There is no worker that could do it.
            Exception: What the handler raises, as it is.
        """
        action = next((one for one in self.actions.values() if one.method == method), None)
        effect = action.effect if action else "move"
        if self.worker is None or self.phase == "stopped" or (self.phase == "failed" and effect != "stop"):
            raise Unreachable(self._problem or f"the worker of {self.prop_id} is {self.phase}")
        handler = getattr(self.worker, method)
        call = partial(handler, *args, **kwargs)
        if effect == "stop":
            return await _result(self._at_once(handler, call), method)
        hold = effect in ("set", "move")
        if not _is_plain(handler):
            return await _result(self._thread.submit(_called(call)), method, hold=hold)
        result = await _result(self._thread.in_thread(call), method, hold=hold)
        if inspect.isawaitable(result):
            result = await _result(self._thread.submit(_awaited(result)), method, hold=hold)
        return result

    def emergency_stop(self) -> None:
        """Bring everything that it moves to rest; from any thread, which waits for it.

        Raises:
            LabError: There is no instance yet that could.
            TimeoutError: It is not done yet.
            Exception: What ``on_emergency_stop`` raises.
        """
        if self.worker is None:
            if self._loaded and self._starting and not self._starting.done():
                raise LabError(f"{self.prop_id} is being made, and cannot be stopped before")
            return  # nothing of it has run but its import
        if not self._attempts.acquire(blocking=False):
            raise TimeoutError(f"{ATTEMPTS} calls of on_emergency_stop hang")
        handler = self.worker.on_emergency_stop
        try:
            work = self._at_once(handler, handler)
        except RuntimeError:  # there are no threads left; when it is called again there may be
            self._attempts.release()
            raise
        work.add_done_callback(lambda _: self._attempts.release())
        concurrent.futures.wait([work], STOP_WITHIN)
        if not work.done():
            place, _ = _place(self._thread.where())
            raise TimeoutError(f"on_emergency_stop has not returned after {STOP_WITHIN:g} s{place}")
        _outcome(work, "on_emergency_stop")

    async def stop(self, within: float = 3.0) -> bool:
        """Stop the worker, wait for what it cancels, and end its thread. May be called again.

        Args:
            within: Seconds for all that.

        Returns:
            Whether it ended. If not it was left to itself, and its box is to be closed.
        """
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(within))
        return await asyncio.shield(self._stopping)

    def on_message(self, topic: str, payload: str) -> object:
        """Give the worker a message that it has no handler for; in its loop."""
        return self.worker.on_message(topic, payload) if self.worker else None

    def look(self) -> None:
        """See whether its loop is blocked; to be called each second."""
        blocked = self._thread.blocked() if self.phase != "stopped" else None
        if blocked is None:
            self._blocked = ""
            return
        since = time.monotonic() - blocked[0]
        if self._blocked and abs(since - self._blocked_since) < SAME:
            return  # as told, wherever it is by now
        self._blocked_since = since
        clock = time.strftime("%H:%M:%S", time.localtime(time.time() - blocked[0]))
        place, what = _place(blocked[1])
        self._blocked = f"{what or 'its loop'} blocks since {clock}{place}"

    async def _load(self) -> None:
        try:
            self._thread.start()
            loaded = await _result(self._thread.submit(_called(load, self._found)), "its import")
            actions = actions_of(loaded.worker)
        except (LoadError, Fault) as error:
            self._fail(f"cannot be loaded: {error}")
        except Exception as error:  # noqa: BLE001 - the others run on
            self._fail(f"cannot be loaded: {_in_words(error)}", error)
        else:
            if self._problem and loaded.prop_id != self.prop_id:  # late: it has its place by now
                self._fail(f"was loaded too late to be {loaded.prop_id} and not {self.prop_id}")
                return
            self._loaded = loaded
            self.prop_id, self.kind, self.actions = loaded.prop_id, loaded.worker, actions
            self.warnings, self._problem = loaded.warnings, ""

    async def _start(self) -> None:
        if self._loading:
            await asyncio.wait([self._loading])
        if self._loaded is None:
            return
        try:
            making = self._make(self._loaded, self._ties(self))
            await _result(self._thread.submit(making), "start")
        except Exception as error:  # noqa: BLE001 - it is reported, and the others run on
            self._fail(f"start failed: {_in_words(error)}", error)
            if self.worker:  # what it spawned before
                stop = self._thread.submit(_called(self.worker.stop))
                stop.add_done_callback(lambda _: self._complain(stop, "stop"))
        else:
            self.phase, self._problem = "running", ""

    async def _make(self, loaded: Loaded, ties: Ties) -> None:
        """Make the worker and start it; in its loop."""
        self.worker = worker = loaded.worker(self.prop_id, ties, loaded.config)
        await _called(worker.start)

    async def _stop(self, within: float) -> bool:
        until = time.monotonic() + within
        begun = self.phase
        self.phase = "stopped"
        for task in (self._loading, self._starting):
            if task:
                task.cancel()
        if self.worker and begun != "failed":
            work = self._thread.submit(_called(self.worker.stop))
            waiting = asyncio.create_task(_result(work, "stop"))
            if not await _is_done_within(within / 2, waiting):
                waiting.cancel()
                self._problem = self._late("stop", within / 2)
            elif error := waiting.exception():
                self._problem = f"stop failed: {_in_words(error)}"
                _LOGGER.error("%s: %s", self.prop_id, self._problem, exc_info=error)
        if await self._thread.end(until - time.monotonic()):
            return True
        place, what = _place(self._thread.where())
        self._problem = f"{what or 'a thread of it'} hangs{place}; it was left to itself"
        _LOGGER.error("%s: %s", self.prop_id, self._problem)
        return False

    def _fail(self, problem: str, error: Exception | None = None) -> None:
        self.phase, self._problem = "failed", problem
        _LOGGER.error("%s %s", self.prop_id, problem, exc_info=error)

    def _late(self, what: str, within: float) -> str:
        place, _ = _place(self._thread.where())
        problem = f"{what} has not returned after {within:g} s{place}"
        _LOGGER.warning("%s: %s", self.prop_id, problem)
        return problem

    def _complain(self, work: Future[object], what: str) -> None:
        """Say what went wrong where nobody waits for it; in any thread."""
        if self.worker and not work.cancelled() and (error := work.exception()):
            self.worker.status("error", f"{what}: {_in_words(error)}")
            _LOGGER.error("%s: %s failed", self.prop_id, what, exc_info=error)

    def _at_once(self, handler: Callable[..., object], call: Callable[[], object]) -> Future[object]:
        """Do what stops, in the worker's loop if that turns, else past it; whatever else of it hangs."""
        done: Future[object] = Future()
        done.set_running_or_notify_cancel()  # what stops is not cancelled

        def work() -> None:
            try:
                done.set_result(self._in_loop_or_here(handler, call))
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits
                done.set_exception(error)

        threading.Thread(target=work, name=f"prop {self.prop_id} stop", daemon=True).start()
        return done

    def _in_loop_or_here(self, handler: Callable[..., object], call: Callable[[], object]) -> object:
        if not _is_plain(handler):
            work = self._thread.submit(_called(call))
            concurrent.futures.wait([work], BEGIN_WITHIN)
            if not work.withdraw():
                return work.result()
        result = call()
        return asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result


async def _result(work: Future[T], what: str, *, hold: bool = False) -> T:
    await ended(work, hold=hold)
    return _outcome(work, what)


def _outcome(work: Future[T], what: str) -> T:
    """What came of something that is done; but nothing of it may end or cancel who asks."""
    try:
        return work.result()
    except (concurrent.futures.CancelledError, asyncio.CancelledError) as error:
        raise LabError(f"what {what} waited for was dropped") from error
    except Exception:
        raise
    except BaseException as error:
        raise LabError(f"{what} raised {_in_words(error)}, which ends no more than {what} itself") from error


async def _is_done_within(seconds: float, task: "asyncio.Task[Any]") -> bool:
    done, _ = await asyncio.wait([task], timeout=seconds)
    return bool(done)


async def _called(function: Callable[..., Any], *args: object, **kwargs: object) -> Any:  # noqa: ANN401
    done = function(*args, **kwargs)
    return await done if inspect.isawaitable(done) else done


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def _is_plain(handler: Callable[..., object]) -> bool:
    return not any(map(inspect.iscoroutinefunction, (handler, inspect.unwrap(handler))))


def _place(where: str) -> tuple[str, str]:
    """The like of ``worker.py:12 in do_x`` as `` (worker.py:12)`` and what runs there."""
    place, _, function = where.partition(" in ")
    return (f" ({place})", function.replace("<module>", "its import")) if place else ("", "")


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
