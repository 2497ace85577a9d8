"""Measure lab2mqtt against bare aiomqtt: one table of ratios, with goals. Wants a quiet machine.

Each trial is followed by one of its peer, and the medians of all rounds are told, so that a machine that is
busy for a while is busy for both. docs/performance.md tells what the figures mean.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
import contextlib
from datetime import UTC, datetime
import importlib.metadata
import json
import os
from pathlib import Path
import platform
import subprocess
import sys
import tempfile
import time

from announcing import announcing
from bench import Bench
from board import board
from commands import many_at_once, one_at_a_time
from daemon import daemon
from figures import Figure, as_json, as_markdown, as_text
from lab2mqtt.hub import mosquitto
from lab2mqtt.hub.ports import free_port, listens
from loss import loss
from processes import running
from props import props
from requester import Client
from scale import scale
from states import states

DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
SIZES = {"mosquitto": (10, 500, 1000), "amqtt": (10, 50, 100)}  # devices of a bridge; amqtt is for no more
BEGIN, END = "<!-- figures: script/bench --markdown -->", "<!-- end of figures -->"

MEASUREMENTS: dict[str, Callable[[Bench], Awaitable[list[Figure]]]] = {
    "one": one_at_a_time,
    "many": many_at_once,
    "states": states,
    "announcing": announcing,
    "daemon": daemon,
    "scale": scale,
    "loss": loss,
    "board": board,
    "props": props,
}


def main() -> int:
    """Measure what was asked for."""
    options = _options()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lab2mqtt-bench-")))
        # As an installed program finds it; the environment of tests and containers often forbids it.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
        program = mosquitto.find_or_unpack(print)
        port = _broker(options.broker, program, stack)
        try:
            figures = asyncio.run(_measure(options, port, program, folder))
        except (RuntimeError, TimeoutError) as error:
            print(f"A measurement broke: {error!r}", file=sys.stderr)
            return 1
    told = _told(options, program)
    print(f"{told}\n\n{as_text(figures)}")
    if options.json:
        text = json.dumps({"taken": told, "figures": as_json(figures)}, indent=2, ensure_ascii=False)
        options.json.write_text(f"{text}\n", encoding="utf-8")
    if options.markdown:
        before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        text = f"{before}{BEGIN}\n\n{told}\n\n{as_markdown(figures)}\n\n{END}{after}"
        DOCUMENT.write_text(text, encoding="utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="one of them; repeatable")
    parser.add_argument("--trials", type=int, default=7, metavar="N", help="rounds (7)")
    parser.add_argument("--seconds", type=float, default=2.0, metavar="S", help="of each trial (2)")
    parser.add_argument("--broker", choices=SIZES, default="mosquitto")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures for a machine")
    parser.add_argument("--markdown", action="store_true", help=f"put the table into {DOCUMENT.name}")
    options = parser.parse_args()
    if options.markdown and (options.only or options.broker != "mosquitto"):
        parser.error("--markdown takes all figures, on mosquitto")
    return options


def _broker(name: str, program: Path, stack: contextlib.ExitStack) -> int:
    """A private broker with our recommended settings, or the embedded one; gives its port."""
    if name == "mosquitto":
        return stack.enter_context(mosquitto.Mosquitto(program)).port
    port = free_port()
    stack.enter_context(running("-m", "lab2mqtt", "broker", "--port", str(port)))
    while not listens(port):
        time.sleep(0.01)
    return port


async def _measure(options: argparse.Namespace, port: int, program: Path, folder: Path) -> list[Figure]:
    client = await Client.connect(port)
    for topic in ("+/+/result", "+/+/state"):
        await client.subscribe(topic)
    bench = Bench(port, program, client, folder, options.trials, options.seconds, SIZES[options.broker])
    figures: list[Figure] = []
    for name in options.only or MEASUREMENTS:
        print(f"{name} …", file=sys.stderr)
        figures += await MEASUREMENTS[name](bench)
    client.close()
    return figures


def _told(options: argparse.Namespace, program: Path) -> str:
    """When, where and how."""
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("lab2mqtt", "aiomqtt", "paho-mqtt")
    )
    broker = options.broker
    if broker == "mosquitto":
        answer = subprocess.run([program, "-h"], capture_output=True, text=True, check=False).stdout
        broker = answer.splitlines()[0].replace(" version", "")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"Taken on {datetime.now(UTC).date().isoformat()}: "
        f"{options.trials} rounds of {options.seconds:g} s, medians; "
        f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()}), load {load}; "
        f"CPython {platform.python_version()}, {versions}, {broker}, all on loopback."
    )


if __name__ == "__main__":
    sys.exit(main())
