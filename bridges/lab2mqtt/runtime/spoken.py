"""Moments and reservations in words, the same from a bridge, a script and the command line."""

import time


def local_time(at: float) -> str:
    """A moment as a person reads it, with the zone: ``2026-11-21 14:30:00 +0100``.

    Args:
        at: In seconds since the epoch.
    """
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(at))


def reserved_by(holder: object, until: float | None, reason: str | None) -> str:
    """A reservation in words, as far as it is known."""
    end = f" until {local_time(until)}" if until else ""
    return f"reserved by {holder!r}{end}{f' ({reason})' if reason else ''}"
