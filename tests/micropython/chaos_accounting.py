"""Motions of a board against commands, answers, stops and silences: what must not be."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
import itertools
import statistics
from typing import Any, NamedTuple

from tests.chaos.accounting import NOTHING_DONE, Wrong
from tests.chaos.book import Heard
from tests.chaos.stops import Stop, tells_of
from tests.micropython.chaos_clients import HARMLESS, NEVER_ANSWERED, Actuator, Order

TWICE = "moved twice"
TWICE_OVER_RESET = "moved twice over a reset"
STOPPED = "moved after a stop"
UNPROVEN = "stop not proven"
REFUSED = "moved although answered"
UNASKED = "moved unasked"
MOTIONLESS = "done without a motion"
DIFFERENT = "answered in two ways"
UNANSWERED = "without an answer"
UNSAFE = "not safe in time"
OVERLONG = "on for too long"
SAID = "errors in the output"
LEAKED = "leaked memory"
LATE = "not back in time"
KINDS = (
    TWICE,
    TWICE_OVER_RESET,
    STOPPED,
    UNPROVEN,
    REFUSED,
    UNASKED,
    MOTIONLESS,
    DIFFERENT,
    UNANSWERED,
    UNSAFE,
    OVERLONG,
    SAID,
    LEAKED,
    LATE,
)

_SAME_MOMENT = 2.5  # s, as times are whole seconds: who sends just before a reset may be taken for later
_SAFE_WITHIN = 0.5  # s after the time that is promised
_PROVEN_WITHIN = 3.0  # s
_CALM = 6.0  # s without any fault, in which whatever was sent is answered: the queue takes four times 0.6 s
_OVERLONG = 1.0  # s, on a busy machine
_WARM = 20.0  # s of uptime until memory is what it will be
_LEAK = 8_000  # bytes, of a board that was up all the time
_NOT_KEPT = "its answer is not kept any more"
_BAD_WORDS = ("Traceback", "MemoryError", "wasn't retrieved")


class Change(NamedTuple):
    """An output has another value: monotonic, and what."""

    at: float
    value: int


class Span(NamedTuple):
    """From when to when, monotonic."""

    since: float
    until: float

    def touches(self, since: float, until: float) -> bool:
        """Whether it overlaps another."""
        return self.since < until and since < self.until


@dataclass
class Life:
    """What happened to one board, by the machine's monotonic clock.

    Attributes:
        device: Its id.
        actuator: What moves.
        changes: Of that, in order.
        light: Of its LED.
        powered: From when to when it had power.
        signs: When something of the broker reached it.
        hangs: When it was stopped.
        faults: When anything was broken, until it was back.
        floods: When more was sent than it can do.
        orders: What it was sent.
        said: What it printed.
        memory: When, bytes free, seconds up.
    """

    device: str
    actuator: Actuator
    changes: list[Change]
    light: list[Change]
    powered: list[Span]
    signs: list[float]
    hangs: list[Span]
    faults: list[Span]
    floods: list[Span]
    orders: list[Order]
    said: str = ""
    memory: list[tuple[float, int, int]] = field(default_factory=list)

    def on(self, changes: Sequence[Change]) -> Iterator[tuple[Change, float]]:
        """When an output was on: its change, and when that ended."""
        ends = [(one.at, one.value) for one in changes] + [(span.until, 0) for span in self.powered]
        for change in changes:
            if change.value:
                yield change, min((at for at, _ in ends if at > change.at), default=change.at)

    def boots_between(self, one: float, other: float) -> bool:
        """Whether it was reset between two moments."""
        return any(one < span.since < other for span in self.powered)

    def is_calm(self, since: float, until: float, *, floods: bool = True) -> bool:
        """Whether nothing was broken in a time."""
        spans = [*self.faults, *(self.floods if floods else ())]
        return not any(span.touches(since, until) for span in spans)


def settle(life: Life, stops: Sequence[Stop], events: Sequence[Heard]) -> Iterator[Wrong]:
    """Everything that is wrong with one board."""
    runs, wrong = _runs(life)
    yield from wrong
    for order in life.orders:
        yield from _of_one(life, order, runs.get(order.request_id, []))
    yield from _stopped(life, stops, events)
    yield from _unsafe(life)
    for change, until in life.on(life.changes) if life.actuator.longest else ():
        limit = (life.actuator.longest or 0) + _OVERLONG
        hung = sum(
            min(until, one.until) - max(change.at, one.since)
            for one in life.hangs
            if one.touches(change.at, until)
        )
        if until - change.at - hung > limit:
            yield Wrong(OVERLONG, f"{life.device} for {until - change.at:.1f} s from {change.at:.3f}")
    lines = life.said.splitlines()
    for number, line in enumerate(lines):
        if any(word in line for word in _BAD_WORDS):
            yield Wrong(SAID, f"{life.device}: {' | '.join(lines[number : number + 8])}")
    yield from _leaks(life)


def moves(life: Life) -> int:
    """How many motions there were."""
    return sum(1 for change in life.changes if change.value)


def _runs(life: Life) -> tuple[dict[str, list[float]], list[Wrong]]:
    """The moments at which each order moved something, by its id, and the motions of nobody."""
    runs: dict[str, list[float]] = {}
    wrong = []
    marked = {order.goal: order for order in life.orders if order.goal not in (None, 1)}
    unmarked = [order for order in life.orders if order.goal == 1]
    for change in life.changes:
        if not change.value:
            continue
        order = marked.get(change.value) or _whose(life, change.at, unmarked, runs)
        if order is None:
            wrong.append(Wrong(UNASKED, f"{life.device} at {change.at:.3f} to {change.value}"))
        else:
            runs.setdefault(order.request_id, []).append(change.at)
    return runs, wrong


def _whose(life: Life, at: float, orders: list[Order], runs: dict[str, list[float]]) -> Order | None:
    """Of those whose motions look the same, the one that has most probably moved at a moment."""
    fit = [
        one
        for one in orders
        if one.sent
        and one.sent[0] <= at
        and one.kind not in HARMLESS
        and one.request_id not in runs
        and one.outcome not in NOTHING_DONE
        and (not one.answers or at <= one.answers[0].at)
    ]
    fit.sort(key=lambda one: one.answers[0].at if one.outcome == "success" else float("inf"))
    if not fit:
        fit = [one for one in orders if one.request_id in runs and _is_same_moment(life, one, at)]
    return fit[0] if fit else None


def _of_one(life: Life, order: Order, runs: list[float]) -> Iterable[Wrong]:
    who = f"{order.request_id} ({order.outcome or 'no answer'}, sent {len(order.sent)} times)"
    for one, other in itertools.pairwise(runs):
        words = f"{who} at {one:.3f} and at {other:.3f}"
        if not life.boots_between(one, other):
            yield Wrong(TWICE, words)
        elif not _is_same_moment(life, order, other):
            yield Wrong(TWICE_OVER_RESET, words)
    if runs and order.kind in HARMLESS:
        yield Wrong(REFUSED, f"{who} moved at {runs[0]:.3f}: it is {order.kind}")
    # What is retained is refused for that, whatever came of it when it was said.
    if not order.has_twin and order.kind != "retained":
        yield from _answers(life, order, runs, who)
    if order.goal and order.outcome == "success" and not runs:
        yield Wrong(MOTIONLESS, who)
    for at in order.sent if order.kind not in NEVER_ANSWERED else ():
        if life.is_calm(at, at + _CALM) and not any(at <= one.at <= at + _CALM for one in order.answers):
            yield Wrong(UNANSWERED, f"{who} at {at:.3f}, in calm weather")
            return


def _answers(life: Life, order: Order, runs: list[float], who: str) -> Iterable[Wrong]:
    for heard in order.answers:
        if _is_same_moment(life, order, heard.at):
            break
        if runs and heard.body.get("error_code") in NOTHING_DONE and runs[0] < heard.at:
            yield Wrong(REFUSED, f"{who} at {runs[0]:.3f}, at {heard.at:.3f} {_short(heard)}")
            break
    for one, two in itertools.pairwise(order.answers):
        refusals = {one.body.get("error_code"), two.body.get("error_code")} <= NOTHING_DONE
        if _NOT_KEPT in str(two.body.get("error")) or (order.kind == "flood" and refusals):
            continue
        if not life.boots_between(one.at, two.at) and _plain(one) != _plain(two):
            yield Wrong(DIFFERENT, f"{who} {_short(one)} and then {_short(two)}")
            break


def _is_same_moment(life: Life, order: Order, until: float) -> bool:
    """Whether it was sent so shortly before a reset that times in whole seconds do not tell."""
    resets = [span.since for span in life.powered if order.sent[0] < span.since < until]
    return bool(resets) and resets[-1] < order.sent[0] + _SAME_MOMENT


def _stopped(life: Life, stops: Sequence[Stop], events: Sequence[Heard]) -> Iterable[Wrong]:
    for stop in stops:
        if stop.device not in ("", life.device):
            continue
        told = [one.at for one in events if tells_of(one.body, stop) and one.body["confirmed"]]
        if not told:
            if life.is_calm(stop.sent_at, stop.sent_at + _PROVEN_WITHIN):
                yield Wrong(UNPROVEN, f"{life.device}, {stop.mark}, at {stop.sent_at:.3f}")
            continue
        until = stop.released_at if stop.released_at is not None else float("inf")
        for change in life.changes:
            if change.value and told[0] < change.at < until:
                words = f"{life.device} told of {stop.mark!r} at {told[0]:.3f}, and moved at {change.at:.3f}"
                yield Wrong(STOPPED, f"{words}, before its release at {until:.3f}")


def _unsafe(life: Life) -> Iterable[Wrong]:
    signs = sorted(_late(at, life.hangs) for at in life.signs)
    for changes, safe_after in ((life.changes, life.actuator.safe_after), (life.light, 10.0)):
        for change, until in life.on(changes):
            after = safe_after + _SAFE_WITHIN
            heard = max((at for at in signs if at <= change.at), default=change.at)
            for at in [heard, *(at for at in signs if change.at < at < until)]:
                following = min((one for one in signs if one > at), default=float("inf"))
                since, end = max(at + after, change.at), min(until, following)
                hung = any(
                    Span(one.since, one.until + _SAFE_WITHIN).touches(since, end) for one in life.hangs
                )
                if since < end and not hung:
                    words = f"{life.device}: on at {change.at:.3f}, the last sign of the broker at {at:.3f}"
                    yield Wrong(UNSAFE, f"{words}, on until {end:.3f}")
                    break


def _late(at: float, hangs: Sequence[Span]) -> float:
    """When a board that hung has read what came meanwhile."""
    return next((one.until for one in hangs if one.since <= at < one.until), at)


def _leaks(life: Life) -> Iterable[Wrong]:
    """Whether the memory of the longest time without a reset goes down and down."""
    longest = max(life.powered, key=lambda span: span.until - span.since)
    free = [
        one[1]
        for one in life.memory
        if longest.since < one[0] < longest.until and one[2] > _WARM and life.is_calm(one[0] - 1, one[0])
    ]
    third = len(free) // 3
    if third >= 5:
        before, after = statistics.median(free[:third]), statistics.median(free[-third:])
        if before - after > _LEAK:
            yield Wrong(LEAKED, f"{life.device}: {before:.0f} bytes free, and then {after:.0f}")


def _short(heard: Heard) -> str:
    body = heard.body
    words = {key: body[key] for key in ("error", "error_code", "result", "timestamp") if key in body}
    return ", ".join(str(word) for word in words.values())[:160]


def _plain(heard: Heard) -> dict[str, Any]:
    return {key: value for key, value in heard.body.items() if key != "replayed"}
