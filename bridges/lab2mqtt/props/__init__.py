"""The worker host: props' ``Worker`` classes, each in a thread of its own, as devices of the lab.

What a worker's file needs is imported from here; files written for the original (``from worker_host.base
import BaseWorker``) load unchanged.
"""

from typing import Annotated, Literal

from lab2mqtt.core.entities import (
    BinarySensor,
    Button,
    Detail,
    Happening,
    Light,
    Number,
    Select,
    Sensor,
    Switch,
    TextInput,
)
from lab2mqtt.core.errors import CannotStop, Fault, LabError, Refused, Unreachable
from lab2mqtt.core.parameters import Choices, Range, Text, Unit
from lab2mqtt.props.actions import action
from lab2mqtt.props.base import BaseWorker
from lab2mqtt.props.board import Board

__all__ = [
    "Annotated",
    "BaseWorker",
    "BinarySensor",
    "Board",
    "Button",
    "CannotStop",
    "Choices",
    "Detail",
    "Fault",
    "Happening",
    "LabError",
    "Light",
    "Literal",
    "Number",
    "Range",
    "Refused",
    "Select",
    "Sensor",
    "Switch",
    "Text",
    "TextInput",
    "Unit",
    "Unreachable",
    "action",
]
