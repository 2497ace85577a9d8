"""How much of the past is kept: the ``ledger:`` of a configuration."""

from dataclasses import dataclass
from typing import Annotated

from lab2mqtt.core.parameters import Range, Unit


@dataclass(frozen=True)
class Keep:
    """The limits of a ledger; what is older or too much goes, the oldest first.

    Attributes:
        days: For how long; a repeated command is known for a day at the least.
        megabytes: How large the file may become. It is the stronger limit of the two.
    """

    days: Annotated[float, Range(1, 36_500), Unit("d")] = 90.0
    megabytes: Annotated[float, Range(10, 1_000_000), Unit("MB")] = 256.0
