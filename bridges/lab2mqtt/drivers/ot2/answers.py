"""What a robot server tells, typed. A field that is missing or of another type is garbled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import re
from typing import Any, Final, Self

from lab2mqtt.core.errors import Garbled

ENDED: Final = ("stopped", "failed", "succeeded")
_LINE: Final = re.compile(r" \[line (\d+)\]")
PAUSED: Final = ("paused", "blocked-by-open-door")

Json = Mapping[str, Any]


def field(told: object, name: str, kind: type | tuple[type, ...]) -> Any:  # noqa: ANN401 - of that kind
    """One field of an answer.

    Raises:
        Garbled: It is missing, or something else.
    """
    if not isinstance(told, Mapping) or name not in told:
        raise Garbled(f"the robot's answer has no {name!r}")
    if not isinstance(value := told[name], kind):
        raise Garbled(f"the robot's answer has {name!r} of another type: {value!r}")
    return value


@dataclass(frozen=True)
class Health:
    """Which robot it is, and what runs on it.

    Attributes:
        software: Version of the robot server.
        firmware: Of the motor controller.
        api_level: Newest level of the Python API that it takes.
        simulator: What plays it, in words; None on a real robot.
    """

    name: str
    model: str
    serial: str | None
    software: str
    firmware: str
    system: str
    api_level: tuple[int, ...]
    simulator: str | None = None

    @classmethod
    def read(cls, told: Json) -> Self:
        """Read ``GET /health``."""
        simulator = told.get("simulator")
        return cls(
            field(told, "name", str),
            str(told.get("robot_model") or "OT-2 Standard"),
            told.get("robot_serial") or None,
            field(told, "api_version", str),
            str(told.get("fw_version", "")),
            str(told.get("system_version", "")),
            tuple(told.get("maximum_protocol_api_version") or ()),
            str(simulator.get("engine")) if isinstance(simulator, dict) else None,
        )


@dataclass(frozen=True)
class Problem:
    """An error of a run, a command or an analysis: the innermost of those that it wraps.

    Attributes:
        line: Of the protocol's file.
    """

    error_type: str
    code: str
    detail: str
    info: Json
    line: int | None = None

    @classmethod
    def read(cls, told: Json) -> Self:
        """Read one occurrence; the innermost one says what happened, but for Python's own."""
        outermost, wrapped = told, told.get("wrappedErrors")
        while isinstance(wrapped, list) and wrapped and wrapped[0].get("errorType") != "PythonException":
            told = wrapped[0]
            wrapped = told.get("wrappedErrors")
        info = told.get("errorInfo")
        line = _LINE.search(str(outermost.get("detail", "")))
        return cls(
            str(told.get("errorType", "")),
            str(told.get("errorCode", "")),
            _LINE.sub("", str(told.get("detail", "no reason given"))),
            info if isinstance(info, dict) else {},
            int(line[1]) if line else None,
        )

    def __str__(self) -> str:
        told = f"{self.error_type} {self.code}".strip()
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.detail} ({told})" if told else where + self.detail


@dataclass(frozen=True)
class Analysis:
    """What a protocol would do.

    Attributes:
        result: ``ok``, ``not-ok`` or ``parameter-value-required``.
        parameters: Run-time parameters with their definitions and values.
        commands: What a run would do, in order.
        engine: Who found out, where that was not the real package.
    """

    analysis_id: str
    result: str
    problems: Sequence[Problem]
    parameters: Sequence[Json]
    commands: Sequence[Json]
    pipettes: Sequence[Json]
    labware: Sequence[Json]
    modules: Sequence[Json]
    engine: str | None

    @classmethod
    def read(cls, told: Json) -> Self:
        """Read one that is completed."""
        problems = tuple(Problem.read(each) for each in field(told, "errors", list))
        return cls(
            field(told, "id", str),
            str(told.get("result") or ("not-ok" if problems else "ok")),
            problems,
            told.get("runTimeParameters") or (),
            field(told, "commands", list),
            told.get("pipettes") or (),
            told.get("labware") or (),
            told.get("modules") or (),
            told.get("engine"),
        )


@dataclass(frozen=True)
class RunState:
    """A run as it stands.

    Attributes:
        status: In the robot's words.
        current: Whether it is the run that the robot holds.
        problem: Why it failed.
        lost: The robot was restarted in it, and knows nothing of it any more.
    """

    run_id: str
    status: str
    current: bool
    protocol_id: str | None
    problem: Problem | None
    lost: bool
    started_at: str | None
    completed_at: str | None
    parameters: Sequence[Json]

    @property
    def ended(self) -> bool:
        """Whether nothing comes any more."""
        return self.status in ENDED

    @property
    def active(self) -> bool:
        """Whether it was started and is not over."""
        return not self.ended and self.status != "idle"

    @classmethod
    def read(cls, told: Json) -> Self:
        """Read ``GET /runs/{r}`` or one of ``GET /runs``."""
        errors = told.get("errors") or []
        problem = Problem.read(errors[0]) if errors else None
        lost = told.get("ok") is False
        if lost:
            told_error = told.get("dataError") or {}
            reason = "the robot was restarted while it ran, and knows no more of it"
            problem = Problem("RunDataError", str(told_error.get("errorCode", "")), reason, {})
        return cls(
            field(told, "id", str),
            "failed" if lost else field(told, "status", str),
            bool(told.get("current")),
            told.get("protocolId"),
            problem,
            lost,
            told.get("startedAt"),
            told.get("completedAt"),
            told.get("runTimeParameters") or (),
        )


@dataclass(frozen=True)
class Step:
    """Where a run is.

    Attributes:
        index: Of the command under way, or the last one, from 0; None before the first.
        total: Commands that the robot knows of by now; a Python protocol adds them as it goes.
        command: Its type, parameters and status.
    """

    index: int | None
    total: int
    command: Json | None

    @classmethod
    def read(cls, answer: Json) -> Self:
        """Read ``GET /runs/{r}/commands``, the last page of it."""
        total = field(field(answer, "meta", dict), "totalLength", int)
        link = (answer.get("links") or {}).get("current")
        if not link:
            return cls(None, total, None)
        meta = field(link, "meta", dict)
        wanted = meta.get("commandId")
        there = [each for each in field(answer, "data", list) if each.get("id") == wanted]
        return cls(field(meta, "index", int), total, there[0] if there else None)
