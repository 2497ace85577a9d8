"""A syringe moved by an Actuonix L16-R."""

from labboard import Board
from machine import PWM
from parts.pipette import Pipette

board = Board("digital_pipette", model="Raspberry Pi Pico W", node="digital-pipette")
pulses = PWM(board.pins.pin("plunger"), freq=50, duty_u16=0)
board.add(Pipette(pulses, changed=board.changed, **board.settings.get("pipette", {})))
board.run()
