"""One run of the chaos bench, and ``script/chaos``: the long one."""

import argparse
from collections import Counter
from collections.abc import Iterator
import contextlib
from dataclasses import dataclass
from pathlib import Path
import secrets
import sys
import tempfile
import time
from typing import Self

from tests.broker.brokers import Amqtt, Broker
from tests.chaos.accounting import KINDS, UNANSWERED, Account, Wrong, settle
from tests.chaos.book import Book
from tests.chaos.clients import PULSES, Client, Pace
from tests.chaos.faults import Faults
from tests.chaos.plan import PAUSE, plan
from tests.chaos.processes import Bridge, Census, Instrument
from tests.chaos.proxy import Network, Proxy
from tests.chaos.stops import Stops

from lab2mqtt.hub import mosquitto
from lab2mqtt.hub.mosquitto import Mosquitto

# Bridges, their devices, and whether they live for ever.
LARGE = {"mortal-1": ["a", "b"], "mortal-2": ["c", "d"], "immortal": ["e"]}
SMALL = {"mortal": ["a", "b"], "immortal": ["c"]}

_READY_WITHIN = 60.0  # s, after everything is mended
_WARM = 0.2  # of the faults, before the first census: by then every kind of thing has happened
_SAME_WITHIN = 30.0  # s until two counts in a row are the same
_COUNT_EVERY = 1.0  # s
_ANSWER_WITHIN = 30.0  # s, for all answers that are asked for once more
_SAY_EVERY = 10.0  # s
DIED = "ended by itself"
LEAKED = "leaked"
UNREADABLE = "unreadable messages"
# SQLite closes no handle of a file that another connection of the process has locked, but uses it again: it
# keeps as many as ever read at once.
_SPARE = 8
GROWTH = 8_000_000  # bytes that a bridge may have grown between its first and its last census


@dataclass
class Report:
    """What a run came to.

    Attributes:
        seed: What repeats it.
        seconds: How long it took.
        commands: How many were given.
        sent: How often one was sent, or sent again.
        kills: How many faults killed something.
        doubled: How many packets the network delivered twice.
        faults: How often each was brought about.
        outcomes: How often each came.
        account: Motions against commands.
        wrong: What must not be, the account's and more.
        before: The immortal bridge, warmed up.
        after: The same in the end.
        rss: Its memory in between, in bytes.
        log: What was broken when.
    """

    seed: str
    seconds: float
    commands: int
    sent: int
    kills: int
    doubled: int
    faults: Counter[str]
    outcomes: Counter[str]
    account: Account
    wrong: list[Wrong]
    before: Census
    after: Census
    rss: list[int]
    log: list[str]

    def __str__(self) -> str:
        account = self.account
        found = Counter(one.kind for one in self.wrong)
        ran = sum(run.moved for run in account.runs)
        faults = ", ".join(f"{number} {kind}" for kind, number in sorted(self.faults.items()))
        outcomes = ", ".join(f"{number} {word or 'none'}" for word, number in self.outcomes.most_common())
        memory = f"{_mb(self.before.rss)} → {_mb(self.after.rss)}"
        return "\n".join(
            [
                f"seed                       {self.seed}",
                f"time                       {self.seconds:.0f} s",
                f"commands                   {self.commands}, sent {self.sent} times",
                f"outcomes                   {outcomes}",
                f"moves begun                {len(account.runs)}, of which {ran} had a way to go",
                f"answers repeated           {account.repeats}",
                f"stops proven               {account.proofs}",
                f"kills                      {self.kills}",
                f"packets doubled            {self.doubled}",
                f"faults                     {faults}",
                f"handles                    {len(self.before.handles)} → {len(self.after.handles)}",
                f"threads                    {len(self.before.threads)} → {len(self.after.threads)}",
                f"asyncio tasks              {len(self.before.tasks)} → {len(self.after.tasks)}",
                f"memory                     {memory}, at most {_mb(max(self.rss))}",
                *(f"{kind:<27}{found[kind]}" for kind in (*KINDS, UNREADABLE, DIED, LEAKED)),
                *(f"  {one}" for one in self.wrong[:40]),
            ]
        )


