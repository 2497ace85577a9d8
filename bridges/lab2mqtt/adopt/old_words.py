"""What a device of the older dialect says, read so that nothing of it can do harm."""

from collections.abc import Mapping, Sequence
import math
import re
from typing import Any, NamedTuple

from lab2mqtt import wire

MOST_TASKS = 200
_ANSWERS = re.compile(rb'"request_id"\s*:\s*"([^"\\]{1,128})"')


class Status(NamedTuple):
    """A status: ``online`` or ``offline``, and the tasks where it tells them."""

    online: bool
    tasks: tuple[str, ...]
    bridge: object


def read_status(payload: bytes) -> Status:
    """Read a status; one without data, as of the smallest devices, is good.

    Raises:
        wire.WireError: It is none.
    """
    told = wire.read_status(payload)
    data = told.get("data")
    tasks = names(data.get("tasks")) if isinstance(data, Mapping) else ()
    return Status(told["status"] == wire.ONLINE, tasks, told.get("bridge"))


def names(told: object) -> tuple[str, ...]:
    """The names of tasks in a list, or in an object by name; what can be none is left out."""
    if isinstance(told, Mapping):
        told = list(told)
    if not isinstance(told, Sequence) or isinstance(told, str):
        return ()
    return tuple(dict.fromkeys(one for one in told if is_name(one)))[:MOST_TASKS]


def is_name(told: object) -> bool:
    """Whether something can name a task."""
    return isinstance(told, str) and 0 < len(told) <= wire.MAX_TASK and told.isprintable()


def number(told: object) -> float | None:
    """A measured value; what is no finite number is not known."""
    if isinstance(told, bool) or not isinstance(told, int | float) or not -1e15 < told < 1e15:  # noqa: PLR2004
        return None
    return told if math.isfinite(told) else None


def answered(payload: bytes) -> str:
    """The request that an answer belongs to which is no JSON, such as one with a value of ``nan``."""
    found = _ANSWERS.search(payload)
    return found[1].decode(errors="replace") if found else ""


def command(request_id: str, task: str, parameters: Mapping[str, Any], timestamp: float) -> dict[str, object]:
    """A command with the four keys of the dialect and no other: a strict reader takes it."""
    return {
        "request_id": request_id,
        "task": task,
        "parameters": dict(parameters),
        "timestamp": timestamp,
    }
