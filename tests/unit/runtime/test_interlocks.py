"""What is heard of other devices, and what a device may not do because of it."""

from dataclasses import replace
import json
from typing import Any, TypeGuard

from hypothesis import given, strategies as st
import pytest

from lab2mqtt.core.interlock import AHEAD, Interlock
from lab2mqtt.runtime.interlocks import LATE, Interlocks
from lab2mqtt.runtime.others import Others

NOW = 1_763_690_000.0
STILL = Interlock("still", ("motion",), "plate-resort", "moving", "is", value=True)
CALM = {"moving": False, "updated_at": NOW}
ONLINE = {"status": "online", "bridge": "bench-pi"}
GO = ("go_home", "move")


class Lab:
    """What one bridge hears of a plate resort, on two clocks that a test sets."""

    def __init__(self, *rules: Interlock) -> None:
        self.now = NOW
        self.monotonic = 50.0
        self.others = Others("lab", lambda: self.now, lambda: self.monotonic)
        self.interlocks = Interlocks(rules, self.others)
        self.changed: list[str] = []
        self.others.on_change = self.changed.append

    def say(self, topic: str, message: Any) -> bool:  # noqa: ANN401 - JSON or rubbish
        """Let the broker say something."""
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self.others.hear(f"lab/{topic}", payload)

    def calm(self) -> "Lab":
        """Let everything be as it should."""
        self.say("plate-resort/state", CALM)
        self.say("plate-resort/status", ONLINE)
        self.say("bridge/bench-pi/status", {"status": "online", "instance": "1"})
        return self

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.monotonic += seconds

    def why(self) -> str:
        """Why nothing may move; empty when it may."""
        return "; ".join(self.interlocks.against(*GO))


@pytest.fixture
def lab() -> Lab:
    """A lab with one rule."""
    return Lab(STILL)


def test_a_bridge_without_rules_hears_of_nobody() -> None:
    """It subscribes to nothing more."""
    lab = Lab()
    assert lab.others.topics == []
    assert lab.say("bridge/bench-pi/status", ONLINE) is False
    assert lab.say("plate-resort/state", CALM) is False
    assert lab.interlocks.against(*GO) == []
    assert lab.interlocks.against_motion() == []
    assert lab.interlocks.next_doubt is None


def test_two_rules_on_one_device_need_its_topics_once() -> None:
    """And the status of all bridges once."""
    lab = Lab(STILL, replace(STILL, key="readiness", value="fault"), replace(STILL, device="ot2"))
    assert sorted(lab.others.topics) == [
        ("lab/bridge/+/status", 1),
        ("lab/ot2/state", 1),
        ("lab/ot2/status", 1),
        ("lab/plate-resort/state", 1),
        ("lab/plate-resort/status", 1),
    ]


def test_what_was_never_heard_forbids(lab: Lab) -> None:
    """Until state, status and the bridge's status have all been heard."""
    assert lab.why() == "interlocked: still: plate-resort has not said whether it is online"
    assert lab.say("plate-resort/status", ONLINE) is True
    assert lab.why() == (
        "interlocked: still: bench-pi, the bridge of plate-resort, has not said whether it is online"
    )
    lab.say("bridge/bench-pi/status", {"status": "online"})
    assert lab.why() == "interlocked: still: no state of plate-resort is known"
    lab.say("plate-resort/state", CALM)
    assert lab.why() == ""
    assert lab.changed == ["plate-resort"] * 3


def test_a_device_with_its_own_connection_has_no_bridge_to_be_online(lab: Lab) -> None:
    """Its own status is its will."""
    lab.say("plate-resort/status", {"status": "online", "bridge": None})
    lab.say("plate-resort/state", CALM)
    assert lab.why() == ""


@pytest.mark.parametrize(
    ("topic", "message", "words"),
    [
        ("plate-resort/status", ONLINE | {"status": "offline"}, "plate-resort is offline"),
        ("plate-resort/status", ONLINE | {"bridge": 5}, "has not said whether it is online"),
        ("plate-resort/status", ONLINE | {"bridge": "other"}, "other, the bridge of plate-resort, has not"),
        ("plate-resort/status", b"online", "has not said whether it is online"),
        ("plate-resort/status", b"", "has not said whether it is online"),
        ("bridge/bench-pi/status", {"status": "offline"}, "bench-pi, the bridge of plate-resort, is offline"),
        ("bridge/bench-pi/status", b"", "bench-pi, the bridge of plate-resort, has not said"),
        ("bridge/bench-pi/status", b"[]", "bench-pi, the bridge of plate-resort, has not said"),
        ("plate-resort/state", b"", "no state of plate-resort is known"),
        ("plate-resort/state", b"[]", "no state of plate-resort is known"),
        ("plate-resort/state", b'{"moving": false, "moving": false}', "no state of plate-resort is known"),
        ("plate-resort/state", {"moving": False}, "does not say when its state was measured"),
        ("plate-resort/state", CALM | {"updated_at": True}, "does not say when its state was measured"),
        ("plate-resort/state", CALM | {"updated_at": None}, "does not say when its state was measured"),
        ("plate-resort/state", {"updated_at": NOW}, "plate-resort says no moving"),
        ("plate-resort/state", CALM | {"moving": None}, "plate-resort moving is unknown"),
        ("plate-resort/state", CALM | {"moving": True}, "plate-resort moving is true, measured 0 s ago"),
        ("plate-resort/state", CALM | {"updated_at": NOW + 6}, "6 s ahead of the clock here"),
        ("plate-resort/state", CALM | {"updated_at": NOW - 31}, "last said 31 s ago"),
        ("plate-resort/state", CALM | {"updated_at": -(10**299)}, "last said more than a day ago"),
    ],
)
def test_everything_that_casts_doubt_forbids_and_is_told(
    lab: Lab, topic: str, message: object, words: str
) -> None:
    """And when it is well again, it may move."""
    assert lab.calm().why() == ""
    assert lab.say(topic, message) is True
    assert words in lab.why()
    assert lab.calm().why() == ""


