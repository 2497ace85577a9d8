"""Protocols on the robot: upload once, analyse with each set of values, run many."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
import json
import time
from typing import Any, Final

import aiohttp

from lab2mqtt.core.errors import Refused
from lab2mqtt.drivers.ot2.answers import Analysis, field
from lab2mqtt.drivers.ot2.errors import Silent
from lab2mqtt.drivers.ot2.http import Answer, RobotServer

_UPLOAD = 60.0  # s
_LONGEST = 300  # characters of one reason
_ANALYSIS = 120.0  # s; the robot's processor is slow
_LOOKS: Final = (0.05, 0.1, 0.2, 0.5, 1.0)  # s between two looks, the last one again and again


@dataclass(frozen=True)
class Uploaded:
    """A protocol on the robot.

    Attributes:
        new: Whether it was not there before: the same files again are the same protocol.
        metadata: As the file has it.
    """

    protocol_id: str
    name: str
    metadata: Mapping[str, Any]
    new: bool
    analysis_id: str


class Protocols:
    """The protocols of one robot."""

    def __init__(self, server: RobotServer) -> None:
        self._server = server

    async def all(self) -> list[dict[str, Any]]:
        """What is there; it keeps 5 that no run uses, and forgets the oldest."""
        return list(field((await self._server.get("/protocols")).body, "data", list))

    async def upload(
        self, files: Mapping[str, bytes], values: Mapping[str, object] | None = None
    ) -> Uploaded:
        """Upload a protocol; safe to repeat.

        Args:
            files: Contents by name: the protocol, and definitions of labware as JSON.
            values: Run-time parameters for the first analysis.

        Raises:
            Refused: It is no protocol, or not for this robot.
        """
        answer = await self._patiently(lambda: self._post_files(files, values or {}))
        told = answer.data
        summaries = field(told, "analysisSummaries", list)
        if not summaries:
            raise Refused("the robot did not analyse the protocol")
        name = next((each["name"] for each in field(told, "files", list) if each.get("role") == "main"), "")
        return Uploaded(
            field(told, "id", str),
            name,
            told.get("metadata") or {},
            answer.status == HTTPStatus.CREATED,
            field(summaries[-1], "id", str),
        )

    async def analyse(
        self, protocol_id: str, values: Mapping[str, object] | None = None, within: float = _ANALYSIS
    ) -> Analysis:
        """Find out what a run with these values would do. Nothing moves.

        Args:
            protocol_id: Which.
            values: Of run-time parameters; the others have their defaults.
            within: s.

        Raises:
            Silent: It is not done in time.
            NotFound: The robot has forgotten the protocol.
        """
        asked = {"runTimeParameterValues": dict(values or {})}
        path = f"/protocols/{protocol_id}/analyses"
        answer = await self._patiently(lambda: self._server.post(path, asked), within)
        return await self.analysis(protocol_id, field(answer.data[-1], "id", str), within)

    async def analysis(self, protocol_id: str, analysis_id: str, within: float = _ANALYSIS) -> Analysis:
        """Wait for an analysis.

        Raises:
            Silent: It is not done in time.
        """
        end = time.monotonic() + within
        looks = iter(_LOOKS)
        while True:
            told = (await self._server.get(f"/protocols/{protocol_id}/analyses/{analysis_id}")).data
            if field(told, "status", str) == "completed":
                return Analysis.read(told)
            if time.monotonic() > end:
                raise Silent(f"the robot did not analyse the protocol within {within:g} s")
            await asyncio.sleep(next(looks, _LOOKS[-1]))

    async def checked(self, protocol_id: str, values: Mapping[str, object] | None = None) -> Analysis:
        """An analysis that is all right.

        Raises:
            Refused: It is not; with the robot's reasons.
        """
        return judged(await self.analyse(protocol_id, values))

    async def delete(self, protocol_id: str) -> None:
        """Forget one.

        Raises:
            Refused: A run uses it.
        """
        await self._server.ask("DELETE", f"/protocols/{protocol_id}")

    async def _post_files(self, files: Mapping[str, bytes], values: Mapping[str, object]) -> Answer:
        form = aiohttp.FormData()
        for name in sorted(files):
            form.add_field("files", files[name], filename=name, content_type="application/octet-stream")
        if values:
            form.add_field("runTimeParameterValues", json.dumps(dict(values)))
        return await self._server.ask("POST", "/protocols", form=form, within=_UPLOAD)

    async def _patiently(self, asking: Callable[[], Awaitable[Answer]], within: float = _ANALYSIS) -> Answer:
        """Ask again while the last analysis of the protocol is still under way."""
        end = time.monotonic() + within
        looks = iter(_LOOKS)
        while True:
            try:
                answer = await asking()
            except Refused as refused:
                if refused.error_code != "busy" or time.monotonic() > end:
                    raise
                await asyncio.sleep(next(looks, _LOOKS[-1]))
            else:
                return answer


def judged(found: Analysis) -> Analysis:
    """The same analysis, where it is all right.

    Raises:
        Refused: It is not; with the robot's reasons.
    """
    if found.result == "ok":
        return found
    if found.result == "parameter-value-required":
        raise Refused("the protocol needs a file as a parameter, which was not given")
    reasons = "; ".join(_short(str(problem)) for problem in found.problems) or "no reason given"
    raise Refused(f"the robot's analysis of the protocol failed: {reasons}")


def _short(text: str) -> str:
    """The robot lists all 96 wells where one was wrong."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
