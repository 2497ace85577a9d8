"""The link in the old dialect: what is said before there is one, and what is said again."""

import asyncio
import uuid

from tests.broker.brokers import Broker
from tests.broker.observer import Observer

from lab2mqtt.hub.ports import LOOPBACK
from lab2mqtt.props.link import PropsLink
from lab2mqtt.runtime.address import Broker as Address


async def test_what_is_said_before_the_first_link(broker: Broker) -> None:
    """Of each topic the last is said on it; but no command, which would be late."""
    front = f"link-{uuid.uuid4().hex[:6]}"
    link = PropsLink(Address(LOOPBACK, broker.port), front, f"{front}/host")
    for topic, payload in (("one/telemetry/a", "1"), ("one/telemetry/a", "2"), ("two/cmd", "fire")):
        link.publish(f"{front}/{topic}", payload, qos=1)
    with Observer(broker.port, f"{front}/#") as seen:
        running = asyncio.create_task(link.run())
        try:
            async with asyncio.timeout(20):
                await link.connection.wait_up()
            link.publish(f"{front}/one/telemetry/a", "3", qos=1)
            await asyncio.to_thread(seen.wait, f"{front}/one/telemetry/a", lambda told: told == 3)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert [one.payload for one in seen.heard(f"{front}/one/telemetry/a")] == [b"2", b"3"]
        assert seen.heard(f"{front}/two/cmd") == []
