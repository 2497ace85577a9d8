"""Real bridges with simulated devices, for a Home Assistant of the test kit."""

import asyncio
from pathlib import Path
from typing import Any

from tests.broker.bench import Servo
from tests.broker.observer import Observer
from tests.broker.program import Program
import yaml

READY_WITHIN = 20.0  # s
RESORT = "plate-resort"


class LabBridge:
    """A bridge as a process of its own; what it keeps between its runs stays in the folder.

    Args:
        port: Of the broker.
        folder: Its own.
        devices: As in its configuration: ``{"ot2": {"model": "ot2", "simulated": True}}``. For one that is
            simulated and names no link the bridge starts a simulator.
        bridge: Its name.
        more: More of its configuration.
    """

    def __init__(
        self, port: int, folder: Path, devices: dict[str, Any], bridge: str = "bench", **more: object
    ) -> None:
        self.name = bridge
        self.devices = devices
        self.port = port
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / f"{bridge}.yaml"
        told = {"bridge": bridge, "broker": {"port": port}, "state": "kept", "devices": devices, **more}
        config.write_text(yaml.safe_dump(told))
        self.program = Program(["run", str(config)], folder / f"{bridge}.log")

    async def start(self) -> None:
        """Start it; returns when each of its devices can be used."""
        self.program.start()
        await asyncio.to_thread(self._wait)

    def _wait(self) -> None:
        with Observer(self.port, "lab2mqtt/#") as seen:
            for device_id in self.devices:
                seen.wait(
                    f"lab2mqtt/{device_id}/state",
                    lambda told: told and told["readiness"] not in ("starting", "unreachable"),
                    within=READY_WITHIN,
                )

    async def stop(self) -> None:
        """End it in order."""
        if self.program.pid:
            await asyncio.to_thread(self.program.terminate)

    async def kill(self) -> None:
        """End it as a power cut does."""
        await asyncio.to_thread(self.program.kill)

    def said(self) -> str:
        """Its log since its last start."""
        return self.program.said()


class Resort(LabBridge):
    """A bridge with one plate resort, whose servo goes on whatever becomes of the bridge."""

    def __init__(self, port: int, folder: Path, speed: int = 150, device_id: str = RESORT) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.servo = Servo(folder)
        resort = {
            "model": "plate_resort",
            "name": "Plate resort",
            "simulated": True,
            "settings": {"device": str(self.servo.link), "default_speed": speed},
        }
        super().__init__(port, folder, {device_id: resort})

    async def start(self) -> None:
        """Start servo and bridge, those that do not run; returns when the resort can be used."""
        if not self.servo.link.exists():
            await asyncio.to_thread(self.servo.start)
        await super().start()

    async def truth(self) -> dict[str, Any]:
        """What the servo really does: position in degrees, velocity in degrees a second, moving, faults."""
        return await asyncio.to_thread(self.servo.truth)

    async def fault(self, name: str, *, on: bool = True) -> None:
        """Switch a fault of the servo, such as "stalled"."""
        await asyncio.to_thread(lambda: self.servo.fault(name, on=on))

    async def close(self) -> None:
        """End both."""
        await self.stop()
        await asyncio.to_thread(self.servo.stop)
