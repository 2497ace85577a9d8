"""Breaks things as planned, mends them in time, and writes down both."""

from collections.abc import Callable
import contextlib
import heapq
import itertools
import os
import signal
import time
from typing import NamedTuple

from tests.broker.brokers import Broker
from tests.chaos.book import Book
from tests.chaos.plan import Action
from tests.chaos.processes import Bridge, Instrument
from tests.chaos.stops import Stops

# s after which a bridge has written what it could not write while its disk was full.
WRITTEN_WITHIN = 3.0
_STOPPED_WITHIN = 3.0  # s
_AIM_WITHIN = 1.5  # s that an aimed kill waits for a command
_TIDY_EVERY = 1.0  # s


class Forgotten(NamedTuple):
    """What was said in a time when nothing could be written, and lost with the process.

    At most once holds all the same: nothing is begun that cannot be written first.
    """

    devices: frozenset[str]
    since: float
    until: float


class Faults:
    """What is broken now, and when it is mended.

    Attributes:
        log: A line for everything that was done.
        deaths: Bridges that ended although nobody killed them, with their last words.
        kills: How many faults killed something.
        forgotten: What bridges must have forgotten, because they were killed before their disk had room.
    """

    def __init__(
        self, broker: Broker, bridges: list[Bridge], instruments: list[Instrument], book: Book, stops: Stops
    ) -> None:
        self.log: list[str] = []
        self.deaths: list[str] = []
        self.kills = 0
        self.forgotten: list[Forgotten] = []
        self._broker = broker
        self._bridges = {one.name: one for one in bridges}
        self._instruments = {one.device: one for one in instruments}
        self._book = book
        self._stops = stops
        self._mends: list[tuple[float, int, str, Callable[[], None]]] = []
        self._full_since: dict[str, float] = {}
        self._number = itertools.count()
        self._began = time.monotonic()
        self._tidied = 0.0

    def do(self, action: Action) -> None:
        """Break something; it is mended when it is time, by ``pass_time``."""
        self.note(f"{action}")
        getattr(self, f"_{action.kind}")(action)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and mend what is due meanwhile."""
        end = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            while self._mends and self._mends[0][0] <= now:
                self._mend()
            self._watch()
            if now >= end:
                return
            due = min(end, self._mends[0][0] if self._mends else end, now + 0.2)
            time.sleep(max(0.0, due - now))

    def mend_all(self) -> None:
        """Mend everything now."""
        while self._mends:
            self._mend()
        self._watch()

    def note(self, words: str) -> None:
        """Write a line down."""
        self.log.append(f"{time.monotonic() - self._began:8.3f} {words}")

    def _mend(self) -> None:
        _, _, words, mend = heapq.heappop(self._mends)
        self.note(words)
        mend()

    def _later(self, seconds: float, words: str, mend: Callable[[], None]) -> None:
        heapq.heappush(self._mends, (time.monotonic() + seconds, next(self._number), words, mend))

    def _watch(self) -> None:
        """See that what should run does, and that no stop is forgotten."""
        for bridge in self._bridges.values():
            if bridge.died_by_itself:
                words = f"{bridge.name} ended by itself in life {bridge.lives}"
                self.note(words)
                self.deaths.append(f"{words}: {bridge.log.read_text(errors='replace')[-1500:]}")
                bridge.start()
        if time.monotonic() - self._tidied > _TIDY_EVERY:
            self._tidied = time.monotonic()
            self._stops.tidy()

    # Kills

    def _kill_bridge(self, action: Action) -> None:
        bridge = self._bridges[action.target]
        if bridge.pid is None:  # killed a moment ago: this one is killed while it starts
            bridge.start()
        if "aim" in action.how:
            self._book.wait_for_sent([one.device for one in bridge.devices], _AIM_WITHIN)
            time.sleep(action.how["aim"])  # how far it gets with the command until then is the point
        self._end(bridge, action.lasts)

    def _end(self, bridge: Bridge, lasts: float) -> None:
        self._forget(bridge)
        bridge.kill()
        self.kills += 1
        self._later(lasts, f"{bridge.name} starts", lambda: self._start(bridge))

    def _forget(self, bridge: Bridge) -> None:
        """Note what it takes with it, if it could not be written."""
        if since := self._full_since.get(bridge.name):
            devices = frozenset(one.device for one in bridge.devices)
            self.forgotten.append(Forgotten(devices, since, time.monotonic()))
            self.note(f"{bridge.name} ends before it could write what it owes")

    def _start(self, bridge: Bridge) -> None:
        if bridge.pid is None:
            bridge.start()

    def _kill_stopped(self, action: Action) -> None:
        """Kill a bridge whose device has told that it is stopped: it must know that in its next life."""
        bridge = self._bridges[action.target]
        if bridge.pid is None:
            bridge.start()
        device = bridge.devices[0].device
        if action.how["full"]:
            self._fill(bridge, 0)
        stop = self._stops.engage("device", device)
        if stop:
            self._book.wait(lambda: self._stops.told(stop), _STOPPED_WITHIN)
        if action.how["full"]:
            self._give_room(bridge)
            self.pass_time(WRITTEN_WITHIN)
        self._end(bridge, 0)
        if stop:
            self._later(action.lasts, f"{stop.mark} is released", lambda: self._stops.release(stop))

    def _kill_broker(self, action: Action) -> None:
        if self._broker.pid is None:
            self._broker.start()
        self._broker.kill()
        self.kills += 1
        self._later(action.lasts, "the broker starts", self._start_broker)

    def _start_broker(self) -> None:
        if self._broker.pid is None:
            self._broker.start()

    def _kill_everything(self, action: Action) -> None:
        self._kill_broker(action)
        self.kills -= 1
        for bridge in self._bridges.values():
            if not bridge.immortal:
                self._end(bridge, action.lasts)
                self.kills -= 1
        self.kills += 1

    def _restart_bridge(self, action: Action) -> None:
        """End it in order, as an update does."""
        bridge = self._bridges[action.target]
        self._forget(bridge)
        bridge.terminate()
        self._later(action.lasts, f"{bridge.name} starts", lambda: self._start(bridge))

    # Hangs

    def _freeze_bridge(self, action: Action) -> None:
        bridge = self._bridges[action.target]
        bridge.freeze(frozen=True)
        self._later(action.lasts, f"{bridge.name} goes on", lambda: bridge.freeze(frozen=False))

    def _freeze_broker(self, action: Action) -> None:
        self._signal_broker(signal.SIGSTOP)
        self._later(action.lasts, "the broker goes on", lambda: self._signal_broker(signal.SIGCONT))

    def _signal_broker(self, number: signal.Signals) -> None:
        if pid := self._broker.pid:
            os.kill(pid, number)

    # The network

    def _drop(self, action: Action) -> None:
        self._bridges[action.target].proxy.drop()

    def _half_close(self, action: Action) -> None:
        self._bridges[action.target].proxy.half_close(action.how["side"])

    def _delay(self, action: Action) -> None:
        proxy = self._bridges[action.target].proxy
        proxy.delay = action.how["seconds"]
        self._later(action.lasts, f"no delay to {action.target}", lambda: setattr(proxy, "delay", 0.0))

    def _swallow(self, action: Action) -> None:
        proxy = self._bridges[action.target].proxy
        proxy.swallow(*action.how["sides"])

        def mend() -> None:
            if action.how["then"] == "drop":
                proxy.drop()
            proxy.swallow()

        self._later(action.lasts, f"{action.target} is heard again", mend)

    def _duplicate(self, action: Action) -> None:
        proxy = self._bridges[action.target].proxy
        proxy.duplicates = action.how["with_id"]
        words = f"{action.target} hears everything once"
        self._later(action.lasts, words, lambda: setattr(proxy, "duplicates", ""))

    # The machine

    def _fill_disk(self, action: Action) -> None:
        bridge = self._bridges[action.target]
        kept = bridge.ledger.with_name(f"{bridge.ledger.name}-wal")
        there = kept.stat().st_size if kept.exists() else 0
        self._fill(bridge, there if action.how["room"] == "no more" else 0)
        self._later(action.lasts, f"{action.target} has room", lambda: self._give_room(bridge))

    def _fill(self, bridge: Bridge, most: int) -> None:
        self._full_since.setdefault(bridge.name, time.monotonic())
        bridge.fill_disk(most)

    def _give_room(self, bridge: Bridge) -> None:
        bridge.fill_disk(None)
        words = f"{bridge.name} owes nothing"

        def settle() -> None:
            if not bridge.disk_is_full:  # again, meanwhile
                self._full_since.pop(bridge.name, None)

        self._later(WRITTEN_WITHIN, words, settle)

    def _shift_clock(self, action: Action) -> None:
        bridge = self._bridges[action.target]
        bridge.shift_clock(action.how["seconds"])
        self._later(action.lasts, f"{action.target} is on time", lambda: bridge.shift_clock(0))

    def _instrument(self, action: Action) -> None:
        instrument = self._instruments[action.target]
        how = dict(action.how)
        name = how.pop("fault")
        instrument.fault(name, on=True, **how)

        def mend() -> None:
            with contextlib.suppress(ValueError):
                instrument.fault(name, on=False)

        self._later(action.lasts, f"{action.target} is not {name}", mend)

    # The stop

    def _stop(self, action: Action) -> None:
        stop = self._stops.engage(action.how["which"], action.target)
        if stop:
            self._later(action.lasts, f"{stop.mark} is released", lambda: self._stops.release(stop))
