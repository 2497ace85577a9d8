"""An interlock: what a device may not do while a key of another device's state compares so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lab2mqtt.core.words import show

MOTION = "motion"  # in ``forbid``: every task that moves
AHEAD = 5.0  # s that another device's clock may be ahead of ours
DAY = 86400.0  # s


@dataclass(frozen=True)
class Seen:
    """What is known of another device at one moment.

    Attributes:
        absent: Why it cannot be reached, in words; empty when it and its bridge are online.
        state: What it said last of its state; None when that is nothing, or cannot be read.
        age: Seconds since its ``updated_at`` by our clock, negative when that is ahead; None when it does
            not say.
        heard: Seconds since that ``updated_at`` was first heard, on a clock that nobody can set.
    """

    absent: str = ""
    state: Mapping[str, object] | None = None
    age: float | None = None
    heard: float = 0.0


@dataclass(frozen=True)
class Interlock:
    """One rule of one device. It forbids while its comparison holds, and while nobody can tell.

    Attributes:
        name: What people call it.
        forbid: Names of tasks; ``motion`` stands for all that move.
        device: The device that is looked at.
        key: The key of its state.
        comparison: How the state's value is compared with ``value``.
        value: A text, a number, or true or false.
        max_age: Seconds for which a state is believed.
        on_break: What becomes of a task that runs when the rule begins to forbid it.
    """

    name: str
    forbid: tuple[str, ...]
    device: str
    key: str
    comparison: Literal["is", "is_not", "above", "below"]
    value: object
    max_age: float = 30.0
    on_break: Literal["stop", "finish"] = "stop"

    @property
    def words(self) -> str:
        """What it forbids, and when: ``motion while plate-resort moving is true``."""
        return f"{' or '.join(self.forbid)} while {self._condition}"

    def forbids_task(self, task_name: str, effect: str) -> bool:
        """Whether the rule concerns a task."""
        return task_name in self.forbid or (effect == "move" and MOTION in self.forbid)

    def against(self, seen: Seen, *, exact: bool = True) -> str | None:
        """Why the rule forbids now, in words; None when it does not.

        Args:
            seen: What is known of the other device.
            exact: Whether to tell the value and its age; without them the words stay the same for as long as
                the reason does.
        """
        why = seen.absent or self._doubt_by_age(seen, exact=exact) or self._objection(seen, exact=exact)
        return f"interlocked: {self.name}: {why}" if why else None

    def doubt_in(self, seen: Seen) -> float | None:
        """Seconds until time alone may change the answer; None when it will not."""
        if seen.absent or seen.state is None or seen.age is None:
            return None
        changes = (-AHEAD - seen.age, self.max_age - seen.age, self.max_age - seen.heard)
        return min((left for left in changes if left >= 0), default=None)

    @property
    def _subject(self) -> str:
        return f"{self.device} {self.key}"

    @property
    def _condition(self) -> str:
        how = {"is": "is", "is_not": "is not", "above": "is above", "below": "is below"}[self.comparison]
        return f"{self._subject} {how} {show(self.value)}"

    def _doubt_by_age(self, seen: Seen, *, exact: bool) -> str:
        """Why nothing of what was heard is believed; empty when it is."""
        if seen.state is None:
            return f"no state of {self.device} is known"
        if seen.age is None:
            return f"{self.device} does not say when its state was measured"
        if seen.age < -AHEAD:
            ahead = _seconds(-seen.age) if exact else f"more than {AHEAD:g} s"
            return f"{self._subject} was measured {ahead} ahead of the clock here: one of the clocks is wrong"
        if (age := max(seen.age, seen.heard)) > self.max_age:
            if exact:
                ago = _seconds(age)
                return f"{self._subject} was last said {ago} ago; at most {self.max_age:g} s are trusted"
            return f"{self._subject} was last said more than {self.max_age:g} s ago"
        return ""

    def _objection(self, seen: Seen, *, exact: bool) -> str:
        """What the value itself forbids; empty when it allows."""
        state = seen.state or {}
        value = state.get(self.key)
        if value is None:
            return f"{self._subject} is unknown" if self.key in state else f"{self.device} says no {self.key}"
        kind = kind_of(self.value)
        if kind_of(value) != kind:
            return (
                f"{self._subject} is {show(value)}, not {kind}" if exact else f"{self._subject} is not {kind}"
            )
        if not self._holds(value):
            return ""
        if not exact:
            return self._condition
        return f"{self._subject} is {show(value)}, measured {_seconds(seen.age or 0)} ago"

    def _holds(self, value: object) -> bool:
        match self.comparison, value, self.value:
            case "above", int() | float(), int() | float() as limit:
                return value > limit
            case "below", int() | float(), int() | float() as limit:
                return value < limit
            case "is", _, _:
                return value == self.value
            case "is_not", _, _:
                return value != self.value
        return True


def kind_of(value: object) -> str:
    """What a value is in the eyes of a comparison, in words."""
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
    return "nothing to compare"


def _seconds(seconds: float) -> str:
    """An age in words; that of a clock that was never set would be a long number."""
    return f"{max(seconds, 0):.0f} s" if seconds < DAY else "more than a day"


def loops(rules: Mapping[str, Sequence[Interlock]]) -> list[list[tuple[str, Interlock]]]:
    """Find the devices that forbid each other, each loop as (device, its rule) in the order of the way round.

    Through every rule that is part of a loop, the shortest one is found; a loop is found once.

    Args:
        rules: Device id → its rules.
    """
    found: dict[frozenset[tuple[str, Interlock]], list[tuple[str, Interlock]]] = {}
    for device, own in rules.items():
        for rule in own:
            way = _way(rules, rule.device, device)
            if way is not None and rule.device != device:
                loop = [(device, rule), *way]
                found.setdefault(frozenset(loop), loop)
    return list(found.values())


def _way(
    rules: Mapping[str, Sequence[Interlock]], start: str, end: str
) -> list[tuple[str, Interlock]] | None:
    """The shortest way from a device to another along rules; None when there is none."""
    ways: dict[str, list[tuple[str, Interlock]]] = {start: []}
    reached = [start]
    for device in reached:  # grows while it is gone through
        if device == end:
            return ways[device]
        for rule in rules.get(device, ()):
            if rule.device not in ways:
                ways[rule.device] = [*ways[device], (device, rule)]
                reached.append(rule.device)
    return None
