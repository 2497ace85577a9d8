"""The colour sensor that an OT-2 holds over a well."""

from labboard import Board
from machine import I2C
from parts.as7341 import As7341

board = Board("color_sensor", model="Raspberry Pi Pico W", node="color-sensor")
bus = I2C(0, sda=board.pins.pin("sda"), scl=board.pins.pin("scl"), freq=400000)
board.add(As7341(bus, **board.settings.get("color", {})))
board.run()
