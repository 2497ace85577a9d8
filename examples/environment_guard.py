"""Watch the air on one device and command another: above 25 °C the OT-2's cell is cooled.

Against the demo that runs here: `python examples/environment_guard.py`, and in another terminal
`lab2mqtt fault lab-sensor temperature=27`. Elsewhere: `--broker mqtt://broker.local --sensor … --cell …`.
Ctrl-C ends it; what is cooled stays so.
"""

import argparse
from collections.abc import Sequence
import contextlib
import sys
import time

from lab2mqtt.orchestration import MQTTOrchestratorClient
from lab2mqtt.runtime import running_demo
from lab2mqtt.runtime.address import Broker

WARM_AGAIN = 1.0  # °C below the limit before a next warm spell counts as one


def watch(air: MQTTOrchestratorClient, cell: MQTTOrchestratorClient, options: argparse.Namespace) -> None:
    """Measure for ever; cool once for each warm spell, and again while that fails."""
    cooled = False
    while True:
        try:
            temperature = air.execute_task("read_environmental_sensors")["temperature"]
            print(f"{temperature:.1f} °C", flush=True)
            if temperature > options.limit and not cooled:
                cell.execute_task("adjust_cooling", target=options.target, timeout=60.0)
                print(
                    f"above {options.limit:g} °C: {options.cell} is cooled to {options.target:g} °C",
                    flush=True,
                )
                cooled = True
            elif temperature < options.limit - WARM_AGAIN:
                cooled = False
        except (RuntimeError, TimeoutError, ConnectionError) as error:
            print(f"not now: {error}", file=sys.stderr, flush=True)
        if options.once:
            return
        time.sleep(options.every)


def main(arguments: Sequence[str]) -> None:
    """Connect to both devices, and watch."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--broker", metavar="URL", help="mqtt://host[:port]; that of the running demo")
    parser.add_argument(
        "--prefix", default="lab2mqtt", help="ot2 for devices of the older dialect (lab2mqtt)"
    )
    parser.add_argument(
        "--sensor", default="lab-sensor", help="the device that measures the air (lab-sensor)"
    )
    parser.add_argument("--cell", default="ot2", help="the device that cools (ot2)")
    parser.add_argument("--limit", type=float, default=25.0, help="°C above which it is cooled (25)")
    parser.add_argument("--target", type=float, default=20.0, help="°C to which it is cooled (20)")
    parser.add_argument("--every", type=float, default=10.0, help="s between two readings (10)")
    parser.add_argument("--once", action="store_true", help="look once and end")
    options = parser.parse_args(arguments)
    url = options.broker or (running_demo.find() or {}).get("broker")
    if not url:
        parser.error("no demo runs here: name a --broker, or start one with `lab2mqtt demo`")
    broker = Broker.parse(url)

    def device(device_id: str) -> MQTTOrchestratorClient:
        return MQTTOrchestratorClient(broker.host, device_id, broker.port, topic_prefix=options.prefix)

    with device(options.sensor) as air, device(options.cell) as cell, contextlib.suppress(KeyboardInterrupt):
        watch(air, cell, options)


if __name__ == "__main__":
    main(sys.argv[1:])
