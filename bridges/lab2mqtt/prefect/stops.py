"""Does a deployment's emergency stops at once, past pools, queues, polls and the start of a process.

A worker looks for runs now and then, and starts a process for each: seconds. This process is told by the
API's events that a run of an emergency stop was made, by whomever, and says the stop over a link that is open
already. The run is then ended as a worker would have ended it, and no worker takes it.
"""

import asyncio
from collections.abc import Callable
import contextlib
from datetime import UTC, datetime

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter
from prefect.exceptions import PrefectException
from prefect.states import Completed, Running

from lab2mqtt.client import BrokerError, Lab
from lab2mqtt.core.errors import LabError
from lab2mqtt.prefect.module import STOP
from lab2mqtt.prefect.record import CALL
from lab2mqtt.prefect.task_flow import flow_name
from lab2mqtt.runtime.address import Broker

SCHEDULED = "prefect.flow-run.Scheduled"
LONGEST_REASON = 255  # characters, of a stop
LOOK_EVERY = 5.0  # s, for what the events did not tell


class Stops:
    """Listens for runs of one device's emergency stop, and does them.

    Attributes:
        device_id: Whose.
    """

    def __init__(self, device_id: str, say: Callable[[str], None]) -> None:
        self.device_id = device_id
        self._say = say
        self._done: set[object] = set()  # ids of runs
        self._soon = asyncio.Event()

    async def run(self, broker: Broker, base: str) -> None:
        """Do them until cancelled.

        Raises:
            BrokerError: The broker is not there at the start.
        """
        async with Lab(broker, base=base, issued_by="prefect/stops") as lab, get_client() as client:
            self._say(f"listening for emergency stops of {self.device_id}")
            listening = asyncio.create_task(self._listen())
            try:
                while True:
                    self._soon.clear()
                    await self._look(lab, client)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_EVERY):
                            await self._soon.wait()
            finally:
                listening.cancel()

    async def _listen(self) -> None:
        """Wake up for every run that was made."""
        wanted = EventFilter(event=EventNameFilter(name=[SCHEDULED]))
        while True:
            try:
                async with get_events_subscriber(filter=wanted) as events:
                    async for event in events:
                        if any(one.name == self._deployment for one in event.related):
                            self._soon.set()
            except Exception as error:  # noqa: BLE001 - whatever it is, the look every few seconds goes on
                self._say(f"no events: {error}")
            await asyncio.sleep(1)

    @property
    def _deployment(self) -> str:
        return f"{self.device_id}-{flow_name(STOP)}"

    async def _look(self, lab: Lab, client: PrefectClient) -> None:
        waiting = FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.PENDING])
        try:
            runs = await client.read_flow_runs(
                flow_filter=FlowFilter(name=FlowFilterName(any_=[flow_name(STOP)])),
                deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[self._deployment])),
                flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=waiting)),
            )
        except (PrefectException, httpx.HTTPError) as error:
            self._say(f"Prefect: {error}")
            return
        for run in runs:
            start = run.expected_start_time
            if run.id not in self._done and (start is None or start <= datetime.now(UTC)):
                await self._stop(lab, client, run)

    async def _stop(self, lab: Lab, client: PrefectClient, run: FlowRun) -> None:
        """Stop first, and tell Prefect after."""
        # Whatever was given as the reason, it stops.
        reason = str(run.parameters.get("reason") or f"Prefect run {run.name}")[:LONGEST_REASON]
        told = {"device": self.device_id, "task": STOP, "parameters": run.parameters, "status": "success"}
        try:
            result = await lab[self.device_id].call(STOP, {"reason": reason})
        except (LabError, BrokerError) as error:
            self._say(f"{run.name}: NOT stopped, tried again: {error}")  # by a worker, if there is one, too
            return
        self._done.add(run.id)
        confirmed = isinstance(result, dict) and result.get("confirmed") is True
        self._say(f"{run.name}: stopped, {'confirmed' if confirmed else 'NOT confirmed'}")
        record = ArtifactCreate(type=CALL, data=told | {"result": result}, flow_run_id=run.id)
        try:
            await client.set_flow_run_state(run.id, Running(), force=True)
            await client.create_artifact(record)
            await client.set_flow_run_state(
                run.id, Completed(message="by `lab2mqtt prefect stops`"), force=True
            )
        except (PrefectException, httpx.HTTPError, ValueError) as error:  # of a result that is no JSON, too
            self._say(f"Prefect: {error}")