def test_other_topics_are_none_of_ours(lab: Lab) -> None:
    """The bridge takes care of them."""
    for topic in ("ot2/state", "plate-resort/result", "bridge/bench-pi/health", "emergency_stop", "bridge/x"):
        assert lab.say(topic, {}) is False
    assert lab.others.hear("other/plate-resort/state", b"{}") is False
    assert lab.changed == []


def test_what_was_heard_ages_with_the_link_down(lab: Lab) -> None:
    """A broker that is away forbids nothing by itself: time does."""
    lab.calm().wait(29)
    assert lab.why() == ""
    lab.wait(2)
    assert "last said 31 s ago; at most 30 s are trusted" in lab.why()


def test_a_clock_that_is_set_back_makes_nothing_young_again(lab: Lab) -> None:
    """The age also counts on a clock that nobody can set."""
    lab.calm().wait(20)
    lab.now = NOW
    lab.wait(9)
    assert lab.why() == ""
    lab.wait(2)
    assert "last said 31 s ago" in lab.why()


def test_an_old_state_that_the_broker_tells_again_is_still_old(lab: Lab) -> None:
    """It does so on every new link."""
    lab.calm().wait(20)
    lab.now = NOW
    lab.calm()
    lab.wait(11)
    assert "last said 31 s ago" in lab.why()
    lab.say("plate-resort/state", CALM | {"updated_at": NOW + 11})
    assert lab.why() == ""


def test_a_device_whose_clock_was_set_back_is_believed_again(lab: Lab) -> None:
    """Its word is new although its time is older."""
    lab.calm().say("plate-resort/state", CALM | {"updated_at": NOW + 3600})
    assert "ahead" in lab.why()
    lab.wait(40)
    lab.say("plate-resort/state", CALM | {"updated_at": NOW + 39})
    assert lab.why() == ""


def test_a_broken_rule_stops_only_where_it_says_so() -> None:
    """And only the tasks that it forbids."""
    finish = replace(STILL, name="finish", on_break="finish")
    named = replace(STILL, name="named", forbid=("reboot",))
    lab = Lab(finish, named, STILL).calm()
    assert lab.interlocks.broken(*GO) is None
    lab.say("plate-resort/state", CALM | {"moving": True})
    assert [words.split(": ")[1] for words in lab.interlocks.against(*GO)] == ["finish", "still"]
    assert lab.interlocks.broken(*GO) == ("interlocked: still: plate-resort moving is true, measured 0 s ago")
    assert (lab.interlocks.broken("reboot", "set") or "").split(": ")[1] == "named"
    assert lab.interlocks.against("set_speed", "set") == []
    assert [words.split(": ")[1] for words in lab.interlocks.against_motion()] == ["finish", "still"]


def test_the_next_doubt_is_when_the_first_of_all_becomes_too_old() -> None:
    """The bridge looks again then, although nothing was heard."""
    lab = Lab(STILL, replace(STILL, name="sooner", max_age=20)).calm()
    lab.wait(5)
    assert lab.interlocks.next_doubt == pytest.approx(15 + LATE)
    lab.wait(lab.interlocks.next_doubt or 0)
    assert "sooner" in lab.why()
    assert "still" not in lab.why()
    assert lab.interlocks.next_doubt == pytest.approx(10, abs=2 * LATE)
    lab.wait(lab.interlocks.next_doubt or 0)
    assert "still" in lab.why()
    assert lab.interlocks.next_doubt is None


# Whatever is heard

