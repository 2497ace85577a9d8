"""The way around the robot's own interface, for tests and demos: faults, hands on the deck, and the truth.

A Unix socket takes one line of JSON and answers one. What may be in it:

    {}                                     only the truth
    {"journal": 12.5}                      the truth, and everything that moved since that second
    {"fault": "slow", "on": true, …}       a fault, see robot.FAULTS
    {"reboot": true}                       power off and on
    {"fill": {"3/B1": {"3/B1": 15000}}}    what is in wells, in µL
    {"tips": "all"}                        a new rack; the sensor back in its port, nothing on the pipettes
    {"plate": "new"}                       a new plate in slot 1
"""

import asyncio
import json
import os
from pathlib import Path
import socket
from typing import Any

from lab2mqtt.simulators.ot2.robot import Robot

_LONGEST_ADDRESS = 100  # bytes of a path in the address of a Unix socket


def obey(robot: Robot, request: dict[str, Any]) -> dict[str, Any]:
    """Do what was asked; gives the truth.

    Raises:
        ValueError: It is not understood.
    """
    asked = dict(request)
    if fault := asked.pop("fault", None):
        robot.fault(fault, on=asked.pop("on", True), options=asked)
    if asked.get("reboot"):
        robot.reboot()
    for place, contents in asked.get("fill", {}).items():
        robot.truth.wells[place] = {name: float(amount) for name, amount in contents.items()}
    if asked.get("tips") == "all":
        robot.truth.away.clear()
        robot.truth.tips.clear()
        robot.truth.trash.clear()
    if asked.get("plate") == "new":
        for place in [each for each in robot.truth.wells if each.startswith("1/")]:
            del robot.truth.wells[place]
    return truth(robot, asked.get("journal"))


def truth(robot: Robot, since: float | None = None) -> dict[str, Any]:
    """What is so, whatever the server says."""
    told = robot.truth.told() | {
        "at": robot.clock.seconds(),
        "phase": robot.phase,
        "faults": sorted(robot.faults),
        "blinking": robot.clock.seconds() < robot.blinks_until,
        "run": robot.runs.current_id,
    }
    if since is not None:
        told["journal"] = [each for each in list(robot.truth.journal) if each["at"] >= since]
    return told


def _claim(path: Path) -> None:
    if len(os.fsencode(path)) > _LONGEST_ADDRESS:
        raise OSError(f"{path} is longer than {_LONGEST_ADDRESS} bytes")
    if path.exists() or path.is_symlink():
        with socket.socket(socket.AF_UNIX) as other:
            if not path.is_socket() or other.connect_ex(str(path)) == 0:
                raise FileExistsError(f"{path} is taken")
        path.unlink()  # left behind by one that was killed


async def serve(robot: Robot, path: Path) -> asyncio.Server:
    """Listen on a socket.

    Raises:
        FileExistsError: Another simulator does, or something else is at the path.
    """
    _claim(path)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(await reader.readline() or b"{}")
            answer = obey(robot, request)
        except (ValueError, TypeError, AttributeError) as error:
            answer = {"error": str(error)}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(converse, str(path))


def control(path: str | Path, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever JSON holds
    """Talk to a simulator: ``control(path, fault="slow", seconds=0.2)``.

    Returns:
        The truth.

    Raises:
        ValueError: It did not understand.
    """
    with socket.socket(socket.AF_UNIX) as talk:
        talk.settimeout(5)
        talk.connect(str(path))
        talk.sendall(json.dumps(request).encode() + b"\n")
        with talk.makefile("rb") as lines:
            told: dict[str, Any] = json.loads(lines.readline())
    if "error" in told:
        raise ValueError(told["error"])
    return told
