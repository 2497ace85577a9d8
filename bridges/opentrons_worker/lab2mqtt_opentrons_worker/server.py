"""Takes requests, starts a child for each job, and sees that every one is answered."""

from collections.abc import Callable, Mapping
import contextlib
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import selectors
import shutil
import tempfile
import time
from typing import Any

from lab2mqtt_opentrons_worker.child import Child, Work, start
from lab2mqtt_opentrons_worker.requests import LINE_LIMIT, BadRequest, Job, Order, read

JOBS_AT_ONCE = 4
ANSWER_LIMIT = 32 * 2**20  # bytes of a line to the parent
_LOOK = 0.2  # s between two looks at the clock and at children that died
_PIECE = 2**16

Hello = Callable[[], dict[str, Any]]


@dataclass
class _Running:
    """A job in its child. ``deadline`` is None while the run is paused, which may last."""

    job: Job
    child: Child
    folder: Path
    started: float
    deadline: float | None
    heard: bytearray = field(default_factory=bytearray)
    orders: set[int] = field(default_factory=set)


class Server:
    """One thread, no event loop: a process that forks must have neither."""

    def __init__(self, requests: int, answers: int, hello: Hello, works: Mapping[str, Work]) -> None:
        """Prepare.

        Args:
            requests: File descriptor that requests come from; its end is the end of the worker.
            answers: File descriptor that answers go to.
            hello: Gives the result of ``hello``.
            works: What does a job, by its ``do``; none where the package cannot be imported.
        """
        self._requests, self._answers = requests, answers
        self._hello, self._works = hello, works
        self._heard = bytearray()
        self._too_long = False
        self._jobs: dict[int, _Running] = {}
        self._open = True
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Serve until ``shutdown`` or the end of the requests."""
        os.set_blocking(self._requests, False)
        self._selector.register(self._requests, selectors.EVENT_READ, None)
        try:
            while self._open:
                for key, _ in self._selector.select(_LOOK if self._jobs else None):
                    if key.data is None:
                        self._take_requests()
                    elif running := self._jobs.get(key.data):
                        self._take_news(running)
                self._look_at_the_clock()
        finally:
            for running in list(self._jobs.values()):
                self._finish(running, error=("cancelled", "the worker was shut down"))
            self._selector.close()

    def _take_requests(self) -> None:
        piece = os.read(self._requests, _PIECE)
        if not piece:
            self._open = False
            return
        self._heard += piece
        while (end := self._heard.find(b"\n")) >= 0:
            line = bytes(self._heard[:end])
            del self._heard[: end + 1]
            if self._too_long:
                self._too_long = False
            elif line.strip():
                self._serve(line)
        if len(self._heard) > LINE_LIMIT:
            if not self._too_long:
                self._answer(None, error=("bad_request", f"a request has more than {LINE_LIMIT} bytes"))
            self._too_long = True
            self._heard.clear()

    def _serve(self, line: bytes) -> None:
        try:
            asked = read(line)
            if isinstance(asked, Job):
                self._start(asked)
            else:
                self._obey(asked)
        except BadRequest as wrong:
            self._answer(wrong.request, error=("bad_request", str(wrong)))

    def _start(self, job: Job) -> None:
        work = self._works.get(job.do)
        if not work:
            self._answer(job.request, error=("no_package", self._hello().get("problem", "")))
            return
        if job.request in self._jobs:
            raise BadRequest(f"id {job.request} is in use", job.request)
        if len(self._jobs) >= JOBS_AT_ONCE:
            self._answer(job.request, error=("busy", f"{JOBS_AT_ONCE} protocols are being worked on"))
            return
        ours = [self._requests, self._answers, self._selector.fileno()]
        for other in self._jobs.values():
            ours += [other.child.answers, other.child.orders]
        folder = Path(tempfile.mkdtemp(prefix="lab2mqtt-opentrons-"))
        try:
            child = start(job, work, folder, ours)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            self._answer(job.request, error=("died", f"no process for it: {error}"))
            return
        now = time.monotonic()
        self._jobs[job.request] = _Running(job, child, folder, now, now + job.timeout)
        self._selector.register(child.answers, selectors.EVENT_READ, job.request)

    def _obey(self, order: Order) -> None:
        if order.do == "hello":
            self._answer(order.request, result=self._hello())
            return
        if order.do == "shutdown":
            self._open = False
            self._answer(order.request, result={})
            return
        running = self._jobs.get(order.of) if order.of is not None else None
        if not running:
            text = f"{order.of} is not being worked on"
            self._answer(order.request, error=("not_running", text))
        elif running.job.do == "analyze":
            if order.do == "cancel":
                self._answer(order.request, result={})
                self._finish(running, error=("cancelled", "the analysis was cancelled"))
            else:
                self._answer(order.request, error=("not_allowed", f"an analysis knows no {order.do}"))
        else:
            if order.do == "cancel":  # a protocol that clings to life must not
                running.deadline = time.monotonic() + running.job.timeout
            running.orders.add(order.request)
            line = json.dumps({"do": order.do, "request": order.request}).encode() + b"\n"
            with contextlib.suppress(OSError):  # it has just ended, and that answers the order
                os.write(running.child.orders, line)

    def _take_news(self, running: _Running) -> None:
        try:
            piece = os.read(running.child.answers, _PIECE)
        except BlockingIOError:
            return
        if not piece:
            self._finish(running)
            return
        running.heard += piece
        while (end := running.heard.find(b"\n")) >= 0:
            line = bytes(running.heard[:end])
            del running.heard[: end + 1]
            if self._take(running, line):
                return
        if len(running.heard) > ANSWER_LIMIT:
            text = f"its result has more than {ANSWER_LIMIT} bytes"
            self._finish(running, error=("too_long", text))

    def _take(self, running: _Running, line: bytes) -> bool:
        """Take one line of a child; tells whether that was its last."""
        try:
            told = json.loads(line)
        except ValueError:  # the line between two, or what a protocol wrote there
            return False
        now = time.monotonic()
        match told:
            case {"progress": progress}:
                if running.deadline is not None:
                    running.deadline = now + running.job.timeout
                self._say({"id": running.job.request, "progress": progress})
            case {"rest": None}:
                running.deadline = None
            case {"rest": int() | float() as seconds}:
                running.deadline = now + seconds + running.job.timeout
            case {"reply": int() as request, "error": text} if request in running.orders:
                running.orders.discard(request)
                if text is None:
                    self._answer(request, result={})
                else:
                    self._answer(request, error=("not_allowed", text))
            case {"result": dict() as result}:
                self._finish(running, result=result)
                return True
            case {"error": {"kind": str() as kind, "text": str() as text}}:
                self._finish(running, error=(kind, text))
                return True
        return False

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        for running in list(self._jobs.values()):
            if running.deadline is not None and now > running.deadline:
                what = "step" if running.job.do == "simulate" else "end"
                text = f"no {what} of the protocol within {running.job.timeout:g} s: does it loop or wait?"
                self._finish(running, error=("timeout", text))

    def _finish(
        self,
        running: _Running,
        result: dict[str, Any] | None = None,
        error: tuple[str, str] | None = None,
    ) -> None:
        self._selector.unregister(running.child.answers)
        code, megabytes = running.child.kill()
        del self._jobs[running.job.request]
        shutil.rmtree(running.folder, ignore_errors=True)
        for order in running.orders:
            self._answer(order, error=("not_running", "it has just ended"))
        if result is None and error is None:
            how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
            error = "died", f"the protocol's process {how}"
        if result is not None:
            took = time.monotonic() - running.started
            result |= {"memory_mb": megabytes, "took": round(took, 3)}
        self._answer(running.job.request, result=result, error=error)

    def _answer(
        self,
        request: int | None,
        result: Mapping[str, Any] | None = None,
        error: tuple[str, str] | None = None,
    ) -> None:
        if error:
            self._say({"id": request, "error": {"kind": error[0], "text": error[1]}})
        else:
            self._say({"id": request, "result": result})

    def _say(self, message: dict[str, Any]) -> None:
        line = json.dumps(message).encode() + b"\n"
        if len(line) > ANSWER_LIMIT:
            text = f"the answer has more than {ANSWER_LIMIT} bytes"
            instead = {"id": message["id"], "error": {"kind": "too_long", "text": text}}
            line = json.dumps(instead).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self._answers, line) :]
        except BrokenPipeError:
            self._open = False
