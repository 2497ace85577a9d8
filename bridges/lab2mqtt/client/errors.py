"""What a call may raise, by the ``error_code`` of the answer."""

from typing import Any

from lab2mqtt import wire
from lab2mqtt.core.errors import LabError


class TaskError(LabError):
    """A task was refused or failed; ``error_code`` and the text are the device's."""


class Malformed(TaskError):
    """The command could not be read."""


class Conflict(TaskError):
    """The request id was used before, for something else."""


class UnknownTask(TaskError):
    """The device has no such task."""


class InvalidParameters(TaskError):
    """A parameter is missing, unknown, of the wrong type or out of range. Nothing was done."""


class Expired(TaskError):
    """The command came too late, or a clock is wrong. Nothing was done."""


class Busy(TaskError):
    """Too much waits already. Nothing was done."""


class NotNow(TaskError):
    """Not this task, here, now; its subclasses tell what is in the way. Nothing was done."""


class Reserved(NotNow):
    """Somebody else has the device, or a reservation that a script relied on is not its own any more."""

    error_code = wire.RESERVED


class Interlocked(NotNow):
    """Another device forbids it."""


class InMaintenance(NotNow):
    """Somebody works on the device; it takes no new work."""


class Stopped(TaskError):
    """An emergency stop is engaged, or was while the task ran."""


class DeviceUnavailable(TaskError):
    """The instrument does not answer, or its bridge is offline. Nothing was done."""

    error_code = wire.DEVICE_UNAVAILABLE


class BridgeOffline(DeviceUnavailable):
    """The device's bridge is offline: the command was not sent."""


class DeviceFailed(TaskError):
    """The instrument refused, or reports a fault."""


class TaskTimedOut(TaskError):
    """The task was not done in time, and was ended."""


class TaskCancelled(TaskError):
    """Somebody cancelled the task."""


class Interrupted(TaskError):
    """The bridge ended while the task ran; what was done of it is not known."""


class NoAnswer(TaskError):
    """No result came; whether the task was done is not known."""

    error_code = wire.TIMEOUT


class UnknownDevice(LabError, KeyError):
    """No such device is on this broker."""

    def __str__(self) -> str:
        return str(self.args[0])


_ERRORS: dict[str, type[TaskError]] = {
    wire.MALFORMED: Malformed,
    wire.CONFLICT: Conflict,
    wire.UNKNOWN_TASK: UnknownTask,
    wire.INVALID_PARAMETERS: InvalidParameters,
    wire.RETAINED_COMMAND: Malformed,
    wire.EXPIRED: Expired,
    wire.BUSY: Busy,
    wire.RESERVED: Reserved,
    wire.INTERLOCKED: Interlocked,
    wire.MAINTENANCE: InMaintenance,
    wire.NOT_ALLOWED: NotNow,
    wire.EMERGENCY_STOPPED: Stopped,
    wire.DEVICE_UNAVAILABLE: DeviceUnavailable,
    wire.DEVICE_ERROR: DeviceFailed,
    wire.TIMEOUT: TaskTimedOut,
    wire.CANCELLED: TaskCancelled,
    wire.INTERRUPTED: Interrupted,
}


def error_of(result: dict[str, Any]) -> TaskError:
    """The typed error of a result whose status is ``error``."""
    error = _ERRORS[result["error_code"]](result["error"])
    error.error_code = result["error_code"]
    return error
