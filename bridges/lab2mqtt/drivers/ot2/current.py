"""A protocol that is to be played, and the run that plays it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import time
from typing import Any

from lab2mqtt.drivers.ot2.answers import RunState, Step as Where
from lab2mqtt.drivers.ot2.snapshot import Playing
from lab2mqtt.drivers.ot2.words import PAUSES, Words


@dataclass(frozen=True)
class Wanted:
    """A protocol to be played.

    Attributes:
        task: The task that asks for it.
        files: Contents by name: the protocol, and definitions of labware; empty for one that is on the robot.
        protocol_id: Of one that is on the robot.
        values: Of its run-time parameters.
        pauses: The word for the pause with which its task is done and the run holds; empty where it has none.
        experiment: Its id; what was dispensed for one is not dispensed again.
        session: Comes back in the result.
    """

    task: str
    values: Mapping[str, object]
    files: Mapping[str, bytes] = field(default_factory=dict)
    protocol_id: str = ""
    pauses: str = ""
    experiment: str = ""
    session: str = ""


@dataclass
class Current:
    """A run of ours, as it was seen last.

    Attributes:
        run_id: The robot's.
        task: Which task it is; None for one of a bridge that ended.
        commands: What it does, in order: of its analysis.
        pauses: The word for the pause with which its task is done; empty where it has none.
        told: Stands in its results too.
        planned: Whether the commands are all that there will be.
        began: When, on a clock that nobody can set.
        state: As the robot told it.
        where: Which command is under way.
        done: So many steps were noted on the deck.
        held: Whether it holds, by itself or as it was told to, and its task with it.
    """

    run_id: str
    task: str | None
    commands: Sequence[Mapping[str, Any]] = ()
    pauses: str = ""
    told: Mapping[str, object] = field(default_factory=dict)
    planned: bool = True
    began: float = field(default_factory=time.monotonic)
    state: RunState | None = None
    where: Where | None = None
    done: int = -1
    held: bool = False

    def __post_init__(self) -> None:
        self._words = Words(self.commands)

    @property
    def index(self) -> int | None:
        """How many commands have begun."""
        return None if self.where is None or self.where.index is None else self.where.index + 1

    @property
    def total(self) -> int | None:
        """How many commands there will be; None where that is not known."""
        return len(self.commands) if self.planned else None

    @property
    def percent(self) -> float | None:
        """How far it is."""
        return 100 * (self.index or 0) / self.total if self.total else None

    @property
    def words(self) -> str:
        """How far it is, and what is under way."""
        place = f"{self.index or 0} of {self.total}" if self.total else f"{self.index or 0}"
        return f"{place}: {self.command or (self.state.status if self.state else 'not started')}"

    @property
    def command(self) -> str | None:
        """What is under way, in words."""
        command = self.where and self.where.command
        if command and self.index and self.index <= len(self.commands):
            command = self.commands[self.index - 1]  # a run gives labware other ids than its analysis did
        return self._words.of(command) if command else None

    @property
    def waits(self) -> bool:
        """Whether it is the protocol itself that holds."""
        command = self.where and self.where.command
        return bool(command and command.get("commandType") in PAUSES)

    @property
    def shown(self) -> Playing | None:
        """As the entities show it; None before it was seen."""
        if self.state is None:
            return None
        return Playing(
            self.run_id,
            self.state.status,
            ours=True,
            task=self.task,
            command=self.command,
            index=self.index,
            total=self.total,
            elapsed=round(time.monotonic() - self.began),
        )
