"""Times that people give, in seconds."""

import math


def check_timeout(timeout: object) -> float:
    """A time-out of a task or a call, as it may be.

    Raises:
        ValueError: It is no number of seconds above 0.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < math.inf:
        raise ValueError(f"timeout {timeout!r} is not a number of seconds above 0")
    return timeout
