"""Programs that run beside us, and end when we do, however we end."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
import ctypes
from pathlib import Path
import signal
import subprocess
import sys

Child = subprocess.Popen[bytes]

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None

# Linux sends the signal when the thread that started the program ends, not only when the process does.
# So all are started by one thread that lives as long as we do.
_STARTER = ThreadPoolExecutor(1, "child-starter")


def start(command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Child:
    """Start a program whose output goes to ``log``, out of reach of a Ctrl-C that is meant for us.

    Raises:
        OSError: It cannot be started.
    """
    with log.open("wb") as output:
        return _STARTER.submit(
            subprocess.Popen,
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        ).result()


def stop(process: Child, patience: float) -> int:
    """End a program by SIGTERM, after ``patience`` seconds by SIGKILL; gives its exit code."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def _die_with_parent() -> None:
    """Runs in the child between fork and exec, so it does no more than one call into the kernel."""
    if _LIBC:
        _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
