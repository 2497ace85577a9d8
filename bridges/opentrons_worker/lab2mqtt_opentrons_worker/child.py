"""A process for one job, forked from the worker, which has imported the package already.

A protocol is a program of somebody else's: it may loop, fill the memory, print, leave threads behind or end
Python. In a process of its own all of that ends with the job, and nothing has to be imported twice.
"""

from collections.abc import Callable, Iterable
import contextlib
import ctypes
from dataclasses import dataclass
import json
import os
from pathlib import Path
import resource
import signal
import sys
from typing import Any, Self

from lab2mqtt_opentrons_worker.requests import Job

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_MB = 2**20


class Failed(Exception):
    """A job that has no result.

    Args:
        kind: A word for programs: ``invalid_files``, ``exited``, ``timeout``, ``cancelled``, ``died``, …
        text: What happened, for people.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind

    @classmethod
    def by_exit(cls, code: object) -> Self:
        """The protocol called ``sys.exit`` or the like."""
        return cls("exited", f"the protocol ended Python by itself: SystemExit({code!r})")


@dataclass(frozen=True)
class Link:
    """The child's side: where its files are, and the way to the worker."""

    folder: Path
    orders: int
    _answers: int

    def send(self, message: dict[str, Any]) -> None:
        """Tell the worker: ``progress``, ``rest``, ``reply``, ``result`` or ``error``."""
        # On a line of its own, even after a protocol that wrote to whatever file is open.
        line = b"\n" + json.dumps(message).encode() + b"\n"
        while line:
            line = line[os.write(self._answers, line) :]


Work = Callable[[Job, Link], dict[str, Any]]


@dataclass(frozen=True)
class Child:
    """The worker's side.

    Attributes:
        pid: The leader of a process group.
        answers: Its lines come here.
        orders: Lines to it go here.
    """

    pid: int
    answers: int
    orders: int

    def kill(self) -> tuple[int, int]:
        """End it, if it has not ended, and whatever it started.

        Returns:
            The exit code, negative for a signal, and the most memory that it had, in MB.
        """
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        _, status, usage = os.wait4(self.pid, 0)
        os.close(self.answers)
        os.close(self.orders)
        # Linux counts in KiB, macOS in bytes.
        megabytes = usage.ru_maxrss // (1024 if sys.platform != "darwin" else _MB)
        return os.waitstatus_to_exitcode(status), megabytes


def start(job: Job, work: Work, folder: Path, others: Iterable[int]) -> Child:
    """Fork.

    Args:
        job: What to do.
        work: Does it.
        folder: Gets the files; the child works in it.
        others: File descriptors that are not the child's business.
    """
    for name, text in job.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    answers, child_answers = os.pipe()
    child_orders, orders = os.pipe()
    pid = os.fork()
    if pid:
        os.close(child_answers)
        os.close(child_orders)
        with contextlib.suppress(OSError):  # the child does the same; whoever is first
            os.setpgid(pid, pid)
        os.set_blocking(answers, False)
        os.set_blocking(orders, False)
        return Child(pid, answers, orders)
    # From here on it is the child, which must never return.
    try:
        for other in (answers, orders, *others):
            os.close(other)
        _live(job, work, Link(folder, child_orders, child_answers))
    finally:
        os._exit(1)


def _live(job: Job, work: Work, link: Link) -> None:
    os.setpgid(0, 0)
    if _LIBC:
        _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    # Data of its own, so not what it shares with the worker or maps from files. macOS does not care.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (job.memory_mb * _MB, job.memory_mb * _MB))
    os.chdir(link.folder)
    try:
        link.send({"result": work(job, link)})
    except BaseException as error:  # noqa: BLE001 - of the package or the protocol: this edge answers it
        failed = _failed(error, job)
        link.send({"error": {"kind": failed.kind, "text": str(failed)}})
    sys.stderr.flush()
    # Not by returning: threads of the protocol would hold it up.
    os._exit(0)


def _failed(error: BaseException, job: Job) -> Failed:
    match error:
        case Failed():
            return error
        case SystemExit():
            return Failed.by_exit(error.code)
        case MemoryError():
            return Failed("memory", f"the protocol needs more than {job.memory_mb} MB of memory")
    return Failed("package", f"the Opentrons package failed: {type(error).__name__}: {error}")
