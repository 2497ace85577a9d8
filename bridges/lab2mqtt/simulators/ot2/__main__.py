"""``python -m lab2mqtt.simulators.ot2 --link PATH``: an OT-2's robot server, without the robot."""

import argparse
import asyncio
import contextlib
import os
from pathlib import Path
import shlex
import signal
import sys

from lab2mqtt.simulators import OPENTRONS
from lab2mqtt.simulators.control import lines
from lab2mqtt.simulators.opentrons_process import OpentronsProcess
from lab2mqtt.simulators.ot2.clock import Clock
from lab2mqtt.simulators.ot2.control import HANDS, controls
from lab2mqtt.simulators.ot2.link import link
from lab2mqtt.simulators.ot2.modules import KINDS
from lab2mqtt.simulators.ot2.robot import FAULTS, Robot
from lab2mqtt.simulators.ot2.server import Server
from lab2mqtt.simulators.ot2.truth import Truth
from lab2mqtt.simulators.ot2.worker_engine import WorkerEngine

_EVERY = 0.2  # s between two looks at whether the parent lives, and at what is to be kept


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM, SIGINT or the death of the parent."""
    parser = argparse.ArgumentParser(
        prog="python -m lab2mqtt.simulators.ot2",
        description="An OT-2's robot server on loopback, without the robot.",
        epilog=f"{lines(FAULTS, HANDS)}\nWhile it runs, with --link: lab2mqtt fault PATH NAME",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--link",
        type=Path,
        metavar="PATH",
        help="a file that tells the address; control socket beside it",
    )
    parser.add_argument("--port", type=int, help="0 finds a free one (31950; 0 with --link)")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keeps tips and wells over a restart")
    parser.add_argument("--speed", type=float, default=1.0, help="seconds of the robot in one of ours (1)")
    parser.add_argument("--hints", metavar="mqtt://…", help="a broker for the robot's hints")
    parser.add_argument("--name", default="simulated-ot2")
    parser.add_argument("--serial", default="SIM-OT2-1")
    parser.add_argument("--software", default="8.1.0", metavar="VERSION")
    parser.add_argument("--module", action="append", choices=KINDS, help="repeatable (temperature)")
    parser.add_argument(
        "--fault", action="append", default=[], choices=FAULTS, help="from the start; repeatable"
    )
    parser.add_argument(
        "--worker",
        metavar="COMMAND",
        default=os.environ.get(OPENTRONS),
        help=f"the process with the real opentrons package (${OPENTRONS}); without it the server checks and "
        "plays the colour cell itself",
    )
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
        async with contextlib.AsyncExitStack() as stack:
            port = (0 if options.link else 31950) if options.port is None else options.port
            server = await stack.enter_async_context(Server(robot, port, options.hints))
            if options.link:
                address = server.url.removeprefix("http://")
                await stack.enter_async_context(link(options.link, address, controls(robot)))
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
    saved = None
    while not ended.is_set() and (parent is None or os.getppid() == parent):
        told = robot.truth.told()  # hands change it, too, of which its journal tells nothing
        if state and told != saved:
            robot.truth.save(state)
            saved = told
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_EVERY):
                await ended.wait()


if __name__ == "__main__":
    sys.exit(main())
