"""Moments as people type them."""

from collections.abc import Iterator
from datetime import datetime
import math
import os
import time

from hypothesis import given, strategies
import pytest

from lab2mqtt.cli.moment import moment, told
from lab2mqtt.core.errors import Misconfigured

NOW = 1_795_000_000.0


@pytest.fixture(autouse=True, params=["UTC", "Europe/Berlin", "America/St_Johns"])
def zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """The machine's own zone."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("2h", 7200),
        ("30min", 1800),
        ("1d", 86_400),
        ("90 s", 90),
        ("1.5h", 5400),
        ("1W", 604_800),
        ("0s", 0),
        (" 2h ", 7200),
        ("999999999999d", NOW),
    ],
)
def test_a_time_ago(text: str, ago: float) -> None:
    """A number and a unit; not before the epoch."""
    assert moment("--since", text, NOW) == NOW - ago


@pytest.mark.parametrize(
    ("text", "local", "fraction"),
    [
        ("2026-11-21", "2026-11-21 00:00:00", 0),
        ("2026-11-21 14:30", "2026-11-21 14:30:00", 0),
        ("2026-07-21T14:30:05.5", "2026-07-21 14:30:05", 0.5),
    ],
)
def test_a_date_is_one_of_here(text: str, local: str, fraction: float) -> None:
    """Whoever names no zone means the one of the machine."""
    expected = time.mktime(time.strptime(local, "%Y-%m-%d %H:%M:%S")) + fraction
    assert moment("--since", text, NOW) == expected


def test_a_zone_that_is_named_counts() -> None:
    """Wherever the machine is."""
    assert moment("--since", "2026-11-21T14:30+01:00", NOW) == 1795267800
    assert moment("--since", "2026-11-21T13:30Z", NOW) == 1795267800


def test_a_time_is_one_of_today() -> None:
    """The day of the machine."""
    today = time.localtime(NOW)
    expected = datetime(today.tm_year, today.tm_mon, today.tm_mday, 14, 30).astimezone().timestamp()
    assert moment("--since", "14:30", NOW) == expected


def test_seconds_since_1970() -> None:
    """With a fraction or without."""
    assert moment("--since", "1763690000", NOW) == 1763690000
    assert moment("--since", "1763690000.25", NOW) == 1763690000.25


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2m", "'m' is no unit of time; there are s, min, h, d, w"),
        ("2 months", "'months' is no unit"),
        ("30", "minutes ago are 30min"),
        ("1763690000000", "ten digits"),
        ("yesterday", "it may be 2h"),
        ("2026-13-01", "it may be 2h"),
        ("2026-02-30", "it may be 2h"),
        ("25:00", "it may be 2h"),
        ("-2h", "it may be 2h"),
        ("", "it may be 2h"),
        ("nan", "it may be 2h"),
        ("1e9", "it may be 2h"),
        ("٢h", "it may be 2h"),
    ],
)
def test_what_is_no_time_is_told(text: str, why: str) -> None:
    """With what would be right."""
    with pytest.raises(Misconfigured) as caught:
        moment("--since", text, NOW)
    assert why in str(caught.value)
    assert str(caught.value).startswith("--since ")


@given(text=strategies.text(max_size=30))
def test_any_text_is_a_time_or_a_clear_error(text: str) -> None:
    """Never a traceback."""
    try:
        assert math.isfinite(moment("--until", text, NOW))
    except Misconfigured as error:
        told = str(error)
    else:
        return
    assert told.startswith("--until ")


@given(at=strategies.floats(1e9, 4e9))
def test_a_moment_that_was_told_is_read_back(at: float) -> None:
    """To a millisecond."""
    assert abs(moment("--since", told(at), NOW) - at) <= 0.001
