"""Motions against commands: what the instruments truly did, what was asked of them, and what was said of it.

Nothing here talks to anybody. It is given what was written down, and finds what must not be.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.chaos.book import Command, Heard
from tests.chaos.faults import Forgotten
from tests.chaos.stops import Stop, tells_of

# What these answers promise: nothing was done (docs/protocol.md).
NOTHING_DONE = frozenset(
    {
        "malformed",
        "conflict",
        "unknown_task",
        "invalid_parameters",
        "retained_command",
        "expired",
        "busy",
        "reserved",
        "interlocked",
        "maintenance",
        "not_allowed",
    }
)
_STANDS = 12  # pulses, 1°: a hold that is nearer to where the shaft stands moves nothing worth a name
# A bridge that starts holds a servo that it finds armed, where it stands. It takes longer to start than a
# move takes from the arming to the goal.
_HELD_AFTER = 0.15  # s
_ON_THE_WAY = 5.0  # s that a dead bridge's last words may be held up in the network


TWICE = "moved twice"
STOPPED = "moved after a stop"
UNANSWERED = "without a final answer"
DIFFERENT = "answered in two ways"
REFUSED = "moved although answered"
MOTIONLESS = "done without a motion"
UNASKED = "moved unasked"
LEDGER = "otherwise in the ledger"
KINDS = (TWICE, STOPPED, UNANSWERED, DIFFERENT, REFUSED, MOTIONLESS, UNASKED, LEDGER)


class Wrong(NamedTuple):
    """Something that must not be."""

    kind: str
    words: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.words}"


class Run(NamedTuple):
    """One time that an instrument was sent somewhere by a command."""

    device: str
    goal: int
    at: float
    moved: bool


@dataclass(frozen=True)
class Account:
    """What a run came to.

    Attributes:
        runs: Everything that commands made the instruments do.
        wrong: What must not be, in words.
        proofs: How many stops were proven while they were engaged.
        repeats: How many answers were given again.
    """

    runs: list[Run]
    wrong: list[Wrong]
    proofs: int
    repeats: int


def settle(
    commands: Sequence[Command],
    journals: Mapping[str, list[dict[str, Any]]],
    stops: Sequence[Stop],
    events: Sequence[tuple[str, Heard]],
    ledgers: Mapping[str, Mapping[str, dict[str, Any]]],
    forgotten: Sequence[Forgotten] = (),
) -> Account:
    """Hold everything against everything.

    Args:
        commands: All that were sent to move something.
        journals: What each device's instrument noted.
        stops: All that were engaged.
        events: What the devices told, by device, as it was heard.
        ledgers: What each device's ledger holds, by request id.
        forgotten: What nobody can hold against a device.
    """
    wrong: list[Wrong] = []
    runs: list[Run] = []
    for device, lines in journals.items():
        found, unasked = _runs(device, lines)
        runs += found
        wrong += unasked
    by_goal: defaultdict[tuple[str, int], list[Run]] = defaultdict(list)
    for run in runs:
        by_goal[run.device, run.goal].append(run)
    for command in commands:
        assert command.goal is not None
        ran = by_goal.pop((command.device, command.goal), [])
        lasting = [one for one in command.answers if not _is_forgotten(command.device, one.at, forgotten)]
        wrong += _of_one(command, ran, lasting)
        wrong += _in_ledger(command, lasting, ledgers[command.device].get(command.request_id))
    for (device, goal), ran in by_goal.items():
        wrong.append(
            Wrong(UNASKED, f"{device} was sent to {goal} at {ran[0].at:.3f}, which nobody commanded")
        )
    proven = list(_held(stops, events, journals))
    for stop, device, since in proven:
        if not (stop.device and _is_forgotten(device, since, forgotten)):
            wrong += _moved_while_stopped(stop, device, since, journals[device])
    return Account(runs, wrong, len(proven), sum(len(one.answers) - 1 for one in commands if one.answers))


def _runs(device: str, lines: Iterable[dict[str, Any]]) -> tuple[list[Run], list[Wrong]]:
    """What was begun, and what moved although nothing had begun.

    Every move arms the bus watchdog first and writes its goal then, maybe twice where an answer was lost. A
    goal that is written without that is a hold, which may bring a turning shaft to rest and move no other.
    """
    runs: list[Run] = []
    wrong: list[Wrong] = []
    armed_at: float | None = None
    mine: int | None = None
    for line in lines:
        match line["what"]:
            case "armed":
                armed_at, mine = line["at"], None
            case "goal" | "torque_on" as what:
                goal, way = int(line["goal"]), abs(line["goal"] - line["position"])
                if what == "goal" and armed_at is not None:
                    held = way <= 1 and line["at"] - armed_at > _HELD_AFTER
                    if not held:
                        runs.append(Run(device, goal, line["at"], way > _STANDS))
                    armed_at, mine = None, goal
                elif way > _STANDS and not line["turning"] and goal != mine:
                    words = f"{device} at {line['at']:.3f} by {what}, from {line['position']} to {goal}"
                    wrong.append(Wrong(UNASKED, f"{words}, outside of any move"))
    return runs, wrong


def _is_forgotten(device: str, at: float, forgotten: Sequence[Forgotten]) -> bool:
    return any(device in one.devices and one.since <= at <= one.until + _ON_THE_WAY for one in forgotten)


def _of_one(command: Command, runs: list[Run], lasting: list[Heard]) -> Iterable[Wrong]:
    """What is wrong with one command."""
    who = f"{command.request_id} ({command.outcome or 'no answer'}, sent {len(command.sent)} times)"
    if len(runs) > 1:
        times = ", ".join(f"{run.at:.3f}" for run in runs)
        yield Wrong(TWICE, f"{who} ran {len(runs)} times: {times}")
    if not command.answers:
        yield Wrong(UNANSWERED, who)
        return
    for heard in lasting[1:]:
        first, other = _without_replayed(lasting[0].body), _without_replayed(heard.body)
        if other != first:
            yield Wrong(DIFFERENT, f"{who} {_short(first)} and then {_short(other)}")
            break
    for run in runs[:1]:
        refused = [one.at for one in command.answers if one.body.get("error_code") in NOTHING_DONE]
        if refused and run.at < refused[-1]:
            yield Wrong(REFUSED, f"{who} at {run.at:.3f}, and refused at {refused[-1]:.3f}")
        if lasting and lasting[0].at < run.at:
            yield Wrong(REFUSED, f"{who} at {run.at:.3f}, after its answer at {lasting[0].at:.3f}")
    if command.outcome == "success" and not runs:
        yield Wrong(MOTIONLESS, who)
    if runs and runs[0].at < command.sent[0]:
        yield Wrong(UNASKED, f"{who} moved before it was sent")


def _in_ledger(command: Command, lasting: list[Heard], entry: dict[str, Any] | None) -> Iterable[Wrong]:
    """What the ledger has otherwise than the client heard it."""
    if entry is None:
        yield Wrong(LEDGER, f"{command.request_id} ({command.outcome or 'no answer'}) is not there")
    elif lasting:
        heard = lasting[0].body
        for key in ("task", "status", "error_code", "error", "result"):
            if entry.get(key) != heard.get(key):
                words = f"{command.request_id} has {key} {heard.get(key)}, there {entry.get(key)}"
                yield Wrong(LEDGER, words)
                break


def _held(
    stops: Sequence[Stop], events: Sequence[tuple[str, Heard]], journals: Mapping[str, Any]
) -> Iterable[tuple[Stop, str, float]]:
    """Each stop that a device told of before anybody released it: that device must not begin to move."""
    for stop in stops:
        for device in journals:
            if stop.device in ("", device):
                told = (heard.at for name, heard in events if name == device and tells_of(heard.body, stop))
                since = next(told, None)
                if since is not None and (stop.released_at is None or since < stop.released_at):
                    yield stop, device, since


def _moved_while_stopped(
    stop: Stop, device: str, since: float, lines: list[dict[str, Any]]
) -> Iterable[Wrong]:
    until = stop.released_at if stop.released_at is not None else float("inf")
    for line in lines:
        if line["what"] in ("goal", "torque_on") and since < line["at"] < until:
            words = f"{device} told of {stop.mark!r} at {since:.3f}, and its {line['what']} came"
            yield Wrong(STOPPED, f"{words} at {line['at']:.3f}, before the release at {until:.3f}")


def _short(body: dict[str, Any]) -> str:
    words = {key: body[key] for key in ("error", "error_code", "result", "timestamp") if key in body}
    return ", ".join(str(word) for word in words.values())[:160]


def _without_replayed(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != "replayed"}
