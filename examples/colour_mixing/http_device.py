"""A colour-mixing cell that is called over HTTP, with its documentation at http://localhost:8000/docs.

`python examples/colour_mixing/http_device.py`, and `http_orchestrator.py` in another terminal. Another port
stands behind it: `8001`. With `LAB2MQTT_BROKER=mqtt://127.0.0.1:18830` it is a device of the demo, too.
"""

import sys

import colour_cell  # noqa: F401 - the tasks

from lab2mqtt.orchestration import DeviceServer

server = DeviceServer(
    title="Colour cell",
    description="Mixes red, yellow and blue paint in the wells of a plate.",
    port=int(sys.argv[1]) if len(sys.argv) > 1 else 8000,
    device_id="colour-cell",
)

if __name__ == "__main__":
    server.run()
