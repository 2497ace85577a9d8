"""The protocols that the robot keeps, and their analyses."""

import asyncio
from collections.abc import Collection, Mapping
import contextlib
from dataclasses import dataclass, field
from typing import Any, Final
import uuid

from lab2mqtt.simulators.ot2.clock import Clock
from lab2mqtt.simulators.ot2.engine import Analysis, Engine
from lab2mqtt.simulators.ot2.parameters import filled
from lab2mqtt.simulators.ot2.protocol_file import ProtocolFile, read

UNUSED_KEPT: Final = 5
_ANALYSING: Final = 1.0  # s


class ProtocolNotFound(Exception):
    """No such protocol."""


class AnalysisNotFound(Exception):
    """No such analysis."""


class UsedByRun(Exception):
    """A run refers to it."""


class StillPending(Exception):
    """The last analysis is not done."""


@dataclass
class Analysing:
    """One analysis, done or not."""

    values: Mapping[str, Any]
    analysis_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    done: Analysis | None = None


@dataclass
class Kept:
    """One protocol."""

    protocol_id: str
    created_at: str
    file: ProtocolFile
    key: str | None
    analyses: list[Analysing] = field(default_factory=list)


class Protocols:
    """All protocols; at most 5 that no run uses."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._kept: dict[str, Kept] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def all(self) -> list[Kept]:
        """Oldest first."""
        return list(self._kept.values())

    def get(self, protocol_id: str) -> Kept:
        """One of them."""
        if kept := self._kept.get(protocol_id):
            return kept
        raise ProtocolNotFound(f"Protocol {protocol_id} was not found.")

    def add(
        self,
        files: Mapping[str, bytes],
        values: Mapping[str, Any],
        key: str | None,
        used: Collection[str | None],
    ) -> tuple[Kept, bool]:
        """Take an upload.

        Args:
            files: Contents by name.
            values: Of run-time parameters, for the analysis.
            key: The client's own mark.
            used: Protocols that runs refer to; these never go by themselves.

        Returns:
            The protocol, and whether it is new: the same content again is the same protocol.

        Raises:
            FilesInvalid, OtherRobot: It is refused.
            StillPending: The same is being analysed.
        """
        file = read(files)
        for kept in self._kept.values():
            if kept.file.digest == file.digest:
                self.analyse(kept, values)
                return kept, False
        unused = [name for name in self._kept if name not in used]
        for name in unused[: max(0, len(unused) - UNUSED_KEPT + 1)]:
            del self._kept[name]
        kept = Kept(str(uuid.uuid4()), self._clock.stamp(), file, key)
        self._kept[kept.protocol_id] = kept
        self.analyse(kept, values)
        return kept, True

    def analyse(self, kept: Kept, values: Mapping[str, Any], *, force: bool = False) -> bool:
        """Start an analysis unless the last one had the same values; gives whether one was started."""
        last = kept.analyses[-1] if kept.analyses else None
        if last and not last.done:
            raise StillPending("The last analysis of this protocol is still pending.")
        if last and not force and dict(last.values) == dict(values):
            return False
        analysing = Analysing(dict(values))
        kept.analyses.append(analysing)
        task = asyncio.create_task(self._analyse(kept, analysing))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def plan(self, protocol_id: str, values: Mapping[str, Any]) -> Analysis:
        """What a run of it would do.

        Raises:
            WrongValue: The values do not fit, which the run routes do not expect.
        """
        kept = self.get(protocol_id)
        done = (each.done for each in kept.analyses if each.done and each.done.parameters)
        known = next(done, None) or await self._engine.analyze(kept.file.upload, {})
        filled(known.parameters, values)
        return await self._engine.analyze(kept.file.upload, values)

    def analysis(self, kept: Kept, analysis_id: str) -> Analysing:
        """One analysis of a protocol."""
        for each in kept.analyses:
            if each.analysis_id == analysis_id:
                return each
        raise AnalysisNotFound(f"Analysis {analysis_id} not found.")

    def delete(self, protocol_id: str, used: Collection[str | None]) -> None:
        """Forget one.

        Raises:
            UsedByRun: A run refers to it.
        """
        self.get(protocol_id)
        if protocol_id in used:
            raise UsedByRun(f"Protocol {protocol_id} is used by a run and cannot be deleted.")
        del self._kept[protocol_id]

    def told(self, analysing: Analysing) -> dict[str, Any]:
        """An analysis as the server tells it."""
        if not (done := analysing.done):
            return {"id": analysing.analysis_id, "status": "pending"}
        return {
            "id": analysing.analysis_id,
            "status": "completed",
            "result": done.result,
            "robotType": "OT-2 Standard",
            "runTimeParameters": list(done.parameters),
            "commands": list(done.commands),
            "labware": list(done.labware),
            "pipettes": list(done.pipettes),
            "modules": list(done.modules),
            "liquids": [],
            "errors": list(done.errors),
            "engine": self._engine.words,  # the real server has no such key
        }

    async def close(self) -> None:
        """End what is being analysed."""
        for task in list(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._engine.close()

    async def _analyse(self, kept: Kept, analysing: Analysing) -> None:
        await self._clock.sleep(_ANALYSING)
        analysing.done = await self._engine.analyze(kept.file.upload, analysing.values)
