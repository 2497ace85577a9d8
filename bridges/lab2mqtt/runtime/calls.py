"""Calling a driver: its methods block and get threads, or are coroutines and do not."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
import inspect
import threading
from typing import Any

from lab2mqtt.core.errors import LabError
from lab2mqtt.runtime.run import TaskRun

THREADS = 12  # one task, one reading, and tasks that only read; a stop never waits for one of these


class Calls:
    """The driver of one device, callable from the event loop."""

    def __init__(self, driver: Any, name: str) -> None:  # noqa: ANN401 - any driver
        self.driver = driver
        self._name = name
        self._threads: ThreadPoolExecutor | None = None
        self._methods: dict[str, tuple[Callable[..., Any], bool, str]] = {}

    def _method(self, name: str) -> tuple[Callable[..., Any], bool, str]:
        """A method, whether it is a coroutine, and the name of the parameter that takes the run."""
        if name not in self._methods:
            method = getattr(self.driver, name)
            takes_run = "run" if "run" in inspect.signature(method).parameters else ""
            self._methods[name] = (method, inspect.iscoroutinefunction(method), takes_run)
        return self._methods[name]

    async def __call__(
        self, name: str, arguments: dict[str, Any] | None = None, run: TaskRun | None = None
    ) -> Any:  # noqa: ANN401
        """Call a method by the name that the declaration gives.

        Raises:
            Exception: Whatever the method raises.
        """
        method, is_coroutine, takes_run = self._method(name)
        arguments = arguments or {}
        if takes_run and run:
            arguments = {**arguments, takes_run: run}
        if is_coroutine:
            if run:
                run.check()  # a stop that came first must not be followed by the motion
            return await self._unless_dropped(method(**arguments), name)

        def work() -> object:
            if run:
                run.check()  # a stop that came first must not be followed by the motion
            return method(**arguments)

        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=self._name)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _unless_dropped(self, work: Awaitable[Any], name: str) -> Any:  # noqa: ANN401
        """Tell a cancellation that we asked for from one inside the driver, which is a failure."""
        try:
            return await work
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task and task.cancelling():
                raise
            raise LabError(f"what {name} waited for was dropped") from error

    def is_coroutine(self, name: str) -> bool:
        """Whether a method runs in the event loop, where it can be cancelled."""
        return self._method(name)[1]

    def past_everything(self, name: str) -> "asyncio.Future[None]":
        """Call a method now, in a thread of its own, whatever else runs or hangs.

        The thread runs when this returns, so that nothing that the caller does next can delay it.

        Returns:
            Done when the method has returned; raises what it raised.
        """
        method, is_coroutine, _ = self._method(name)
        if is_coroutine:
            running: asyncio.Future[None] = asyncio.ensure_future(method())
            return running
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def settle(error: BaseException | None) -> None:
            if done.cancelled():
                return
            if error:
                done.set_exception(error)
            else:
                done.set_result(None)

        def work() -> None:
            error: BaseException | None = None
            try:
                method()
            except Exception as raised:  # noqa: BLE001 - handed to whoever waits
                error = raised
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, error)

        threading.Thread(target=work, name=f"{self._name}-stop", daemon=True).start()
        return done

    def close(self) -> None:
        """Let go of the threads; one that hangs is left to itself."""
        if self._threads:
            self._threads.shutdown(wait=False, cancel_futures=True)
