"""Times as messages have them."""

from datetime import datetime

from homeassistant.util import dt as dt_util


def said_time(timestamp: object) -> datetime | None:
    """Seconds since 1970 as a time; None for what is none, or 0 of who had no clock."""
    if not isinstance(timestamp, int | float) or not timestamp:
        return None
    try:
        return dt_util.utc_from_timestamp(timestamp)
    except (ValueError, OverflowError, OSError):
        return None
