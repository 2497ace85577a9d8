"""Whether a bridge is there, as somebody else hears it."""

import asyncio
import sys

from lab2mqtt import wire
from lab2mqtt.cli import EXIT_FAILED, EXIT_NO_BROKER
from lab2mqtt.client import Lab
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.mqtt import BrokerError


def healthy(broker: Broker, base: str, bridge: str) -> int:
    """Ask the broker: one that hangs or has no link is told to be offline by its will. For containers."""

    async def ask() -> str | None:
        async with Lab(broker, base=base) as lab:
            return lab.bridges.get(bridge)

    try:
        told = asyncio.run(ask())
    except BrokerError as error:
        print(error, file=sys.stderr)
        return EXIT_NO_BROKER
    print(f"{bridge} is {told or 'not known'} at {broker}")
    return 0 if told == wire.ONLINE else EXIT_FAILED
