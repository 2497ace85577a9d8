"""What a protocol would do: the part of the robot that only the ``opentrons`` package truly knows.

The fake server is handed an engine. The built-in one plays the colour cell only, and says so; one that asks
the worker with the real package fits in the same place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Upload:
    """The files of one protocol.

    Attributes:
        name: Of the main file.
        source: Its text.
        labware: Definitions that came with it, by file name.
    """

    name: str
    source: str
    labware: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Analysis:
    """What a protocol would do with certain parameters.

    Attributes:
        result: ``ok``, ``not-ok`` or ``parameter-value-required``.
        commands: Each with ``commandType`` and ``params``, and more as the robot tells it.
        parameters: The run-time parameters as the robot tells them, each with its ``value``.
        errors: None or one.
        definitions: Of labware that the commands load and that did not come with the upload.
    """

    result: str
    commands: Sequence[dict[str, Any]] = ()
    labware: Sequence[dict[str, Any]] = ()
    pipettes: Sequence[dict[str, Any]] = ()
    modules: Sequence[dict[str, Any]] = ()
    parameters: Sequence[dict[str, Any]] = ()
    errors: Sequence[dict[str, Any]] = ()
    definitions: Sequence[Mapping[str, Any]] = ()


class Engine(Protocol):
    """Analyses protocols. May take its time; errors of the protocol are in the analysis, never raised."""

    @property
    def words(self) -> str:
        """What it is, in words, for ``/health`` and each analysis."""

    @property
    def real(self) -> bool:
        """Whether it is the real package."""

    async def analyze(self, upload: Upload, values: Mapping[str, Any]) -> Analysis:
        """Find out what a protocol would do.

        Args:
            upload: The protocol.
            values: Of its run-time parameters; the defaults hold for the others.
        """

    async def close(self) -> None:
        """End what it runs."""
