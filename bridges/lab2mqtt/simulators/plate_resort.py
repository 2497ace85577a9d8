"""``python -m lab2mqtt.simulators.plate_resort --link PATH``: a plate resort's servo, without the resort."""

import argparse
import contextlib
from pathlib import Path
import signal
import sys

from lab2mqtt.simulators.control import control, lines
from lab2mqtt.simulators.control_table import MODELS
from lab2mqtt.simulators.serial_line import FAULTS, HANDS, SerialLine
from lab2mqtt.simulators.servo import Servo

__all__ = ["control", "main"]

_BAUD_CODES = {9600: 0, 57600: 1, 115200: 2, 1_000_000: 3, 2_000_000: 4, 3_000_000: 5, 4_000_000: 6}


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM, SIGINT or the death of the parent."""
    parser = argparse.ArgumentParser(
        prog="python -m lab2mqtt.simulators.plate_resort",
        description="A Dynamixel X servo on a pseudo-terminal, byte by byte.",
        epilog=f"{lines(FAULTS, HANDS)}\nWhile it runs: lab2mqtt fault PATH NAME",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--link", type=Path, required=True, metavar="PATH", help="where the terminal appears")
    parser.add_argument("--model", choices=MODELS, default="XC330-T288")
    parser.add_argument("--id", type=int, default=1, help="the servo's id on the bus (1)")
    parser.add_argument("--baudrate", type=int, choices=_BAUD_CODES, default=57600)
    parser.add_argument(
        "--position", type=float, default=0.0, metavar="DEG", help="where the shaft stands (0)"
    )
    parser.add_argument(
        "--fault", action="append", default=[], choices=FAULTS, help="from the start; repeatable"
    )
    parser.add_argument("--journal", type=Path, metavar="FILE", help="note every motion, one JSON per line")
    parser.add_argument("--parent", type=int, metavar="PID", help="end when this is no longer the parent")
    options = parser.parse_args(arguments)

    servo = Servo(MODELS[options.model], options.id, options.position)
    servo.write(8, bytes([_BAUD_CODES[options.baudrate]]))
    line = SerialLine(servo, options.link, options.baudrate, options.journal)
    for name in options.fault:
        line.fault(name, on=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: line.stop())

    def ready() -> None:
        # Whoever started it may be gone already.
        with contextlib.suppress(OSError):
            sys.stdout.write(f"{options.model}, id {options.id}, at {options.link}\n")
            sys.stdout.flush()

    try:
        line.run(ready, options.parent)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
