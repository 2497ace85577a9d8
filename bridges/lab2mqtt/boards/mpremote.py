"""A board at a serial port, through mpremote: a program of its own, that may hang or fail without us."""

from collections.abc import Iterable, Sequence
import importlib.util
from pathlib import Path
import subprocess
import sys
import time

TIMEOUT = 120.0  # s for one call; the longest copies some fifty files
BACK_WITHIN = 30.0  # s after a reset; a Pico needs two until its port is there again

ANSWER_WITHIN = 5.0  # s for the simplest question

_RESET = "import machine,time\ntime.sleep_ms(100)\nmachine.reset()"


class BoardError(Exception):
    """The board does not do what it should: what happened, and what to try."""


class Mpremote:
    """One board.

    Every call interrupts the program that runs on it; only a reset starts that again.
    """

    def __init__(self, port: str = "auto", hidden: Iterable[str] = ()) -> None:
        """Prepare; nothing is connected yet.

        Args:
            port: ``/dev/ttyACM0``, or ``auto`` for the first board on USB.
            hidden: Texts that must not stand in any output.

        Raises:
            BoardError: mpremote is not installed.
        """
        if importlib.util.find_spec("mpremote") is None:
            raise BoardError("mpremote is not installed: pip install 'lab2mqtt[boards]'")
        self.port = port
        self._hidden = sorted((text for text in hidden if text), key=len, reverse=True)

    def run(self, *arguments: str, timeout: float = TIMEOUT) -> str:
        """Do one thing, and give what it prints.

        Raises:
            BoardError: It failed.
        """
        # -P: somebody's own serial.py in the working folder is not that of mpremote.
        command = [sys.executable, "-P", "-m", "mpremote", "connect", self.port, *arguments]
        try:
            done = subprocess.run(  # noqa: S603
                command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise BoardError(
                f"the board at {self.port} did not answer for {timeout:.0f} s: press its reset button"
            ) from error
        if done.returncode:
            raise BoardError(self._told(done.stderr or done.stdout))
        return done.stdout.replace("\r\n", "\n")

    def execute(self, program: str) -> list[str]:
        """Run a program on the board, and give its lines.

        Raises:
            BoardError: It raised.
        """
        return self.run("exec", program).splitlines()

    def copy(self, files: Sequence[Path], folder: str) -> None:
        """Copy files into a folder of the board, which is there.

        Raises:
            BoardError: One was not copied.
        """
        self.run("fs", "cp", *map(str, files), f":{folder.rstrip('/')}/")

    def reset(self) -> None:
        """Restart the board, and wait until its port is there again."""
        self.run("exec", "--no-follow", _RESET)
        time.sleep(1)  # until the port of before is gone

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            BoardError: It does not.
        """
        until = time.monotonic() + BACK_WITHIN
        while True:
            try:
                self.run("eval", "1", timeout=ANSWER_WITHIN)
            except BoardError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)
            else:
                return

    def _told(self, text: str) -> str:
        """The end of what it says, without secrets."""
        for secret in self._hidden:
            text = text.replace(secret, "…")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        told = lines[-1].removeprefix("mpremote: ") if lines else "mpremote failed without a word"
        if self.port.startswith("/") and not Path(self.port).exists():
            told = "there is no such port; `lab2mqtt board list` tells what is plugged in"
        elif told == "no device found":
            told += ": plug a board in by USB, or name its port by --port"
        return f"{self.port}: {told}"


def ports() -> list[str]:
    """What is plugged in, a line each, as mpremote tells it.

    Raises:
        BoardError: mpremote is not installed.
    """
    told = Mpremote("list").run()
    # Ports without a USB id are those of the mainboard.
    return [line for line in told.splitlines() if " 0000:0000 " not in line]
