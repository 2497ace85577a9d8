"""A device as a user writes it: ``python functions_server.py DEVICE BROKER_PORT PREFIX``."""

import sys
import time
from typing import Any

from lab2mqtt.orchestration import MQTTDeviceServer, Run, mqtt_task

_DOSES: list[float] = []


@mqtt_task
def mix_colors(r: int, g: int, b: int, well: str) -> str:
    """Mix a colour in a well."""
    return f"Mixed RGB({r},{g},{b}) in {well}"


@mqtt_task()
async def echo(**given: Any) -> dict[str, Any]:  # noqa: ANN401 - a task that takes anything
    """Give back what was given."""
    return given


@mqtt_task("look", effect="read")
def look_at(number: int = 1, text: str = "") -> dict[str, Any]:
    """Give back what was given; runs beside others."""
    return {"number": number, "text": text}


@mqtt_task
def dose(volume: float) -> int:
    """Count how often it was done."""
    _DOSES.append(volume)
    return len(_DOSES)


@mqtt_task
def wait(seconds: float) -> str:
    """Take a while, and block."""
    time.sleep(seconds)
    return f"waited {seconds:g} s"


@mqtt_task
async def wait_badly(seconds: float) -> str:
    """Take a while, and block the loop that it runs in."""
    time.sleep(seconds)  # noqa: ASYNC251 - as people do
    return f"waited {seconds:g} s"


@mqtt_task
def turn(seconds: float, run: Run) -> str:
    """Take a while, and look whether it is to end."""
    for part in range(int(seconds * 50)):
        run.progress(percent=2 * part / seconds, message="turning")
        run.sleep(0.02)
    return "turned"


@mqtt_task
def jam() -> None:
    """Fail."""
    raise ValueError("the horn is loose")


if __name__ == "__main__":
    device_id, port, prefix = sys.argv[1:]
    MQTTDeviceServer("127.0.0.1", int(port), device_id, topic_prefix=prefix).start()
