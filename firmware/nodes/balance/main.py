"""A balance on a serial line: A&D, or U.S. Solid."""

from labboard import Board
from machine import UART
from parts.balance import Balance

board = Board("balance", model="Raspberry Pi Pico W", node="balance")
pins, settings = board.pins, board.settings
line = UART(1, tx=pins.pin("tx"), rx=pins.pin("rx"), timeout=0, **settings.get("line", {}))
board.add(Balance(line, **settings.get("balance", {})))
board.run()
