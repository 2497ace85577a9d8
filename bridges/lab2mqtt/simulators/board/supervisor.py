"""Runs one simulated board: its flash, its power, its world, and the hands that are laid on it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
import contextlib
from dataclasses import dataclass, field
import os
from pathlib import Path
from typing import Any

from lab2mqtt.simulators.board import flash
from lab2mqtt.simulators.board.bench import Bench
from lab2mqtt.simulators.board.power import HEAP, Hardware, Power
from lab2mqtt.simulators.board.world import World
from lab2mqtt.simulators.control import Controls, listening

_EVERY = 0.5  # s between two looks at whether the parent lives, and two values of what drifts


@dataclass(frozen=True)
class Plan:
    """Which board is simulated, and how.

    Attributes:
        node: One of the firmware's, or a folder with main.py and node.json.
        interpreter: The MicroPython that it runs on.
        config: Its config.json, over the node's own.
        secrets: Its secrets.json.
        files: More that lies on its flash, by name.
        heap: Of MicroPython.
        common: What it has in common with other boards, as ``flash.prepare`` built it; by default its own.
        link: Its control socket is there, with ``.control`` behind the name; without one it has none.
        faults: From the start.
        parent: It ends when this process is no longer its parent.
    """

    node: str
    interpreter: Path
    config: Mapping[str, Any]
    secrets: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    heap: str = HEAP
    common: Path | None = None
    link: Path | None = None
    faults: Sequence[str] = ()
    parent: int | None = None


async def supervise(plan: Plan, folder: Path, ended: asyncio.Event) -> None:
    """Run a board until ``ended`` is set.

    Args:
        plan: Which one.
        folder: Where its flash and its world are, and stay.
        ended: Set by whoever wants it to end.

    Raises:
        image.ImageError: The node cannot be built.
        OSError: The interpreter does not start, or something cannot be written.
    """
    common = plan.common or folder / "common"
    stand_ins = flash.stand_ins(common)
    hardware = Hardware(plan.interpreter, folder / "flash", folder / "sim", plan.heap, stand_ins)
    for each in (hardware.flash, hardware.sim):
        each.mkdir(parents=True, exist_ok=True)
    if not plan.common:
        flash.prepare(common, [plan.node])
    flash.lay(hardware.flash, plan.node, plan.config, plan.secrets, common)
    for name, content in plan.files.items():
        (hardware.flash / name).write_bytes(content)
    world = World(hardware.sim)
    world.turn()
    power = Power(hardware)
    bench = Bench(power, world)
    for name in plan.faults:
        bench.fault(name, on=True)
    async with contextlib.AsyncExitStack() as stack:
        if plan.link:
            await stack.enter_async_context(_talking(plan.link, bench.controls()))
        running = asyncio.create_task(power.run())
        try:
            while not (ended.is_set() or running.done() or _is_orphan(plan.parent)):
                bench.turn()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_EVERY):
                        await ended.wait()
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


def _is_orphan(parent: int | None) -> bool:
    return parent is not None and os.getppid() != parent


@contextlib.asynccontextmanager
async def _talking(link: Path, controls: Controls) -> AsyncIterator[None]:
    """Take what ``simulators.control`` tells, as long as the context lasts."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):  # gone, or a line without an end
            writer.write(controls.answer(await reader.readline()))
            await writer.drain()
        writer.close()

    with listening(link) as listener:
        server = await asyncio.start_unix_server(converse, sock=listener)
        with contextlib.closing(server):
            yield
