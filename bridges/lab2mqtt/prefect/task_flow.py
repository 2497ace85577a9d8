"""A task of a device as a Prefect flow, and the function that runs it from anywhere."""

from collections.abc import Callable
import functools
import inspect
import time
from typing import Any, Generic, ParamSpec, cast

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.flows import Flow
from prefect.states import Cancelled, Pending

from lab2mqtt import wire
from lab2mqtt.client import NoAnswer, TaskCancelled, TaskError
from lab2mqtt.client.errors import error_of
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.prefect import request_ids
from lab2mqtt.prefect.cancelling import cancel_calls
from lab2mqtt.prefect.flow_lab import FlowLab
from lab2mqtt.prefect.patience import Patience
from lab2mqtt.prefect.record import SENT, calls_of

P = ParamSpec("P")
Result = Any  # what a task gives: whatever JSON holds

OFTEN = 0.25  # s between two looks at a run, for as long as SELDOM_AFTER
SELDOM = 1.0
SELDOM_AFTER = 30.0


def flow_name(task: str) -> str:
    """The name of a task's flow: ``activate-hotel``."""
    return task.replace("_", "-")


class TaskFlow(Flow[P, Result]):
    """The flow of one task.

    Attributes:
        device: The device id.
        task: The task's name.
        effect: ``read``, ``set``, ``move`` or ``stop``.
    """

    device: str
    task: str
    effect: str

    @property
    def deployment(self) -> str:
        """What its deployment is called: ``plate-resort-activate-hotel``."""
        return f"{self.device}-{self.name}"


def task_flow(device: str, task: str, *, effect: str) -> Callable[[Callable[P, Result]], TaskFlow[P]]:
    """Make a function a flow that calls a task of a device; the function only tells the parameters.

    What is None is left out of the command.

    Args:
        device: The device id.
        task: The task's name.
        effect: ``read``, ``set``, ``move`` or ``stop``.
    """

    def make(function: Callable[P, Result]) -> TaskFlow[P]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> Result:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            parameters = {name: value for name, value in bound.arguments.items() if value is not None}
            with FlowLab() as lab:
                return lab[device].call(task, parameters, effect=effect)

        made = TaskFlow(run, name=flow_name(task), on_cancellation=[cancel_calls])
        made.device, made.task, made.effect = device, task, effect
        return made

    return make


def caller(flow: TaskFlow[P]) -> "Caller[P]":
    """The function that has a flow's deployment run, and gives the task's result."""
    return Caller(flow)


class Caller(Generic[P]):
    """Has a task done by a worker, and gives its result; needs the Prefect API and nothing else.

    In a flow, a call that was made before is not made again when the flow run is run again.
    """

    def __init__(self, flow: TaskFlow[P]) -> None:
        self._flow = flow
        self.deployment = f"{flow.name}/{flow.deployment}"
        functools.update_wrapper(self, flow.fn)
        self.__name__ = flow.task
        self.__signature__ = inspect.signature(flow.fn)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Result:
        """Have it done, wait, and give the result.

        Raises:
            TaskError: The device refused or failed, with its text and error code, as in ``lab2mqtt.client``.
            TaskCancelled: It was cancelled.
            NoAnswer: No worker has begun it in time; or it was cancelled, and the device did not say so.
            Misconfigured: There is no such deployment.
        """
        return self.result(self.submit(*args, **kwargs))

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> FlowRun:
        """Have it done, and do not wait; gives the flow run, whose result ``result`` gives.

        Raises:
            ParameterTypeError: A parameter is wrong.
            Misconfigured: There is no such deployment.
        """
        bound = inspect.signature(self._flow.fn).bind(*args, **kwargs)
        parameters = self._flow.validate_parameters(bound.arguments)
        told = self._flow.serialize_parameters(parameters)
        parent = FlowRunContext.get()
        is_inside = parent is not None and parent.flow_run is not None
        key = request_ids.next_id(self.deployment, self._flow.task, told) if is_inside else None
        try:
            made: FlowRun = cast("Any", run_deployment)(
                self.deployment,
                parameters=told,
                timeout=0,
                idempotency_key=key,
                _sync=True,
            )
        except ObjectNotFound:
            make = f"`lab2mqtt prefect deploy {self._flow.device}` makes it"
            raise Misconfigured(f"Prefect has no deployment {self.deployment!r}: {make}") from None
        return made

    def result(self, flow_run: FlowRun) -> Result:
        """Wait for the result of a run.

        Raises:
            TaskError: As in a call.
        """
        with get_client(sync_client=True) as client:
            ended, state = self._wait(client, flow_run)
            calls = calls_of(client, flow_run.id)
        told: dict[str, Any] = calls[0][1] if calls else {}
        if state.is_completed() and told.get("status") == "success":
            return told.get("result")
        if told.get("status") == "error":
            raise error_of(told)
        words = f"flow run {ended.name!r} is {state.name}: {state.message or 'without a word'}"
        if state.is_cancelled() and told.get("status") == SENT:
            open_call = f"{told['device']} did NOT cancel {told['request_id']}, and may move still"
            raise NoAnswer(f"{words}; {open_call}")
        if state.is_cancelled():
            raise _coded(TaskCancelled(words), wire.CANCELLED)
        raise _coded(NoAnswer(words), wire.INTERRUPTED if state.is_crashed() else wire.DEVICE_ERROR)

    def _wait(self, client: SyncPrefectClient, flow_run: FlowRun) -> tuple[FlowRun, State[Any]]:
        began = time.monotonic()
        start_within = Patience.of().start_within
        while True:
            flow_run = client.read_flow_run(flow_run.id)
            state = flow_run.state or Pending()
            if state.is_final():
                return flow_run, state
            waited = time.monotonic() - began
            if waited > start_within and state.is_scheduled() and flow_run.run_count == 0:
                pool = flow_run.work_pool_name
                words = f"no worker of the pool {pool!r} has begun it within {start_within:g} s"
                client.set_flow_run_state(flow_run.id, Cancelled(message=words))
                raise NoAnswer(f"{self.deployment}: {words}; is one running?")
            time.sleep(OFTEN if waited < SELDOM_AFTER else SELDOM)


def _coded(error: TaskError, code: str) -> TaskError:
    error.error_code = code
    return error
