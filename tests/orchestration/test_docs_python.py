"""docs/python.md: every block is run, in its order, and prints what the page says."""

from collections.abc import Iterator
import os
from pathlib import Path
import re
import subprocess
import sys

import pytest
from tests.asyncapi import fault
from tests.broker.observer import Observer, until
from tests.broker.program import Program
import yaml

from lab2mqtt.client import Lab, SyncLab
from lab2mqtt.hub import child
from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.ports import free_port, listens

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
FASTEST = 265  # 364 °/s


def blocks() -> list[tuple[str, str]]:
    """Each block of Python, with what it is to print."""
    return re.findall(
        r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )


@pytest.fixture
def here(broker: Mosquitto, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A simulated plate resort at a broker of its own; gives what the page's ports are on this machine."""
    config = tmp_path / "bench.yaml"
    resort = {"model": "plate_resort", "simulated": True, "settings": {"default_speed": FASTEST}}
    with Mosquitto(broker.program) as own:
        told = {"bridge": "bench", "broker": {"port": own.port}, "devices": {"plate-resort": resort}}
        config.write_text(yaml.safe_dump({**told, "state": "kept"}))
        bridge = Program(["run", str(config)], tmp_path / "bridge.log")
        bridge.start()
        try:
            with Observer(own.port, "lab2mqtt/#", "homeassistant/#") as seen:
                _until_ready("plate-resort", own.port)
                yield {"18830": str(own.port), "8001": str(free_port())}
            said = [one for one in seen.heard() if not one.topic.startswith("observer/")]
            assert not {why for one in said if (why := fault(one.topic, one.payload))}
        finally:
            bridge.terminate()


def test_a_reader_follows_the_page(here: dict[str, str], tmp_path: Path) -> None:
    """From the first call to a server of one's own, over MQTT and over HTTP."""
    found = blocks()
    assert len(found) > 8
    assert sum(bool(prints) for _, prints in found) > 6
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    servers = []
    try:
        for number, (code, prints) in enumerate(found):
            file = tmp_path / f"block_{number}.py"
            file.write_text(re.sub("18830|8001", lambda port: here[port[0]], code))
            run = [sys.executable, str(file)]
            if "server." in code:
                log = file.with_suffix(".log")
                servers.append(child.start(run, log, environment))
                if "8001" in code:
                    until(lambda: listens(int(here["8001"])), "it listens", within=15, more=log.read_text)
                else:
                    _until_ready("mixer", int(here["18830"]))
                continue
            done = subprocess.run(
                run, capture_output=True, text=True, check=False, env=environment, timeout=40
            )
            assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
            assert done.stdout == prints, code
    finally:
        for server in servers:
            server.terminate()
            server.wait(10)


def _until_ready(device_id: str, port: int) -> None:
    def ready(lab: Lab) -> bool:
        known = device_id in lab.devices
        return known and lab[device_id].reachable and lab[device_id].state.get("readiness") == "ready"

    with SyncLab(f"mqtt://127.0.0.1:{port}") as lab:
        lab.wait(lab.lab.wait_until(ready, 15))
