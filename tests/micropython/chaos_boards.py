"""Breaks boards on purpose, and counts motions against commands."""

import argparse
from collections import Counter
from collections.abc import Mapping
import contextlib
from dataclasses import dataclass
from pathlib import Path
import secrets
import statistics
import sys
import tempfile
import threading
import time
from typing import Self

from tests.broker.brokers import Broker
from tests.chaos.accounting import Wrong
from tests.chaos.proxy import Network
from tests.chaos.run import UNREADABLE, running
from tests.chaos.stops import Stops
from tests.micropython.chaos_accounting import KINDS, UNANSWERED, moves, settle
from tests.micropython.chaos_bench import Bench, Way
from tests.micropython.chaos_clients import ACTUATORS, NEVER_ANSWERED, Client, Ledger
from tests.micropython.chaos_faults import Faults

from lab2mqtt.hub import micropython

# Device → node.
LARGE = {
    "sensor": "lab-sensor",
    "immortal-sensor": "lab-sensor",
    "jumper": "coffin-jumper",
    "immortal-fan": "fan",
}
SMALL = {"sensor": "lab-sensor", "jumper": "coffin-jumper", "immortal-fan": "fan"}
_ANSWERS_WITHIN = 20.0  # s: the timeout of a task, and 10 more
_OF_FLOODS = 5  # commands that were dropped, and are asked for once more
_FOUND_OUT = 8.0  # s until a board knows of a link that says nothing
_SAY_EVERY = 10.0  # s


@dataclass
class Report:
    """What a run came to.

    Attributes:
        seed: What repeats it.
        broker: Which kind.
        seconds: How long it took.
        outcomes: How often each came.
        sent: How often a command was sent, or sent again.
        moved: How many motions each board made.
        starts: How often each board started.
        memory: What each had free, in bytes.
        stops: How many were engaged.
        faults: What was broken.
        wrong: What must not be.
    """

    seed: str
    broker: str
    seconds: float
    outcomes: Counter[str]
    sent: int
    moved: dict[str, int]
    starts: dict[str, int]
    memory: dict[str, str]
    stops: int
    faults: Faults
    wrong: list[Wrong]

    def __str__(self) -> str:
        found = Counter(one.kind for one in self.wrong)
        outcomes = {word or "none": number for word, number in self.outcomes.most_common()}
        rows = {
            "seed": f"{self.seed}, {self.broker}, {self.seconds:.0f} s",
            "commands": f"{self.outcomes.total()}, sent {self.sent} times",
            "outcomes": _listed(outcomes),
            "motions": _listed(self.moved),
            "starts": _listed(self.starts),
            "free memory": _listed(self.memory),
            "stops": str(self.stops),
            "faults": _listed(dict(sorted(self.faults.counted.items()))),
        }
        for what, times in sorted(self.faults.back.items()):
            words = f"median {statistics.median(times):.2f} s, worst {max(times):.2f} s of {len(times)}"
            rows[f"back after {what}"] = words
        rows |= {kind: str(found[kind]) for kind in (*KINDS, UNREADABLE)}
        lines = [f"{name:<27}{words}" for name, words in rows.items()]
        return "\n".join([*lines, *(f"  {one}" for one in self.wrong[:60])])


def _listed(told: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in told.items())


