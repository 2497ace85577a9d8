"""What a change of state costs: from a reading to a retained message."""

import asyncio
import time

from bench import Bench
from figures import Figure, difference
from flights import WARM_UP
from processes import Process, alone, running

DEVICES = 40
PERIOD = 0.05  # s


async def states(bench: Bench) -> list[Figure]:
    """µs of CPU per state that is published, against aiomqtt that publishes the same bytes as often."""
    port = str(bench.port)
    await bench.clear("bare/status")
    file = bench.folder / "state.json"
    with running(
        "noop.py", port, str(DEVICES), "--base", "changing", "--changing", "--poll", str(PERIOD)
    ) as noop:
        await bench.until_devices("changing", DEVICES)
        file.write_bytes(await _one_state(bench))
        with running("bare.py", port, "states", str(DEVICES), str(PERIOD), str(file)) as bare:
            await bench.until("bare/status")
            sides = {"changing": noop, "bare": bare}
            rounds = []
            for _ in bench.rounds():
                found = []
                for base, process in sides.items():
                    with alone(process, list(sides.values())):
                        found.append(await _cpu(bench, base, process))
                rounds.append((found[0], found[1]))
    return [difference("change of state, CPU", "µs", rounds, most=60)]


async def _one_state(bench: Bench) -> bytes:
    found: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def heard(topic: str, payload: bytes) -> None:
        if topic.startswith("changing") and topic.endswith("/state") and not found.done():
            found.set_result(payload)

    bench.client.on_message = heard
    return await found


async def _cpu(bench: Bench, base: str, process: Process) -> float:
    """µs of CPU per state while they flow."""
    count = 0

    def heard(topic: str, payload: bytes) -> None:
        nonlocal count
        del payload
        count += topic.startswith(base) and topic.endswith("/state")

    bench.client.on_message = heard
    await asyncio.sleep(WARM_UP)
    before, used, began = count, process.cpu(), time.perf_counter()
    await asyncio.sleep(bench.seconds)
    count, used, took = count - before, process.cpu() - used, time.perf_counter() - began
    if count < DEVICES / PERIOD * took * 0.5:
        raise RuntimeError(f"{base}: only {count} states in {took:.1f} s")
    return used / count * 1e6
