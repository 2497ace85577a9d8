"""The lab from a script: every device of a broker, every task as a method.

    async with Lab("mqtt://127.0.0.1:1883") as lab:
        arrival = await lab["plate-resort"].activate_hotel(hotel="B")

and the same without ``async`` and ``await`` as ``SyncLab``, for notebooks. Where others work too:

    async with lab["plate-resort"].reserved("colour-loop") as resort:
        await resort.activate_hotel(hotel="B")
"""

from lab2mqtt.client.errors import (
    Busy,
    Conflict,
    DeviceFailed,
    DeviceUnavailable,
    Expired,
    InMaintenance,
    Interlocked,
    Interrupted,
    InvalidParameters,
    Malformed,
    NoAnswer,
    NotNow,
    Reserved,
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
    "InMaintenance",
    "Interlocked",
    "Interrupted",
    "InvalidParameters",
    "Lab",
    "Malformed",
    "NoAnswer",
    "NotNow",
    "RemoteDevice",
    "Reserved",
    "Stopped",
    "SyncDevice",
    "SyncLab",
    "TaskCancelled",
    "TaskError",
    "TaskTimedOut",
    "UnknownDevice",
    "UnknownTask",
]
