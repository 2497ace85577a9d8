"""Moments as people type them: ``2h`` ago, ``2026-11-21 14:30``, seconds since 1970."""

from datetime import datetime, time
import re

from lab2mqtt.core.errors import Misconfigured

_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGO = re.compile(r"(\d+(?:\.\d+)?) ?([a-zA-Z]+)", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_EPOCH = range(1_000_000_000, 100_000_000_000)  # s; 2001 to 5138: fewer or more digits mean something else
_RIGHT = "2h, 30min, 1d, 2026-11-21, '2026-11-21 14:30', 14:30, or seconds since 1970"


def moment(option: str, text: str, now: float) -> float:
    """Read a moment; gives seconds since 1970. What names no zone is in the local one.

    Args:
        option: Where it stood, for the error.
        text: What was typed.
        now: The time.

    Raises:
        Misconfigured: It is none.
    """
    text = text.strip()
    if ago := _AGO.fullmatch(text):
        seconds = _UNITS.get(ago[2].lower())
        if seconds is None:
            known = ", ".join(_UNITS)
            raise Misconfigured(f"{option} {text!r}: {ago[2]!r} is no unit of time; there are {known}")
        return max(now - float(ago[1]) * seconds, 0.0)
    if _NUMBER.fullmatch(text):
        if int(text.partition(".")[0]) not in _EPOCH:
            raise Misconfigured(
                f"{option} {text!r} is no time: seconds since 1970 have ten digits; minutes ago are {text}min"
            )
        return float(text)
    try:
        return _read(text, now).timestamp()
    except (ValueError, OverflowError, OSError):
        raise Misconfigured(f"{option} {text!r} is no time; it may be {_RIGHT}") from None


def _read(text: str, now: float) -> datetime:
    """A date, a date with a time, or a time of today."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.combine(datetime.fromtimestamp(now).astimezone().date(), time.fromisoformat(text))


def told(at: float) -> str:
    """A moment for people and machines: ISO 8601 with milliseconds and zone."""
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="milliseconds")
