"""Announcing 50 devices of 20 entities, as on every new connection."""

import asyncio
import json
import time

from bench import Bench
from figures import Figure, ratio
from processes import Process, running
from requester import Client

DEVICES = 50
KINDS = ("/config", "/description", "/status", "/state")
APART = 2.2  # s; sooner than two seconds a bridge does not announce a device again
AFTER = 0.15  # s in which the last acknowledgements come in
_WITHIN = 30.0  # s


async def announcing(bench: Bench) -> list[Figure]:
    """Wall and CPU of all that is retained, against aiomqtt that publishes the same bytes one by one."""
    port = str(bench.port)
    await bench.clear("bare/status")
    listener = await Client.connect(bench.port, "announced")
    for topic in ("homeassistant/#", "many/#", "bare/#"):
        await listener.subscribe(topic)
    with running("noop.py", port, str(DEVICES), "--base", "many", "--poll", "60") as noop:
        await bench.until_devices("many", DEVICES)
        await asyncio.sleep(APART)
        messages: dict[str, str] = {}
        await _announced(listener, noop, messages)
        file = bench.folder / "messages.json"
        renamed = [(f"bare/{topic}", payload) for topic, payload in messages.items()]
        file.write_text(json.dumps(renamed), encoding="utf-8")
        with running("bare.py", port, "publish", str(file)) as bare:
            await bench.until("bare/status")
            rounds = []
            for _ in bench.rounds():
                await asyncio.sleep(APART)
                rounds.append((await _announced(listener, noop, {}), await _announced(listener, bare, {})))
    listener.close()
    kib = sum(len(payload) for payload in messages.values()) / 1024
    what = f"announcing {DEVICES} devices of 20 entities ({kib:.0f} KiB)"
    return [
        ratio(f"{what}, wall", "ms", [(ours[0], other[0]) for ours, other in rounds], most=2),
        ratio(f"{what}, CPU", "ms", [(ours[1], other[1]) for ours, other in rounds], most=2),
    ]


async def _announced(listener: Client, process: Process, messages: dict[str, str]) -> tuple[float, float]:
    """Let it say everything; gives wall and CPU in ms, and fills in the messages by topic."""
    done = asyncio.Event()

    def heard(topic: str, payload: bytes) -> None:
        if topic.endswith(KINDS) and "/bridge/" not in topic:
            messages[topic] = payload.decode()
            if len(messages) == DEVICES * len(KINDS):
                done.set()

    listener.on_message = heard
    began, used = time.perf_counter(), process.cpu()
    process.tell("announce")
    async with asyncio.timeout(_WITHIN):
        await done.wait()
    took = time.perf_counter() - began
    await asyncio.sleep(AFTER)
    return took * 1000, (process.cpu() - used) * 1000
