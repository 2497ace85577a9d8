"""The real package as this server's engine: asks the worker process, which alone imports ``opentrons``."""

from collections.abc import Mapping
import json
from typing import Any, Final
import uuid

from lab2mqtt.simulators.opentrons_answers import NotDone, WorkerGone
from lab2mqtt.simulators.opentrons_process import OpentronsProcess
from lab2mqtt.simulators.ot2.engine import Analysis, Upload

# Names that the engine gives while it runs; later commands use them.
_GIVEN: Final = ("labwareId", "pipetteId", "moduleId")


class WorkerEngine:
    """See the module."""

    real = True

    def __init__(self, process: OpentronsProcess) -> None:
        self._process = process

    @property
    def words(self) -> str:
        """What it is."""
        return "the real opentrons package, in a process of its own"

    async def analyze(self, upload: Upload, values: Mapping[str, Any]) -> Analysis:
        """Find out what a protocol would do."""
        labware = {name: json.dumps(definition) for name, definition in upload.labware.items()}
        try:
            told = (await self._process.analyze({upload.name: upload.source, **labware}, values)).document
        except (NotDone, WorkerGone) as error:
            return Analysis("not-ok", errors=(_error(type(error).__name__, str(error)),))
        commands = [_step(command) for command in told["commands"]]
        loaded = [
            command.get("result") or {} for command in commands if command["commandType"] == "loadLabware"
        ]
        return Analysis(
            told["result"],
            commands,
            told.get("labware") or (),
            told.get("pipettes") or (),
            told.get("modules") or (),
            told.get("runTimeParameters") or (),
            told["errors"],
            [result["definition"] for result in loaded if "wells" in result.get("definition", {})],
        )

    async def close(self) -> None:
        """End the process."""
        await self._process.close()


def _step(command: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in (command.get("result") or {}).items() if name in _GIVEN}
    return {**command, "params": {**command.get("params", {}), **given}}


def _error(kind: str, detail: str) -> dict[str, Any]:
    told = {"id": str(uuid.uuid4()), "errorType": kind, "errorCode": "4000", "detail": detail}
    return {**told, "errorInfo": {}, "wrappedErrors": []}
