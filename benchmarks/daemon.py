"""A daemon with one plate resort, against the smallest daemon of aiomqtt: memory, and time to online."""

import asyncio
from pathlib import Path
import time

from bench import Bench
from figures import Figure, ratio
from processes import Process, running
from requester import Client

SETTLED = 2.0  # s after which the memory is read
_CONFIG = """\
bridge: daemon
base: daemon
broker: {{port: {port}}}
state: state
devices:
  plate-resort: {{model: plate_resort, settings: {{device: {link}}}}}
"""


async def daemon(bench: Bench) -> list[Figure]:
    """``lab2mqtt run CONFIG`` beside its servo's simulator, a process of its own that does not count."""
    link, config = bench.folder / "servo", bench.folder / "daemon.yaml"
    config.write_text(_CONFIG.format(port=bench.port, link=link), encoding="utf-8")
    rounds = []
    with running("-m", "lab2mqtt.simulators.plate_resort", "--link", str(link)):
        _wait_for(Path(f"{link}.control"))
        for _ in bench.rounds(bench.trials + 1):
            ours = await _start(bench, "daemon/bridge/daemon/status", "-m", "lab2mqtt", "run", str(config))
            bare = await _start(bench, "bare/status", "hello.py", str(bench.port))
            rounds.append((ours, bare))
        del rounds[0]  # it compiled
    what = "daemon with one plate resort"
    return [
        ratio(f"{what}, resident memory", "MiB", [(ours[1], bare[1]) for ours, bare in rounds], most=1.4),
        ratio(f"{what}, start to online", "ms", [(ours[0], bare[0]) for ours, bare in rounds], most=2),
        ratio(f"{what}, CPU until then", "ms", [(ours[2], bare[2]) for ours, bare in rounds]),
    ]


def _wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


async def _start(bench: Bench, topic: str, *command: str) -> tuple[float, float, float]:
    """Start one; gives ms until it is online, MiB when it has settled, and ms of CPU until it was online."""
    listener = await Client.connect(bench.port, "started")
    online = asyncio.Event()
    listener.publish(topic.encode(), b"", retain=True)
    await asyncio.sleep(0.05)
    process: Process

    def heard(_: str, payload: bytes) -> None:
        if b"online" in payload and not online.is_set():
            took.append(time.perf_counter())
            took.append(process.cpu())
            online.set()

    took: list[float] = []
    listener.on_message = heard
    await listener.subscribe(topic)
    with running(*command) as process:
        async with asyncio.timeout(30):
            await online.wait()
        await asyncio.sleep(SETTLED)
        memory = process.memory()
    listener.publish(topic.encode(), b"", retain=True)
    listener.close()
    return (took[0] - process.started) * 1000, memory, took[1] * 1000
