"""QoS 1 towards a subscriber that keeps up, on a mosquitto with its own default settings."""

import asyncio
from collections.abc import Callable
import contextlib
import os
from pathlib import Path
import time

from bench import Bench
from figures import Figure
from lab2mqtt.hub.mosquitto import Mosquitto
from processes import running
from requester import Client

COUNT = 8000
QUIET = 2.0  # s without a message: nothing more comes


class Defaults(Mosquitto):
    """A mosquitto as it comes, but for who may connect from where."""

    def _settings(self, folder: Path) -> str:
        del folder
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true"]
        return "\n".join([*lines, *(["user root"] if os.geteuid() == 0 else []), ""])


async def loss(bench: Bench) -> list[Figure]:
    """8000 results at full speed, ours through the bridge's connection."""
    rounds = []
    with Defaults(bench.program) as broker:
        port = str(broker.port)
        aside = Bench(broker.port, bench.program, bench.client, bench.folder, bench.trials, bench.seconds)
        with running("noop.py", port, "1") as noop:
            await aside.until_devices("noop", 1)
            for _ in bench.rounds():
                ours = await _arrived(broker.port, "noop", noop.tell)
                with contextlib.ExitStack() as stack:
                    bare = await _arrived(
                        broker.port,
                        "bare",
                        lambda _, stack=stack: stack.enter_context(
                            running("bare.py", port, "flood", str(COUNT))
                        ),
                    )
                rounds.append((ours, bare))
    lost = [tuple(COUNT - one[0] for one in pair) for pair in rounds]
    most, bare_most = (max(values) for values in zip(*lost, strict=True))
    worst = Figure(
        f"lost of {COUNT} results on a default mosquitto, worst round",
        "",
        most,
        bare_most,
        "",
        "0",
        most == 0,
    )
    rate = sorted(ours[0] / ours[1] for ours, _ in rounds)[len(rounds) // 2]
    return [worst, Figure("the same, results per second", "/s", rate)]


async def _arrived(port: int, base: str, start: Callable[[str], object]) -> tuple[int, float]:
    """How many results came, and within what time."""
    seen: set[bytes] = set()
    at = began = 0.0

    def heard(_: str, payload: bytes) -> None:
        nonlocal at, began
        at = time.perf_counter()
        began = began or at
        seen.add(payload)

    listener = await Client.connect(port, "keeps-up")
    listener.on_message = heard
    await listener.subscribe(f"{base}/+/result")
    start(f"flood {COUNT}")
    before = -1
    while len(seen) > before:  # all that comes, not only as many as are missed
        before = len(seen)
        await asyncio.sleep(QUIET)
    listener.close()
    return len(seen), at - began
