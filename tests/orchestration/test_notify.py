"""What systemd hears of servers of functions and of the gateway."""

from collections.abc import Iterator
import json
from pathlib import Path
import signal
import urllib.request
import uuid

import pytest
from tests.broker.observer import retained
from tests.broker.program import Program
from tests.orchestration.http_program import HttpProgram
from tests.unit.runtime.notify_socket import Listener
import yaml

from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.ports import LOOPBACK, free_port

SERVER = "tests.orchestration.functions_server"


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    """The end of the socket that is systemd's."""
    with Listener(str(tmp_path / "notify")) as one:
        yield one


def told(tmp_path: Path, **more: str) -> dict[str, str]:
    """What systemd tells a service."""
    return {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000", **more}


def online(broker: Mosquitto, device_id: str) -> bool:
    """Whether the broker keeps a device as online."""
    kept = retained(broker.port, f"lab2mqtt/bridge/{device_id}/status")
    return [json.loads(one)["status"] for one in kept.values()] == ["online"]


def test_functions_over_mqtt(broker: Mosquitto, tmp_path: Path, listener: Listener) -> None:
    """Ready when the broker has the device; alive as long as its own loop turns."""
    device_id = f"mixer-{uuid.uuid4().hex[:6]}"
    words = [device_id, str(broker.port), "ot2"]
    server = Program(words, tmp_path / "log", SERVER, told(tmp_path, XDG_STATE_HOME=str(tmp_path)))
    server.start()
    try:
        listener.until("READY=1")
        assert online(broker, device_id)
        listener.until("WATCHDOG=1")
        assert server.terminate().code == 0
        listener.until("STOPPING=1")
    finally:
        server.kill()


@pytest.mark.parametrize("in_a_lab", [False, True])
def test_functions_over_http(
    broker: Mosquitto, tmp_path: Path, listener: Listener, *, in_a_lab: bool
) -> None:
    """Ready when the port answers and, in a lab, the broker has the device."""
    more = {"LAB2MQTT_BROKER": f"mqtt://{LOOPBACK}:{broker.port}"} if in_a_lab else {}
    server = HttpProgram(tmp_path, environment=told(tmp_path, **more))
    server.program.start()
    try:
        listener.until("READY=1")
        with urllib.request.urlopen(server.url, timeout=5) as answer:  # noqa: S310 - our own
            assert answer.status == 200
        assert not in_a_lab or online(broker, server.device_id)
        listener.until("WATCHDOG=1")
        assert server.program.terminate().code in (0, -signal.SIGTERM)  # uvicorn says how it was ended
        listener.until("STOPPING=1")
        assert "does not run" not in server.program.said()
    finally:
        server.program.kill()


def test_the_gateway(broker: Mosquitto, tmp_path: Path, listener: Listener) -> None:
    """Ready when its link is up; a broker that goes is told, and kills nobody."""
    port = free_port()
    file = tmp_path / "gateway.yaml"
    file.write_text(yaml.safe_dump({"broker": {"port": broker.port}, "http": {"port": port}}))
    gateway = Program(["http", str(file)], tmp_path / "log", environment=told(tmp_path))
    gateway.start()
    try:
        listener.until("READY=1")
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/health", timeout=5) as answer:
            assert json.load(answer)["link"] == {"up": True}
        listener.until("WATCHDOG=1")
        assert gateway.terminate().code == 0
        listener.until("STOPPING=1")
    finally:
        gateway.kill()
