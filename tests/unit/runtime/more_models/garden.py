"""A model whose declaration grows with its settings: a bed for each file in a folder."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.unit import kitchen_sink

from lab2mqtt.core.device import Device, Growth, Task
from lab2mqtt.core.entities import Number
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.parameters import Parameter


@dataclass(frozen=True, kw_only=True)
class GardenSettings(kitchen_sink.KitchenSinkSettings):
    """Where the garden is, and the sink at which it is watered.

    Attributes:
        beds: A folder with a file for each bed, which holds the most litres that it takes.
        shed: Where the tools are.
    """

    beds: Path
    shed: Path | None = None


class Garden(kitchen_sink.KitchenSinkDriver):
    """A garden."""

    def __init__(self, settings: GardenSettings, state: Path | None = None) -> None:
        super().__init__(settings, state)


def grow(settings: GardenSettings) -> Growth:
    """A task and a number for each bed."""
    files = sorted(settings.beds.glob("*.bed"))
    if not files:
        raise Misconfigured(f"beds {settings.beds} has no file *.bed")
    most = {file.stem: float(file.read_text()) for file in files}
    return Growth(
        entities=[_number(bed) for bed in most],
        tasks=[_task(bed, litres) for bed, litres in most.items()],
    )


def _number(bed: str) -> Number[Any]:
    return Number(f"water_{bed}", f"Water {bed}", task=f"water_{bed}", parameter="litres")


def _task(bed: str, most: float) -> Task:
    litres = Parameter(name="litres", type="number", minimum=0, maximum=most, unit="L", description="Water.")
    return Task(f"water_{bed}", run="use_dishwasher", parameters=(litres,), description=f"Water {bed}.")


DEVICE: Device[kitchen_sink.Snapshot] = replace(
    kitchen_sink.DEVICE,
    model="garden",
    name="Garden",
    driver=f"{__name__}:Garden",
    grows=f"{__name__}:grow",
)
