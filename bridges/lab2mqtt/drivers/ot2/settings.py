"""The settings of an OT-2."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from lab2mqtt.core.parameters import Range, Text, Unit
from lab2mqtt.drivers.ot2.deck_settings import DeckSettings


@dataclass(frozen=True)
class Ot2Settings(DeckSettings):
    """Where the robot is, what stands on its deck, and what it does.

    Attributes:
        address: Host, host:port, or a file that says so, as a simulator writes; empty looks on the network.
        serial: The serial number that the robot must have; empty takes the only one that there is.
        cell: A folder with the protocols of the lab's own cell, seen from the configuration file; without it
            the colour cell of the package.
        hints_port: Of the robot's own MQTT broker; 0 does without its hints.
        task_timeout: How long a protocol may take, pauses not counted.
        color_sensor: The device whose ``read_color`` is asked; none where it is empty.
        cooling_fan: The device whose fan cools where no temperature module is attached.
        latest_software: The version that the update entity calls the latest; unknown where it is empty.
        older_dialect: Whether ``command/ot2/<serial>/pipette`` is served too.
    """

    address: Annotated[str, Text(255)] = ""
    serial: Annotated[str, Text(64)] = ""
    cell: Path | None = None
    hints_port: Annotated[int, Range(0, 65535)] = 1883
    task_timeout: Annotated[float, Range(1, 86400), Unit("s")] = 3600.0
    color_sensor: Annotated[str, Text(64)] = ""
    cooling_fan: Annotated[str, Text(64)] = ""
    latest_software: Annotated[str, Text(32)] = ""
    older_dialect: bool = False
