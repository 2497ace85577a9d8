"""An older way to command a device, served beside ours: what a translator of it gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Topics(NamedTuple):
    """Where a dialect is spoken."""

    commands: str
    answers: str


@dataclass(frozen=True)
class Order:
    """What one message asks for, in our words.

    Attributes:
        steps: Tasks with their parameters, in their order; each waits for the success of the one before.
        key: The same for a message that comes again, and another for any other.
        done: The answer when all steps succeeded.
        failed: The answer otherwise; ``error`` and ``error_code`` are added to it.
    """

    steps: Sequence[tuple[str, Mapping[str, object]]]
    key: str
    done: Mapping[str, object]
    failed: Mapping[str, object]


class Unreadable(Exception):
    """A message that breaks a rule of its dialect.

    Args:
        message: What was wrong, and what would be right.
        failed: As for an ``Order``; None where nobody can be answered.
    """

    def __init__(self, message: str, failed: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.failed = failed


class Dialect(Protocol):
    """Translates, and does nothing. It is made as ``Dialect(settings)``, with those of its device."""

    def topics(self, told: Mapping[str, object]) -> Topics | None:
        """Where it is spoken; None where it is not, or where that is not known yet.

        Args:
            told: The device's description, with what the instrument has told of itself by now.
        """

    def read(self, payload: bytes) -> Order:
        """Read a message.

        Raises:
            Unreadable: It is none of this dialect.
        """
