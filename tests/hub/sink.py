"""A bridge of the kitchen sink, which has every platform: ``python -m tests.hub.sink PORT FOLDER``.

Entities named behind that are left out, as in a later version of a device that has lost them; parts that are
named there are not attached. With ``sink`` there is no device at all, with ``unplugged`` it does not answer.
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

    class Sink(kitchen_sink.KitchenSinkDriver):
        def __init__(self, settings: kitchen_sink.KitchenSinkSettings, state: Path | None = None) -> None:
            super().__init__(settings, state)
            self.unplugged = "unplugged" in without
            self.parts = {part: about for part, about in self.parts.items() if part not in without}

    device = dataclasses.replace(made, device=dataclasses.replace(made.device, entities=left), driver=Sink)
    devices = () if "sink" in without else (device,)
    await Bridge(Config("kitchen", Broker("127.0.0.1", port), devices, state=folder)).run()


if __name__ == "__main__":
    log_to_stderr()
    run_until_signal(_serve(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
