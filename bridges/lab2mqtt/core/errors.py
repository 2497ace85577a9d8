"""What can go wrong, told apart by who has to act.

A driver raises these, it never retries and never logs them. The runtime answers the command with
``error_code`` and the text, logs once, and decides what becomes of the link.
"""


class LabError(Exception):
    """The root of every error that is answered rather than crashed on."""

    error_code = "device_error"


class Unreachable(LabError):
    """Nothing answers: unplugged, off, wrong address. The runtime reconnects with back-off."""

    error_code = "device_unavailable"


class Garbled(LabError):
    """An answer that makes no sense. The runtime drops the link and opens it anew."""


class Fault(LabError):
    """The instrument refused, or reports a fault of its own. Never retried by itself."""


class Refused(LabError):
    """We did not pass the command on; the instrument was not touched.

    Args:
        message: What was wrong, and what would be right.
        error_code: One of ``wire.ERROR_CODES``.
    """

    def __init__(self, message: str, error_code: str = "invalid_parameters") -> None:
        super().__init__(message)
        self.error_code = error_code


class CannotStop(LabError):
    """The instrument has no way to be stopped from here; to try again is no use."""


class NeighbourFailed(LabError):
    """Another device refused what it was asked for, or failed at it.

    Args:
        message: Which device, and its words.
        error_code: Its code.
    """

    def __init__(self, message: str, error_code: str) -> None:
        super().__init__(message)
        self.error_code = error_code


class Misconfigured(LabError):
    """The user's configuration is wrong; the text names file, key, value and what is allowed."""

    error_code = "not_allowed"


class Ended(LabError):
    """A running task was asked to end before it was done. Raised by ``Run`` inside the driver."""


class Cancelled(Ended):
    """Somebody sent ``cancel``."""

    error_code = "cancelled"


class TimedOut(Ended):
    """The task's time has passed."""

    error_code = "timeout"


class EmergencyStopped(Ended):
    """The device's or the lab's emergency stop was engaged."""

    error_code = "emergency_stopped"


class InterlockBroken(Ended):
    """Another device forbids the task by now."""

    error_code = "interlocked"
