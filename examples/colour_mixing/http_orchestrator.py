"""Mix a row of colours, and hold the sensor over each: over HTTP.

With `http_device.py`: `python examples/colour_mixing/http_orchestrator.py`. Elsewhere with its address behind
it: `http://cell.local:8000`. A token, where it wants one, stands in $TOKEN.
"""

import os
import sys

from lab2mqtt.orchestration import OrchestratorClient

COLOURS = {"A1": (150, 50, 0), "A2": (0, 100, 100), "A3": (100, 0, 100)}  # µL of red, yellow, blue


def main(url: str) -> None:
    """Mix them all; what the cell refuses is told, and the next is mixed."""
    with OrchestratorClient(url, token=os.environ.get("TOKEN")) as cell:
        print("tasks:", ", ".join(cell.get_available_tasks()))
        for well, (red, yellow, blue) in COLOURS.items():
            try:
                mixed = cell.execute_task("mix_color", R=red, Y=yellow, B=blue, well=well)
                placed = cell("move_sensor_to_measurement_position", well=well)
                print(f"{well}: {mixed['volumes']}, the sensor is {placed['sensor_status']}")
                # Here the sensor would be read.
                cell("move_sensor_back")
            except RuntimeError as refused:
                print(f"{well}: {refused}")


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
    except (ConnectionError, TimeoutError) as error:
        sys.exit(str(error))
