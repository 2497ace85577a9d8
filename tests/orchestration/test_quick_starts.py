"""The quick starts of the older scripts, as they are printed but for the import line."""

from collections.abc import Iterator
import os
from pathlib import Path
import subprocess
import sys

import pytest
from tests.broker.observer import Observer, until
from tests.broker.program import Program

from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.ports import free_port, listens

MIXED = "Mixed RGB(255,128,64) in A1\n"

MQTT_DEVICE = """from lab2mqtt.orchestration import MQTTDeviceServer, mqtt_task

@mqtt_task
def mix_colors(r: int, g: int, b: int, well: str) -> str:
    # Your OT-2 code here
    return f"Mixed RGB({r},{g},{b}) in {well}"

server = MQTTDeviceServer("mqtt-broker.local", device_id="ot2-001")
server.start()
"""
MQTT_ORCHESTRATOR = """from lab2mqtt.orchestration import MQTTOrchestratorClient

with MQTTOrchestratorClient("mqtt-broker.local", "ot2-001") as client:
    result = client.execute_task("mix_colors", {"r": 255, "g": 128, "b": 64, "well": "A1"})
    print(result)
"""
HTTP_DEVICE = """from lab2mqtt.orchestration import DeviceServer, task

@task
def mix_colors(r: int, g: int, b: int, well: str) -> str:
    # Your OT-2 code here
    return f"Mixed RGB({r},{g},{b}) in {well}"

server = DeviceServer()
server.run()  # Starts on http://localhost:8000
"""
HTTP_ORCHESTRATOR = """from lab2mqtt.orchestration import OrchestratorClient

with OrchestratorClient("http://ot2-device:8000") as client:
    result = client.execute_task("mix_colors", r=255, g=128, b=64, well="A1")
    print(result)
"""

# Names and ports are those of a lab; here they lead to free ports of this machine.
NETWORK = """import socket

PORTS = {ports}
_look_up, _bind = socket.getaddrinfo, socket.socket.bind

def _looked_up(host, port, *more, **named):
    if host in ("mqtt-broker.local", "ot2-device"):
        host, port = "127.0.0.1", PORTS[port]
    return _look_up(host, port, *more, **named)

def _bound(self, address):
    if isinstance(address, tuple) and address[1] in PORTS:
        address = (address[0], PORTS[address[1]])
    return _bind(self, address)

socket.getaddrinfo, socket.socket.bind = _looked_up, _bound
"""


@pytest.fixture
def environment(broker: Mosquitto, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Of programs in that lab."""
    ports = {1883: broker.port, 8000: free_port()}
    (tmp_path / "sitecustomize.py").write_text(NETWORK.format(ports=ports))
    more = {"PYTHONPATH": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    yield {**os.environ, **more, "HTTP_PORT": str(ports[8000])}
    with Observer(broker.port, "ot2/ot2-001/#", "lab2mqtt/ot2-001/#", "lab2mqtt/bridge/ot2-001/#") as seen:
        for one in seen.heard():
            if one.retain:
                seen.publish(one.topic, "", retain=True)
        seen.barrier()


def run(code: str, folder: Path, environment: dict[str, str]) -> str:
    """Run an orchestrator; gives what it prints."""
    file = folder / "orchestrator.py"
    file.write_text(code)
    done = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, timeout=30, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def device(code: str, folder: Path, environment: dict[str, str]) -> Program:
    """Start a device."""
    file = folder / "device.py"
    file.write_text(code)
    program = Program([], folder / "device.log", environment=environment)
    program.command[1:] = [str(file)]
    program.start()
    return program


def test_mqtt(broker: Mosquitto, environment: dict[str, str], tmp_path: Path) -> None:
    """A device and an orchestrator."""
    with Observer(broker.port, "ot2/ot2-001/#") as seen:
        program = device(MQTT_DEVICE, tmp_path, environment)
        try:
            seen.wait("ot2/ot2-001/status", lambda told: told["status"] == "online", within=15)
            assert run(MQTT_ORCHESTRATOR, tmp_path, environment) == MIXED
        finally:
            assert program.terminate().code == 0, program.said()


def test_http(environment: dict[str, str], tmp_path: Path) -> None:
    """A device and an orchestrator."""
    program = device(HTTP_DEVICE, tmp_path, environment)
    try:
        port = int(environment["HTTP_PORT"])
        until(lambda: listens(port), "it listens", within=15, more=program.said)
        assert run(HTTP_ORCHESTRATOR, tmp_path, environment) == MIXED
    finally:
        program.terminate()
