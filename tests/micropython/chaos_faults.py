"""Everything that can go wrong around a board, and waiting until it is right again."""

from collections import Counter
from collections.abc import Callable
import random
import time

from tests.broker.brokers import Broker
from tests.chaos.accounting import Wrong
from tests.chaos.stops import Stops
from tests.micropython.chaos_accounting import LATE, Span
from tests.micropython.chaos_bench import Bench
from tests.micropython.chaos_clients import Ledger

AT_LAST = 75.0  # s after everything is mended
_WATCHDOG = 8.0  # s
_SETTLED = 10.0  # s
_FOUND_OUT = 8.0  # s until a board knows of a link that says nothing
# All are brought about before one comes again.
_FAULTS = (
    "broker_killed",
    "broker_restarted",
    "wifi_off",
    "hang",
    "power_cycle",
    "power_cycle",
    "killed",
    "bitten",
    "sensor_gone",
    "fan_stalled",
    "cut",
    "half_closed",
    "swallowed",
    "swallowed",
    "slow",
    "doubled",
    "doubled",
    "stop_lab",
    "stop_base",
    "stop_device",
    "stop_device",
    "storm_of_stops",
)
_DEADLY = ("power_cycle", "killed", "bitten")
_BACK_WITHIN = {
    "broker_killed": 3.0,
    "broker_restarted": 3.0,
    "wifi_off": 40.0,
    **dict.fromkeys(_DEADLY, 15.0),
}
_FOR_ALL = ("broker_killed", "broker_restarted", "stop_lab", "stop_base")
_SILENT = ("swallowed", "half_closed", "wifi_off", "slow")


