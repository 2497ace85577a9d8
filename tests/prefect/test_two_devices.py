"""The example: a flow of two devices."""

from collections.abc import Iterator
from pathlib import Path
import subprocess
import sys

import pytest
from tests.broker.bench import SPEED, Servo
from tests.broker.wet_bench import WetBench
from tests.prefect.prefect_lab import PrefectLab

from lab2mqtt.hub.mosquitto import Mosquitto

ROOT = Path(__file__).parents[2]


class TwoDevices(WetBench):
    """The robot, and on the same bridge the carousel."""

    def __init__(self, broker: Mosquitto, folder: Path) -> None:
        super().__init__(broker, folder)
        self.servo = Servo(folder)
        settings = {"device": str(self.servo.link), "default_speed": SPEED}
        self.cell.configure(
            {"plate-resort": {"model": "plate_resort", "simulated": True, "settings": settings}}
        )

    def start(self) -> None:
        """Start all."""
        self.servo.start()
        super().start()

    def close(self) -> None:
        """End all."""
        super().close()
        self.servo.stop()


@pytest.fixture
def two(broker: Mosquitto, tmp_path: Path) -> Iterator[TwoDevices]:
    """Both, ready."""
    with TwoDevices(broker, tmp_path) as made:
        yield made


def test_the_robot_mixes_while_the_carousel_turns(server: PrefectLab, two: TwoDevices) -> None:
    """Each under the run's reservation, which is given back."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples/prefect_two_devices.py")],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        env={**server.environment, "LAB2MQTT_BROKER": f"mqtt://127.0.0.1:{two.broker.port}"},
    )
    assert done.returncode == 0, done.stderr
    assert "A1: mixed" in done.stdout
    assert "A2: mixed" in done.stdout
    assert two.servo.goals() == 2
    results = [
        (heard.json["task"], heard.at)
        for device in ("ot2", "plate-resort")
        for heard in two.seen.heard(f"lab2mqtt/{device}/result")
    ]
    order = [
        task for task, _ in sorted(results, key=lambda one: one[1]) if task in ("mix_color", "activate_hotel")
    ]
    assert order == ["activate_hotel", "mix_color"] * 2
    commands = [
        heard.json
        for device in ("ot2", "plate-resort")
        for heard in two.seen.heard(f"lab2mqtt/{device}/command")
        if heard.json["task"] in ("mix_color", "activate_hotel")
    ]
    assert len({one["reservation"] for one in commands}) == 1
    assert commands[0]["reservation"]
    for device in ("ot2", "plate-resort"):
        assert two.seen.last(f"lab2mqtt/{device}/state")["reserved_by"] is None
