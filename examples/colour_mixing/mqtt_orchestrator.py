"""Mix a row of colours, and hold the sensor over each: over MQTT.

With `mqtt_device.py` beside the demo: `python examples/colour_mixing/mqtt_orchestrator.py`. Elsewhere with
the address of the broker behind it: `mqtt://broker.local`.
"""

import sys

from lab2mqtt.orchestration import MQTTOrchestratorClient
from lab2mqtt.runtime.address import Broker

COLOURS = {"A1": (150, 50, 0), "A2": (0, 100, 100), "A3": (100, 0, 100)}  # µL of red, yellow, blue


def main(broker: Broker) -> None:
    """Mix them all; what the cell refuses is told, and the next is mixed."""
    with MQTTOrchestratorClient(broker.host, "colour-cell", broker.port, timeout=60) as cell:
        print("tasks:", ", ".join(cell.get_available_tasks()))
        for well, (red, yellow, blue) in COLOURS.items():
            try:
                mixed = cell.execute_task("mix_color", R=red, Y=yellow, B=blue, well=well)
                placed = cell.execute_task("move_sensor_to_measurement_position", {"well": well})
                print(f"{well}: {mixed['volumes']}, the sensor is {placed['sensor_status']}")
                # Here the sensor would be read.
                cell.execute_task("move_sensor_back")
            except RuntimeError as refused:
                print(f"{well}: {refused}")


if __name__ == "__main__":
    try:
        main(Broker.parse(sys.argv[1] if len(sys.argv) > 1 else "mqtt://127.0.0.1:18830"))
    except (ConnectionError, TimeoutError) as error:
        sys.exit(str(error))
