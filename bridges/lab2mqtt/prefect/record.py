"""What a flow run tells Prefect of its calls: log lines, a progress artifact, and a record with the result.

The record is an artifact of the type ``lab2mqtt-call``. It is written before a command is sent that sets or
moves something, so that whoever cancels the run knows what to cancel, and once more with what came out. It is
how a caller gets the result: through the API alone, with no disk shared.
"""

import asyncio
import contextlib
import itertools
import logging
import os
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient, SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterType,
    FlowRunFilter,
    FlowRunFilterId,
)
from prefect.client.schemas.sorting import ArtifactSort

CALL = "lab2mqtt-call"
SENT = "sent"  # the status of a call that has no result yet
PROGRESS_EVERY = 1.0  # s between two updates of the progress artifact
_PAGE = 200  # records that Prefect gives at once
_STEP = 10.0  # percent between two lines in the log

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]


def process_run(run_id: UUID) -> UUID:
    """The run that a worker started this process for: who cancels that cancels the calls of its subflows."""
    with contextlib.suppress(KeyError, ValueError):
        return UUID(os.environ["PREFECT__FLOW_RUN_ID"])
    return run_id


def calls_of(client: SyncPrefectClient, flow_run_id: UUID) -> list[tuple[UUID, dict[str, Any]]]:
    """The records of a flow run with their artifact ids, newest first."""
    found: dict[UUID, dict[str, Any]] = {}  # what is written meanwhile moves some to the next page once more
    for offset in itertools.count(step=_PAGE):
        page = client.read_artifacts(
            artifact_filter=ArtifactFilter(type=ArtifactFilterType(any_=[CALL])),
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id])),
            sort=ArtifactSort.CREATED_DESC,
            limit=_PAGE,
            offset=offset,
        )
        found |= {one.id: one.data for one in page if isinstance(one.data, dict)}
        if len(page) < _PAGE:
            break
    return list(found.items())


class Record:
    """The record of one call."""

    def __init__(self, client: PrefectClient, run_id: UUID, logger: Logger, told: dict[str, Any]) -> None:
        self._client = client
        self._run_id = run_id
        self.logger = logger
        self._told = told
        self._artifact: UUID | None = None
        self._bar: UUID | None = None
        self._wanted: tuple[float, str] = (0.0, "")
        self._updating: asyncio.Task[None] | None = None
        self._line: tuple[str, str | None] = ("", None)
        self._percent = -_STEP

    @property
    def words(self) -> str:
        """Device and task."""
        return f"{self._told['device']} {self._told['task']}"

    async def write(self, **more: Any) -> None:  # noqa: ANN401 - whatever JSON holds
        """Write the record, with what is new of it."""
        self._told |= more
        if self._artifact is None:
            made = ArtifactCreate(
                type=CALL, data=self._told, flow_run_id=self._run_id, description=self.words
            )
            self._artifact = (await self._client.create_artifact(made)).id
        else:
            await self._client.update_artifact(self._artifact, ArtifactUpdate(data=self._told))

    def progress(self, message: dict[str, Any]) -> None:
        """Tell how far it is."""
        status, words, percent = message["status"], message.get("message"), message.get("percent")
        line = (status, words)
        if line != self._line or (percent is not None and percent >= self._percent + _STEP):
            self._line = line
            self._percent = self._percent if percent is None else percent
            far = "" if percent is None else f" {percent:.0f} %"
            self.logger.info("%s: %s%s%s", self.words, status, far, f", {words}" if words else "")
        self._wanted = (self._wanted[0] if percent is None else float(percent), words or status)
        if self._updating is None or self._updating.done():
            self._updating = asyncio.create_task(self._update())

    async def ended(self, words: str = "") -> None:
        """Show the end of the progress: where it came to a halt and why, or that all is done."""
        if self._updating:
            self._updating.cancel()
            await asyncio.gather(self._updating, return_exceptions=True)
            await self._show(*((self._wanted[0], words) if words else (100.0, "done")))

    async def _update(self) -> None:
        shown: tuple[float, str] | None = None
        while shown != self._wanted:
            shown = self._wanted
            await self._show(*shown)
            await asyncio.sleep(PROGRESS_EVERY)

    async def _show(self, percent: float, words: str) -> None:
        about = f"{self.words}: {words}"
        try:
            if self._bar is None:
                made = ArtifactCreate(
                    type="progress", data=percent, flow_run_id=self._run_id, description=about
                )
                self._bar = (await self._client.create_artifact(made)).id
            else:
                await self._client.update_artifact(self._bar, ArtifactUpdate(data=percent, description=about))
        except Exception as error:  # noqa: BLE001 - a courtesy: what moves goes on without it
            self.logger.debug("no progress shown: %s", error)
