"""Read the same input of many boards: one after the other, then all at once.

Against the demo that runs here: `python examples/sensor_network.py`. Elsewhere, name the broker, and boards
unless all that can read a sensor: `python examples/sensor_network.py --broker mqtt://broker.local pico-w-001`
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
import sys
import time

from lab2mqtt.client import SyncLab
from lab2mqtt.orchestration import MicroPythonOrchestrator
from lab2mqtt.runtime import running_demo
from lab2mqtt.runtime.address import Broker


def boards(broker: Broker) -> list[str]:
    """Every device of the lab that can read a sensor."""
    with SyncLab(broker) as lab:
        return [name for name in lab if "read_sensor" in lab[name].description.get("tasks", {})]


def read(broker: Broker, prefix: str, device_id: str, pin: int) -> str:
    """Read one board; gives what it measured, or why it did not."""
    try:
        with MicroPythonOrchestrator(broker.host, device_id, broker.port, topic_prefix=prefix) as board:
            return f"{board.read_sensor_data(pin)['voltage']:.3f} V"
    except (RuntimeError, TimeoutError, ConnectionError) as error:
        return f"no reading: {error}"  # of one board: the others are read all the same


def main(arguments: Sequence[str]) -> int:
    """Read all boards twice, and tell how long that took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("devices", nargs="*", metavar="DEVICE")
    parser.add_argument("--broker", metavar="URL", help="mqtt://host[:port]; that of the running demo")
    parser.add_argument("--prefix", default="lab2mqtt", help="ot2 for boards of the older dialect (lab2mqtt)")
    parser.add_argument("--pin", type=int, default=26, help="of the analogue input (26)")
    options = parser.parse_args(arguments)
    url = options.broker or (running_demo.find() or {}).get("broker")
    if not url:
        parser.error("no demo runs here: name a --broker, or start one with `lab2mqtt demo`")
    broker = Broker.parse(url)
    devices = options.devices or boards(broker)
    if not devices:
        sys.exit(f"no board on {broker} can read a sensor")

    began = time.monotonic()
    readings = [(one, read(broker, options.prefix, one, options.pin)) for one in devices]
    in_turn = time.monotonic() - began
    for device_id, reading in readings:
        print(f"{device_id:24} {reading}")
    print(f"{len(devices)} in turn: {in_turn:.2f} s")

    began = time.monotonic()
    with ThreadPoolExecutor(len(devices)) as threads:
        readings = list(
            zip(
                devices,
                threads.map(lambda one: read(broker, options.prefix, one, options.pin), devices),
                strict=True,
            )
        )
    print(f"{len(devices)} at once: {time.monotonic() - began:.2f} s")
    return 1 if any(reading.startswith("no reading") for _, reading in readings) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
