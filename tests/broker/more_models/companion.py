"""What stands beside an OT-2: a fan that can be set, and a colour sensor that can be asked."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from lab2mqtt.core.device import Device, Task
from lab2mqtt.core.entities import Sensor
from lab2mqtt.core.parameters import Range, Unit


@dataclass(frozen=True)
class CompanionSettings:
    """What it sees.

    Attributes:
        red: The reading of the red channel.
    """

    red: int = 0


@dataclass(frozen=True)
class Snapshot:
    """How fast the fan turns, in %."""

    speed: float


class Companion:
    """Both in one."""

    def __init__(self, settings: CompanionSettings, state: Path | None = None) -> None:
        self.settings = settings
        self.state = state
        self._speed = 0.0

    async def open(self) -> None:
        """Connect."""

    async def close(self) -> None:
        """Let go."""

    async def read(self) -> Snapshot:
        """Tell how fast it turns."""
        return Snapshot(self._speed)

    async def info(self) -> dict[str, object]:
        """Tell nothing more."""
        return {}

    async def set_speed(self, speed: Annotated[float, Range(0, 100), Unit("%")]) -> dict[str, object]:
        """Turn as fast.

        Args:
            speed: Of the fan.
        """
        self._speed = speed
        return {"speed": speed}

    async def read_color(self) -> dict[str, object]:
        """Tell what it sees."""
        return {"red": self.settings.red}


DEVICE: Device[Snapshot] = Device(
    model="companion",
    name="Companion",
    manufacturer="Nobody",
    product="Companion 1",
    driver=f"{__name__}:Companion",
    poll=timedelta(seconds=0.05),
    entities=(Sensor("speed", "Speed", unit="%", read=lambda now: now.speed),),
    tasks=(Task("set_speed"), Task("read_color", effect="read")),
)
