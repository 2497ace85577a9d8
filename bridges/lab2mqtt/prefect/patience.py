"""How long a call of a flow keeps trying."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
import math
import os
from typing import Self

from lab2mqtt.core.errors import Misconfigured

VARIABLE = "LAB2MQTT_{}"  # of each, in upper case


@dataclass(frozen=True)
class Patience:
    """How long a call of a flow keeps trying, in seconds.

    Attributes:
        refused_for: For how long a device may be busy, reserved or in maintenance; 0 fails at once.
        no_answer_for: For how long there may be no link to the broker, no bridge, or no answer. The same
            command is sent again meanwhile, which the device answers, but does not do twice.
        start_within: How late a run may begin that sets or moves something. A caller waits no longer for a
            worker.
    """

    refused_for: float = 300.0
    no_answer_for: float = 120.0
    start_within: float = 300.0

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """What LAB2MQTT_REFUSED_FOR, LAB2MQTT_NO_ANSWER_FOR and LAB2MQTT_START_WITHIN say.

        Raises:
            Misconfigured: One of them is no number of seconds.
        """
        told: dict[str, float] = {}
        for one in fields(cls):
            variable = VARIABLE.format(one.name.upper())
            text = environment.get(variable)
            if not text:
                continue
            try:
                told[one.name] = float(text)
            except ValueError:
                told[one.name] = math.nan
            if not 0 <= told[one.name] < math.inf:
                raise Misconfigured(f"{variable} is {text!r}, and not a number of seconds")
        return cls(**told)
