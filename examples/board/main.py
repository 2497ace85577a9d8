"""A board of your own: a lamp, a voltage, and a task that blinks.

Try it without a board, beside a running demo: `lab2mqtt simulate-board examples/board`
"""

import asyncio

from labboard import Board, task
from machine import ADC, Pin
from parts.led import Led
from parts.voltage import Voltage

board = Board("bench_lamp", model="Raspberry Pi Pico W")
pins = board.pins
lamp = board.add(Led(pins.pin("lamp", Pin.OUT, value=0), "lamp", "Lamp"))
board.add(Voltage(ADC(pins.number("supply")), "supply", "Supply"))


@task(
    parameters={"times": {"type": "integer", "minimum": 1, "maximum": 20, "description": "How often."}},
    timeout=30,
    description="Blink the lamp.",
    returns="how often it blinked",
)
async def blink(times: int) -> int:
    """Be awaited, never blocking: cancel, timeout and the emergency stop end it in the middle."""
    try:
        for number in range(times):
            lamp.switch(state=True)
            await asyncio.sleep_ms(300)
            lamp.switch(state=False)
            await asyncio.sleep_ms(300)
            board.progress(100 * (number + 1) // times)
    finally:
        lamp.switch(state=False)  # however it ends
    return times


board.run()
