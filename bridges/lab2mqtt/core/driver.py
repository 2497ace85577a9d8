"""What the runtime asks of every driver."""

from collections.abc import Mapping
from typing import Protocol


class Driver(Protocol):
    """A plain class that speaks one instrument's language. It never logs errors and knows no MQTT.

    It is made as ``Driver(settings, state)``: its settings dataclass, and the path of a file that is its own
    to keep between runs (None: nothing is kept). Its methods block, and are called in threads, or are
    coroutines.
    """

    def open(self) -> None:
        """Connect to the instrument. Moves nothing.

        Raises:
            Unreachable: Nothing answers. The runtime tries again, later and later.
            Misconfigured: What answers is not what the settings say.
        """

    def close(self) -> None:
        """Leave the instrument as the settings say and let go of it. Safe to repeat; raises nothing."""

    def read(self) -> object:
        """Measure: a frozen snapshot, from which the entities take their values.

        Raises:
            Unreachable: Nothing answers.
            Garbled: What answers makes no sense.
        """

    def info(self) -> Mapping[str, object]:
        """What it tells of itself: ``product``, ``serial``, ``sw_version``, ``hw_version``, ``parts``.

        Asked after each reading, so it answers from what is known by then. ``parts`` are those that are
        attached now, by the ``part`` of their entities, each with ``name``, ``model`` and, where they are
        known, ``manufacturer``, ``serial``, ``sw_version``.
        """
