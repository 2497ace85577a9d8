"""One call of a flow: asked again as long as that cannot do anything twice."""

import asyncio
from dataclasses import dataclass
import random
from typing import Any

from lab2mqtt import wire
from lab2mqtt.client import (
    BrokerError,
    DeviceUnavailable,
    Lab,
    NoAnswer,
    RemoteDevice,
    TaskCancelled,
    TaskError,
)
from lab2mqtt.core.errors import LabError
from lab2mqtt.prefect.patience import Patience
from lab2mqtt.prefect.record import SENT, Record
from lab2mqtt.prefect.request_ids import numbered

# Refusals before the start: nothing was done, so that a new id may be sent. A conflict is none of them, as it
# says that the flow has taken another way than before.
NOTHING_DONE = frozenset(
    {
        wire.UNKNOWN_TASK,
        wire.INVALID_PARAMETERS,
        wire.EXPIRED,
        wire.BUSY,
        wire.RESERVED,
        wire.MAINTENANCE,
        wire.NOT_ALLOWED,
    }
)
# Those that pass by themselves.
WAITED_OUT = frozenset({wire.BUSY, wire.RESERVED, wire.MAINTENANCE})
# What only reads is asked once more after these, too.
READ_AGAIN = frozenset({wire.DEVICE_UNAVAILABLE, wire.DEVICE_ERROR, wire.TIMEOUT, wire.INTERRUPTED})
READ_ATTEMPTS = 3
FIRST_PAUSE = 1.0  # s until the next attempt; each is twice as long
LONGEST_PAUSE = 15.0  # s


@dataclass(eq=False)
class Call:
    """What is asked.

    Attributes:
        device_id: Of whom.
        task: The task's name.
        parameters: By name.
        request_id: Of the first attempt.
        once: Whether it must not be done twice: it sets or moves something.
        timeout: Seconds that the task may take; None for its own.
        view: The device under a reservation; None without one.
        sent: The id of the attempt that is under way, if it must not be done twice.
        over: Whether its flow run is ended: it sets and moves nothing from now on.
    """

    device_id: str
    task: str
    parameters: dict[str, Any]
    request_id: str
    once: bool
    timeout: float | None = None
    view: RemoteDevice | None = None
    sent: str = ""
    over: bool = False

    def check(self) -> None:
        """See that it may begin.

        Raises:
            TaskCancelled: The flow run is ended, and this sets or moves something.
        """
        if self.once and self.over:
            error = TaskCancelled(f"{self.device_id} {self.task}: the flow run ended before it began")
            error.error_code = wire.CANCELLED
            raise error


async def perform(lab: Lab, call: Call, record: Record, patience: Patience) -> Any:  # noqa: ANN401 - any result
    """Do it, and wait for the one result.

    Raises:
        TaskError: It was refused or failed, and may not be done again by itself.
        BrokerError: There was no link to the broker for too long.
    """
    loop = asyncio.get_running_loop()
    refused_until = answer_until = 0.0
    attempt, pause = 0, FIRST_PAUSE
    while True:
        request_id = numbered(call.request_id, attempt)
        try:
            return await _once(lab, call, request_id, record, patience)
        except (BrokerError, NoAnswer) as error:
            answer_until = answer_until or loop.time() + patience.no_answer_for
            if loop.time() + pause >= answer_until:
                raise
            record.logger.warning("%s: %s; asked again under the same id", record.words, error)
        except _Answered as answered:
            call.sent = ""
            code = answered.error.error_code
            again = code in NOTHING_DONE and answered.replayed  # in an earlier execution of this run
            if not again and call.view is None and code in WAITED_OUT:
                refused_until = refused_until or loop.time() + patience.refused_for
                again = loop.time() + pause < refused_until
            if not call.once and code in READ_AGAIN:
                again = attempt + 1 < READ_ATTEMPTS
            if not again:
                raise answered.error from None
            record.logger.warning("%s: %s: %s; tried again", record.words, code, answered.error)
            attempt += 1
            if answered.replayed:
                continue
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - so that not all come back at once
        call.check()
        pause = min(2 * pause, LONGEST_PAUSE)


class _Answered(Exception):
    """The device's own answer, which is an error."""

    def __init__(self, error: TaskError, *, replayed: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.replayed = replayed


async def _once(lab: Lab, call: Call, request_id: str, record: Record, patience: Patience) -> Any:  # noqa: ANN401
    device = await _there(lab, call, patience)
    call.check()
    if call.once:
        await record.write(request_id=request_id, status=SENT)
        call.sent = request_id  # before the check: who ends the run looks at it after ``over``
    heard: dict[str, Any] = {}

    def hear(name: str, kind: str, message: dict[str, Any]) -> None:
        if kind == "result" and name == call.device_id and message["request_id"] == request_id:
            heard.update(message)

    call.check()
    with lab.listening(hear):
        try:
            return await device.call(
                call.task,
                call.parameters,
                timeout=call.timeout,
                on_progress=record.progress,
                request_id=request_id,
            )
        except NoAnswer:
            raise
        except TaskError as error:
            # Without its own word, its bridge went meanwhile, and nothing was sent.
            if isinstance(error, DeviceUnavailable) and not heard:
                raise BrokerError(str(error)) from None
            raise _Answered(error, replayed=bool(heard.get("replayed"))) from None


async def _there(lab: Lab, call: Call, patience: Patience) -> RemoteDevice:
    """The device, once somebody answers for it; what is not there in time is told by the call."""
    try:
        await lab.wait_until(lambda lab: _answers(lab, call.device_id), patience.no_answer_for)
    except TimeoutError:
        if call.device_id not in lab.devices:
            lab[call.device_id]  # tells which there are
    return call.view or lab[call.device_id]


def _answers(lab: Lab, device_id: str) -> bool:
    device = lab.devices.get(device_id)
    if device is None or not device.description:
        return False
    bridge = device.description.get("bridge")
    return lab.bridges.get(bridge) == wire.ONLINE if bridge else device.status == wire.ONLINE


async def cancel(lab: Lab, device_id: str, request_id: str) -> tuple[bool, str]:
    """Cancel a command on its device; gives whether that was done, and what became of it in words."""
    why = ""
    try:
        await lab.wait_until(lambda lab: _answers(lab, device_id))
        await lab[device_id].call("cancel", {"request_id": request_id})
    except TimeoutError:
        why = "neither it nor its bridge is online"
    except (LabError, BrokerError) as error:
        why = str(error)
    if why:
        return False, f"{device_id} did NOT cancel {request_id}: {why}"
    return True, f"{device_id} has cancelled {request_id}"
