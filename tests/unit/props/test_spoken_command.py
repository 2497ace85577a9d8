"""A command on a prop's ``cmd`` topic, as people, dashboards, workers and firmware write it."""

from hypothesis import given, strategies as st
import pytest

from lab2mqtt.props.spoken_command import Spoken, Unreadable, read


@pytest.mark.parametrize(
    ("payload", "action", "args"),
    [
        (b"ping", "ping", None),
        (b"  ping \n", "ping", None),
        (b"ping hello", "ping", "hello"),
        (b"fire \t 750 ", "fire", "750"),
        (b"say hello  big world", "say", "hello  big world"),
        (b"volume/up 3", "volume_up", "3"),
        ("sag grüße".encode(), "sag", "grüße"),
        (b'say {"a": 1}', "say", '{"a": 1}'),
        (b'"ping"', '"ping"', None),
        (b'{"action": "ping"}', "ping", None),
        (b'{"action": "ping", "args": "hello"}', "ping", "hello"),
        (b' {"action": " hue/off ", "args": null}', "hue_off", None),
        (b'{"action": "fire", "args": 750}', "fire", 750),
        (b'{"action": "mute", "args": false}', "mute", False),
        (b'{"action": "say", "args": ""}', "say", ""),
        (b'{"action": "set_volume", "params": {"volume": 12}}', "set_volume", {"volume": 12}),
        (b'{"action": "x", "args": null, "params": [1]}', "x", [1]),
        (b'{"action": "x", "args": 0, "params": [1]}', "x", 0),
    ],
)
def test_a_command_is_read(payload: bytes, action: str, args: object) -> None:
    """Text and JSON, ``args`` and ``params``, and a slash in the action."""
    assert read(payload) == Spoken(action, args)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"{}", 'no "action"'),
        (b'{"task": "ping"}', 'no "action"'),
        (b'{"action": 5}', "the action 5 is not a text"),
        (b'{"action": null}', "the action null is not a text"),
        (b'{"action": " "}', "the action ' ' is not a text"),
        (b'{"action": "ping",}', "no JSON"),
        (b'{"action": "ping", "args": NaN}', "no JSON"),
        (b'{"action":"x","args":' + b"[" * 3000 + b"]" * 3000 + b"}", "levels"),
        (b"x" * 65, "has 65 characters; at most 64"),
        (b'{"action": "%s"}' % (b"x" * 65), "has 65 characters; at most 64"),
        (b"x " * 40000, "80000 bytes; at most 65536"),
    ],
)
def test_what_is_no_command_is_told_why(payload: bytes, words: str) -> None:
    """The text becomes a status message, which somebody reads."""
    with pytest.raises(Unreadable) as refused:
        read(payload)
    assert words in str(refused.value)
    assert len(str(refused.value)) < 200


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode(errors="replace")))
def test_nothing_that_is_sent_makes_it_fail_otherwise(payload: bytes) -> None:
    """Anybody may publish anything."""
    try:
        spoken = read(payload)
    except Unreadable:
        return
    assert 0 < len(spoken.action) <= 64
    assert "/" not in spoken.action
