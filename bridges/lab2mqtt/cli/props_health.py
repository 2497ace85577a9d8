"""Whether the worker host of some settings is there, as somebody else hears it."""

import asyncio
import sys

from lab2mqtt import wire
from lab2mqtt.cli import EXIT_FAILED, EXIT_NO_BROKER
from lab2mqtt.client import Lab
from lab2mqtt.props.settings import PropsSettings
from lab2mqtt.runtime.mqtt import BrokerError
from lab2mqtt.runtime.old_devices import as_id


def healthy(settings: PropsSettings) -> int:
    """Ask the broker: a host that hangs or has no link is told to be offline by its will. For containers."""

    async def ask() -> str | None:
        async with Lab(settings.broker, base=settings.base) as lab:
            return lab.bridges.get(as_id(settings.client_id))

    try:
        told = asyncio.run(ask())
    except BrokerError as error:
        print(error, file=sys.stderr)
        return EXIT_NO_BROKER
    print(f"{settings.client_id} is {told or 'not known'} at {settings.broker}")
    return 0 if told == wire.ONLINE else EXIT_FAILED