class Chaos:
    """A lab of several bridges on one broker, and everything that goes wrong in it."""

    def __init__(
        self, broker: Broker, folder: Path, seed: str, shape: dict[str, list[str]], commands: int
    ) -> None:
        self.seed = seed
        self.broker = broker
        self.base = f"chaos-{secrets.token_hex(3)}"
        self.network = Network()
        self.instruments = [Instrument(folder, device) for devices in shape.values() for device in devices]
        by_name = {one.device: one for one in self.instruments}
        self.bridges = [
            Bridge(
                folder,
                self.base,
                name,
                [by_name[device] for device in devices],
                Proxy(self.network, broker.port, f"{seed}/{name}"),
                immortal=name.startswith("immortal"),
            )
            for name, devices in shape.items()
        ]
        self.immortal = next(bridge for bridge in self.bridges if bridge.immortal)
        self.book = Book(broker.port, self.base)
        self.stops = Stops(seed, self.book, list(by_name))
        self.faults = Faults(broker, self.bridges, self.instruments, self.book, self.stops)
        self.pace = Pace()
        share, rest = divmod(commands, len(by_name))
        self.clients = [
            Client(seed, device, self.book, self.pace, share + (number < rest))
            for number, device in enumerate(by_name)
        ]
        self.rss: list[int] = []

    def run(self, kills: int, pause: float = PAUSE, *, say: bool = False) -> Report:
        """Start everything, break it as the seed has it, and settle the account.

        Args:
            kills: How many faults kill something.
            pause: Seconds between two faults, at most.
            say: Whether to tell how far it is.
        """
        began = said = time.monotonic()
        for instrument in self.instruments:
            instrument.start()
        for bridge in self.bridges:
            bridge.start()
        self._settle()
        mortal = [bridge.name for bridge in self.bridges if not bridge.immortal]
        names = [bridge.name for bridge in self.bridges]
        actions = plan(self.seed, kills, mortal, names, [one.device for one in self.instruments], pause)
        for client in self.clients:
            client.thread.start()
        before: Census | None = None
        for number, action in enumerate(actions):
            self.pace.go((number + 1) / len(actions))
            self.faults.pass_time(action.after)
            self.faults.do(action)
            self.rss.append(self.immortal.rss())
            if before is None and number >= _WARM * len(actions):
                before = self._census()
                self.pace.go_on()
            if say and time.monotonic() - said > _SAY_EVERY:
                said = time.monotonic()
                self._say(number + 1, len(actions), said - began)
        self.pace.go(1.0)
        self.faults.mend_all()
        for client in self.clients:
            while client.thread.is_alive():
                self.faults.pass_time(0.2)
        after = self._census()
        assert before
        self._ask_again()
        return self._report(time.monotonic() - began, before, after, Counter(one.kind for one in actions))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.faults.mend_all()
        self.pace.end()
        self.book.close()
        for bridge in self.bridges:
            bridge.kill()
        for instrument in self.instruments:
            instrument.stop()
        self.network.close()

    def _settle(self) -> None:
        """Mend everything, and wait until every device can be used."""
        self.faults.mend_all()
        since = time.monotonic()
        for instrument in self.instruments:
            self.book.call(instrument.device, "get_position", {}, _READY_WITHIN)
        while not self.book.wait(self._all_ready, 0.5):
            self.faults.pass_time(0.2)  # stops are released there
            assert time.monotonic() - since < _READY_WITHIN, f"not ready: {self.book.states}"

    def _all_ready(self) -> bool:
        states = self.book.states
        return all(
            device.device in states and states[device.device].body["readiness"] == "ready"
            for device in self.instruments
        )

    def _census(self) -> Census:
        """Count the immortal bridge while nothing is broken and nobody wants anything."""
        self.faults.mend_all()  # or an answer could be waited for that never comes
        self.pace.hold()
        self._settle()
        deadline = time.monotonic() + _SAME_WITHIN
        counted = self.immortal.census()
        while time.monotonic() < deadline:
            self.faults.pass_time(_COUNT_EVERY)
            before, counted = counted, self.immortal.census()
            if before.same_number(counted):
                break
        return counted

    def _ask_again(self) -> None:
        """Send every command once more: each has its answer, and must get the same."""
        commands = list(self.book.all())
        before = {one.request_id: len(one.answers) for one in commands}
        for command in commands:
            self.book.send(command)
        self.book.wait(
            lambda: all(len(one.answers) > before[one.request_id] for one in commands), _ANSWER_WITHIN
        )
        self._silent = [one for one in commands if len(one.answers) == before[one.request_id]]
        self._settle()  # whatever moves again by it is in the journals by then

    def _report(self, seconds: float, before: Census, after: Census, kinds: Counter[str]) -> Report:
        commands = list(self.book.all())
        journals = {one.device: one.lines() for one in self.instruments}
        ledgers = {one.device: self.book.history(one.device) for one in self.instruments}
        account = settle(commands, journals, self.stops.all, self.book.events, ledgers, self.faults.forgotten)
        wrong = [*account.wrong, *(Wrong(DIED, words) for words in self.faults.deaths)]
        wrong += [Wrong(UNREADABLE, words) for words in self.book.unreadable]
        wrong += [Wrong(UNANSWERED, f"{one.request_id}, when it was sent once more") for one in self._silent]
        wrong += _leaks(before, after)
        return Report(
            self.seed,
            seconds,
            len(commands),
            sum(len(one.sent) for one in commands),
            self.faults.kills,
            sum(bridge.proxy.repeated for bridge in self.bridges),
            kinds,
            self.book.outcomes(),
            account,
            wrong,
            before,
            after,
            self.rss,
            self.faults.log,
        )

    def _say(self, number: int, of: int, seconds: float) -> None:
        outcomes = self.book.outcomes()
        print(  # noqa: T201 - the progress of a long run
            f"{seconds:5.0f} s  {number}/{of} faults, {self.faults.kills} kills,"
            f" {outcomes.total() - outcomes['']} commands answered",
            flush=True,
        )


