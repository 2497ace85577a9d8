"""The process with the real Opentrons package, as its parent sees it: asked over a pipe, started again.

The package needs versions that nothing else here can live with, so it has an environment of its own, where
``lab2mqtt_opentrons_worker`` runs. One JSON object per line: bridges/opentrons_worker/README.md.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
import contextlib
from dataclasses import dataclass
import itertools
import json
import logging
import os
import tempfile

from lab2mqtt.core.errors import LabError
from lab2mqtt.simulators.opentrons_answers import (
    About,
    Analysis,
    Document,
    NotDone,
    Outcome,
    Step,
    WorkerGone,
)

_LOG = logging.getLogger(__name__)

LINE_LIMIT = 33 * 2**20  # bytes; the worker's own limit is 32 MiB
START_WITHIN = 90.0  # s; the import takes 2 to 5 on two free cores
ANSWER_WITHIN = 15.0  # s
END_WITHIN = 5.0  # s
_LAST_WORDS = 20  # lines of its stderr that are kept

Value = bool | int | float | str


@dataclass
class _Asked:
    """A request that waits for its answer."""

    answer: asyncio.Future[Document]
    tell: Callable[[Document], None] | None


class SimulatedRun:
    """A run that goes on. ``steps()`` tells what happens, ``outcome()`` how it ends."""

    def __init__(self, process: "OpentronsProcess", request: int, answer: asyncio.Future[Document]) -> None:
        """Made by ``OpentronsProcess.simulate``."""
        self._process, self._request, self._answer = process, request, answer
        self._steps: asyncio.Queue[Step | None] = asyncio.Queue()
        answer.add_done_callback(lambda _: self._steps.put_nowait(None))

    async def steps(self) -> AsyncIterator[Step]:
        """Each step once, until the run has ended, however it ended."""
        while step := await self._steps.get():
            yield step
        self._steps.put_nowait(None)

    async def outcome(self) -> Outcome:
        """Wait for the end.

        Raises:
            NotDone: The files are no protocol, or it did not end by itself.
            WorkerGone: The process died.
        """
        return Outcome.read(await asyncio.shield(self._answer))

    async def pause(self) -> None:
        """Pause after the command that runs, like the robot.

        Raises:
            NotDone: It cannot be paused now; so for the other two.
            WorkerGone: The process died.
        """
        await self._process.ask("pause", of=self._request)

    async def resume(self) -> None:
        """Go on after a pause, the protocol's own too."""
        await self._process.ask("resume", of=self._request)

    async def cancel(self) -> None:
        """Stop the run; its outcome is then ``stopped``."""
        await self._process.ask("cancel", of=self._request)

    def _told(self, progress: Document) -> None:
        self._steps.put_nowait(Step.read(progress))


