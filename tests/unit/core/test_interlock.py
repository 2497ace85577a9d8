"""The rule of an interlock: what it takes for an answer, and which loops there are."""

from dataclasses import replace
from typing import Any

from hypothesis import given, strategies as st
import pytest

from lab2mqtt.core.interlock import AHEAD, Interlock, Seen, loops

MOVING = Interlock("the carousel stands still", ("motion",), "plate-resort", "moving", "is", value=True)
HOT = Interlock("cool", ("motion",), "oven", "temperature", "above", 40)


def seen(value: object, age: float = 1.0, heard: float = 1.0, key: str = "moving") -> Seen:
    """A device that is online and says one thing."""
    return Seen("", {key: value}, age, heard)


def test_a_rule_concerns_the_tasks_that_it_names() -> None:
    """``motion`` is every task that moves, and resuming one; others by their name."""
    assert MOVING.forbids_task("go_home", "move")
    assert not MOVING.forbids_task("set_speed", "set")
    named = replace(MOVING, forbid=("reboot", "go_home"))
    assert named.forbids_task("reboot", "set")
    assert named.forbids_task("go_home", "move")
    assert not named.forbids_task("activate_hotel", "move")


@pytest.mark.parametrize(
    ("comparison", "limit", "forbids", "allows"),
    [
        ("is", True, True, False),
        ("is_not", True, False, True),
        ("is", "A", "A", "B"),
        ("is_not", "A", "B", "A"),
        ("is", 3, 3.0, 3.1),
        ("above", 40, 40.1, 40),
        ("below", 40, 39.9, 40),
    ],
)
def test_each_comparison_forbids_what_it_holds_for(
    comparison: Any,  # noqa: ANN401 - a word of the rule
    limit: object,
    forbids: object,
    allows: object,
) -> None:
    """``above`` and ``below`` leave the limit itself out."""
    rule = replace(MOVING, comparison=comparison, value=limit)
    assert rule.against(seen(forbids)) is not None
    assert rule.against(seen(allows)) is None


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (MOVING, None),
        (MOVING, 0),
        (MOVING, "false"),
        (MOVING, [False]),
        (HOT, False),
        (HOT, "20"),
        (HOT, None),
        (replace(MOVING, value=0), False),
        (replace(MOVING, value="no"), 5),
        (replace(MOVING, comparison="is_not"), {}),
    ],
)
def test_a_value_of_another_type_forbids(rule: Interlock, value: object) -> None:
    """True is no number, and a text that looks like one is none."""
    assert rule.against(seen(value, key=rule.key)) is not None


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (seen(value=True, age=2), "plate-resort moving is true, measured 2 s ago"),
        (seen(None), "plate-resort moving is unknown"),
        (seen("yes"), "plate-resort moving is 'yes', not true or false"),
        (seen(value=False, key="moves"), "plate-resort says no moving"),
        (Seen("plate-resort is offline"), "plate-resort is offline"),
        (Seen(), "no state of plate-resort is known"),
        (Seen("", {"moving": False}), "plate-resort does not say when its state was measured"),
        (
            seen(value=False, age=41),
            "plate-resort moving was last said 41 s ago; at most 30 s are trusted",
        ),
        (
            seen(value=False, heard=35),
            "plate-resort moving was last said 35 s ago; at most 30 s are trusted",
        ),
        (
            seen(value=False, age=1.7e9),
            "plate-resort moving was last said more than a day ago; at most 30 s are trusted",
        ),
        (
            seen(value=False, age=-8),
            "plate-resort moving was measured 8 s ahead of the clock here: one of the clocks is wrong",
        ),
    ],
)
def test_the_words_name_the_rule_the_value_and_its_age(state: Seen, words: str) -> None:
    """Who reads the refusal knows which device to look at."""
    assert MOVING.against(state) == f"interlocked: the carousel stands still: {words}"


