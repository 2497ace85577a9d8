"""Commands: one at a time, and 64 in flight over as many devices."""

import tempfile

from bench import Bench
from figures import Figure, ratio
from flights import Flights, Trial
from processes import Process, alone, running

DEVICES = 64
SIDES = (
    ("coroutine driver", "noop"),
    ("blocking driver", "thread"),
    ("coroutine driver, ledger on disk", "kept"),
)


async def one_at_a_time(bench: Bench) -> list[Figure]:
    """How long a command and its result take."""
    found = await _measure(bench, 1, "echo")
    figures = []
    for name, base in SIDES:
        goal = base == "noop"
        pairs = list(zip(found[base], found["bare"], strict=True))
        label = f"command, one at a time, {name}"
        for percent, most in ((50, 1.5), (99, 2)):
            rounds = [(ours.percentile(percent), bare.percentile(percent)) for ours, bare in pairs]
            figures.append(ratio(f"{label}, p{percent}", "ms", rounds, most=most if goal else 0))
        rounds = [(ours.cpu, bare.cpu) for ours, bare in pairs]
        figures.append(ratio(f"{label}, CPU", "µs", rounds))
    return figures


async def many_at_once(bench: Bench) -> list[Figure]:
    """How many commands a second are done."""
    found = await _measure(bench, DEVICES, "echo-tasks")
    figures = []
    for name, base in SIDES:
        goal = base == "noop"
        pairs = list(zip(found[base], found["bare"], strict=True))
        label = f"{DEVICES} commands in flight on {DEVICES} devices, {name}"
        rounds = [(ours.rate, bare.rate) for ours, bare in pairs]
        figures.append(ratio(label, "/s", rounds, least=0.7 if goal else 0))
        rounds = [(ours.cpu, bare.cpu) for ours, bare in pairs]
        figures.append(ratio(f"{label}, CPU", "µs", rounds))
    return figures


async def _measure(bench: Bench, flights: int, echo: str) -> dict[str, list[Trial]]:
    """Trials in turns: the bare echo, coroutines, threads, coroutines with a ledger on disk."""
    port = str(bench.port)
    await bench.clear("bare/status")
    with (
        running("bare.py", port, echo) as bare,
        running("noop.py", port, str(flights)) as noop,
        running("noop.py", port, str(flights), "--base", "thread", "--blocking") as thread,
        tempfile.TemporaryDirectory() as state,
        running("noop.py", port, str(flights), "--base", "kept", "--state", state) as kept,
    ):
        await bench.until("bare/status")
        for _, base in SIDES:
            await bench.until_devices(base, flights)
        sides: dict[str, Process] = {"bare": bare, "noop": noop, "thread": thread, "kept": kept}
        found: dict[str, list[Trial]] = {base: [] for base in sides}
        for _ in bench.rounds():
            for base, process in sides.items():
                with alone(process, list(sides.values())):
                    trial = await Flights(bench.client, base, flights).fly(bench.seconds, process)
                found[base].append(trial)
        return found