class OpentronsProcess:
    """Starts the worker at the first request, and again after it died."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        patience: float = ANSWER_WITHIN,
    ) -> None:
        """Prepare; nothing is started.

        Args:
            command: The worker's Python and its arguments.
            environment: All of its environment; else ours.
            patience: s between two signs of life, and for each of them.
        """
        self._command = tuple(command)
        self._environment = dict(os.environ if environment is None else environment)
        self._patience = patience
        self._ids = itertools.count(1)
        self._asked: dict[int, _Asked] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._starting = asyncio.Lock()
        self._words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    async def hello(self) -> About:
        """Ask what runs there.

        Raises:
            WorkerGone: It does not start.
        """
        told = await self.ask("hello")
        return About(
            told["worker"],
            told["python"],
            told.get("opentrons", ""),
            told.get("problem", ""),
            tuple(told.get("api_levels", ())),
            told["memory_mb"],
        )

    async def analyze(
        self, files: Mapping[str, str], values: Mapping[str, Value] | None = None, within: float = 60.0
    ) -> Analysis:
        """Find out what a protocol would do; a protocol with a mistake has an analysis too.

        Args:
            files: Text by name: one protocol, and the labware that it loads.
            values: Run-time parameters that differ from their defaults.
            within: s.

        Raises:
            NotDone: The files are no protocol, or it did not end.
            WorkerGone: The process died.
        """
        told = await self.ask("analyze", files=dict(files), values=dict(values or {}), timeout=within)
        return Analysis(told["analysis"], tuple(told["seconds"]), told["took"], told["memory_mb"])

    async def simulate(
        self,
        files: Mapping[str, str],
        values: Mapping[str, Value] | None = None,
        *,
        speed: float = 0.0,
        pipettes: Mapping[str, str] | None = None,
        within: float = 60.0,
    ) -> SimulatedRun:
        """Start a run.

        Args:
            files: As for ``analyze``.
            values: As for ``analyze``.
            speed: How many times faster than a robot; 0 takes no time at all.
            pipettes: What hangs on the robot, ``{"right": "p300_single_gen2"}``; None for what it wants.
            within: s without a step, other than a pause.

        Raises:
            WorkerGone: The process died.
        """
        await self._ensure()
        answer: asyncio.Future[Document] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_look_at)
        request = next(self._ids)
        run = SimulatedRun(self, request, answer)
        self._asked[request] = _Asked(answer, run._told)  # noqa: SLF001 - two halves of one thing
        asked = {"files": dict(files), "values": dict(values or {}), "speed": speed, "timeout": within}
        if pipettes is not None:
            asked["pipettes"] = dict(pipettes)
        try:
            await self._send({"id": request, "do": "simulate", **asked})
        except WorkerGone:
            self._asked.pop(request, None)
            raise
        return run

    async def ask(self, do: str, **parameters: object) -> Document:
        """Send a request, and wait for its answer as it came.

        Raises:
            NotDone: The answer is an error.
            WorkerGone: The process died before it.
        """
        await self._ensure()
        return await self._ask(do, **parameters)

    async def close(self) -> None:
        """End the process and what it works on; whoever waits gets ``WorkerGone``."""
        async with self._starting:
            await self._end("was closed")

    async def _ensure(self) -> None:
        async with self._starting:
            if self._process and self._process.returncode is None and not self._tasks[0].done():
                return
            await self._end("was restarted")
            self._words.clear()
            # All that it writes is in here, so that nothing stays behind when it is killed.
            self._folder = tempfile.TemporaryDirectory(
                prefix="lab2mqtt-opentrons-", ignore_cleanup_errors=True
            )
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    env=self._environment | {"TMPDIR": self._folder.name},
                    limit=LINE_LIMIT,
                    start_new_session=True,  # a Ctrl-C is for us; its end is the end of the pipe
                )
            except OSError as error:
                self._folder.cleanup()
                raise WorkerGone(f"the Opentrons worker does not start: {error}") from error
            self._process = process
            self._tasks = (
                asyncio.create_task(self._listen(process)),
                asyncio.create_task(self._keep_words(process)),
            )
            try:
                async with asyncio.timeout(START_WITHIN):
                    await self._ask("hello")
            except TimeoutError as error:
                await self._end(f"was not ready within {START_WITHIN:g} s")
                raise WorkerGone(f"the Opentrons worker was not ready within {START_WITHIN:g} s") from error
            self._tasks += (asyncio.create_task(self._watch(process)),)

    async def _ask(self, do: str, **parameters: object) -> Document:
        request = next(self._ids)
        answer: asyncio.Future[Document] = asyncio.get_running_loop().create_future()
        self._asked[request] = _Asked(answer, None)
        try:
            await self._send({"id": request, "do": do, **parameters})
            return await answer
        except asyncio.CancelledError:
            if do == "analyze":  # nobody waits for it any more
                with contextlib.suppress(WorkerGone):
                    await self._send({"id": next(self._ids), "do": "cancel", "of": request})
            raise
        finally:
            self._asked.pop(request, None)

    async def _send(self, message: Document) -> None:
        process = self._process
        if not process or not process.stdin:
            raise WorkerGone("the Opentrons worker does not run")
        try:
            process.stdin.write(json.dumps(message).encode() + b"\n")
            await process.stdin.drain()
        except ConnectionError as error:
            raise WorkerGone(f"the Opentrons worker takes no requests: {error}") from error

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Hand out answers until there are no more."""
        output = process.stdout
        why = ""
        try:
            while output and (line := await output.readline()):
                self._take(json.loads(line))
        except (ValueError, TypeError, KeyError) as error:  # also a line that is too long
            why = f"sends nonsense ({error})"
            process.kill()
        code = await process.wait()
        await asyncio.wait(self._tasks[1:2], timeout=1)  # its last words may still be on the way
        words = f": {self._words[-1]}" if code > 0 and self._words else ""
        self._fail(why or (f"was ended by signal {-code}" if code < 0 else f"ended with code {code}{words}"))

    def _take(self, told: Document) -> None:
        asked = self._asked.get(told["id"])
        if not asked or asked.answer.done():
            return
        if "progress" in told:
            if asked.tell:
                asked.tell(told["progress"])
        elif "result" in told:
            asked.answer.set_result(told["result"])
        else:
            asked.answer.set_exception(NotDone(told["error"]["kind"], told["error"]["text"]))
        if asked.answer.done():
            del self._asked[told["id"]]

    async def _keep_words(self, process: asyncio.subprocess.Process) -> None:
        """The package logs and protocols print; the last of it explains a crash."""
        left = b""
        while process.stderr and (piece := await process.stderr.read(2**16)):
            *lines, left = (left + piece)[-(2**16) :].split(b"\n")
            self._words.extend(line.decode(errors="replace").rstrip() for line in lines if line.strip())

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """While something is asked, ask for a sign of life as well: one thread of it answers everything."""
        while process.returncode is None:
            if self._asked:
                try:
                    async with asyncio.timeout(self._patience):
                        await self._ask("hello")
                except TimeoutError:
                    _LOG.warning("the Opentrons worker hangs, and is ended")
                    process.kill()
                    return
                except LabError:
                    return
            await asyncio.sleep(self._patience)

    def _fail(self, why: str) -> None:
        for asked in self._asked.values():
            if not asked.answer.done():
                asked.answer.set_exception(WorkerGone(f"the Opentrons worker {why}"))
        self._asked.clear()

    async def _end(self, why: str) -> None:
        process, self._process = self._process, None
        if not process:
            return
        self._fail(why)
        if process.stdin:
            process.stdin.close()
        try:
            async with asyncio.timeout(END_WITHIN):
                await process.wait()
        except TimeoutError:
            process.kill()
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._folder:
            self._folder.cleanup()


def _look_at(answer: asyncio.Future[Document]) -> None:
    """A run that nobody waited for to the end is no reason for a complaint of asyncio's."""
    if not answer.cancelled():
        answer.exception()
