"""A short run of the boards' chaos bench. ``python -m tests.micropython.chaos_boards`` is the long one."""

from pathlib import Path
import sys
from typing import Any

import pytest
from tests.broker.brokers import Broker
from tests.chaos.book import Heard
from tests.chaos.stops import Stop
from tests.micropython.chaos_accounting import Change, Life, Span, settle
from tests.micropython.chaos_boards import SMALL, Chaos
from tests.micropython.chaos_clients import ACTUATORS, Order

SECONDS = 25.0
SEED = "short"
SERVO = ACTUATORS["lab-sensor"]
PARAMETERS, GOAL = SERVO.parameters(5000)
SUCCESS = {"request_id": "1", "task": "move_servo", "status": "success", "result": "done", "timestamp": 10}
EXPIRED = {
    "request_id": "1",
    "task": "move_servo",
    "status": "error",
    "error_code": "expired",
    "error": "late",
}
MOVE = [Change(10.0, GOAL), Change(10.6, 0)]
AGAIN = [Change(12.0, GOAL), Change(12.6, 0)]


@pytest.mark.skipif(sys.platform != "linux", reason="hangs and resets boards as Linux does")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)
def test_nothing_moves_twice_or_after_a_stop_and_every_command_has_one_answer(
    broker: Broker, tmp_path: Path
) -> None:
    """While links, power, sensors and broker come and go."""
    with Chaos(broker, tmp_path, SEED, SMALL) as chaos:
        report = chaos.run(SECONDS)
    print(f"\n{report}")  # noqa: T201 - the figures, and the seed that repeats it
    assert not report.wrong, "\n".join([str(report), *report.faults.log])
    assert all(report.moved.values())
    assert report.faults.counted


def _wrong(
    changes: list[Change],
    answers: list[tuple[float, dict[str, object]]],
    *,
    kind: str = "valid",
    stop: Stop | None = None,
    power: tuple[Span, ...] = (Span(0, 100),),
    signs: tuple[float, ...] = tuple(range(100)),
    said: str = "",
    memory: tuple[int, ...] = (),
) -> set[str]:
    """What is wrong with a board to which one command was sent at 9 s."""
    order = Order("a", {"request_id": "1"}, GOAL, [9.0], [Heard(at, body) for at, body in answers], kind=kind)
    event = Heard(9.5, {"event_type": "emergency_stopped", "stop_id": "s", "by": "me", "confirmed": True})
    free = [(at, free, int(at)) for at, free in enumerate(memory, 30)]
    life = Life("a", SERVO, changes, [], list(power), list(signs), [], [], [], [order], said, free)
    return {one.kind for one in settle(life, [stop] if stop else [], [event])}


def test_what_was_asked_for_is_right() -> None:
    """Also if its answer came twice, and a stop was released before."""
    stop = Stop("s", "", "lab2mqtt/emergency_stop", 9.1, released_at=9.9)
    assert not _wrong(MOVE, [(11.0, SUCCESS), (11.5, {**SUCCESS, "replayed": True})], stop=stop)


@pytest.mark.parametrize(
    ("changes", "answers", "more", "kind"),
    [
        (MOVE + AGAIN, [(11.0, SUCCESS)], {}, "moved twice"),
        (
            [*MOVE, Change(20.0, GOAL), Change(20.6, 0)],
            [(11.0, SUCCESS)],
            {"power": (Span(0, 13), Span(14, 100))},
            "moved twice over a reset",
        ),
        (MOVE, [(11.0, SUCCESS)], {"stop": Stop("s", "", "x", 9.1)}, "moved after a stop"),
        ([], [(9.2, EXPIRED)], {"stop": Stop("other", "", "x", 9.1)}, "stop not proven"),
        (MOVE, [(11.0, EXPIRED)], {}, "moved although answered"),
        pytest.param(MOVE, [(11.0, SUCCESS)], {"kind": "huge"}, "moved although answered", id="huge"),
        ([Change(10.0, 7), Change(10.6, 0)], [(11.0, EXPIRED)], {}, "moved unasked"),
        ([], [(11.0, SUCCESS)], {}, "done without a motion"),
        (MOVE, [(11.0, SUCCESS), (12.0, {**SUCCESS, "timestamp": 11})], {}, "answered in two ways"),
        (MOVE, [], {}, "without an answer"),
        ([Change(10.0, GOAL)], [(11.0, SUCCESS)], {"signs": (9.9,)}, "not safe in time"),
        ([Change(10.0, GOAL), Change(12.0, 0)], [(11.0, SUCCESS)], {}, "on for too long"),
        (MOVE, [(11.0, SUCCESS)], {"said": "Task exception wasn't retrieved"}, "errors in the output"),
        (MOVE, [(11.0, SUCCESS)], {"memory": tuple(range(90_000, 60_000, -1000))}, "leaked memory"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_the_account_finds(
    changes: list[Change], answers: list[tuple[float, dict[str, object]]], more: dict[str, Any], kind: str
) -> None:
    """What it is there to find; no board is needed to see that."""
    assert kind in _wrong(changes, answers, **more)
