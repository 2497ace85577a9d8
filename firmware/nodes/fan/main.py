"""A fan of four wires, which an OT-2 can command as its cooling."""

from labboard import Board
from machine import PWM, Pin
from parts.fan import Fan

board = Board("fan", model="Raspberry Pi Pico W", node="fan")
tacho = board.pins.pin("tacho", Pin.IN, Pin.PULL_UP)
speed = PWM(board.pins.pin("fan"), freq=25000, duty_u16=0)
board.add(Fan(speed, tacho, **board.settings.get("fan", {})))
board.run()
