"""Where a robot is: as configured, as a simulator wrote it into a file, or as it announces itself."""

from pathlib import Path
import re
from typing import Final

from lab2mqtt.core.errors import LabError, Misconfigured, Unreachable
from lab2mqtt.drivers.ot2 import discovery
from lab2mqtt.drivers.ot2.http import PORT, RobotServer

_ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?")


async def locate(address: str, serial: str) -> tuple[str, int]:
    """Find a robot; gives host and port.

    Args:
        address: Host, host:port, or the path of a file that says so; empty looks on the network.
        serial: What the robot must have, where it is looked for; empty takes the only one.

    Raises:
        Misconfigured: The address is none, or there are several robots to choose from.
        Unreachable: The simulator has not written its address yet, or no robot of that serial is heard.
    """
    if not address:
        return await _find(serial)
    return _read(_written(Path(address)) if address.startswith("/") else address)


def _written(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise Unreachable(f"no simulator runs at {file}") from error


def _read(address: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(address)
    if not found:
        raise Misconfigured(f"address {address!r} is no host, host:port or absolute path")
    return found[1] or found[2], int(found[3] or PORT)


async def _find(serial: str) -> tuple[str, int]:
    heard = await discovery.find()
    if not serial and len(heard) > 1:
        names = ", ".join(f"{robot.name} at {robot.address}" for robot in heard)
        raise Misconfigured(f"several robots are there ({names}): set the address or the serial of one")
    for robot in heard:
        try:
            async with RobotServer(robot.address, robot.port, serial or None):
                return robot.address, robot.port
        except LabError:
            continue  # another one, or one that is not ready
    what = f"no robot with the serial {serial}" if serial else "no robot that is ready"
    names = ", ".join(robot.name for robot in heard) or "none"
    raise Unreachable(f"{what} announces itself on the network (heard: {names}); set its address")
