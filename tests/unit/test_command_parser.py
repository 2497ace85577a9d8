"""Whatever comes from the wire: a command, or one clean refusal."""
# ruff: noqa: PT017 - either outcome is right, but not any error

import json
import math
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from lab2mqtt import wire

KEYS = {
    "request_id": str,
    "task": str,
    "parameters": dict,
    "timestamp": (int, float),
    "timeout": (int, float),
    "expires_at": (int, float),
    "issued_by": str,
    "reservation": str,
}
MAY_BE_NONE = set(KEYS) - {"task", "parameters"}

steady = settings(
    derandomize=True, deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow]
)

letters = st.characters(exclude_categories=["Cs"])
printable = st.characters(exclude_categories=["Cs", "Cc"])
names = st.text(printable, min_size=1, max_size=64)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(letters)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(letters), inner), max_leaves=20
)
seconds = st.integers(-(2**40), 2**40) | st.floats(-1e12, 1e12)
commands = st.builds(
    wire.command,
    names,
    parameters=st.none() | st.dictionaries(st.text(letters), values, max_size=4),
    request_id=st.none() | names,
    timestamp=st.none() | seconds,
    timeout=st.none() | st.floats(0, 1e6, exclude_min=True),
    expires_at=st.none() | seconds,
    issued_by=st.none() | names,
    reservation=st.none() | names,
)


def read(payload: bytes) -> dict[str, Any] | None:
    """Read a command; None when it is refused as it should be."""
    try:
        command = wire.read_command(payload)
    except wire.WireError as error:
        assert error.code == wire.MALFORMED
        assert error.message
        wire.encode(wire.failure(error.request_id or "", error.task or "", error.code, error.message, 0))
        return None
    assert set(command) == set(KEYS)
    for key, value in command.items():
        assert not isinstance(value, bool)
        assert isinstance(value, KEYS[key]) or (value is None and key in MAY_BE_NONE)
    assert command["timeout"] is None or command["timeout"] > 0
    return command


def depth(value: object) -> int:
    """Levels of nesting."""
    if isinstance(value, (dict, list)):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max((depth(item) for item in inner), default=0)
    return 0


@steady
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="surrogatepass")))
def test_any_bytes_are_a_command_or_refused(payload: bytes) -> None:
    """Nothing that anybody sends may end a bridge."""
    read(payload)


@steady
@given(commands, st.data())
def test_a_damaged_command_is_a_command_or_refused(command: dict[str, Any], data: st.DataObject) -> None:
    """A bit of rubbish in a valid command is where a lenient reader would go wrong."""
    payload = wire.encode(command).encode()
    start = data.draw(st.integers(0, len(payload)))
    end = data.draw(st.integers(start, min(len(payload), start + 8)))
    rubbish = data.draw(
        st.binary(max_size=4) | st.sampled_from([b"}", b"{", b'"', b"\\", b",", b"NaN", b"\\ud800"])
    )
    read(payload[:start] + rubbish + payload[end:])


@steady
@given(st.dictionaries(st.sampled_from([*KEYS, "other"]), values | names))
def test_a_command_of_wrong_values_is_a_command_or_refused(message: dict[str, Any]) -> None:
    """Any value may stand under any key."""
    if read(json.dumps(message).encode()) is None:
        with pytest.raises(wire.WireError) as refusal:
            wire.read_command(json.dumps(message).encode())
        assert refusal.value.request_id in (None, message.get("request_id"))


@steady
@given(commands)
def test_a_command_arrives_as_it_was_made(command: dict[str, Any]) -> None:
    """Sender and receiver mean the same."""
    assert read(wire.encode(command).encode()) == dict.fromkeys(KEYS) | command


@steady
@given(values, st.booleans())
def test_decode_agrees_with_the_json_of_python(value: object, ascii_only: bool) -> None:  # noqa: FBT001
    """Strict does not mean other: what Python writes within the depth is read as Python reads it."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=ascii_only)
    if depth(value) > wire.MAX_DEPTH:
        with pytest.raises(wire.WireError):
            wire.decode(text.encode())
    else:
        assert wire.decode(text.encode()) == json.loads(text)


@steady
@given(values)
def test_what_encode_writes_decode_reads(value: object) -> None:
    """Floats to the last bit, integers of any length, every letter."""
    if depth(value) <= wire.MAX_DEPTH:
        again = wire.decode(wire.encode(value).encode())
        assert again == value
        assert repr(again) == repr(value)


@steady
@given(st.floats() | st.text() | st.integers(-(10**301), 10**301) | st.binary() | st.lists(st.floats()))
def test_encode_writes_what_can_be_read_or_refuses(value: object) -> None:
    """Half of a surrogate pair, NaN and the like never leave the house."""
    try:
        written = wire.encode({"value": value})
    except wire.WireError as error:
        assert error.message.startswith("value")
    else:
        assert wire.decode(written.encode()) == {"value": value}


@steady
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["a", "b", "c", "unnamed", None]))))
def test_a_stop_is_released_only_by_its_own_name(messages: list[tuple[bool, str | None]]) -> None:
    """Late, repeated and malformed releases let nothing move."""
    engaged = None
    for engage, stop_id in messages:
        message = {"engaged": engage} | ({"stop_id": stop_id} if stop_id else {})
        try:
            heard = wire.read_stop(json.dumps(message).encode())
        except wire.WireError:
            assert not engage
            continue
        before, engaged = engaged, wire.latch(engaged, heard)
        if engage:
            assert engaged
            assert engaged["stop_id"] == stop_id or stop_id is None
        elif before is not None:
            assert (engaged is None) == (before["stop_id"] == stop_id)
        else:
            assert engaged is None


@steady
@given(seconds, st.none() | seconds, st.booleans())
def test_an_expiry_is_judged_without_surprise(until: float, now: float | None, moves: bool) -> None:  # noqa: FBT001
    """In time, or refused as expired; nothing between."""
    command = dict.fromkeys(KEYS) | {"task": "a", "expires_at": until}
    good = not moves if now is None else 0 <= until - now <= wire.MAX_EXPIRY_AHEAD
    try:
        wire.check_expiry(command, now, moves)
    except wire.WireError as error:
        assert error.code == wire.EXPIRED
        assert not good
        assert len(error.message) < 250
    else:
        assert good or math.isclose(until, now or 0)