@given(
    st.one_of(st.floats(-100, 100), st.text(), st.booleans(), st.none()),
    st.floats(-100, 100),
    st.floats(-100, 100),
)
def test_inexact_words_do_not_change_while_the_reason_is_the_same(
    value: object, age: float, later: float
) -> None:
    """The readiness is published when its words change: not in every second."""
    before = HOT.against(seen(value, age, key="temperature"), exact=False)
    after = HOT.against(seen(value, age + later, key="temperature"), exact=False)
    ages = [at < -AHEAD or at > HOT.max_age for at in (age, age + later)]
    assert before == after or any(ages)
    assert (before is None) is (HOT.against(seen(value, age, key="temperature")) is None)
    assert str(age) not in (before or "")


def test_above_40_and_not_the_temperature_itself_stands_in_the_readiness() -> None:
    """It changes with every reading."""
    assert HOT.against(seen(41.3, key="temperature"), exact=False) == (
        "interlocked: cool: oven temperature is above 40"
    )


@given(st.floats(-50, 50), st.floats(0, 50), st.booleans())
def test_the_next_doubt_is_no_later_than_the_next_change(
    age: float,
    heard: float,
    value: bool,  # noqa: FBT001
) -> None:
    """Whoever looks again then, and whenever something is heard, misses nothing."""
    now = seen(value, age, heard)
    before = MOVING.against(now, exact=False)
    left = MOVING.doubt_in(now)
    for after in (1.0, 10.0, 40.0, 100.0):
        if left is None or after < left:
            assert MOVING.against(seen(value, age + after, heard + after), exact=False) == before


def test_there_is_no_next_doubt_where_time_changes_nothing() -> None:
    """Too old stays too old, and what is offline stays so until it is heard."""
    assert MOVING.doubt_in(seen(value=False, age=31, heard=31)) is None
    assert MOVING.doubt_in(Seen("offline", {"moving": False}, 1, 1)) is None
    assert MOVING.doubt_in(Seen()) is None
    assert MOVING.doubt_in(seen(value=False, age=-20, heard=0)) == 15


def rule(device: str) -> Interlock:
    """A rule that looks at a device."""
    return replace(MOVING, device=device)


def ways(rules: dict[str, str]) -> list[str]:
    """The loops of devices that look at others, as ``abc``."""
    found = loops({device: [rule(other) for other in others] for device, others in rules.items()})
    return ["".join(device for device, _ in loop) for loop in found]


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ({}, []),
        ({"a": "b"}, []),
        ({"a": "b", "b": "c"}, []),
        ({"a": "bc", "b": "c"}, []),
        ({"a": "b", "b": "a"}, ["ab"]),
        ({"a": "b", "b": "c", "c": "a"}, ["abc"]),
        ({"a": "bx", "b": "c", "c": "ab", "x": "y"}, ["abc", "bc"]),
        ({"a": "b", "b": "a", "c": "d", "d": "c"}, ["ab", "cd"]),
        ({"x": "a", "a": "b", "b": "a"}, ["ab"]),
        ({"a": "a"}, []),
    ],
)
def test_loops_of_any_length_are_found_once(rules: dict[str, str], found: list[str]) -> None:
    """A rule on the device itself is told in other words."""
    assert ways(rules) == found


def test_every_rule_of_a_loop_is_told() -> None:
    """Two rules on the same device are two loops: who takes one out still has the other."""
    one, two = rule("b"), replace(rule("b"), key="readiness", comparison="is_not", value="ready")
    found = loops({"a": [one, two], "b": [rule("a")]})
    assert [loop[0] for loop in found] == [("a", one), ("a", two)]


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdef")), max_size=6))
def test_a_loop_is_found_wherever_devices_can_be_walked_round(rules: dict[str, set[str]]) -> None:
    """Against the plain way: take out what looks at nothing that is left, until nothing changes."""
    others = {device: looked - {device} for device, looked in rules.items()}
    while ends := [device for device, looked in others.items() if not looked & others.keys()]:
        for device in ends:
            del others[device]
    assert bool(ways({device: "".join(looked) for device, looked in rules.items()})) is bool(others)