class Chaos:
    """A lab of boards on one broker, and everything that goes wrong in it."""

    def __init__(self, broker: Broker, folder: Path, seed: str, shape: dict[str, str]) -> None:
        interpreter = micropython.find_or_unpack(_say)
        self.seed, self.broker = seed, broker
        base = f"chaos-{secrets.token_hex(3)}"
        self.network = Network()
        self.benches = [
            Bench(
                interpreter, folder / device, Way(self.network, broker.port, f"{seed}/{device}"), node, base
            )
            for device, node in shape.items()
        ]
        self.book = Ledger(broker.port, base)
        self.stops = Stops(seed, self.book, list(shape))
        self.faults = Faults(seed, broker, self.benches, self.book, self.stops)
        self.ending = threading.Event()
        self.wrong: list[Wrong] = []
        for bench in self.benches:
            bench.client = Client(seed, bench.device, ACTUATORS[bench.node], self.book, self.ending)

    def __enter__(self) -> Self:
        for bench in self.benches:
            bench.board.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self.book.close()
        for bench in self.benches:
            if bench.board.program.pid:
                bench.board.kill()
        self.faults.wait(lambda: not any(bench.way.is_used for bench in self.benches), 5.0)
        self.network.close()

    def run(self, seconds: float, *, say: bool = False) -> Report:
        """Break things for some time, and settle the account."""
        began = said = time.monotonic()
        self.faults.until_back(self.benches)
        for bench in self.benches:
            bench.client.thread.start()
        while time.monotonic() - began < seconds:
            self.faults.happen()
            if say and time.monotonic() - said > _SAY_EVERY:
                said = time.monotonic()
                sent = sum(len(bench.client.orders) for bench in self.benches)
                _say(f"{said - began:5.0f} s  {self.faults.counted.total()} faults, {sent} commands")
        self.ending.set()
        for bench in self.benches:
            bench.client.thread.join()
        self.faults.pass_time(_FOUND_OUT)
        self.faults.until_back(self.benches)
        for bench in self.benches:
            self._ask_again(bench)
        return self._report(time.monotonic() - began)

    def _ask_again(self, bench: Bench) -> None:
        """Send what has no answer once more, now that everything works."""
        lost = [one for one in bench.client.orders if not one.answers and one.kind not in NEVER_ANSWERED]
        floods = [one for one in lost if one.kind == "flood"]
        for order in [one for one in lost if one.kind != "flood"] + floods[-_OF_FLOODS:]:
            self.book.send(order)
            if not self.book.wait(lambda order=order: bool(order.answers), _ANSWERS_WITHIN):  # type: ignore[misc]
                self.wrong.append(Wrong(UNANSWERED, f"{order.request_id}, even when it was sent once more"))
                return

    def _report(self, seconds: float) -> Report:
        outcomes: Counter[str] = Counter()
        moved, starts, memory = {}, {}, {}
        for bench in self.benches:
            life = bench.life()
            life.memory = self.book.memory.get(bench.device, [])
            events = [heard for device, heard in self.book.events if device == bench.device]
            self.wrong += settle(life, self.stops.all, events)
            outcomes.update(order.outcome for order in life.orders)
            moved[bench.device] = moves(life)
            starts[bench.device] = len(life.powered)
            free = [one[1] for one in life.memory]
            memory[bench.device] = f"{free[0]} → {free[-1]}, at least {min(free)}"
        self.wrong += [Wrong(UNREADABLE, words) for words in self.book.unreadable]
        return Report(
            self.seed,
            type(self.broker).__name__.lower(),
            seconds,
            outcomes,
            sum(len(order.sent) for bench in self.benches for order in bench.client.orders),
            moved,
            starts,
            memory,
            len(self.stops.all),
            self.faults,
            [*self.faults.wrong, *self.wrong],
        )


def _say(text: str) -> None:
    """The progress of a long run."""
    print(text, flush=True)  # noqa: T201


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.micropython.chaos_boards", description=__doc__)
    parser.add_argument("--seed", help="to repeat a run: the same faults in the same order")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--broker", choices=["mosquitto", "amqtt"], default="mosquitto")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="where flashes, journals and logs are left"
    )
    options = parser.parse_args()
    seed = options.seed or secrets.token_hex(4)
    _say(f"seed {seed}")
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-boards-"))
        )
        folder.mkdir(parents=True, exist_ok=True)
        broker = stack.enter_context(running(options.broker, folder))
        chaos = stack.enter_context(Chaos(broker, folder, seed, LARGE))
        report = chaos.run(options.seconds, say=True)
        _say(str(report))
        if options.keep:
            (folder / "faults.log").write_text("\n".join(report.faults.log))
    return bool(report.wrong)


if __name__ == "__main__":
    sys.exit(main())
