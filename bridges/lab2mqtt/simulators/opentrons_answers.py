"""What the process with the real Opentrons package answers, typed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from lab2mqtt.core.errors import LabError, Unreachable

Document = Mapping[str, Any]


class WorkerGone(Unreachable):
    """The process does not start, has died or hangs. The next request starts another."""


class NotDone(LabError):
    """The worker answered that it could not do it.

    Args:
        kind: ``invalid_files``, ``timeout``, ``exited``, ``died``, ``memory``, ``cancelled``,
            ``not_allowed``, ``not_running``, ``busy``, ``no_package``, ``package``, ``too_long`` or
            ``bad_request``.
        text: What happened, for people.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True)
class About:
    """What runs there.

    Attributes:
        opentrons: Version of the package, empty where it cannot be imported.
        problem: Why it cannot.
        api_levels: Lowest and highest of the Python API.
        memory_mb: The most that the worker itself had.
    """

    worker: str
    python: str
    opentrons: str
    problem: str
    api_levels: tuple[str, ...]
    memory_mb: int


@dataclass(frozen=True)
class Problem:
    """An error as the robot tells it; ``cause`` is what it wraps."""

    error_type: str
    code: str
    detail: str
    cause: "Problem | None" = None

    @classmethod
    def read(cls, told: Document) -> Self:
        """Read one of ``errors``."""
        wrapped = told.get("wrappedErrors") or []
        cause = cls.read(wrapped[0]) if wrapped else None
        return cls(str(told.get("errorType")), str(told.get("errorCode")), str(told.get("detail")), cause)


@dataclass(frozen=True)
class Analysis:
    """What a protocol would do.

    Attributes:
        document: As the robot's ``/protocols/…/analyses/…``: result, commands, labware, pipettes, modules,
            runTimeParameters, metadata, robotType, …
        seconds: An estimate for each command.
        took: s.
        memory_mb: The most that it needed.
    """

    document: Document
    seconds: tuple[float, ...]
    took: float
    memory_mb: int

    @property
    def ok(self) -> bool:
        """Whether it is expected to run."""
        return bool(self.document["result"] == "ok")

    @property
    def commands(self) -> Sequence[Document]:
        """Each with ``commandType``, ``params``, ``status``, and ``result`` or ``error``; in order."""
        commands: Sequence[Document] = self.document["commands"]
        return commands

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why it is not ok."""
        return tuple(map(Problem.read, self.document["errors"]))


@dataclass(frozen=True)
class Step:
    """A moment of a simulated run.

    Attributes:
        kind: What happened.
        command: The one that started or ended, in the shape of the robot's.
        index: Its place in the run.
        message: What the protocol says at a pause.
        by: Who paused.
    """

    kind: Literal["started", "ended", "paused", "resumed"]
    command: Document = field(default_factory=dict)
    index: int = -1
    message: str = ""
    by: str = ""

    @classmethod
    def read(cls, told: Document) -> Self:
        """Read one line of progress."""
        if "paused" in told:
            return cls("paused", message=told["message"], by=told["paused"])
        if "resumed" in told:
            return cls("resumed")
        kind: Literal["started", "ended"] = "started" if "started" in told else "ended"
        return cls(kind, told[kind], told["index"])


@dataclass(frozen=True)
class Outcome:
    """How a simulated run ended.

    Attributes:
        status: ``succeeded``, ``failed`` or ``stopped``.
        dropped: Mounts whose tip the robot throws into the trash after the run, whatever its status.
    """

    status: str
    problems: tuple[Problem, ...]
    dropped: tuple[str, ...]
    document: Document

    @classmethod
    def read(cls, told: Document) -> Self:
        """Read the result of ``simulate``."""
        problems = tuple(map(Problem.read, told["errors"]))
        return cls(told["status"], problems, tuple(told.get("dropped", ())), told)
