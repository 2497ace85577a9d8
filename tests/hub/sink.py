"""A bridge of the kitchen sink, which has every platform: ``python -m tests.hub.sink PORT FOLDER``.

Entities named behind that are left out, as in a later version of a device that has lost them.
"""

import dataclasses
from pathlib import Path
import sys

from tests.unit import kitchen_sink

from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.bridge import Bridge
from lab2mqtt.runtime.config import Config
from lab2mqtt.runtime.processes import log_to_stderr, run_until_signal


async def _serve(port: int, folder: Path, without: list[str]) -> None:
    made = kitchen_sink.make_config(bridge="kitchen")
    left = tuple(entity for entity in made.device.entities if entity.key not in without)
    device = dataclasses.replace(made, device=dataclasses.replace(made.device, entities=left))
    await Bridge(Config("kitchen", Broker("127.0.0.1", port), (device,), state=folder)).run()


if __name__ == "__main__":
    log_to_stderr()
    run_until_signal(_serve(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
