"""The cell that colours are mixed in: an OT-2, a hotel and a colour sensor, all simulated, on one broker."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.util import slugify
from tests.broker.cell import Cell
from tests.broker.program import Program
from tests.integration.waiting import until

RESORT = "plate-resort"
ROBOT = "ot2"
SENSOR = "color-sensor-01"
STARTS_WITHIN = 30.0  # s
SPEED = 40.0  # a mix in little more than a second


class WetCell:
    """One bridge with the robot and the hotel, and the sensor's board.

    Args:
        port: Of the broker.
        folder: Its own.
        speed: How many times as fast as a real robot.
    """

    def __init__(self, port: int, folder: Path, speed: float = SPEED) -> None:
        folder.mkdir()
        self._cell = Cell(port, folder, speed)
        hotel = {"model": "plate_resort", "simulated": True, "settings": {"default_speed": 300}}
        self._cell.configure({RESORT: hotel})
        broker = f"mqtt://127.0.0.1:{port}"
        self._board = Program(["simulate-board", "color-sensor", "--broker", broker], folder / "board.log")

    async def start(self) -> None:
        """Start all of it."""
        self._board.start()
        await asyncio.to_thread(self._cell.start)

    async def until_known(self, hass: HomeAssistant, lab: Any) -> None:  # noqa: ANN401 - ours, loaded by its name
        """Wait until our integration knows all of it, ready, and MQTT those that a bridge announces."""

        def is_known(device_id: str) -> bool:
            device = lab.devices.get(device_id)
            if device is None or device.readiness != "ready":
                return False
            readiness = f"sensor.{slugify(device_id)}_readiness"
            return device_id == SENSOR or hass.states.is_state(readiness, "ready")

        for device_id in (ROBOT, RESORT, SENSOR):
            await until(hass, partial(is_known, device_id), f"{device_id} is ready", STARTS_WITHIN, self.said)

    async def truth(self, **asked: object) -> dict[str, Any]:
        """What is so in the robot, once it was asked something."""
        return await asyncio.to_thread(lambda: self._cell.truth(**asked))

    async def moved(self, *what: str) -> list[str]:
        """What has moved since the robot was switched on; or some of it."""
        journal = (await self.truth(journal=0.0))["journal"]
        return [each["what"] for each in journal if not what or each["what"] in what]

    def said(self) -> str:
        """What bridge and board said."""
        return self._cell.bridge.said() + self._board.said()

    async def close(self) -> None:
        """End all of it."""
        await asyncio.to_thread(self._board.terminate)
        await asyncio.to_thread(self._cell.close)
