"""How long the coffin rests after an action: as the board tells, or, with the original, by the clock."""

import time

ACTIVE = ("action", "playing")


class Lockout:
    """Follows the board's state."""

    def __init__(self, seconds: float) -> None:
        """Know of no action yet.

        Args:
            seconds: From the start of an action with the original firmware, from its end with ours.
        """
        self._seconds = seconds
        self._began = self._until = 0.0  # monotonic

    @property
    def left(self) -> float:
        """Seconds until it may begin again."""
        return max(0.0, self._until - time.monotonic())

    def follow(self, was: str, state: str) -> None:
        """Note that the board's state has changed."""
        now = time.monotonic()
        if state in ACTIVE and was not in ACTIVE:
            self._began = now
        elif state == "lockout":
            self._until = now + self._seconds
        elif was in ACTIVE and state in ("armed", "idle"):
            self._until = self._began + self._seconds
        elif was == "lockout":
            self._until = 0.0
