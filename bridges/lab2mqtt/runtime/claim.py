"""One bridge of a name: before a bridge sets its will, it asks whether another process has its id."""

import asyncio
import contextlib
import os
import socket
from typing import Any

from lab2mqtt import wire
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.mqtt import Link, Message

ANSWER_WITHIN = 2.0  # s


class Claim:
    """The id of one bridge, claimed for one process."""

    def __init__(self, base: str, bridge: str, instance: str) -> None:
        """Prepare.

        Args:
            base: The base topic.
            bridge: The bridge's id.
            instance: What tells this process from another of the same id.
        """
        self.topic = wire.bridge_topic(base, bridge, "claim")
        self.instance = instance
        self._bridge = bridge
        self._status = wire.bridge_topic(base, bridge, "status")

    def answer(self, payload: bytes) -> str | None:
        """What a living bridge answers to a message on its claim topic, if anything.

        Raises:
            wire.WireError: It is no such message.
        """
        question = wire.read_claim(payload)
        if question["instance"] == self.instance or question.get("asker"):
            return None
        who = wire.claim_answer(
            self.instance, question["instance"], host=socket.gethostname(), pid=os.getpid()
        )
        return wire.encode(who)

    async def ask(self, broker: Broker) -> None:
        """Make sure that nobody else runs this bridge.

        Raises:
            Misconfigured: Somebody does; the text says who.
            BrokerError: The broker went away.
        """
        other = False
        asked, answered = asyncio.Event(), asyncio.Event()
        who: dict[str, Any] = {}

        def hear(message: Message) -> None:
            nonlocal other
            with contextlib.suppress(wire.WireError):
                if message.topic == self._status:
                    status = wire.read_bridge_status(message.payload)
                    other = status["status"] == wire.ONLINE and status.get("instance") != self.instance
                    return
                claim = wire.read_claim(message.payload)
                if claim["instance"] == self.instance:
                    asked.set()  # our own question came back, so all that was retained came before
                elif claim.get("asker") == self.instance:
                    who.update(claim)
                    answered.set()

        async with Link(broker, hear) as link:
            await link.listen([(self._status, 1), (self.topic, 1)])
            link.send(self.topic, wire.encode(wire.claim(self.instance)), 1, retain=False)
            async with asyncio.timeout(ANSWER_WITHIN):
                await asked.wait()
            if other:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ANSWER_WITHIN):
                        await answered.wait()
        if who:
            raise Misconfigured(
                f"bridge {self._bridge!r} runs already, on {who.get('host', 'another machine')} as process"
                f" {who.get('pid', '?')}; stop that one, or give this one another id"
            )
