"""What a prop has said: keys, kinds, and what is kept of them."""

import json
from pathlib import Path

import pytest

from lab2mqtt.props.seen import MOST_KEYS, MOST_STATES, Record, Seen, as_key, members
from lab2mqtt.props.view import LONGEST, View, shown
from lab2mqtt.runtime.kept import Kept


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("tick", "tick"),
        ("tesla/Trunk Open", "tesla_trunk_open"),
        ("task", "telemetry_task"),
        ("on_fire", "telemetry_on_fire"),
        ("3", "telemetry_3"),
        ("ä", "telemetry"),
        ("", "telemetry"),
        ("x" * 99, "x" * 50),
    ],
)
def test_keys(words: str, key: str) -> None:
    """Whatever a worker calls a value, Home Assistant has a key for it that nobody else has."""
    assert as_key(words) == key


def test_members() -> None:
    """Of an object each member is a value; a list is one."""
    told = dict(members("box", {"lid": True, "in": {"depth": 2}, "all": [1]}))
    assert told == {"box_lid": True, "box_in_depth": 2, "box_all": [1]}
    assert dict(members("box", {})) == {}


def test_kinds() -> None:
    """A number may become a text, once and for all; a flag has its own key for ever."""
    seen = Seen()
    assert seen.value("x", None) == ("", False)
    assert seen.value("x", 1) == ("x", True)
    assert seen.value("x", 2.5) == ("x", False)
    assert seen.value("x", "open") == ("x", True)
    assert seen.value("x", 1) == ("x", False)
    assert seen.value("door", value=True) == ("door", True)
    assert seen.value("door", "ajar") == ("door_value", True)
    assert seen.value("door", value=False) == ("door", False)
    assert seen.values == {"x": "text", "door": "flag", "door_value": "text"}


def test_limits() -> None:
    """A worker that makes up keys or states does not fill the memory."""
    seen = Seen()
    for number in range(MOST_KEYS + 10):
        seen.value(f"x{number}", number)
        seen.state(f"state {number}")
    assert len(seen.values) == MOST_KEYS
    assert len(seen.states) == MOST_STATES
    assert seen.is_full


@pytest.mark.parametrize(
    "value", [10**400, -(10**400), "x" * 999, "\ud800", object(), b"x", [1, {}], 1, 1.5, True, "", None]
)
def test_what_is_shown_can_be_sent(value: object) -> None:
    """Whatever a worker says, the message that shows it can be written."""
    told: list[str] = []
    view = View("one", Seen(), lambda: told.append("changed"), lambda: told.append("news"))
    view.values({"x": shown(value)})
    view.state("\ud800")
    view.message("x" * 999 + "\udfff")
    view.problem("\ud800")
    now = view.snapshot(())
    for one in (*now.values.values(), now.state, now.message, *now.problems):
        json.dumps(one).encode()
        str(one).encode()
        assert len(str(one)) <= LONGEST
    assert shown(1.5) == 1.5
    assert shown(value=True) is True


async def test_it_is_kept(tmp_path: Path) -> None:
    """Another process knows it; what is forgotten is not kept."""
    file = tmp_path / "props.json"
    kept = Kept(file)
    record = Record(kept)
    for prop in ("one", "two"):
        record.of(prop).value("x", 1)
        record.of(prop).state("armed")
    record.keep()
    record.forget("two")
    await kept.written()
    again = Record(Kept(file))
    assert again.of("one") == record.of("one")
    assert again.of("two") == Seen()


@pytest.mark.parametrize("text", ["{", "[]", '{"one": 3}', '{"one": {"values": [], "states": 1}}'])
def test_what_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str) -> None:
    """It is said, and forgotten."""
    file = tmp_path / "props.json"
    file.write_text(text)
    assert Record(Kept(file)).of("one") == Seen()
    assert "is not known" in caplog.text
