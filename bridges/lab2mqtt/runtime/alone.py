"""Devices without a broker: the same workers, queues, ledger and latches, commanded by who runs them."""

import asyncio
from collections.abc import Callable
import time

from lab2mqtt.runtime.config import Config
from lab2mqtt.runtime.mqtt import Connection, Message
from lab2mqtt.runtime.neighbours import Neighbourhood
from lab2mqtt.runtime.workers import Workers


class Alone:
    """Runs the devices of one configuration, and tells nobody.

    Attributes:
        workers: Those of the devices.
    """

    def __init__(self, config: Config, clock: Callable[[], float] = time.time) -> None:
        """Make the devices; ``run`` opens them.

        Args:
            config: What to run; its broker is never connected to.
            clock: Seconds since the epoch.
        """
        self._device_ids = [device.instance.device_id for device in config.devices]
        link = Connection(config.broker, _heard, _up)  # for those that ask others: there is no link
        self.workers = Workers(
            config,
            _nobody,
            lambda _: True,
            _nobody,
            _nobody,
            _nobody,
            Neighbourhood(config.base, link, clock),
            clock,
        )

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Run until cancelled, then leave the devices as they say.

        Args:
            on_ready: Called when commands are taken.
        """
        ledger = self.workers.shared.ledger
        await ledger.open()
        try:
            await self.workers.begin(self._device_ids)
            on_ready()
            await asyncio.get_running_loop().create_future()
        finally:
            await self.workers.close()
            await ledger.close()


def _nobody(*_: object, **__: object) -> None:
    """Nobody is told."""


def _heard(_: Message) -> None:
    """Nothing is: it never connects."""


async def _up(_: Connection) -> None:
    """It never is."""
