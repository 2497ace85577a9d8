"""The lab from inside of a flow: calls that a retried or killed flow run does not do twice."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
import concurrent.futures
import contextlib
from datetime import UTC, datetime, timedelta
import os
import time
from types import TracebackType
from typing import Any, Self

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from lab2mqtt import wire
from lab2mqtt.client import BrokerError, Expired, Reserved, SyncLab, TaskError
from lab2mqtt.client.remote import RemoteDevice
from lab2mqtt.core.errors import LabError
from lab2mqtt.core.words import near
from lab2mqtt.prefect import request_ids
from lab2mqtt.prefect.calls import FIRST_PAUSE, Call, cancel, perform
from lab2mqtt.prefect.patience import Patience
from lab2mqtt.prefect.record import Record, process_run
from lab2mqtt.runtime import where
from lab2mqtt.runtime.address import Broker

REMEMBERED = timedelta(days=1)  # for so long a bridge knows every id
READS_AT_ONCE = 8  # of one device, which is busy beyond that
ENDED_WITHIN = 5.0  # s, of a call that was cancelled

Future = concurrent.futures.Future[Any]


def this_broker(told: str | Broker | None) -> Broker:
    """The broker that is meant: that of $LAB2MQTT_BROKER unless told.

    Raises:
        ValueError: The address is none.
    """
    return told if isinstance(told, Broker) else where.broker(told, os.environ)


def this_base(told: str | None) -> str:
    """The base topic that is meant: that of $LAB2MQTT_BASE unless told."""
    return told or os.environ.get("LAB2MQTT_BASE") or wire.DEFAULT_BASE


class FlowLab:
    """The lab of a flow run; a context manager, used in a flow or in a task of it.

    with FlowLab() as lab:
        mixing = lab["ot2"].submit("mix_color", R=100, Y=50, B=80, well="B2")
        lab["plate-resort"].activate_hotel(hotel="B")
        mixing.result()

    The end waits for what was submitted. If the flow run was cancelled, it cancels what runs on the devices.
    """

    def __init__(
        self, broker: str | Broker | None = None, *, base: str | None = None, patience: Patience | None = None
    ) -> None:
        """Prepare; entering the context connects.

        Args:
            broker: Its address; that of $LAB2MQTT_BROKER by default.
            base: The base topic; $LAB2MQTT_BASE, or ``lab2mqtt``.
            patience: How long calls keep trying; by default as the environment says.

        Raises:
            ValueError: The address is none.
            Misconfigured: The environment says something wrong.
        """
        self._broker = this_broker(broker)
        self._base = this_base(base)
        self.patience = patience or Patience.of()
        self._open: dict[Future, Call] = {}
        self._runs: list[FlowRun] = []
        self._reads: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(READS_AT_ONCE))

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            BrokerError: There is no link for too long.
            Misconfigured: This is not called in a flow.
        """
        self._run = request_ids.this_run()
        self._logger = get_run_logger()
        name = f"prefect/{flow_run.flow_name or 'flow'}/{self._run.name}"
        self._issued_by = _printable(name)[: wire.MAX_NAME]
        self._lab = self._connected()
        return self

    def _connected(self) -> SyncLab:
        until = time.monotonic() + self.patience.no_answer_for
        while True:
            try:
                return SyncLab(self._broker, base=self._base, issued_by=self._issued_by)
            except BrokerError as error:
                if time.monotonic() + FIRST_PAUSE >= until:
                    raise
                self._logger.warning("%s; tried again", error)
            time.sleep(FIRST_PAUSE)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.settle(list(self._open), error)
        finally:
            self._lab.close()

    def __getitem__(self, device_id: str) -> "FlowDevice":
        return FlowDevice(self, device_id)

    def settle(self, futures: list[Future], error: BaseException | None) -> None:
        """Wait for calls. If the flow ends by a signal, cancel them where that was meant, or let them be."""
        if error is None or isinstance(error, Exception):
            concurrent.futures.wait(futures)
            return
        for call in list(self._open.values()):  # before all else: whoever waits begins no motion from here on
            call.over = True
        if self._is_cancelled():
            for future, call in list(self._open.items()):
                if call.once and not call.sent:
                    future.cancel()  # no need to see its pause out
            mine = [future for future in futures if not future.done() and self._open[future].sent]
            for future in mine:
                call = self._open[future]
                self._logger.info("%s: cancelling %s", call.device_id, call.task)
                self._lab.start(self._cancel(call))
            concurrent.futures.wait(mine, timeout=ENDED_WITHIN)

    async def _cancel(self, call: Call) -> None:
        done, words = await cancel(self._lab.lab, call.device_id, call.sent)
        if not done:
            self._logger.error("%s", words)

    def start(self, call: Call) -> Future:
        """Begin a call; its future gives the result.

        Raises:
            Expired: The flow run is too late for something that sets or moves.
        """
        if call.once:
            self._check_late()
        future = self._lab.start(self._work(call))
        self._open[future] = call
        return future

    async def _work(self, call: Call) -> Any:  # noqa: ANN401 - whatever the task returns
        told = {
            "device": call.device_id,
            "task": call.task,
            "parameters": call.parameters,
            "broker": str(self._broker),
            "base": self._base,
        }
        reads = self._reads[call.device_id] if not call.once else contextlib.nullcontext()
        async with reads, get_client() as client:
            record = Record(client, process_run(self._run.id), self._logger, told)
            try:
                result = await perform(self._lab.lab, call, record, self.patience)
            except (LabError, BrokerError) as error:
                code = error.error_code if isinstance(error, TaskError) else wire.DEVICE_UNAVAILABLE
                await record.ended(code)
                await record.write(status="error", error=str(error), error_code=code)
                raise
            await record.ended()
            await record.write(status="success", result=result)
            return result

    def state(self, device_id: str) -> dict[str, Any]:
        """The last state of a device; empty where it was not heard of."""
        device = self._lab.lab.devices.get(device_id)
        return device.state if device else {}

    def tasks(self, device_id: str) -> dict[str, Any]:
        """The tasks of a device with their schemas; none where it was not heard of."""
        device = self._lab.lab.devices.get(device_id)
        return device.tasks if device else {}

    @contextlib.contextmanager
    def reserved(self, device_id: str, seconds: float, reason: str) -> Iterator["FlowDevice"]:
        """Keep a device for this run; ``FlowDevice.reserved`` tells the rest."""
        holder = f"{_printable(self._run.name)[: wire.MAX_NAME - 37]} {self._run.id}"  # the id is never cut
        context, view = self._take(device_id, holder, seconds, reason)
        error: BaseException | None = None
        try:
            yield FlowDevice(self, device_id, view)
        except BaseException as raised:
            error = raised
            raise
        finally:
            self.settle([future for future, call in self._open.items() if call.view is view], error)
            self._lab.wait(context.__aexit__(None, None, None))

    def _take(
        self, device_id: str, holder: str, seconds: float, reason: str
    ) -> tuple[contextlib.AbstractAsyncContextManager[RemoteDevice], RemoteDevice]:
        until = time.monotonic() + self.patience.refused_for
        while True:
            device = self._lab.lab[device_id]
            if device.state.get("reserved_by") == holder:  # by an earlier execution of this run
                reason = reason or "the same flow run goes on"
            context = device.reserved(holder, seconds=seconds, reason=reason)
            try:
                return context, self._lab.wait(context.__aenter__())
            except Reserved as refused:
                if time.monotonic() + FIRST_PAUSE >= until:
                    raise
                self._logger.warning("%s; tried again", refused)
            time.sleep(FIRST_PAUSE)

    def _check_late(self) -> None:
        now = datetime.now(UTC)
        # A subflow of a retried run is a new run each time, and asks for what its first one did.
        self._runs = self._runs or self._runs_up()
        if any(run.run_count > 1 and now - (run.start_time or now) > REMEMBERED for run in self._runs):
            raise _expired(
                "this run began more than a day ago, and what it did may be forgotten; start a new one"
            )
        for run in self._runs:
            if run.run_count > 1 or run.expected_start_time is None:
                continue
            late = ((run.start_time or now) - run.expected_start_time).total_seconds()
            if late > self.patience.start_within:
                raise _expired(
                    f"this run began {late:.0f} s late, and nothing is set or moved by one that is more than "
                    f"{self.patience.start_within:g} s late; start a new one"
                )

    def _runs_up(self) -> list[FlowRun]:
        """This run, that of which it is a subflow, and so on, up to the one that began it all."""
        runs = [self._run]
        if self._run.parent_task_run_id is None:
            return runs
        with get_client(sync_client=True) as client:
            while (task := runs[-1].parent_task_run_id) is not None:
                above = client.read_task_run(task).flow_run_id
                if above is None:
                    break
                runs.append(client.read_flow_run(above))
        return runs

    def _is_cancelled(self) -> bool:
        """Whether somebody cancels this run; where nobody can tell, ``cancel_calls`` sees to it."""
        with contextlib.suppress(Exception), get_client(sync_client=True) as client:
            state = client.read_flow_run(process_run(self._run.id)).state
            return state is not None and (state.is_cancelling() or state.is_cancelled())
        return False


