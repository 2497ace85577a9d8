"""The modules that can stand on an OT-2's deck; their temperatures approach what they were told."""

from dataclasses import dataclass, field
import math
from typing import Any, Final

from lab2mqtt.simulators.ot2.clock import Clock

ROOM: Final = 23.0  # °C
_TIME_CONSTANT: Final = 20.0  # s
_REACHED: Final = 0.5  # °C


@dataclass
class Approach:
    """A temperature on its way to a target, like a body that exchanges heat.

    Attributes:
        target: In °C; None lets it drift back to the room.
    """

    clock: Clock
    target: float | None = None
    _from: float = ROOM
    _since: float = 0.0

    def now(self) -> float:
        """What it is, in °C."""
        to = ROOM if self.target is None else self.target
        passed = self.clock.seconds() - self._since
        return to + (self._from - to) * math.exp(-passed / _TIME_CONSTANT)

    def aim(self, target: float | None) -> None:
        """Go somewhere else from here."""
        self._from, self._since = self.now(), self.clock.seconds()
        self.target = target

    def reached(self) -> bool:
        """Whether it is there."""
        return self.target is None or abs(self.now() - self.target) < _REACHED

    def status(self) -> str:
        """In the server's words."""
        if self.target is None:
            return "idle"
        if self.reached():
            return "holding at target"
        return "heating" if self.now() < self.target else "cooling"


@dataclass
class Module:
    """What all have in common."""

    module_id: str
    serial: str
    clock: Clock
    plugged: bool = True
    model = ""
    kind = ""

    def data(self) -> dict[str, Any]:
        """The live part of its answer."""
        raise NotImplementedError

    def told(self, port: int) -> dict[str, Any]:
        """As ``GET /modules`` tells it."""
        return {
            "id": self.module_id,
            "serialNumber": self.serial,
            "firmwareVersion": "v2.1.0",
            "hardwareRevision": f"{self.kind}_v21",
            "hasAvailableUpdate": False,
            "moduleType": self.kind,
            "moduleModel": self.model,
            "moduleOffset": None,
            "data": self.data(),
            "usbPort": {"port": port, "hub": False, "portGroup": "main", "path": f"1.0/tty/ttyACM{port}"},
        }


@dataclass
class TemperatureModule(Module):
    """4 to 95 °C."""

    block: Approach = field(init=False)
    model = "temperatureModuleV2"
    kind = "temperatureModuleType"

    def __post_init__(self) -> None:
        self.block = Approach(self.clock)

    def data(self) -> dict[str, Any]:
        """The live part of its answer."""
        return {
            "status": self.block.status(),
            "currentTemperature": round(self.block.now(), 2),
            "targetTemperature": self.block.target,
        }


@dataclass
class MagneticModule(Module):
    """Magnets that go up under a plate; height in mm above its base."""

    height: float = 0.0
    engaged: bool = False
    model = "magneticModuleV2"
    kind = "magneticModuleType"

    def data(self) -> dict[str, Any]:
        """The live part of its answer."""
        status = "engaged" if self.engaged else "disengaged"
        return {"status": status, "engaged": self.engaged, "height": self.height}


@dataclass
class HeaterShaker(Module):
    """Heats, shakes (rpm), and holds labware with a latch."""

    block: Approach = field(init=False)
    speed: int = 0
    target_speed: int | None = None
    latch: str = "idle_closed"
    model = "heaterShakerModuleV1"
    kind = "heaterShakerModuleType"

    def __post_init__(self) -> None:
        self.block = Approach(self.clock)

    def data(self) -> dict[str, Any]:
        """The live part of its answer."""
        return {
            "status": "running" if self.speed or self.block.target is not None else "idle",
            "labwareLatchStatus": self.latch,
            "speedStatus": "holding at target" if self.speed else "idle",
            "currentSpeed": self.speed,
            "targetSpeed": self.target_speed,
            "temperatureStatus": self.block.status(),
            "currentTemperature": round(self.block.now(), 2),
            "targetTemperature": self.block.target,
            "errorDetails": None,
        }


@dataclass
class Thermocycler(Module):
    """A block and a lid."""

    block: Approach = field(init=False)
    cover: Approach = field(init=False)
    lid: str = "open"
    model = "thermocyclerModuleV1"
    kind = "thermocyclerModuleType"

    def __post_init__(self) -> None:
        self.block, self.cover = Approach(self.clock), Approach(self.clock)

    def data(self) -> dict[str, Any]:
        """The live part of its answer."""
        return {
            "status": self.block.status(),
            "currentTemperature": round(self.block.now(), 2),
            "targetTemperature": self.block.target,
            "lidStatus": self.lid,
            "lidTemperatureStatus": self.cover.status(),
            "lidTemperature": round(self.cover.now(), 2),
            "lidTargetTemperature": self.cover.target,
            "holdTime": None,
            "rampRate": None,
            "currentCycleIndex": None,
            "totalCycleCount": None,
            "currentStepIndex": None,
            "totalStepCount": None,
        }


KINDS: Final[dict[str, type[Module]]] = {
    "temperature": TemperatureModule,
    "magnetic": MagneticModule,
    "heater_shaker": HeaterShaker,
    "thermocycler": Thermocycler,
}


def attached(names: list[str], clock: Clock) -> list[Module]:
    """Modules by their short names, each with a serial number that stays."""
    return [
        KINDS[name](f"{index:02d}{name.replace('_', '')}", f"SIM{name.upper()}{index}", clock)
        for index, name in enumerate(names, 1)
    ]
