"""A colour-mixing cell that is called over MQTT, and a device of the lab: in Home Assistant, with its stop.

Beside the demo: `python examples/colour_mixing/mqtt_device.py`, and `mqtt_orchestrator.py` in another
terminal. Elsewhere with the address of the broker behind it: `mqtt://broker.local`. Ctrl-C ends it.
"""

import sys

import colour_cell  # noqa: F401 - the tasks

from lab2mqtt.orchestration import MQTTDeviceServer
from lab2mqtt.runtime.address import Broker

if __name__ == "__main__":
    broker = Broker.parse(sys.argv[1] if len(sys.argv) > 1 else "mqtt://127.0.0.1:18830")
    MQTTDeviceServer(broker.host, broker.port, device_id="colour-cell").start()
