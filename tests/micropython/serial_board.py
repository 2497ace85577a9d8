"""A board at a serial port: a real MicroPython with its prompt behind a pseudo-terminal, for mpremote."""

import os
from pathlib import Path
import select
import signal
import subprocess
import threading
import time
import tty
from typing import Self

from lab2mqtt.boards import firmware
from lab2mqtt.simulators.board.power import HEAP
from lab2mqtt.simulators.board.world import World

CTRL_C = b"\x03"
_RESET_TAKES = 0.05  # s


class SerialBoard:
    """A board that is plugged in; it is powered as long as the context lasts.

    Attributes:
        port: What to give as ``--port``.
        flash: The folder that is its flash.
        starts: How often it was started.
    """

    def __init__(self, interpreter: Path, folder: Path) -> None:
        self.flash = folder / "flash"
        self._sim = folder / "sim"
        for each in (self.flash, self._sim):
            each.mkdir(parents=True)
        World(self._sim).turn()
        simulated = firmware() / "simulated"
        self._command = [interpreter, "-X", f"heapsize={HEAP}", simulated / "raw_repl.py"]
        self._command += [self.flash, self._sim, simulated]
        self._board, self._pc = os.openpty()
        tty.setraw(self._pc)  # its end stays open: the port is there while nobody has it open
        self.port = os.ttyname(self._pc)
        self.starts = 0
        self._ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        os.close(self._board)
        os.close(self._pc)

    def _serve(self) -> None:
        """Power it, and again after each reset."""
        while not self._ended.is_set():
            self.starts += 1
            with subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            ) as self._process:
                self._relay(self._process)
                self._process.kill()
            time.sleep(_RESET_TAKES)

    def _relay(self, process: subprocess.Popen[bytes]) -> None:
        """Pass on what is typed and said, until the board resets; Ctrl-C interrupts what runs.

        The port of a real one is there only once it has started: before, nothing is taken.
        """
        assert process.stdin
        assert process.stdout
        said = process.stdout.fileno()
        if not os.read(said, 4096):
            return
        while not self._ended.is_set():
            for ready in select.select([self._board, said], [], [], 0.1)[0]:
                heard = os.read(ready, 4096)
                if ready == said and not heard:
                    return
                if ready == said:
                    os.write(self._board, heard)
                    continue
                for number, typed in enumerate(heard.split(CTRL_C)):
                    if number:
                        process.send_signal(signal.SIGINT)
                    try:
                        os.write(process.stdin.fileno(), typed)
                    except BrokenPipeError:
                        return
