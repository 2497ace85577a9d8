"""The robot's time, which may run faster than ours."""

import asyncio
from datetime import UTC, datetime, timedelta
import time


class Clock:
    """Time inside the robot.

    Attributes:
        speed: Seconds of the robot in a second of ours; infinity takes no time at all.
        ahead: By how much its calendar is off, as ``PUT /system/time`` sets it.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if not speed > 0:
            raise ValueError(f"speed {speed} is not above 0")
        self.speed = speed
        self.ahead = timedelta(0)
        self._began = time.monotonic()

    def seconds(self) -> float:
        """Seconds of the robot since it was made."""
        passed = time.monotonic() - self._began
        return passed * self.speed if self.speed != float("inf") else passed

    async def sleep(self, seconds: float) -> None:
        """Let some of the robot's seconds pass."""
        await asyncio.sleep(seconds / self.speed)

    def calendar(self) -> datetime:
        """What time the robot thinks it is."""
        return datetime.now(UTC) + self.ahead

    def stamp(self) -> str:
        """The time as the server writes it."""
        return self.calendar().isoformat(timespec="microseconds")
