"""A coffin whose lid jumps when somebody comes near; it speaks the older dialect, below ``halloween/``."""

from labboard.prop_board import PropBoard
from machine import UART, Pin, Timer
from parts.jumper import Jumper
from parts.motion import Motion
from parts.player import Player
from parts.relay import Relay

board = PropBoard()
pins, settings = board.pins, board.settings

gate = pins.pin("solenoid", Pin.OUT, value=0)
relay = Relay(gate, Timer(0), "solenoid", "Solenoid", **settings.get("relay", {}))
motion = Motion(pins.pin("motion", Pin.IN), None, "pir", **settings.get("motion", {}))
line = UART(2, baudrate=9600, tx=pins.pin("player_tx"), rx=pins.pin("player_rx"))
player = Player(line, **settings.get("player", {}))
jumper = Jumper(relay, motion, player, board.may_move, board.event, **settings.get("jumper", {}))

for part in (motion, player, jumper):
    board.add(part)


def state():
    """In a word: until it is armed for the first time it waits for the sensor to be warm."""
    word = jumper.state()
    return word if jumper.was_armed or word != "lockout" else "booting"


def tell(values):
    """Telemetry in the words of the first firmware: relay and solenoid are one pin."""
    pin = gate.value()
    return {
        "triggers": values["triggers"],
        "pir": values["pir"],
        "relay": bool(pin),
        "relay_pin_state": pin,
        "blocked": jumper.is_blocked,
        "vol": values["music_volume"],
        "solenoid_pin_state": pin,
        "solenoid_power": bool(pin),
    }


board.run(state, tell)
