"""Boards on this machine, as real processes: one with its firmware, and one that runs a bare main.py."""

from collections.abc import Iterator, Mapping
import contextlib
import json
import os
from pathlib import Path
import signal
import subprocess
from typing import Any, Self
import uuid

from tests.broker.brokers import Broker
from tests.broker.observer import Observer, until
from tests.broker.program import Program

from lab2mqtt.boards import image
from lab2mqtt.hub import child
from lab2mqtt.hub.ports import LOOPBACK
from lab2mqtt.simulators.board.power import HEAP, Hardware
from lab2mqtt.simulators.board.world import World
from lab2mqtt.simulators.control import control

UP_WITHIN = 15.0  # s
END_WITHIN = 10.0  # s
LOST = "exception wasn't retrieved"  # what asyncio prints of a task that nobody looked at: never
NODE = "lab-sensor"

Json = Any


class _Flash:
    """What lies in the folders of a board."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.flash = folder / "flash"
        self.sim = folder / "sim"

    def file(self, name: str) -> Path:
        """A file on the flash, by its path there."""
        return self.flash / name.lstrip("/")

    def kept(self, name: str) -> Json:
        """What a JSON file on the flash holds; None where it is not there."""
        file = self.file(name)
        return json.loads(file.read_text()) if file.exists() else None

    def outputs(self) -> dict[str, Json]:
        """What its outputs do now."""
        return World(self.sim).outputs()

    def journal(self) -> list[dict[str, Json]]:
        """Every change of an output since it was made, in order."""
        file = self.sim / "journal.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [json.loads(line) for line in lines]


class Script(_Flash):
    """A MicroPython that runs one main.py, with the modules of the simulated board and no supervisor.

    Args:
        interpreter: The MicroPython.
        folder: An empty one; flash and world are made in it.
        main: What stands in main.py.
        config: With one (it may be empty) the firmware's packages and this config.json lie on the flash, too.
        secrets: The secrets.json beside it.
        heap: Of MicroPython.
    """

    def __init__(
        self,
        interpreter: Path,
        folder: Path,
        main: str,
        *,
        config: Mapping[str, Json] | None = None,
        secrets: Mapping[str, Json] | None = None,
        heap: str = HEAP,
    ) -> None:
        super().__init__(folder)
        self.hardware = Hardware(interpreter, self.flash, self.sim, heap)
        self.log = folder / "script.log"
        self._process: child.Child | None = None
        for each in (self.flash, self.sim):
            each.mkdir()
        self.world = World(self.sim)
        self.world.turn()
        if config is not None:
            node = folder / "node"
            node.mkdir()
            (node / "main.py").write_text("")
            image.build(node, self.flash, config, secrets or {})
        self.file("main.py").write_text(main)

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it."""
        assert self.pid is None, "it runs already"
        self._process = child.start(self.hardware.command(), self.log)

    def wait(self, within: float = END_WITHIN) -> int:
        """Wait for its end; gives the exit code."""
        assert self._process
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it did not end within {within:g} s: {self.said()}") from None

    def run(self, within: float = END_WITHIN) -> str:
        """Run it to its end, which must be a good one; gives what it printed."""
        self.start()
        code = self.wait(within)
        assert code == 0, f"it ended with {code}: {self.said()}"
        return self.said()

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def hang(self, *, hangs: bool = True) -> None:
        """Let it hang where it is, or go on."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP if hangs else signal.SIGCONT)

    def said(self) -> str:
        """Its output since its last start."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def until_said(self, words: str, within: float = UP_WITHIN) -> None:
        """Wait for words in its output."""
        until(lambda: words in self.said(), f"{words!r} is said", within=within, more=self.said)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Board(_Flash):
    """A simulated board with its firmware, under its supervisor: what ``lab2mqtt simulate-board`` starts.

    Args:
        interpreter: The MicroPython.
        folder: Where its flash and world are; they stay over its restarts.
        broker: Where it connects.
        node: One of the firmware's, or a folder with main.py and node.json.
        device_id: Its id; by default a new one.
        config: More of its config.json.
        secrets: Its secrets.json.
        heap: Of MicroPython.
    """

    def __init__(
        self,
        interpreter: Path,
        folder: Path,
        broker: Broker | int,
        node: str | Path = NODE,
        *,
        device_id: str = "",
        config: Mapping[str, Json] | None = None,
        secrets: Mapping[str, Json] | None = None,
        heap: str = HEAP,
    ) -> None:
        super().__init__(folder)
        self.port = broker if isinstance(broker, int) else broker.port
        self.device_id = device_id or f"board-{uuid.uuid4().hex[:6]}"
        self.base = str((config or {}).get("base", "lab2mqtt"))
        self.link = folder / "board"
        words = ["--node", str(node), "--device-id", self.device_id, "--broker", f"{LOOPBACK}:{self.port}"]
        words += ["--link", str(self.link), "--state", str(folder), "--micropython", str(interpreter)]
        words += ["--heap", heap]
        for name, content in (("config", config), ("secrets", secrets)):
            if content is not None:
                file = folder / f"more-{name}.json"
                file.write_text(json.dumps(content))
                words += [f"--{name}", str(file)]
        self.program = Program(words, folder / "board.log", "lab2mqtt.simulators.board")

    def start(self) -> None:
        """Start it; returns once its control socket is there."""
        self.program.start()
        socket = Path(f"{self.link}.control")
        until(
            lambda: socket.exists() or not self.program.pid,
            "the board's control socket is there",
            within=UP_WITHIN,
            more=self.said,
        )
        assert self.program.pid, f"it ended: {self.said()}"

    def start_online(self) -> None:
        """Start it; returns once it says that it is online."""
        with self.observer() as seen:
            self.start()
            self.until_online(seen)

    def until_online(self, seen: Observer, since: int = 0, within: float = UP_WITHIN) -> None:
        """Wait for its status."""
        try:
            seen.wait(
                self.topic("status"),
                lambda told: bool(told) and told["status"] == "online",
                since=since,
                within=within,
            )
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.said()[-3000:]}") from None

    def topic(self, what: str) -> str:
        """One of its topics."""
        return f"{self.base}/{self.device_id}/{what}"

    @contextlib.contextmanager
    def observer(self) -> Iterator[Observer]:
        """Somebody who hears all that it says, and what is said to all."""
        with Observer(self.port, f"{self.base}/{self.device_id}/#", f"{self.base}/emergency_stop") as seen:
            yield seen

    def ask(
        self, seen: Observer, task: str, parameters: Json = None, *, within: float = 10.0, **more: Json
    ) -> Json:
        """Send a command; gives its result."""
        request_id = more.pop("request_id", uuid.uuid4().hex[:12])
        command = {"request_id": request_id, "task": task, "parameters": parameters or {}, **more}
        since = seen.mark()
        seen.publish(self.topic("command"), command)
        return seen.wait(
            self.topic("result"),
            lambda told: bool(told) and told.get("request_id") == request_id,
            since=since,
            within=within,
        ).json

    def control(self, **request: Json) -> dict[str, Json]:
        """Past its own interface, see ``lab2mqtt.simulators.board.controls``; gives the truth."""
        return control(self.link, **request)

    def truth(self) -> dict[str, Json]:
        """World, outputs, and whether it runs."""
        return self.control()

    def fault(self, name: str, *, on: bool = True, **options: Json) -> None:
        """Let something fail, or work again."""
        self.control(fault=name, on=on, **options)

    def world(self, **values: Json) -> None:
        """Set what its sensors measure."""
        self.control(world=values)

    def power_cycle(self) -> None:
        """Switch it off and on."""
        self.control(power_cycle=True)

    def pid(self) -> int | None:
        """The process id of its MicroPython while that runs."""
        found: int | None = self.truth()["pid"]
        return found

    def kill_interpreter(self) -> None:
        """End its MicroPython at once; the supervisor starts it again."""
        if pid := self.pid():
            os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """Switch it off."""
        self.program.terminate()

    def kill(self) -> None:
        """Switch it off as a power cut does; it stays off."""
        self.program.kill()

    def said(self) -> str:
        """What it printed since its supervisor was started."""
        return self.program.said()

    def until_said(self, words: str, within: float = UP_WITHIN) -> None:
        """Wait for words in its output."""
        self.program.until_said(words, within)

    def __enter__(self) -> Self:
        self.start_online()
        return self

    def __exit__(self, *_: object) -> None:
        if self.program.pid:
            self.stop()
        assert LOST not in self.said(), self.said()