def _leaks(before: Census, after: Census) -> Iterator[Wrong]:
    for kind in ("handles", "threads", "tasks"):
        there, more = Counter(getattr(before, kind)), Counter(getattr(after, kind))
        grown = more.total() - there.total()
        spare = sum(number for name, number in (more - there).items() if name.endswith(".sqlite"))
        if grown > min(spare, _SPARE):
            yield Wrong(LEAKED, f"{grown} {kind}: {', '.join(more - there)}")
    if after.rss - before.rss > GROWTH:
        yield Wrong(LEAKED, f"memory, from {_mb(before.rss)} to {_mb(after.rss)}")


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


@contextlib.contextmanager
def running(broker: str, folder: Path) -> Iterator[Broker]:
    """A broker of a kind, ``mosquitto`` or ``amqtt``.

    Raises:
        HubError: There is no mosquitto.
    """
    if broker == "mosquitto":
        with Mosquitto(mosquitto.find_or_unpack(print)) as found:
            yield found
        return
    made = Amqtt(folder)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def main() -> int:
    """``script/chaos``."""
    parser = argparse.ArgumentParser(
        prog="script/chaos",
        description="Break everything for some ten minutes, and count motions against commands.",
    )
    parser.add_argument("--seed", help="to repeat a run: the same faults in the same order")
    parser.add_argument("--commands", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--broker", choices=["mosquitto", "amqtt"], default="mosquitto")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="where logs, ledgers and journals are left"
    )
    options = parser.parse_args()
    devices = sum(map(len, LARGE.values()))
    if not devices <= options.commands <= devices * (PULSES - 1):
        parser.error(f"--commands {options.commands} is not {devices} to {devices * (PULSES - 1)}")
    if options.kills < 1:
        parser.error(f"--kills {options.kills} is not 1 or more")
    seed = options.seed or secrets.token_hex(4)
    print(f"seed {seed}, {options.broker}", flush=True)  # noqa: T201
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        folder.mkdir(parents=True, exist_ok=True)
        broker = stack.enter_context(running(options.broker, folder))
        chaos = stack.enter_context(Chaos(broker, folder, seed, LARGE, options.commands))
        report = chaos.run(options.kills, say=True)
        (folder / "faults.log").write_text("\n".join(report.log))
    print(report)  # noqa: T201
    if report.wrong:
        print("\n".join(report.log[-30:]))  # noqa: T201
    return bool(report.wrong)


if __name__ == "__main__":
    sys.exit(main())
