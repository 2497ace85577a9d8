"""What every client of this package raises when a task was refused or failed."""


class TaskFailed(RuntimeError):
    """The device refused a task or failed at it; the text is the device's.

    Attributes:
        error_code: One of ``wire.ERROR_CODES``; a device of the older dialect tells none.
    """

    def __init__(self, message: str, error_code: str) -> None:
        super().__init__(message)
        self.error_code = error_code
