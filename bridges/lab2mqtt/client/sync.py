"""The same without ``async``: for notebooks and plain scripts."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
import concurrent.futures
import contextlib
import threading
from typing import Any, Self

from lab2mqtt import wire
from lab2mqtt.client.lab import Lab
from lab2mqtt.client.remote import OnProgress, RemoteDevice
from lab2mqtt.runtime.address import Broker


class SyncDevice:
    """A device of a ``SyncLab``."""

    def __init__(self, lab: "SyncLab", device: RemoteDevice) -> None:
        self._lab = lab
        self._device = device

    @property
    def state(self) -> dict[str, Any]:
        """Its last state, by entity key."""
        return self._device.state

    @property
    def description(self) -> dict[str, Any]:
        """What it is and can do."""
        return self._device.description

    @property
    def reachable(self) -> bool:
        """Whether the device and its bridge are online."""
        return self._device.reachable

    def call(
        self,
        task: str,
        parameters: dict[str, Any] | None = None,
        *,
        timeout: float | None = None,
        reservation: str | None = None,
        on_progress: OnProgress | None = None,
        request_id: str | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the task returns
        """Call a task and wait for its result; see ``RemoteDevice.call``."""
        return self._lab.wait(
            self._device.call(
                task,
                parameters,
                timeout=timeout,
                reservation=reservation,
                on_progress=on_progress,
                request_id=request_id,
            )
        )

    @contextlib.contextmanager
    def reserved(self, holder: str, *, seconds: float = 60.0, reason: str = "") -> Iterator["SyncDevice"]:
        """Keep the device for oneself in a ``with``; see ``RemoteDevice.reserved``."""
        context = self._device.reserved(holder, seconds=seconds, reason=reason)
        device = self._lab.wait(context.__aenter__())
        try:
            yield SyncDevice(self._lab, device)
        finally:
            self._lab.wait(context.__aexit__(None, None, None))

    def __getattr__(self, task: str) -> Callable[..., Any]:
        method = getattr(self._device, task)

        def call(**parameters: Any) -> Any:  # noqa: ANN401
            return self._lab.wait(method(**parameters))

        call.__name__, call.__doc__ = task, method.__doc__
        return call

    def __repr__(self) -> str:
        return repr(self._device)


class SyncLab:
    """``Lab`` without async: its connection lives in a thread. Calls from several threads may run at once."""

    def __init__(
        self,
        broker: str | Broker = "mqtt://127.0.0.1:1883",
        *,
        base: str = wire.DEFAULT_BASE,
        issued_by: str = "",
    ) -> None:
        """Connect; the arguments are those of ``Lab``.

        Raises:
            BrokerError: The broker does not answer.
        """
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lab2mqtt", daemon=True)
        self._thread.start()

        async def enter() -> Lab:
            return await Lab(broker, base=base, issued_by=issued_by).__aenter__()

        try:
            self.lab = self.wait(enter())
        except BaseException:
            self._end()
            raise

    def start(self, work: Coroutine[Any, Any, Any]) -> concurrent.futures.Future[Any]:
        """Run a coroutine in the lab's thread, and do not wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401
        """Run a coroutine in the lab's thread and wait for it here."""
        doing = self.start(work)
        try:
            return doing.result()
        except BaseException:
            doing.cancel()  # who was interrupted waits no more, and must not keep a device reserved
            raise

    def __getitem__(self, device_id: str) -> SyncDevice:
        return SyncDevice(self, self.lab[device_id])

    def __iter__(self) -> Iterator[str]:
        return iter(self.lab)

    def engage_stop(self, reason: str = "") -> str:
        """Stop the whole lab; see ``Lab.engage_stop``."""
        stop_id: str = self.wait(self.lab.engage_stop(reason))
        return stop_id

    def release_stop(self, reason: str = "") -> bool:
        """Release the lab's stop; see ``Lab.release_stop``."""
        released: bool = self.wait(self.lab.release_stop(reason))
        return released

    def close(self) -> None:
        """Disconnect. Safe to repeat."""
        if self._thread.is_alive():
            self.wait(self.lab.__aexit__(None, None, None))
            self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
