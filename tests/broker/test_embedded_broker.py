"""The embedded broker when many come at once: amqtt itself leaves some of them without an answer."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import pytest
from tests.broker.brokers import Amqtt

from lab2mqtt.hub.ports import LOOPBACK

KEPT = 100  # retained messages
COMERS = 30  # connect at once
TIMES = 3
ANSWERED_WITHIN = 10.0  # s; 0.5 alone


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Of an embedded broker, which must not fail inside."""
    broker = Amqtt(tmp_path)
    broker.start()
    yield broker.port
    broker.stop()
    assert "Traceback" not in broker.program.said()


async def _come(port: int, number: int) -> set[str]:
    """Connect and subscribe; gives the topics of all that came until an own message came back."""
    own = f"own/{number}"
    heard: set[str] = set()
    async with aiomqtt.Client(LOOPBACK, port, identifier=f"comer-{number}") as client:
        await client.subscribe([(own, 1), (f"kept/{number}", 1)])
        await client.publish(own, "back", qos=1)
        async for message in client.messages:
            heard.add(message.topic.value)
            if message.topic.matches(own):
                break
    return heard


async def test_who_comes_is_answered_and_told_what_it_subscribed_to(port: int) -> None:
    """Each of many that come in the same moment, while another one listens to everything."""
    async with aiomqtt.Client(LOOPBACK, port) as client:
        await client.subscribe("kept/#")  # whatever the others hear of it, they did not ask for
        for number in range(KEPT):
            await client.publish(f"kept/{number}", "a value", qos=1, retain=True)
        for _ in range(TIMES):
            async with asyncio.timeout(ANSWERED_WITHIN):
                heard = await asyncio.gather(*(_come(port, number) for number in range(COMERS)))
            assert heard == [{f"own/{number}", f"kept/{number}"} for number in range(COMERS)]
