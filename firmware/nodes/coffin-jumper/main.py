"""A coffin whose lid jumps when somebody comes near."""

from labboard import Board
from machine import UART, Pin, Timer
from parts.jumper import Jumper
from parts.motion import Motion
from parts.player import Player
from parts.relay import Relay

board = Board("coffin_jumper", model="ESP32", node="coffin-jumper")
pins, settings = board.pins, board.settings

gate = pins.pin("solenoid", Pin.OUT, value=0)
relay = Relay(gate, Timer(0), "solenoid", "Solenoid", **settings.get("relay", {}))
motion = Motion(pins.pin("motion", Pin.IN), board.event, **settings.get("motion", {}))
line = UART(2, baudrate=9600, tx=pins.pin("player_tx"), rx=pins.pin("player_rx"))
player = Player(line, **settings.get("player", {}))

board.add(motion)
board.add(player)
board.add(Jumper(relay, motion, player, board.may_move, board.event, **settings.get("jumper", {})))
board.run()