class Faults:
    """Breaks things, one or two at once, and mends them.

    Attributes:
        counted: How often each was brought about.
        log: What was broken when.
        wrong: Who was not back in time.
        back: After what, how long it took each time.
    """

    def __init__(self, seed: str, broker: Broker, benches: list[Bench], book: Ledger, stops: Stops) -> None:
        self.counted: Counter[str] = Counter()
        self.log: list[str] = []
        self.wrong: list[Wrong] = []
        self.back: dict[str, list[float]] = {}
        self._deck: list[str] = []
        self._dice = random.Random(seed)  # noqa: S311 - a seed
        self._broker, self._benches, self._book, self._stops = broker, benches, book, stops

    def happen(self) -> None:
        """Break something for a while, and mend it; mostly wait until all is well again."""
        chosen = [self._draw() for _ in range(self._dice.choice([1, 1, 2, 3]))]
        since = time.monotonic()
        # Who was put out again and again in a short time takes its time to come back.
        settled = [
            bench for bench in self._benches if bench.is_back(0) and not bench.is_back(since - _SETTLED)
        ]
        mends = [self._begin(one, bench) for one, bench in chosen]
        self.pass_time(self._dice.choice([0, 0.3, 0.3, 1, 3, 5]))
        for mend in mends:
            mend()
        waits = self._dice.random() < 0.7
        if waits:
            if len(chosen) == 1:
                self._expect_back(*chosen[0], since, settled)
            self.until_back(self._benches)
            self.wait(lambda: self._book.is_connected, 5.0)
            self.pass_time(0.2)
        until = time.monotonic() + (0.3 if waits else AT_LAST)
        if any(one in _SILENT for one, _ in chosen):
            until += _FOUND_OUT
        for bench in self._benches:
            if not waits or any(bench is each or one in _FOR_ALL for one, each in chosen):
                bench.faults.append(Span(since - 0.2, until))
        self.pass_time(self._dice.choice([0, 0, 0.3, 0.3, 1, 7]))

    def _draw(self) -> tuple[str, Bench]:
        """What happens next, and to whom."""
        if not self._deck:
            self._deck = self._dice.sample(_FAULTS, len(_FAULTS))
        kind = self._deck.pop()
        whose = [bench for bench in self._benches if kind not in _DEADLY or not bench.is_immortal]
        return kind, self._dice.choice(whose)

    def _begin(self, kind: str, bench: Bench) -> Callable[[], None]:
        """Bring one about; gives what ends it."""
        self.counted[kind] += 1
        self.log.append(f"{time.monotonic():10.3f} {kind} {bench.device}")
        mend: Callable[[], None] = getattr(self, f"_{kind}")(bench)
        return mend

    def _expect_back(self, kind: str, bench: Bench, since: float, settled: list[Bench]) -> None:
        if limit := _BACK_WITHIN.get(kind):
            whose = [one for one in settled if kind in _FOR_ALL or one is bench]
            # Wi-Fi that was away for a moment breaks no link.
            self.until_back(whose, 0 if kind == "wifi_off" else since, limit, kind)

    def _broker_killed(self, _: Bench) -> Callable[[], None]:
        for each in self._benches:
            each.way.shut()
        self._broker.kill()
        return self._restart_broker

    def _broker_restarted(self, _: Bench) -> Callable[[], None]:
        for each in self._benches:
            each.way.shut()
        self._broker.stop()
        return self._restart_broker

    def _restart_broker(self) -> None:
        if self._broker.pid is None:
            self._broker.start()
            for each in self._benches:
                each.way.open()

    def _wifi_off(self, bench: Bench) -> Callable[[], None]:
        bench.board.fault("wifi_off")
        since = time.monotonic()

        def mend() -> None:
            bench.board.fault("wifi_off", on=False)
            at = time.monotonic()
            bench.way.signs[:] = [at if since < one < at else one for one in bench.way.signs]

        return mend

    def _hang(self, bench: Bench) -> Callable[[], None]:
        bench.board.fault("hang")
        since = time.monotonic()

        def mend() -> None:
            bench.board.fault("hang", on=False)
            bench.hangs.append(Span(since, time.monotonic()))

        return mend

    def _bitten(self, bench: Bench) -> Callable[[], None]:
        since = time.monotonic()
        bench.board.fault("hang")
        starts = bench.board.truth()["starts"]

        def mend() -> None:
            self.wait(lambda: bench.board.truth()["starts"] > starts, _WATCHDOG + 3)
            bench.hangs.append(Span(since, time.monotonic()))

        return mend

    def _power_cycle(self, bench: Bench) -> Callable[[], None]:
        bench.board.power_cycle()
        return bench.board.power_cycle if self._dice.random() < 0.2 else _nothing

    def _killed(self, bench: Bench) -> Callable[[], None]:
        bench.board.kill_interpreter()
        return _nothing

    def _sensor_gone(self, bench: Bench) -> Callable[[], None]:
        bench.board.fault("sensor_gone")
        return lambda: bench.board.fault("sensor_gone", on=False)

    def _fan_stalled(self, bench: Bench) -> Callable[[], None]:
        bench.board.fault("fan_stalled")
        return lambda: bench.board.fault("fan_stalled", on=False)

    def _cut(self, bench: Bench) -> Callable[[], None]:
        bench.way.drop()
        return _nothing

    def _half_closed(self, bench: Bench) -> Callable[[], None]:
        bench.way.half_close(self._dice.choice(["bridge", "broker"]))
        return bench.way.drop

    def _swallowed(self, bench: Bench) -> Callable[[], None]:
        bench.way.swallow(*self._dice.choice([("bridge",), ("broker",), ("bridge", "broker")]))
        return bench.way.swallow

    def _slow(self, bench: Bench) -> Callable[[], None]:
        bench.way.delay = self._dice.choice([0.05, 0.3, 1.0])

        def mend() -> None:
            bench.way.delay = 0

        return mend

    def _doubled(self, bench: Bench) -> Callable[[], None]:
        bench.way.duplicates = self._dice.choice(["same", "another"])

        def mend() -> None:
            bench.way.duplicates = ""

        return mend

    def _stop_lab(self, _: Bench) -> Callable[[], None]:
        return self._stop("lab", "")

    def _stop_base(self, _: Bench) -> Callable[[], None]:
        return self._stop("base", "")

    def _stop_device(self, bench: Bench) -> Callable[[], None]:
        return self._stop("device", bench.device)

    def _stop(self, which: str, device: str) -> Callable[[], None]:
        stop = self._stops.engage(which, device)
        return (lambda: self._stops.release(stop)) if stop else _nothing

    def _storm_of_stops(self, bench: Bench) -> Callable[[], None]:
        for _ in range(40):
            self._stop("device", bench.device)()
            self._book.send_aside(bench.device, "reset_emergency_stop", {})
        return _nothing

    # Waiting.

    def pass_time(self, seconds: float) -> None:
        """Wait, and release what should not be engaged any more."""
        deadline = time.monotonic() + seconds
        while True:
            self._stops.tidy()
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.3))

    def wait(self, test: Callable[[], bool], within: float) -> bool:
        """Wait until a test passes; gives whether it did."""
        deadline = time.monotonic() + within
        while not test():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def until_back(
        self, benches: list[Bench], since: float = 0, limit: float = AT_LAST, what: str = ""
    ) -> None:
        """Wait until boards said that they are online; who did not in time is noted, and given more of it."""
        began = time.monotonic()
        left = list(benches)
        while left and time.monotonic() - began < AT_LAST:
            for bench in [one for one in left if one.is_back(since)]:
                left.remove(bench)
                took = time.monotonic() - began
                if what:
                    self.back.setdefault(what, []).append(took)
                if took > limit:
                    self.wrong.append(Wrong(LATE, f"{bench.device} {took:.1f} s after {what} at {began:.3f}"))
            time.sleep(0.01)
        for bench in left:
            self.wrong.append(Wrong(LATE, f"{bench.device} not at all after {what} at {began:.3f}"))


def _nothing() -> None:
    """It mends itself."""
