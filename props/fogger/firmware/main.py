"""A fog machine; it speaks the older dialect, below ``halloween/``."""

from labboard.prop_board import PropBoard
from machine import Pin, Timer
from parts.fogger import Fogger, Heater
from parts.relay import Relay

board = PropBoard()
pins, settings = board.pins, board.settings

heater = Heater(pins.pin("heater", Pin.OUT, value=0), Timer(0), "heater", **settings.get("heater", {}))
pump = Relay(pins.pin("pump", Pin.OUT, value=0), Timer(1), "pump", **settings.get("pump", {}))
warm = pins.pin("warm", Pin.IN, Pin.PULL_DOWN)
fogger = board.add(Fogger(heater, warm, pump, **settings.get("fogger", {})))


def tell(values):
    """Telemetry: all but the state, which has a topic of its own."""
    return {key: values[key] for key in ("heater", "warm", "fog")}


board.run(fogger.state, tell)
