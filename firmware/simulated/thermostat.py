"""The contact of a fog machine's thermostat, on the pin ``warm``: it follows the pin ``heater``."""

import time

import world

_UP = 4000  # ms until it is hot; a real one takes minutes
_DOWN = 20000  # ms until it is cold
_OPENS = 0.5  # of hot; it closes at 1

_heat = 0.0
_closed = False
_looked = None


def is_closed(heater):
    """Whether it is warm now.

    Args:
        heater: The output of the heater's pin.
    """
    global _heat, _closed, _looked  # noqa: PLW0603 - one board, one heater
    now = time.ticks_ms()
    passed = 0 if _looked is None else time.ticks_diff(now, _looked)
    _looked = now
    _heat += passed / _UP if world.shown(heater).get("value") else -passed / _DOWN
    _heat = min(max(_heat, 0.0), 1.0)
    if _heat >= 1 or _heat < _OPENS:
        _closed = _heat >= 1
    return _closed
