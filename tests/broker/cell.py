"""A simulated OT-2 and its bridge, each a process of its own, on any broker."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.broker.observer import until
from tests.broker.program import Program
import yaml

from lab2mqtt.simulators.control import control

READY_WITHIN = 15.0  # s
DEVICE = "ot2"


class Cell:
    """The colour cell. What the bridge keeps stays in the folder."""

    def __init__(self, port: int, folder: Path, speed: float = 4.0, **settings: object) -> None:
        self.port = port
        self.link = folder / "ot2.link"
        self.config = folder / "cell.yaml"
        self.configure(**settings)
        options = ["--link", str(self.link), "--speed", str(speed)]
        self.robot = Program(options, folder / "robot.log", "lab2mqtt.simulators.ot2")
        self.bridge = Program(["run", str(self.config)], folder / "bridge.log")

    def configure(
        self,
        more: dict[str, Any] | None = None,
        interlocks: Sequence[dict[str, Any]] = (),
        **settings: object,
    ) -> None:
        """Write the configuration: the robot with its interlocks and settings, and more devices."""
        robot = {
            "model": "ot2",
            "simulated": True,
            "settings": {"address": str(self.link), **settings},
            **({"interlocks": list(interlocks)} if interlocks else {}),
        }
        told = {
            "bridge": "cell",
            "broker": {"port": self.port},
            "state": "kept",
            "devices": {DEVICE: robot, **(more or {})},
        }
        self.config.write_text(yaml.safe_dump(told))

    def start(self) -> None:
        """Start both; returns once the robot listens."""
        self.robot.start()
        until(self.link.exists, "the robot listens", within=READY_WITHIN, more=self.robot.said)
        self.bridge.start()

    def truth(self, **asked: object) -> dict[str, Any]:
        """What is so in the robot, once it was asked something."""
        return control(self.link, **asked)

    def close(self) -> None:
        """End both."""
        self.bridge.terminate()
        self.robot.terminate()
