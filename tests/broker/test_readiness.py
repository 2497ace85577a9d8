"""What systemd hears of our programs, beside what the broker has: never more than is true."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import signal
import uuid

import pytest
from tests.broker.bench import ON_MOSQUITTO
from tests.broker.brokers import Broker
from tests.broker.observer import retained
from tests.broker.program import Program
from tests.unit.runtime.notify_socket import Listener
import yaml

from lab2mqtt.hub.ports import LOOPBACK, free_port

pytestmark = ON_MOSQUITTO

NO_LINK = "STATUS=No link to "


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    """The end of the socket that is systemd's."""
    with Listener(str(tmp_path / "notify")) as one:
        yield one


def program(tmp_path: Path, *arguments: str) -> Program:
    """One of ours, as systemd starts it."""
    told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
    return Program(list(arguments), tmp_path / "log", environment=told)


def bridge(tmp_path: Path, port: int, **more: object) -> tuple[str, Program]:
    """A bridge without devices; its id, which is also its base topic."""
    name = f"bench-{uuid.uuid4().hex[:6]}"
    told = {"bridge": name, "base": name, "discovery": f"{name}-hub", "state": "kept", "devices": {}}
    file = tmp_path / "bench.yaml"
    file.write_text(yaml.safe_dump({**told, "broker": {"port": port, **more}}))
    return name, program(tmp_path, "run", str(file))


def status(port: int, name: str) -> str:
    """What the broker keeps as the status of a bridge."""
    kept = retained(port, f"{name}/bridge/{name}/status")
    return str(json.loads(next(iter(kept.values())))["status"]) if kept else ""


def test_a_bridge_is_ready_when_the_broker_has_it_online(
    broker: Broker, tmp_path: Path, listener: Listener
) -> None:
    """And neither the end of the broker nor its return is the end of the bridge."""
    name, running = bridge(tmp_path, broker.port)
    running.start()
    try:
        listener.until("READY=1")
        assert status(broker.port, name) == "online"
        listener.until(f"STATUS=Online at mqtt://{LOOPBACK}:{broker.port} with 0 devices")
        listener.heard.clear()
        broker.stop()
        listener.until_start(NO_LINK)
        for _ in range(3):  # longer than systemd would wait for one
            listener.heard.clear()
            listener.until("WATCHDOG=1")
        broker.start()
        listener.until(f"STATUS=Online at mqtt://{LOOPBACK}:{broker.port} with 0 devices")
        assert status(broker.port, name) == "online"
        listener.heard.clear()
        assert running.terminate().code == 0
        listener.until("STOPPING=1")
        assert "READY=1" not in listener.heard
    finally:
        running.kill()
        if broker.pid is None:
            broker.start()


def test_a_bridge_without_a_broker_says_what_it_waits_for(
    broker: Broker, tmp_path: Path, listener: Listener
) -> None:
    """It is not ready, and lives."""
    del broker  # the port is of nobody
    port = free_port()
    _, running = bridge(tmp_path, port)
    running.start()
    try:
        listener.until_start(f"{NO_LINK}mqtt://{LOOPBACK}:{port}: ")
        listener.heard.clear()
        listener.until("WATCHDOG=1")
        assert "READY=1" not in listener.heard
    finally:
        running.kill()


def test_a_bridge_that_hangs_gives_no_sign_of_life(
    broker: Broker, tmp_path: Path, listener: Listener
) -> None:
    """SIGABRT, which systemd sends then, leaves what every thread was doing in the log."""
    _, running = bridge(tmp_path, broker.port)
    running._environment["PYTHONFAULTHANDLER"] = "1"
    running.start()
    try:
        listener.until("WATCHDOG=1")
        running.hang()
        while listener.within(1.0):
            pass
        listener.heard.clear()
        assert not listener.within(1.0)
        os.kill(running.pid or 0, signal.SIGABRT)
        running.hang(hangs=False)
        assert running.wait() == -signal.SIGABRT
        assert "Current thread" in running.said()
    finally:
        running.kill()


def test_a_worker_host_is_ready_when_its_props_are(
    broker: Broker, tmp_path: Path, listener: Listener
) -> None:
    """On both of its links."""
    name = f"props-{uuid.uuid4().hex[:6]}"
    told = ["--root", str(tmp_path), "--state", str(tmp_path / "kept"), "--client-id", name]
    told += ["--base", name, "--prefix", f"{name}-halloween", "--discovery", f"{name}-hub"]
    running = program(tmp_path, "props", *told, "--broker", f"mqtt://{LOOPBACK}:{broker.port}")
    running.start()
    try:
        listener.until("READY=1")
        assert status(broker.port, name) == "online"
        kept = retained(broker.port, f"{name}-halloween/{name}/availability")
        assert list(kept.values()) == [b"online"]
        listener.until("WATCHDOG=1")
        assert running.terminate().code == 0
        listener.until("STOPPING=1")
    finally:
        running.kill()
