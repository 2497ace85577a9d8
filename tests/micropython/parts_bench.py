"""A bench for parts: scripts on MicroPython with the firmware's sources and the models of the chips."""

import json
from pathlib import Path
import subprocess
import textwrap
from typing import Any

from lab2mqtt import wire
from lab2mqtt.boards import firmware
from lab2mqtt.simulators.board.world import World

WITHIN = 30.0  # s

# ``say`` tells the test something, ``become`` changes the world, ``fails`` gives the words of an error.
_PRELUDE = """\
import sys
import vfs

vfs.mount(vfs.VfsPosix({sim!r}), "/sim")
sys.path[:0] = [{simulated!r}, {firmware!r}, {wire!r}]

import asyncio
import json
import os
import time

from machine import I2C, UART, SoftI2C

_changes = []


def say(value):
    print("said", json.dumps(value))


def become(**values):
    with open("/sim/world.json") as file:
        world = json.load(file)
    world.update(values)
    # The former file stays, so that each has an inode of its own: that is how a change is seen.
    _changes.append(1)
    os.rename("/sim/world.json", "/sim/world.%d" % len(_changes))
    with open("/sim/world.json", "w") as file:
        json.dump(world, file)


async def fails(doing):
    try:
        return "gave " + str(await doing)
    except (Exception, asyncio.CancelledError) as error:
        return "%s: %s" % (type(error).__name__, getattr(error, "message", None) or error)


async def main():
{body}


asyncio.run(main())
"""


class PartsBench:
    """Runs scripts on one interpreter, each in a world of its own.

    Args:
        interpreter: The MicroPython.
        folder: An empty one.
    """

    def __init__(self, interpreter: Path, folder: Path) -> None:
        self._interpreter = interpreter
        self.sim = folder / "sim"
        self._wire = folder / "wire"
        self._script = folder / "script.py"
        for each in (self.sim, self._wire):
            each.mkdir()
        # The rest of its folder would hide modules of MicroPython.
        (self._wire / "wire.py").write_bytes(Path(wire.__file__).read_bytes())
        self._world = World(self.sim)

    def run(self, body: str, **world: Any) -> list[Any]:  # noqa: ANN401 - whatever JSON holds
        """Run the body of a coroutine; gives what it said."""
        self._world.say(**world)
        folders = {
            "sim": str(self.sim),
            "simulated": str(firmware() / "simulated"),
            "firmware": str(firmware()),
            "wire": str(self._wire),
        }
        told = textwrap.indent(textwrap.dedent(body), "    ")
        self._script.write_text(_PRELUDE.format(body=told, **folders))
        ran = subprocess.run(
            [self._interpreter, str(self._script)],
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        lines = ran.stdout.splitlines()
        return [json.loads(line.removeprefix("said ")) for line in lines if line.startswith("said ")]

    def journal(self, output: str) -> list[dict[str, Any]]:
        """Every change of one output, in order."""
        lines = (self.sim / "journal.jsonl").read_text().splitlines()
        return [line for line in map(json.loads, lines) if line["output"] == output]
