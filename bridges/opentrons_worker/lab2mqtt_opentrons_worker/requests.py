"""What may be asked, read from a line and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
import json
import math
import re
from typing import Any, Literal

LINE_LIMIT = 8 * 2**20  # bytes of a request
TIMEOUT = 60.0  # s
MEMORY = 1024  # MB
MOUNTS = ("left", "right")

Values = Mapping[str, bool | int | float | str]

# A file's name becomes a path, and stands in the errors of the protocol.
_NAME = re.compile(r"[\w][\w .+-]{0,99}\.(py|json)", re.ASCII)


class BadRequest(Exception):
    """A line that asks for nothing we do.

    Args:
        text: What was wrong, and what would be right.
        request: Its id, as far as it could be read.
    """

    def __init__(self, text: str, request: int | None = None) -> None:
        super().__init__(text)
        self.request = request


@dataclass(frozen=True, kw_only=True)
class Job:
    """A protocol to analyse or to run.

    Attributes:
        request: The id that every line about it carries.
        do: Which of the two.
        files: Text by name: one protocol, and the labware that it loads.
        values: Run-time parameters that differ from their defaults.
        timeout: s; of an analysis altogether, of a run without a step.
        memory_mb: What the protocol may take.
        speed: How many times faster than a robot; 0 takes no time at all.
        pipettes: What hangs on the robot, by mount; None for whatever the protocol asks for.
    """

    request: int
    do: Literal["analyze", "simulate"]
    files: Mapping[str, str]
    values: Values
    timeout: float = TIMEOUT
    memory_mb: int = MEMORY
    speed: float = 0.0
    pipettes: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Order:
    """Anything quick: about the worker, or about the job ``of``."""

    request: int
    do: Literal["hello", "shutdown", "pause", "resume", "cancel"]
    of: int | None = None


def read(line: bytes) -> Job | Order:
    """Read one line.

    Raises:
        BadRequest: It is none.
    """
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"a request is one JSON object on one line: {error}") from error
    request = told.get("id") if isinstance(told, dict) else None
    if not isinstance(request, int) or isinstance(request, bool):
        raise BadRequest("a request is a JSON object with an id, a whole number")
    do = told.get("do")
    try:
        if do in ("analyze", "simulate"):
            return _job(request, do, told)
        if do in ("hello", "shutdown"):
            return Order(request, do)
        if do in ("pause", "resume", "cancel"):
            return Order(request, do, _of(told.get("of")))
    except BadRequest as wrong:
        raise BadRequest(str(wrong), request) from None
    known = "hello, analyze, simulate, pause, resume, cancel or shutdown"
    raise BadRequest(f"do is {known}, not {do!r}", request)


def _job(request: int, do: Literal["analyze", "simulate"], told: dict[str, Any]) -> Job:
    return Job(
        request=request,
        do=do,
        files=_files(told.get("files")),
        values=_values(told.get("values") or {}),
        timeout=_number(told, "timeout", TIMEOUT, 0.1, 3600.0),
        memory_mb=int(_number(told, "memory_mb", MEMORY, 256, 65536)),
        speed=_number(told, "speed", 0.0, 0.0, 1e6),
        pipettes=_pipettes(told.get("pipettes")),
    )


def _of(told: object) -> int:
    if not isinstance(told, int):
        raise BadRequest(f"of is the id of a protocol that is being worked on, not {told!r}")
    return told


def _files(told: object) -> dict[str, str]:
    texts = isinstance(told, dict) and all(isinstance(text, str) for text in told.values())
    if not isinstance(told, dict) or not told or not texts:
        raise BadRequest("files is an object of at least one text by file name")
    for name in told:
        if not _NAME.fullmatch(name):
            raise BadRequest(f"{name!r} is no file name: letters, digits, '_', '-', '+', and .py or .json")
    return told


def _values(told: object) -> dict[str, bool | int | float | str]:
    simple = isinstance(told, dict) and all(isinstance(one, (bool, int, float, str)) for one in told.values())
    if not isinstance(told, dict) or not simple:
        raise BadRequest("values is an object of numbers, texts, true and false by parameter name")
    if not all(math.isfinite(one) for one in told.values() if isinstance(one, float)):
        raise BadRequest("values holds a number that is not finite")
    return told


def _number(told: dict[str, Any], name: str, default: float, low: float, high: float) -> float:
    number = told.get(name, default)
    if not isinstance(number, (int, float)) or isinstance(number, bool) or not low <= number <= high:
        raise BadRequest(f"{name} is a number, {low:g} to {high:g}, not {number!r}")
    return float(number)


def _pipettes(told: object) -> dict[str, str] | None:
    if told is None:
        return None
    if not isinstance(told, dict) or not all(
        mount in MOUNTS and isinstance(name, str) for mount, name in told.items()
    ):
        raise BadRequest('pipettes is an object like {"right": "p300_single_gen2"}, or null')
    return told
