"""The processes of the chaos bench: instruments, and bridges behind a bad network."""

from collections.abc import Mapping
import contextlib
import json
import mmap
import os
from pathlib import Path
import re
import resource
import signal
import struct
from typing import Any, NamedTuple

from tests.broker.observer import until
from tests.broker.program import Program
from tests.chaos.proxy import Proxy
import yaml

from lab2mqtt.hub import child
from lab2mqtt.simulators.plate_resort import control

RIG = Path(__file__).with_name("rig")
SPEED = 150  # 206 °/s
READY_WITHIN = 15.0  # s
_OF_A_POOL = re.compile(r"_\d+$")
_LONGEST = resource.getrlimit(resource.RLIMIT_FSIZE)[1]  # that may be asked for; mostly without limit


class Census(NamedTuple):
    """What a bridge holds at one moment, by name.

    Attributes:
        handles: Its open files and sockets.
        threads: Its threads, without those of pools: of these there are more and more, up to a limit.
        tasks: The tasks in its event loop.
        rss: Its resident memory, in bytes.
    """

    handles: list[str]
    threads: list[str]
    tasks: list[str]
    rss: int

    def same_number(self, other: "Census") -> bool:
        """Whether another count came to as many of everything but bytes."""
        return [len(names) for names in self[:3]] == [len(names) for names in other[:3]]


class Instrument:
    """A simulated servo with a journal. It goes on whatever becomes of its bridge."""

    def __init__(self, folder: Path, device: str) -> None:
        self.device = device
        self.link = folder / device
        self.journal = folder / f"{device}.jsonl"
        self._program = Program(
            ["--link", str(self.link), "--journal", str(self.journal)],
            folder / f"{device}.log",
            "lab2mqtt.simulators.plate_resort",
        )

    def start(self) -> None:
        """Start it; returns once its terminal is there."""
        self._program.start()
        until(self.link.exists, "the servo's terminal is there", within=READY_WITHIN, more=self._program.said)

    def stop(self) -> None:
        """End it."""
        if self._program.pid:
            self._program.terminate()

    def fault(self, name: str, *, on: bool, **options: float) -> None:
        """Switch a fault."""
        control(self.link, fault=name, on=on, **options)

    def lines(self) -> list[dict[str, Any]]:
        """The journal up to now."""
        control(self.link, status=True)  # brings it up to date
        return [json.loads(line) for line in self.journal.read_text().splitlines()]


class Bridge:
    """A bridge with its devices. Its state folder, and every log, outlive its lives.

    Attributes:
        immortal: Whether nobody may kill it, because it is watched for leaks.
        lives: How often it was started.
        wanted: Whether it is to be running.
    """

    def __init__(
        self,
        folder: Path,
        base: str,
        name: str,
        devices: list[Instrument],
        proxy: Proxy,
        *,
        immortal: bool = False,
    ) -> None:
        self.name = name
        self.immortal = immortal
        self.devices = devices
        self.folder = folder / name
        self.folder.mkdir()
        self.proxy = proxy
        self.lives = 0
        self.wanted = False
        self._config = self.folder / "bridge.yaml"
        self._config.write_text(
            yaml.safe_dump(
                {
                    "bridge": name,
                    "broker": {"port": self.proxy.port},
                    "base": base,
                    "discovery": f"{base}-hub",
                    "state": "kept",
                    "devices": {
                        one.device: {
                            "model": "plate_resort",
                            "simulated": True,
                            "settings": {"device": str(one.link), "default_speed": SPEED},
                        }
                        for one in devices
                    },
                }
            )
        )
        clock = self.folder / "clock"
        clock.write_bytes(bytes(8))
        with clock.open("r+b") as opened:
            self._clock = mmap.mmap(opened.fileno(), 8)
        self._longest_file = _LONGEST
        self._process: child.Child | None = None

    @property
    def ledger(self) -> Path:
        """Where it keeps what became of its commands."""
        return self.folder / "kept" / "ledger.sqlite"

    @property
    def log(self) -> Path:
        """What its present life says."""
        return self.folder / f"life-{self.lives}.log"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def died_by_itself(self) -> bool:
        """Whether it ended although nobody killed it."""
        return self.wanted and self.pid is None

    def start(self) -> None:
        """Start it."""
        assert self.pid is None, f"{self.name} runs already"
        self.lives += 1
        self.wanted = True
        self._process = child.start(
            Program(["run", str(self._config)], self.log).command, self.log, self._environment()
        )
        self._limit()

    def _environment(self) -> Mapping[str, str]:
        path = os.pathsep.join(filter(None, (str(RIG), os.environ.get("PYTHONPATH"))))
        return os.environ | {"PYTHONPATH": path, "CHAOS_RIG": str(self.folder)}

    def kill(self) -> None:
        """End it as a power cut does."""
        self.wanted = False
        if self._process:
            self._process.kill()
            self._process.wait()

    def terminate(self) -> int:
        """End it in order; gives the exit code."""
        self.wanted = False
        self.freeze(frozen=False)
        return child.stop(self._process, 10) if self._process else 0

    def freeze(self, *, frozen: bool) -> None:
        """Let it hang where it is, or go on."""
        if self._process:
            self._process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    @property
    def disk_is_full(self) -> bool:
        """Whether some of its files cannot become longer."""
        return self._longest_file != _LONGEST

    def fill_disk(self, most: int | None) -> None:
        """Let no file of it become longer than so many bytes, or as long as it likes.

        A small file system takes root to mount. A limit to the length of files does not, and to a program it
        is much the same: a write fails that should not. (The error is EFBIG, not ENOSPC.)
        """
        self._longest_file = _LONGEST if most is None else most
        self._limit()

    def _limit(self) -> None:
        if pid := self.pid:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (self._longest_file, _LONGEST))

    def shift_clock(self, seconds: float) -> None:
        """Set its wall clock wrong by so much from now on, in this life and the next."""
        struct.pack_into("d", self._clock, 0, seconds)

    def rss(self) -> int:
        """Its resident memory, in bytes; 0 while it does not run."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * resource.getpagesize()
        except OSError:
            return 0

    def census(self) -> Census:
        """Count what it holds."""
        pid = self.pid
        assert pid, f"{self.name} does not run"
        told = self.folder / "census.json"
        told.unlink(missing_ok=True)
        os.kill(pid, signal.SIGUSR2)
        until(told.exists, f"{self.name} counted", within=READY_WITHIN)
        counted = json.loads(told.read_text())
        handles = []
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                handles.append(re.sub(r":\[\d+\]", "", str(handle.readlink())))
        threads = [name for name in counted["threads"] if not _OF_A_POOL.search(name)]
        return Census(sorted(handles), threads, counted["tasks"], self.rss())
