"""The ids of a flow run's commands: the same ones however often that run is run.

A device answers a known id from its ledger and does nothing twice. So the id of what sets or moves something
is made of nothing but the flow run and the number of the call on that device: a run that is retried, or is
killed and run again, counts the same way again. If it takes another way then, it sends something else under
a known id, which the device refuses as a ``conflict``.

Prefect's tasks may run at once, and call in another order each time. Their ids are made of what is asked, and
only task runs that ask for the same are numbered: whichever of those is first, the same is done.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
import hashlib
import json
import threading
from typing import Any
from uuid import UUID, uuid4

from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext, TaskRunContext

from lab2mqtt.core.errors import Misconfigured


@dataclass
class _Counted:
    """What one execution of one flow run has counted."""

    calls: dict[Any, int] = field(default_factory=lambda: defaultdict(int))
    tasks: dict[str, dict[UUID, int]] = field(default_factory=lambda: defaultdict(dict))  # by their content


_counted: dict[tuple[UUID, int], _Counted] = defaultdict(_Counted)
_counting = threading.Lock()


def this_run() -> FlowRun:
    """The flow run in which this is called.

    Raises:
        Misconfigured: It is called in none.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise Misconfigured("devices are called in a flow: put @flow above the function that calls this")
    return context.flow_run


def next_id(device_id: str, task: str, parameters: Mapping[str, Any]) -> str:
    """The id of the next command to a device that sets or moves something.

    Args:
        device_id: Of whom; of a deployment, its name.
        task: The task of the device.
        parameters: By name.
    """
    run = this_run()
    # A subflow that is run once more is another flow run, under the same task run of its parent.
    base = run.parent_task_run_id or run.id
    inside = TaskRunContext.get()
    with _counting:
        counted = _counted[run.id, run.run_count]
        if inside is None or inside.task_run.flow_run_id != run.id:
            place: str = ""
            scope: tuple[object, ...] = (device_id,)
        else:  # a task that is retried counts anew, under its place among those that ask for the same
            content = _digest(inside.task.task_key, device_id, task, parameters)
            alike = counted.tasks[content]
            place = f"{content}.{alike.setdefault(inside.task_run.id, len(alike))}."
            scope = (content, inside.task_run.id, inside.task_run.run_count)
        number = counted.calls[scope]
        counted.calls[scope] += 1
    return f"{base}.{place}{number}"


def _digest(*content: object) -> str:
    text = json.dumps(content, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:10]  # so that the id has at most wire.MAX_REQUEST_ID


def fresh_id() -> str:
    """An id of what may be done as often as one likes: it reads, or it stops."""
    run = this_run()
    return f"{run.id}.r{uuid4().hex[:12]}"


def numbered(request_id: str, attempt: int) -> str:
    """The id of one more attempt, after so many refusals."""
    return f"{request_id}-{attempt}" if attempt else request_id
