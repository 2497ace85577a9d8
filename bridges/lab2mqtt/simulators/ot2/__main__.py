"""``python -m lab2mqtt.simulators.ot2 --port N``: an OT-2's robot server, without the robot."""

import argparse
import asyncio
import contextlib
import os
from pathlib import Path
import shlex
import signal
import sys

from lab2mqtt.simulators.opentrons_process import OpentronsProcess
from lab2mqtt.simulators.ot2.clock import Clock
from lab2mqtt.simulators.ot2.modules import KINDS
from lab2mqtt.simulators.ot2.robot import FAULTS, Robot
from lab2mqtt.simulators.ot2.server import Server
from lab2mqtt.simulators.ot2.truth import Truth
from lab2mqtt.simulators.ot2.worker_engine import WorkerEngine

_PARENT_EVERY = 1.0  # s between two looks at whether the parent lives


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM, SIGINT or the death of the parent."""
    faults = "\n".join(f"  {name:17} {words}" for name, words in FAULTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m lab2mqtt.simulators.ot2",
        description="An OT-2's robot server on loopback, without the robot.",
        epilog=f"faults:\n{faults}\n\nWhat the control socket takes: lab2mqtt/simulators/ot2/control.py",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=31950, help="0 finds a free one (31950)")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keeps tips and wells over a restart")
    parser.add_argument("--speed", type=float, default=1.0, help="seconds of the robot in one of ours (1)")
    parser.add_argument("--hints", metavar="mqtt://…", help="a broker for the robot's hints")
    parser.add_argument("--control", type=Path, metavar="SOCKET", help="for faults and the truth")
    parser.add_argument("--name", default="simulated-ot2")
    parser.add_argument("--serial", default="SIM-OT2-1")
    parser.add_argument("--software", default="8.1.0", metavar="VERSION")
    parser.add_argument("--module", action="append", choices=KINDS, help="repeatable (temperature)")
    parser.add_argument(
        "--fault", action="append", default=[], choices=FAULTS, help="from the start; repeatable"
    )
    parser.add_argument("--worker", metavar="COMMAND", help="the process with the real opentrons package")
    parser.add_argument("--parent", type=int, metavar="PID", help="end when this is no longer the parent")
    options = parser.parse_args(arguments)
    try:
        asyncio.run(_serve(options))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _serve(options: argparse.Namespace) -> None:
    modules = options.module or ["temperature"]
    engine = WorkerEngine(OpentronsProcess(shlex.split(options.worker))) if options.worker else None
    robot = Robot(
        Clock(options.speed), engine, options.name, options.serial, software=options.software, modules=modules
    )
    if options.state and options.state.exists():
        _recall(robot, options.state)
    for name in options.fault:
        robot.fault(name, on=True)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        async with Server(robot, options.port, options.hints, options.control) as server:
            # Whoever started it may be gone already.
            with contextlib.suppress(OSError):
                sys.stdout.write(f"{robot.name}, {robot.serial}, at {server.url}\n")
                sys.stdout.flush()
            await _until(ended, robot, options.state, options.parent)
    finally:
        if options.state:
            robot.truth.save(options.state)


def _recall(robot: Robot, file: Path) -> None:
    kept = Truth.load(file)
    for name in ("tips", "wells", "away", "picked", "trash"):
        setattr(robot.truth, name, getattr(kept, name))


async def _until(ended: asyncio.Event, robot: Robot, state: Path | None, parent: int | None) -> None:
    noted = None
    while not ended.is_set() and (parent is None or os.getppid() == parent):
        newest = robot.truth.journal[-1] if robot.truth.journal else None
        if state and newest is not noted:
            robot.truth.save(state)
            noted = newest
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PARENT_EVERY):
                await ended.wait()


if __name__ == "__main__":
    sys.exit(main())
