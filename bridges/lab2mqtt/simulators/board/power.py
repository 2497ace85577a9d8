"""The board's power: the MicroPython process, started, reset, hung, and ended with us."""

import asyncio
import ctypes
import json
from pathlib import Path
import signal
import sys
import time
from typing import NamedTuple

from lab2mqtt.boards import firmware

HEAP = "400k"  # on 64 bits, what 200k are on a Pico W
RESET = 99  # the exit code by which machine.reset() ends the process
_BY_WATCHDOG = "3"  # as machine.WDT_RESET of the stand-in
_RESET_TAKES = 0.1  # s; a real one takes longer

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class Hardware(NamedTuple):
    """What a simulated board is made of.

    Attributes:
        interpreter: The MicroPython that it runs on.
        flash: The folder that is its flash.
        sim: The folder of its world, on the board ``/sim``.
        heap: Of MicroPython, as its option ``-X heapsize`` takes it. On 64 bits a word takes twice as much
            as on a board.
        stand_ins: The folder of the modules that stand in for the board's own.
    """

    interpreter: Path
    flash: Path
    sim: Path
    heap: str = HEAP
    stand_ins: Path = firmware() / "simulated"

    def command(self) -> list[str]:
        """The command line that switches it on."""
        switch = firmware() / "simulated" / "power_on.py"
        folders = (self.flash, self.sim, self.stand_ins)
        run = [str(self.interpreter), "-X", f"heapsize={self.heap}", str(switch)]
        return [*run, *(str(folder.absolute()) for folder in folders)]


class Power:
    """Switches a board on. After a reset it starts again; after the end of its program it stands still."""

    def __init__(self, hardware: Hardware) -> None:
        self._hardware = hardware
        self._process: asyncio.subprocess.Process | None = None
        self._cycled = asyncio.Event()
        self.starts = 0
        self.ended: int | None = None  # the exit code of a program that ended

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def run(self) -> None:
        """Keep it running, until cancelled.

        Raises:
            OSError: The interpreter does not start.
        """
        try:
            while True:
                self._cycled.clear()
                self.ended = None
                self.starts += 1
                (self._hardware.sim / "outputs.json").unlink(missing_ok=True)  # no pin drives anything
                self._note("on")
                self._process = await asyncio.create_subprocess_exec(
                    *self._hardware.command(), start_new_session=True, preexec_fn=_die_with_parent
                )
                code = await self._process.wait()
                self._note("off")
                if code >= 0 and code != RESET:
                    # The prompt of MicroPython, where a real one stands then.
                    self.ended = code
                    await self._cycled.wait()
                await asyncio.sleep(_RESET_TAKES)
        finally:
            self._kill()
            if self._process:
                await self._process.wait()

    def cycle(self) -> None:
        """Switch it off and on."""
        self._cycled.set()
        self._kill()

    def bite(self) -> None:
        """Let its watchdog restart it."""
        (self._hardware.sim / "reset_cause").write_text(_BY_WATCHDOG)
        self._kill()

    def hang(self, *, hangs: bool) -> None:
        """Let it hang where it is, or go on."""
        if self.pid and self._process:
            self._process.send_signal(signal.SIGSTOP if hangs else signal.SIGCONT)

    def _note(self, power: str) -> None:
        """A line in ``/sim/power.jsonl``: from when to when the pins drove anything, by the PC's clock."""
        with (self._hardware.sim / "power.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"at_us": time.time_ns() // 1000, "power": power}) + "\n")

    def _kill(self) -> None:
        if self.pid and self._process:
            self._process.kill()


def _die_with_parent() -> None:
    """Runs in the child between fork and exec. SIGKILL, as one that hangs hears nothing else."""
    if _LIBC:
        _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
