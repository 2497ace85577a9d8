"""The processes that are measured: their CPU clock, their memory, and holding them still."""

from collections.abc import Iterator, Sequence
import contextlib
from pathlib import Path
import signal
import subprocess
import sys
import tempfile
import time

_KIB = 1024
END_WITHIN = 10.0  # s


class Process:
    """One measured program, which takes words on its standard input."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start it; its log is shown if it ends by itself."""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self.started = time.perf_counter()
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self._log, stderr=self._log)

    def cpu(self) -> float:
        """Seconds of CPU that it has used, of all its threads, from the kernel's clock of nanoseconds."""
        self.check()
        return time.clock_gettime((~self._child.pid << 3) | 2)  # as clock_getcpuclockid(3) makes it

    def memory(self) -> float:
        """Resident MiB."""
        self.check()
        text = Path(f"/proc/{self._child.pid}/status").read_text(encoding="ascii")
        line = next(line for line in text.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / _KIB

    def tell(self, word: str) -> None:
        """Write one line to its standard input."""
        if self._child.stdin:
            self._child.stdin.write(f"{word}\n".encode())
            self._child.stdin.flush()

    def hold(self) -> None:
        """Stop it in its tracks, so that it takes no time from what is measured."""
        self._child.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run again."""
        self._child.send_signal(signal.SIGCONT)

    def check(self) -> None:
        """Make sure that it runs.

        Raises:
            RuntimeError: It has ended; the text holds its log.
        """
        if self._child.poll() is not None:
            self._log.seek(0)
            raise RuntimeError(f"{self._child.args} ended: {self._log.read().decode()[-3000:]}")

    def terminate(self) -> None:
        """Ask it to end, and wait for nothing."""
        self._child.terminate()

    def end(self) -> None:
        """End it in order."""
        self.go_on()
        self.terminate()
        try:
            self._child.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._log.close()


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[Process]:
    """Run ``python ARGUMENTS`` while the context lasts; a script is one of this folder."""
    script, *rest = arguments
    path = [script] if script.startswith("-") else [str(Path(__file__).with_name(script))]
    process = Process([sys.executable, *path, *rest])
    try:
        yield process
    finally:
        process.end()


@contextlib.contextmanager
def alone(process: Process, others: Sequence[Process]) -> Iterator[None]:
    """Let one of several processes run while the others stand still."""
    for other in others:
        if other is not process:
            other.hold()
    try:
        yield
    finally:
        for other in others:
            other.go_on()
