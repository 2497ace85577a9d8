"""A grave that shakes; it speaks the older dialect, below ``halloween/``."""

from labboard.prop_board import PropBoard
from machine import PWM, Timer
from parts.shaker import Shaker

board = PropBoard()
pins, settings = board.pins, board.settings

motor = PWM(pins.pin("motor"), freq=1000, duty_u16=0)
shaker = board.add(Shaker(motor, Timer(0), **settings.get("shaker", {})))


def tell(values):
    """Telemetry: all but the state, which has a topic of its own."""
    return {key: values[key] for key in ("shaking", "intensity", "shakes")}


board.run(shaker.state, tell)
