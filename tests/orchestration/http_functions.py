"""A device as a user writes it, over HTTP: a program, and the module that gunicorn and uvicorn load.

The environment tells the rest: PORT, DEVICE, CERTIFICATE and KEY, LAB2MQTT_TOKENS, LAB2MQTT_BROKER.
"""

import os
import time
from typing import Annotated, Any

from lab2mqtt.core.parameters import Choices
from lab2mqtt.orchestration import DeviceServer, Run, task

_DOSES: list[float] = []


@task
def mix_colors(r: int, g: int, b: int, well: str) -> str:
    """Mix a colour in a well."""
    return f"Mixed RGB({r},{g},{b}) in {well}"


@task()
async def echo(**given: Any) -> dict[str, Any]:  # noqa: ANN401 - a task that takes anything
    """Give back what was given."""
    return given


@task("look", effect="read")
def look_at(number: int = 1, text: str | None = None) -> dict[str, Any]:
    """Give back what was given; runs beside others."""
    return {"number": number, "text": text}


@task
def dose(volume: float, rack: Annotated[str, Choices(["A", "B"])] = "A") -> str:
    """Tell the how manyth time this is."""
    _DOSES.append(volume)
    return f"number {len(_DOSES)} from {rack}"


@task
def wait(seconds: float) -> str:
    """Take a while, and block."""
    time.sleep(seconds)
    return f"waited {seconds:g} s"


@task
async def wait_badly(seconds: float) -> str:
    """Take a while, and block the loop that it runs in."""
    time.sleep(seconds)  # noqa: ASYNC251 - as people do
    return f"waited {seconds:g} s"


@task
def turn(seconds: float, run: Run) -> str:
    """Take a while, and look whether it is to end."""
    run.sleep(seconds)
    return "turned"


@task("a/b c")
def oddly_named() -> str:
    """Have a name that a path has to quote."""
    return "done"


@task
def jam() -> None:
    """Fail."""
    raise ValueError("the horn is loose")


server = DeviceServer(
    title="Mixer",
    port=int(os.environ.get("PORT", "8000")),
    device_id=os.environ["DEVICE"],
    certificate=os.environ.get("CERTIFICATE"),
    key=os.environ.get("KEY"),
)

if __name__ == "__main__":
    server.run()
