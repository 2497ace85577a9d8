"""What will be broken, and when: made from a seed alone, so that the same seed breaks the same things."""

from collections.abc import Callable
import random
from typing import Any, NamedTuple

# Kills, by their share of all.
_KILLED = {"kill_bridge": 70, "kill_stopped": 8, "kill_broker": 15, "kill_everything": 7}
# Everything else, by how often it comes.
_BROKEN = {
    "restart_bridge": 3,
    "freeze_bridge": 4,
    "freeze_broker": 2,
    "drop": 4,
    "delay": 3,
    "swallow": 4,
    "half_close": 4,
    "duplicate": 6,
    "fill_disk": 4,
    "shift_clock": 3,
    "instrument": 8,
    "stop": 9,
}
OTHERS_FOR_A_KILL = 1.3
PAUSE = 3.5  # s


class Action(NamedTuple):
    """One thing that is broken.

    Attributes:
        after: Seconds since the one before.
        kind: What is done, a method of ``Faults``.
        target: To which bridge or device; empty where there is only one.
        lasts: Seconds until it is mended.
        how: More about it.
    """

    after: float
    kind: str
    target: str
    lasts: float
    how: dict[str, Any]

    def __str__(self) -> str:
        how = "".join(f" {key}={value}" for key, value in self.how.items())
        return f"{self.kind} {self.target}{how} for {self.lasts:.2f} s"


def plan(
    seed: str, kills: int, mortal: list[str], bridges: list[str], devices: list[str], pause: float = PAUSE
) -> list[Action]:
    """What is to be done in one run.

    Args:
        seed: Of the run.
        kills: How many of the actions kill something.
        mortal: The bridges that may be killed. The others are watched for leaks.
        bridges: All of them.
        devices: The devices of all.
        pause: Seconds between two of them, at most.
    """
    dice = random.Random(f"{seed}/plan")  # noqa: S311 - a seed
    kinds = _deal(_KILLED, kills) + _deal(_BROKEN, max(len(_BROKEN), round(kills * OTHERS_FOR_A_KILL)))
    dice.shuffle(kinds)
    actions = []
    for kind in kinds:
        target, lasts, how = _DETAILS[kind](dice, mortal, bridges, devices)
        actions.append(Action(round(dice.uniform(0.1, 1) * pause, 2), kind, target, round(lasts, 2), how))
    return actions


def _deal(shares: dict[str, int], number: int) -> list[str]:
    """So many of several kinds: one of each where there is room, and the rest by their shares."""
    dealt = list(shares)[:number]
    whole = sum(shares.values())
    for kind, share in shares.items():
        dealt += [kind] * (number * share // whole - 1)
    commonest = max(shares, key=lambda kind: shares[kind])
    return dealt[:number] + [commonest] * (number - len(dealt))


_Details = tuple[str, float, dict[str, Any]]
_Dealer = Callable[[random.Random, list[str], list[str], list[str]], _Details]


def _kill_bridge(dice: random.Random, mortal: list[str], _: list[str], __: list[str]) -> _Details:
    # Half of them aim at the moments after a command was sent, when it is about to be noted and begun.
    aim = {"aim": round(dice.uniform(0, 0.25), 4)} if dice.random() < 0.6 else {}
    return dice.choice(mortal), dice.choice([0.0, dice.uniform(0, 2)]), aim


def _kill_stopped(dice: random.Random, mortal: list[str], _: list[str], __: list[str]) -> _Details:
    return dice.choice(mortal), dice.uniform(3, 6), {"full": dice.random() < 0.5}


def _restart_bridge(dice: random.Random, mortal: list[str], _: list[str], __: list[str]) -> _Details:
    return dice.choice(mortal), dice.uniform(0, 1), {}


def _broker(dice: random.Random, *_: list[str]) -> _Details:
    return "", dice.uniform(0, 2), {}


def _freeze_bridge(dice: random.Random, _: list[str], bridges: list[str], __: list[str]) -> _Details:
    return dice.choice(bridges), dice.choice([dice.uniform(0, 0.5), dice.uniform(0.5, 4)]), {}


def _network(dice: random.Random, _: list[str], bridges: list[str], __: list[str]) -> _Details:
    return dice.choice(bridges), 0.0, {}


def _delay(dice: random.Random, _: list[str], bridges: list[str], __: list[str]) -> _Details:
    return dice.choice(bridges), dice.uniform(1, 5), {"seconds": round(dice.uniform(0.05, 1.0), 3)}


def _swallow(dice: random.Random, _: list[str], bridges: list[str], __: list[str]) -> _Details:
    sides = dice.choice([["bridge"], ["broker"], ["bridge", "broker"]])
    return dice.choice(bridges), dice.uniform(0.3, 4), {"sides": sides, "then": dice.choice(["drop", "flow"])}


def _half_close(dice: random.Random, _: list[str], bridges: list[str], __: list[str]) -> _Details:
    return dice.choice(bridges), 0.0, {"side": dice.choice(["bridge", "broker"])}


def _duplicate(dice: random.Random, _: list[str], bridges: list[str], __: list[str]) -> _Details:
    return dice.choice(bridges), dice.uniform(2, 8), {"with_id": dice.choice(["same", "another"])}


def _fill_disk(dice: random.Random, _: list[str], bridges: list[str], __: list[str]) -> _Details:
    # Nothing at all can be written, or nothing more behind what is there.
    return dice.choice(bridges), dice.uniform(0.5, 4), {"room": dice.choice(["none", "no more"])}


def _shift_clock(dice: random.Random, _: list[str], bridges: list[str], __: list[str]) -> _Details:
    seconds = dice.choice([-1, 1]) * dice.choice([2.0, 20.0, 400.0, 90_000.0])
    return dice.choice(bridges), dice.uniform(0.5, 4), {"seconds": seconds}


def _instrument(dice: random.Random, _: list[str], __: list[str], devices: list[str]) -> _Details:
    fault = dice.choice(["silent", "garbled", "slow", "unplugged", "unpowered", "stalled"])
    options: dict[str, dict[str, float]] = {
        "garbled": {"every": dice.randint(1, 6)},
        "slow": {"seconds": round(dice.uniform(0.02, 0.3), 3)},
    }
    return dice.choice(devices), dice.uniform(0.2, 3), {"fault": fault, **options.get(fault, {})}


def _stop(dice: random.Random, _: list[str], __: list[str], devices: list[str]) -> _Details:
    which = dice.choice(["lab", "base", "device", "device"])
    return dice.choice(devices) if which == "device" else "", dice.uniform(0.5, 4), {"which": which}


_DETAILS: dict[str, _Dealer] = {
    "kill_bridge": _kill_bridge,
    "kill_stopped": _kill_stopped,
    "kill_broker": _broker,
    "kill_everything": _broker,
    "restart_bridge": _restart_bridge,
    "freeze_bridge": _freeze_bridge,
    "freeze_broker": _broker,
    "drop": _network,
    "delay": _delay,
    "swallow": _swallow,
    "half_close": _half_close,
    "duplicate": _duplicate,
    "fill_disk": _fill_disk,
    "shift_clock": _shift_clock,
    "instrument": _instrument,
    "stop": _stop,
}
