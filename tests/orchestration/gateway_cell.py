"""A device of the gateway's lab: ``python gateway_cell.py BROKER_PORT DEVICE``."""

import sys
from typing import Any

from lab2mqtt.orchestration import MQTTDeviceServer, Run, task

_DOSES: list[float] = []


@task
def mix_colors(r: int, g: int, b: int, well: str) -> str:
    """Mix a colour in a well."""
    return f"Mixed RGB({r},{g},{b}) in {well}"


@task(effect="set")
def echo(**given: Any) -> dict[str, Any]:  # noqa: ANN401 - a task that takes anything
    """Give back what was given."""
    return given


@task(effect="read")
def look(number: int = 1, text: str = "") -> dict[str, Any]:
    """Give back what was given; runs beside others."""
    return {"number": number, "text": text}


@task
def dose(volume: float) -> int:
    """Count how often it was done."""
    _DOSES.append(volume)
    return len(_DOSES)


@task
def turn(seconds: float, run: Run) -> str:
    """Take a while, and tell how far it is."""
    for part in range(int(seconds * 50)):
        run.progress(percent=2 * part / seconds, message="turning")
        run.sleep(0.02)
    return "turned"


@task
def jam() -> None:
    """Fail."""
    raise ValueError("the horn is loose")


if __name__ == "__main__":
    MQTTDeviceServer("127.0.0.1", int(sys.argv[1]), sys.argv[2]).start()
