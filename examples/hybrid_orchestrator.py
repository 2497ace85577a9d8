"""One experiment on two devices: an HTTP service that mixes on an OT-2 over HTTP and reads a Pico over MQTT.

With the gateway of docs/http.md beside the demo: `python examples/hybrid_orchestrator.py`, and then

    curl -X POST http://127.0.0.1:8000/execute/run_hybrid_experiment -d '{"micropython_sensors": [26, 27],
        "ot2_colors": [{"R": 100, "Y": 50, "B": 80, "well": "B2"}]}'

Elsewhere: `--gateway https://lab.example:8080 --broker mqtt://broker.lab`, the gateway's token in $TOKEN.
"""

import argparse
from collections.abc import Sequence
import os
import sys
from typing import Any

from lab2mqtt.orchestration import DeviceServer, MQTTOrchestratorClient, OrchestratorClient, Run, task
from lab2mqtt.runtime import running_demo
from lab2mqtt.runtime.address import Broker

MIXED_WITHIN = 300.0  # s


def add_tasks(ot2: OrchestratorClient, board: MQTTOrchestratorClient) -> None:
    """Make the tasks of the service, which call those of two devices."""

    @task(effect="read")
    def read_micropython_sensor(sensor_pin: int) -> dict[str, Any]:
        """Read an analogue input of the board."""
        reading: dict[str, Any] = board.execute_task("read_sensor", sensor_pin=sensor_pin)
        return reading

    @task
    def run_hybrid_experiment(
        ot2_colors: list[dict[str, Any]], micropython_sensors: list[int], run: Run
    ) -> dict[str, Any]:
        """Mix colours on the OT-2, then read sensors of the board.

        Args:
            ot2_colors: For each the volumes `R`, `Y` and `B` (µL) and its `well`.
            micropython_sensors: The pins of the analogue inputs.
            run: What calls this; no parameter of the task.
        """
        mixed = []
        for number, colour in enumerate(ot2_colors):
            run.progress(percent=100 * number / len(ot2_colors), message=f"mixing in {colour.get('well')}")
            mixed.append(ot2.execute_task("mix_color", colour))
            run.check()  # whoever stops or cancels this ends it here; a stop of the lab stops the OT-2 itself
        return {
            "ot2_results": mixed,
            "micropython_results": [read_micropython_sensor(pin) for pin in micropython_sensors],
        }


def main(arguments: Sequence[str]) -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gateway", metavar="URL", default="http://127.0.0.1:8080", help="of the OT-2")
    parser.add_argument("--ot2", metavar="DEVICE", default="ot2", help="its id (ot2)")
    parser.add_argument("--broker", metavar="URL", help="of the board; that of the running demo")
    parser.add_argument("--board", metavar="DEVICE", default="lab-sensor", help="its id (lab-sensor)")
    parser.add_argument("--port", type=int, default=8000, help="of this service (8000)")
    options = parser.parse_args(arguments)
    url = options.broker or (running_demo.find() or {}).get("broker")
    if not url:
        parser.error("no demo runs here: name a --broker, or start one with `lab2mqtt demo`")
    broker = Broker.parse(url)
    device = f"{options.gateway}/devices/{options.ot2}"
    with (
        OrchestratorClient(device, os.environ.get("TOKEN"), timeout=MIXED_WITHIN) as ot2,
        MQTTOrchestratorClient(broker.host, options.board, broker.port, topic_prefix="lab2mqtt") as board,
    ):
        add_tasks(ot2, board)
        DeviceServer(title="Hybrid orchestrator", device_id="hybrid", port=options.port).run()


if __name__ == "__main__":
    main(sys.argv[1:])
