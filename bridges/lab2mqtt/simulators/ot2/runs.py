"""The runs that the robot keeps, and which one is current."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final
import uuid

from lab2mqtt.simulators.ot2.run import NotAllowed, Run
from lab2mqtt.simulators.ot2.session import Session

KEPT: Final = 20


class RunNotFound(Exception):
    """No such run."""


class AlreadyActive(Exception):
    """The current run was started and is not over."""


class Runs:
    """At most 20 runs, oldest first; one of them may be current.

    Attributes:
        current_id: The current run. It may be a ghost: one that failed to be made and that nobody keeps.
    """

    def __init__(self, notify: Callable[[str, str], None] = lambda _topic, _what: None) -> None:
        """Begin with none.

        Args:
            notify: Called with the topic of a hint, and ``refetch`` or ``unsubscribe``.
        """
        self.current_id: str | None = None
        self._kept: dict[str, Run] = {}
        self._notify = notify

    def __iter__(self) -> Iterator[Run]:
        return iter(self._kept.values())

    @property
    def current(self) -> Run | None:
        """The current run, where it is not a ghost."""
        return self._kept.get(self.current_id or "")

    def get(self, run_id: str) -> Run:
        """One of them."""
        if run := self._kept.get(run_id):
            return run
        raise RunNotFound(f"Run {run_id} was not found.")

    async def make_room(self) -> None:
        """Let the current run go, without a word where it is idle.

        Raises:
            AlreadyActive: It is not.
            RunNotFound: It was a ghost; now it is gone.
        """
        if self.current and self.current.active:
            raise AlreadyActive("There is an active run. Close the current run to create a new one.")
        before, self.current_id = self.current_id, None
        if before:
            await self.get(before).end()
            self._notify(f"runs/{before}", "refetch")

    def haunt(self) -> None:
        """Leave a ghost behind, as a run does whose parameters were refused while it was made."""
        self.current_id = str(uuid.uuid4())

    def add(
        self,
        session: Session,
        protocol_id: str | None = None,
        steps: Sequence[dict[str, Any]] = (),
        error: dict[str, Any] | None = None,
    ) -> Run:
        """Make the current run; the oldest one goes where there are too many."""
        run_id = str(uuid.uuid4())

        def notify(what: str) -> None:
            topics = ("runs/commands_links",) if what == "command" else ("runs", f"runs/{run_id}")
            for topic in topics:
                self._notify(topic, "refetch")

        run = Run(session, protocol_id, steps, error, notify, run_id)
        while len(self._kept) >= KEPT:
            self._forget(next(iter(self._kept)))
        self._kept[run.run_id] = run
        self.current_id = run.run_id
        notify("run")
        return run

    async def release(self, run_id: str) -> Run:
        """Let the current run go.

        Raises:
            NotAllowed: It is not the current one.
            AlreadyActive: It is under way.
        """
        run = self.get(run_id)
        if run_id != self.current_id:
            raise NotAllowed(f"Run {run_id} is not the current run")
        await self.make_room()
        return run

    async def delete(self, run_id: str) -> None:
        """Forget one."""
        self.get(run_id)
        if run_id == self.current_id:
            await self.make_room()
        self._forget(run_id)

    def power_cut(self) -> None:
        """Nothing is current any more, and what was under way is lost."""
        for run in self._kept.values():
            run.power_cut()
        self.current_id = None

    def _forget(self, run_id: str) -> None:
        del self._kept[run_id]
        self._notify(f"runs/{run_id}", "unsubscribe")
        self._notify("runs", "refetch")
