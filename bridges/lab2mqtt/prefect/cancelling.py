"""What cancels on the devices when a flow run is cancelled, also where its process is gone already."""

import asyncio
from collections import defaultdict
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.logging.loggers import flow_run_logger

from lab2mqtt import wire
from lab2mqtt.client import BrokerError, Lab
from lab2mqtt.prefect.calls import cancel
from lab2mqtt.prefect.record import SENT, calls_of
from lab2mqtt.runtime.address import Broker


def cancel_calls(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Cancel on the devices what a flow run has sent and not heard the result of.

    For ``on_cancellation`` of a flow. Prefect calls it in the worker, after it has ended the flow's process.
    """
    del state
    logger = flow_run_logger(flow_run, flow)
    with get_client(sync_client=True) as client:
        open_calls = [(key, told) for key, told in calls_of(client, flow_run.id) if told["status"] == SENT]
        places = defaultdict(list)
        for key, told in open_calls:
            places[told["broker"], told["base"]].append((key, told))
        for (broker, base), calls in places.items():
            try:
                ends = asyncio.run(_cancel(broker, base, [told for _, told in calls]))
            except BrokerError as error:
                logger.error("what runs on the devices was NOT cancelled: %s", error)
                continue
            for (key, told), (done, line) in zip(calls, ends, strict=True):
                if not done:  # its record stays open, for who cancels the run once more
                    logger.error("%s", line)
                    continue
                logger.info("%s", line)
                ended = {"status": "error", "error": line, "error_code": wire.CANCELLED}
                client.update_artifact(key, ArtifactUpdate(data=told | ended))


async def _cancel(broker: str, base: str, calls: list[dict[str, Any]]) -> list[tuple[bool, str]]:
    async with Lab(Broker.parse(broker), base=base, issued_by="prefect/cancellation") as lab:
        return [await cancel(lab, told["device"], told["request_id"]) for told in calls]
