"""The lab from a script: every device of a broker, every task as a method.

    async with Lab("mqtt://127.0.0.1:1883") as lab:
        arrival = await lab["plate-resort"].activate_hotel(hotel="B")

and the same without ``async`` and ``await`` as ``SyncLab``, for notebooks.
"""

from lab2mqtt.client.errors import (
    Busy,
    Conflict,
    DeviceFailed,
    DeviceUnavailable,
    Expired,
    Interrupted,
    InvalidParameters,
    Malformed,
    NoAnswer,
    NotNow,
    Stopped,
    TaskCancelled,
    TaskError,
    TaskTimedOut,
    UnknownDevice,
    UnknownTask,
)
from lab2mqtt.client.lab import Lab
from lab2mqtt.client.remote import RemoteDevice
from lab2mqtt.client.sync import SyncDevice, SyncLab
from lab2mqtt.runtime.mqtt import BrokerError

__all__ = [
    "BrokerError",
    "Busy",
    "Conflict",
    "DeviceFailed",
    "DeviceUnavailable",
    "Expired",
    "Interrupted",
    "InvalidParameters",
    "Lab",
    "Malformed",
    "NoAnswer",
    "NotNow",
    "RemoteDevice",
    "Stopped",
    "SyncDevice",
    "SyncLab",
    "TaskCancelled",
    "TaskError",
    "TaskTimedOut",
    "UnknownDevice",
    "UnknownTask",
]
