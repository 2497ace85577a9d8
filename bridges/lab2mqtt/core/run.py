"""What a driver method sees of the task it is running in."""

from typing import Protocol


class Run(Protocol):
    """One run of one task, seen from the driver; safe to use from the driver's thread.

    A method that takes a while asks for it by a parameter of this type, which is no parameter of the task.
    """

    @property
    def paused(self) -> bool:
        """Whether somebody wants the task to hold where it is."""

    def progress(self, percent: float | None = None, message: str = "") -> None:
        """Tell how far the task is: 0 to 100, or words, or both."""

    def hold(self, message: str) -> None:
        """Tell that the task waits for a person by itself: it is ``paused`` until somebody resumes it."""

    def check(self) -> None:
        """Go on only if the task may.

        Raises:
            Ended: The task was cancelled, has run out of time, or was stopped by an emergency stop. Bring
                the instrument to rest (after an emergency stop it already is) and let the error through.
        """

    def sleep(self, seconds: float) -> None:
        """Wait, but wake up early and ``check`` as soon as something is asked of the task."""
