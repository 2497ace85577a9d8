"""What every measurement is given: a broker, a requester, how often and how long."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
import json
from pathlib import Path
import sys

from requester import Client

WITHIN = 120.0  # s


@dataclass
class Bench:
    """One run.

    Attributes:
        port: The broker's.
        program: The path of mosquitto.
        client: Connected, with the subscriptions ``+/+/result``, ``+/+/status`` and ``+/status``.
        folder: For files of a measurement.
        trials: How many rounds.
        seconds: How long a trial is.
        sizes: Few, some and many devices.
    """

    port: int
    program: Path
    client: Client
    folder: Path
    trials: int
    seconds: float
    sizes: tuple[int, int, int] = (10, 500, 1000)

    def rounds(self, trials: int = 0) -> Iterator[int]:
        """Number the rounds, and tell of each at a terminal."""
        count = trials or self.trials
        for number in range(count):
            if sys.stderr.isatty():
                sys.stderr.write(f"\r\033[Kround {number + 1} of {count}")
            yield number
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")

    async def until(self, *topics: str, word: bytes = b"online") -> None:
        """Wait until a message with that word has come on every topic; retained ones count."""
        await self.hear(set(topics), lambda payload: word in payload)

    async def until_devices(self, base: str, devices: int) -> None:
        """Wait until a bridge of no-op devices and all of them are online."""
        await self.until(*presence(base, devices))

    async def clear(self, *topics: str) -> None:
        """Forget what is retained on topics, so that nothing of an earlier run is taken for news."""
        client = await Client.connect(self.port, "clear")
        for topic in topics:
            client.publish(topic.encode(), b"", retain=True)
        await client.subscribe("clear")  # answered after all of them
        client.close()

    async def hear(self, topics: set[str], fits: Callable[[bytes], bool]) -> None:
        """Wait for a fitting message on every topic, on a connection of its own.

        Raises:
            RuntimeError: They did not come.
        """
        missing, done = set(topics), asyncio.Event()

        def heard(topic: str, payload: bytes) -> None:
            if topic in missing and fits(payload):
                missing.discard(topic)
                if not missing:
                    done.set()

        client = await Client.connect(self.port, "until")
        client.on_message = heard
        try:
            async with asyncio.timeout(WITHIN):
                for wildcard in {f"{topic.split('/')[0]}/#" for topic in topics}:
                    await client.subscribe(wildcard)
                await done.wait()
        except TimeoutError as error:
            raise RuntimeError(f"nothing on {json.dumps(sorted(missing)[:5])} within {WITHIN:g} s") from error
        finally:
            client.close()


def presence(base: str, devices: int) -> list[str]:
    """The status topics of a bridge of no-op devices, its own first."""
    return [f"{base}/bridge/{base}/status", *(f"{base}/noop-{number}/status" for number in range(devices))]
