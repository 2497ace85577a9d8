"""One thing that is done in a lab: the run of a script or automation, or a task of the queue."""

from dataclasses import asdict, dataclass, field
from typing import Any, Final
import uuid

WAITING: Final = "waiting"
RUNNING: Final = "running"
SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
INTERRUPTED: Final = "interrupted"
STOPPED: Final = "stopped"
SCRIPT: Final = "script"
TASK: Final = "task"
EVENT_TYPES: Final = ("run_started", "run_succeeded", "run_failed", "run_interrupted", "run_stopped")


@dataclass
class Run:
    """One of them.

    Attributes:
        title: For people; of a task, the words that a person wrote.
        kind: ``script``, begun by ``begin_run``, or ``task``, of the queue.
        begun_by: Who wanted it.
        status: ``waiting``, ``running``, ``succeeded``, ``failed``, ``interrupted`` or ``stopped``.
        run_id: New for each.
        holder: Under which name its devices are reserved.
        devices: Their ids.
        seconds: For how long they are reserved without a sign of life.
        entity_id: Of the automation or script; None for none.
        command: Of a task: ``device``, ``task`` and ``parameters``.
        step: What it does now.
        percent: How far it is.
        results: What came out so far, the latest last.
        began: In seconds since 1970.
        ended: The same.
        error: Why it did not succeed, for people.
        seen: Whether a person has ticked it; asked only where it was interrupted.
    """

    title: str
    kind: str
    begun_by: str
    status: str = WAITING
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    holder: str = ""
    devices: list[str] = field(default_factory=list)
    seconds: float = 0.0
    entity_id: str | None = None
    command: dict[str, Any] = field(default_factory=dict)
    step: str = ""
    percent: float | None = None
    results: list[Any] = field(default_factory=list)
    began: float | None = None
    ended: float | None = None
    error: str = ""
    seen: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.status not in (WAITING, RUNNING)

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done, or to be looked at."""
        return not self.is_over or (self.status == INTERRUPTED and not self.seen)

    def shown(self) -> dict[str, Any]:
        """All of it, for whoever asks."""
        shown = asdict(self)
        return {"run": shown.pop("run_id")} | shown