def _printable(text: str) -> str:
    """What may stand in a name on the wire."""
    return "".join(one for one in text if one.isprintable())


def _expired(text: str) -> Expired:
    error = Expired(text)
    error.error_code = wire.EXPIRED
    return error


class FlowDevice:
    """A device of a ``FlowLab``; its tasks are its methods.

    Each waits for the result, and raises as ``lab2mqtt.client`` does. What sets or moves something has an id
    that is made of the flow run: it is not done twice, however often the run is run.
    """

    def __init__(self, lab: FlowLab, device_id: str, view: RemoteDevice | None = None) -> None:
        self._lab = lab
        self._device_id = device_id
        self._view = view

    @property
    def state(self) -> dict[str, Any]:
        """Its last state, by entity key; empty until it was heard."""
        return self._lab.state(self._device_id)

    def submit(self, task: str, *, timeout: float | None = None, **parameters: Any) -> Future:  # noqa: ANN401
        """Call a task and do not wait; the future's ``result()`` does.

        Args:
            task: Its name.
            timeout: Seconds that the task may take; its own by default.
            parameters: By name.
        """
        return self.begin(task, parameters, timeout=timeout)

    def call(
        self,
        task: str,
        parameters: dict[str, Any] | None = None,
        *,
        timeout: float | None = None,
        effect: str = "",
    ) -> Any:  # noqa: ANN401 - whatever the task returns
        """Call a task and wait for its result.

        Args:
            task: Its name.
            parameters: By name.
            timeout: Seconds that the task may take; its own by default.
            effect: ``read``, ``set``, ``move`` or ``stop``; as the device tells by default.

        Raises:
            TaskError: It was refused or failed; one of its subclasses, by ``error_code``.
            BrokerError: There was no link to the broker for too long.
            UnknownDevice: There is no such device.
        """
        return self.begin(task, parameters or {}, timeout=timeout, effect=effect).result()

    def begin(
        self, task: str, parameters: dict[str, Any], *, timeout: float | None = None, effect: str = ""
    ) -> Future:
        """As ``submit``, with the parameters as ``call`` takes them."""
        told = self._lab.tasks(self._device_id).get(task, {}).get("effect", "move")
        once = (effect or told) not in ("read", "stop")
        request_id = (
            request_ids.next_id(self._device_id, task, parameters) if once else request_ids.fresh_id()
        )
        call = Call(self._device_id, task, parameters, request_id, once, timeout, self._view)
        return self._lab.start(call)

    def reserved(
        self, *, seconds: float = 60.0, reason: str = ""
    ) -> contextlib.AbstractContextManager["FlowDevice"]:
        """Keep the device for this flow run in a ``with``; gives the device whose calls show that.

        Waits while somebody else has it, as long as the lab's ``patience`` allows. A run that was killed and
        is run again goes on with its own reservation.

        Args:
            seconds: For how long it is kept after the last sign of life; it is renewed by itself.
            reason: Why; takes the device over from whoever has it.

        Raises:
            Reserved: Somebody has it for too long.
        """
        return self._lab.reserved(self._device_id, seconds, reason)

    def __getattr__(self, task: str) -> Callable[..., Any]:
        if task.startswith("_"):
            raise AttributeError(task)
        tasks = self._lab.tasks(self._device_id)
        if tasks and task not in tasks:
            known = ", ".join(sorted(tasks))
            raise AttributeError(f"{self._device_id} has no task {task!r}{near(task, tasks)}: {known}")

        def call(*, timeout: float | None = None, **parameters: Any) -> Any:  # noqa: ANN401
            return self.call(task, parameters, timeout=timeout)

        return call