_VALUES = st.one_of(
    st.booleans(), st.none(), st.integers(-2, 50), st.floats(-5, 50), st.sampled_from(("A", ""))
)
_TIMES = st.one_of(_VALUES, st.floats(NOW - 60, NOW + 60), st.sampled_from((NOW, NOW - 30, NOW + AHEAD)))
_STATES = st.fixed_dictionaries({}, optional={"moving": _VALUES, "updated_at": _TIMES})
_BRIDGES = st.one_of(_VALUES, st.sampled_from(("bench-pi", "other")))
_STATUSES = st.fixed_dictionaries(
    {}, optional={"status": st.sampled_from(("online", "offline", 1)), "bridge": _BRIDGES}
)
_JSON = st.one_of(_STATES, _STATUSES, _VALUES, st.lists(_VALUES)).map(lambda told: json.dumps(told).encode())
_HEARD = st.tuples(
    st.sampled_from(
        (
            "plate-resort/state",
            "plate-resort/status",
            "bridge/bench-pi/status",
            "bridge/other/status",
            "ot2/state",
            "ot2/status",
        )
    ),
    st.one_of(_JSON, _JSON, _JSON, st.binary(max_size=8), st.just(b"{")),
    st.floats(0, 20),
)
_RULES = st.builds(
    Interlock,
    st.just("rule"),
    st.just(("motion",)),
    st.just("plate-resort"),
    st.just("moving"),
    st.sampled_from(("is", "is_not")),
    st.one_of(st.booleans(), st.integers(-2, 50), st.just("A")),
    max_age=st.sampled_from((5.0, 30.0)),
) | st.builds(
    Interlock,
    st.just("rule"),
    st.just(("motion",)),
    st.just("plate-resort"),
    st.just("moving"),
    st.sampled_from(("above", "below")),
    st.floats(-5, 50),
    max_age=st.sampled_from((5.0, 30.0)),
)


def _json(payload: bytes | None) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(payload or b"")
    except ValueError:
        return None


def _allowed(rule: Interlock, last: dict[str, bytes], age_heard: float, now: float) -> bool:
    """The rule once more, in the plainest words: only what is certain allows."""
    state, status = _json(last.get("plate-resort/state")), _json(last.get("plate-resort/status"))
    if not isinstance(state, dict) or not _is_online(status):
        return False
    bridge = status.get("bridge")
    if bridge is not None and not _is_online(_json(last.get(f"bridge/{bridge}/status"))):
        return False
    at = state.get("updated_at")
    fresh = _is_number(at) and -AHEAD <= now - at <= rule.max_age and age_heard <= rule.max_age
    return fresh and _is_harmless(rule, state.get("moving"))


def _is_online(status: Any) -> bool:  # noqa: ANN401 - JSON
    return isinstance(status, dict) and status.get("status") == "online"


def _is_number(value: object) -> TypeGuard[float]:
    return type(value) in (int, float)


def _is_harmless(rule: Interlock, value: Any) -> bool:  # noqa: ANN401 - JSON
    limit: Any = rule.value
    if _is_number(value) != _is_number(limit) or (not _is_number(value) and type(value) is not type(limit)):
        return False
    match rule.comparison:
        case "is":
            return bool(value != limit)
        case "is_not":
            return bool(value == limit)
        case "above":
            return bool(value <= limit)
    return bool(value >= limit)


def _harmless(rule: Interlock) -> object:
    """A value that the rule allows."""
    if rule.comparison != "is":
        return rule.value
    match rule.value:
        case bool():
            return not rule.value
        case int():
            return rule.value + 1
    return "B"


@given(_RULES, st.lists(_HEARD, max_size=8), st.booleans())
def test_nothing_but_a_fresh_online_well_typed_value_lets_a_task_start(
    rule: Interlock,
    heard: list[tuple[str, bytes, float]],
    well: bool,  # noqa: FBT001 - hypothesis
) -> None:
    """Whatever is heard, in whatever order, with whatever time between."""
    lab = Lab(rule)
    last: dict[str, bytes] = {}
    since: float | None = None
    said: object = None
    messages = list(heard)
    if well:
        good = json.dumps({"moving": _harmless(rule), "updated_at": NOW}).encode()
        messages[:0] = [
            ("plate-resort/status", json.dumps(ONLINE).encode(), 0.0),
            ("bridge/bench-pi/status", b'{"status": "online"}', 0.0),
            ("plate-resort/state", good, 0.0),
        ]
    for place, (topic, payload, pause) in enumerate(messages):
        lab.say(topic, payload)
        last[topic] = payload
        if topic == "plate-resort/state":
            state = _json(payload)
            at = state.get("updated_at") if isinstance(state, dict) else None
            at = at if _is_number(at) else None
            if at != said or since is None:
                said, since = at, lab.monotonic
        expected = _allowed(rule, last, lab.monotonic - (since or 0), lab.now)
        assert expected or not well or place != 2
        assert (lab.why() == "") is expected
        assert (lab.interlocks.against_motion() == []) is expected
        assert (lab.interlocks.broken(*GO) is None) is expected
        doubt = lab.interlocks.next_doubt
        if expected:  # what was allowed is looked at again in time
            assert doubt is not None
            assert doubt <= rule.max_age + LATE
        lab.wait(pause)
