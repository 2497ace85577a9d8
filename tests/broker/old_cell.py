"""Bridges of a cell that also speaks an older dialect: ``python -m tests.broker.old_cell PORT FOLDER LAB``.

The cell stands for an OT-2 with its tasks of the colour cell; it moves nothing, and remembers what it did. It
also passes questions on to other devices. LAB is JSON: base, bridge, and each device's settings by its id.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
import json
from pathlib import Path
import sys

from lab2mqtt.core.description import Instance, bind
from lab2mqtt.core.device import Device, Task
from lab2mqtt.core.entities import Sensor
from lab2mqtt.core.errors import Fault
from lab2mqtt.core.lab import Neighbours
from lab2mqtt.hub.ports import LOOPBACK
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.bridge import Bridge
from lab2mqtt.runtime.config import Config, DeviceConfig
from lab2mqtt.runtime.processes import log_to_stderr, run_until_signal

OWN_SERIAL = "OT2OWN01"  # what the cell tells of itself
BROKEN_WELL, SLOW_WELL = "H12", "D4"


@dataclass(frozen=True)
class CellSettings:
    """What the dialect asks of settings.

    Attributes:
        serial: The serial number that it is to have.
        older_dialect: Whether the dialect is served.
    """

    serial: str = ""
    older_dialect: bool = False


@dataclass(frozen=True)
class Snapshot:
    """What it did since it was made."""

    mixed: tuple[dict[str, object], ...]
    returned: int
    homed: int
    asked: int


class Cell:
    """A cell that remembers."""

    def __init__(self, settings: CellSettings, state: Path | None = None) -> None:
        self.settings = settings
        self.state = state
        self._neighbours: Neighbours | None = None
        self._go = asyncio.Event()
        self._mixed: list[dict[str, object]] = []
        self._returned = self._homed = self._asked = 0
        self._jammed = False

    def meet(self, neighbours: Neighbours) -> None:
        """Take the way to the others."""
        self._neighbours = neighbours

    async def open(self) -> None:
        """Connect; the neighbours are known by now."""
        assert self._neighbours

    async def close(self) -> None:
        """Let go."""

    async def read(self) -> Snapshot:
        """Tell what was done."""
        return Snapshot(tuple(self._mixed), self._returned, self._homed, self._asked)

    async def info(self) -> Mapping[str, object]:
        """Tell which one it is."""
        return {"serial": OWN_SERIAL}

    async def emergency_stop(self) -> None:
        """Stop."""

    async def mix_and_measure(
        self,
        R: float,  # noqa: N803 - the lab's names
        Y: float,  # noqa: N803
        B: float,  # noqa: N803
        well: str,
        experiment_id: str = "",
        session_id: str = "",
    ) -> dict[str, object]:
        """Mix."""
        del R, Y, B
        self._mixed.append({"well": well, "experiment_id": experiment_id, "session_id": session_id})
        if well == BROKEN_WELL:
            raise Fault("the tip fell off")
        if well == SLOW_WELL:
            await self._go.wait()
        return {"sensor": "in_place"}

    async def move_sensor_back(self) -> None:
        """Put the sensor back."""
        self._returned += 1

    async def home(self) -> None:
        """Home."""
        if self._jammed:
            raise Fault("the gantry is jammed")
        self._homed += 1

    async def jam(self) -> None:
        """Home no more."""
        self._jammed = True

    async def wait(self) -> str:
        """Wait until told to go on."""
        self._asked += 1
        await self._go.wait()
        return "waited"

    async def go_on(self) -> None:
        """Let go what waits."""
        self._go.set()

    async def greet(self, name: str) -> str:
        """Answer at once."""
        self._asked += 1
        return f"good day, {name}"

    async def ask(self, device: str, task: str, parameters: dict, within: float) -> object:  # type: ignore[type-arg]
        """Pass a question on."""
        assert self._neighbours
        return await self._neighbours.call(device, task, parameters, within)


DEVICE: Device[Snapshot] = Device(
    model="old_cell",
    name="Old cell",
    manufacturer="Nobody",
    product="Cell 1",
    driver="tests.broker.old_cell:Cell",
    dialect="lab2mqtt.drivers.ot2.dialect:PipetteDialect",
    stop="emergency_stop",
    poll=timedelta(seconds=0.1),
    entities=(
        Sensor("mixed", "Mixed", read=lambda now: now.mixed),
        Sensor("returned", "Returned", read=lambda now: now.returned),
        Sensor("homed", "Homed", read=lambda now: now.homed),
        Sensor("asked", "Asked", read=lambda now: now.asked),
    ),
    tasks=(
        Task("mix_and_measure", effect="move", timeout=30),
        Task("move_sensor_back", effect="move"),
        Task("home", effect="move"),
        Task("jam", effect="read"),
        Task("wait", effect="read", timeout=60),
        Task("go_on", effect="read"),
        Task("greet"),
        Task("ask", effect="read", timeout=60),
    ),
)


def _device(device_id: str, bridge: str, settings: CellSettings) -> DeviceConfig:
    instance = Instance(device_id, device_id, bridge)
    return DeviceConfig(DEVICE, instance, Cell, settings, bind(DEVICE, Cell, settings))


async def _serve(port: int, folder: Path, base: str, bridge: str, told: dict[str, dict[str, object]]) -> None:
    devices = tuple(_device(one, bridge, CellSettings(**settings)) for one, settings in told.items())  # type: ignore[arg-type]
    await Bridge(Config(bridge, Broker(LOOPBACK, port), devices, base, f"{base}-hub", state=folder)).run()


if __name__ == "__main__":
    log_to_stderr()
    run_until_signal(_serve(int(sys.argv[1]), Path(sys.argv[2]), **json.loads(sys.argv[3])))
