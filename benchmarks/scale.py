"""What a device more costs, from 10 to 1000 in one bridge, each read once a second."""

import asyncio
import time

from bench import Bench, presence
from figures import Figure, ratio
from flights import Flights
from processes import alone, running

STARTS = 3
SETTLED = 3.0  # s; announcements that wait are said by then
IDLE = 2.0  # s of doing nothing
FLAT = 1.25
KINDS = {"memory": "KiB", "start": "ms", "start, CPU": "ms", "idle CPU a second": "µs"}


async def scale(bench: Bench) -> list[Figure]:
    """Cost of a device among 500 to 1000 against one among 10 to 500: flat is 1."""
    few, some, many = bench.sizes
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for number in bench.rounds(min(STARTS, bench.trials) + 1):
        started = {size: await _start(bench, size) for size in bench.sizes}
        if number == 0:
            continue  # it compiled, and what it announced was not known
        for kind in KINDS:
            value = {size: one[kind] for size, one in started.items()}
            found[kind].append(
                ((value[many] - value[some]) / (many - some), (value[some] - value[few]) / (some - few))
            )
    figures = [
        ratio(f"a device more, {kind}: {some} → {many} against {few} → {some}", unit, found[kind], most=FLAT)
        for kind, unit in KINDS.items()
    ]
    return [*figures, await _latency(bench)]


async def _latency(bench: Bench) -> Figure:
    """A command to one of 1000 against one of 10."""
    few, _, many = bench.sizes
    port = str(bench.port)
    with (
        running("noop.py", port, str(few), *_options(bench, few)) as small,
        running("noop.py", port, str(many), *_options(bench, many)) as large,
    ):
        sides = {few: small, many: large}
        for size in sides:
            await bench.until_devices(f"of{size}", size)
        await asyncio.sleep(SETTLED)
        rounds = []
        for _ in bench.rounds():
            p50 = {}
            for size, process in sides.items():
                with alone(process, list(sides.values())):
                    trial = await Flights(bench.client, f"of{size}", 1).fly(bench.seconds, process)
                p50[size] = trial.percentile(50)
            rounds.append((p50[many], p50[few]))
    return ratio(f"command p50, {many} devices against {few}", "ms", rounds, most=FLAT)


def _options(bench: Bench, size: int) -> list[str]:
    return ["--base", f"of{size}", "--state", str(bench.folder / f"of{size}")]


async def _start(bench: Bench, size: int) -> dict[str, float]:
    """Start one; gives the four costs of the whole."""
    base = f"of{size}"
    await bench.clear(*presence(base, size))
    with running("noop.py", str(bench.port), str(size), *_options(bench, size)) as process:
        await bench.until_devices(base, size)
        wall, cpu = time.perf_counter() - process.started, process.cpu()
        await asyncio.sleep(SETTLED)
        memory, used, began = process.memory(), process.cpu(), time.perf_counter()
        await asyncio.sleep(max(bench.seconds, IDLE))
        idle = (process.cpu() - used) / (time.perf_counter() - began)
    found = (memory * 1024, wall * 1000, cpu * 1000, idle * 1e6)
    return dict(zip(KINDS, found, strict=True))
