"""Tasks with protocols by their names: those of the cell, and whatever is on the robot."""

from collections.abc import Mapping
import json
from typing import Annotated, Any

from lab2mqtt.core.errors import Refused
from lab2mqtt.core.parameters import Schema, Text
from lab2mqtt.core.run import Run
from lab2mqtt.core.words import near
from lab2mqtt.drivers.ot2.cell import Cell, Protocol
from lab2mqtt.drivers.ot2.current import Wanted
from lab2mqtt.drivers.ot2.play import Player
from lab2mqtt.drivers.ot2.protocols import Protocols


class ProtocolTasks:
    """For a driver that has a cell and plays.

    Attributes:
        cell: The protocols of the lab.
        player: What plays them.
    """

    cell: Cell
    player: Player
    _protocols: Protocols

    async def list_protocols(self) -> dict[str, object]:
        """List the protocols of the cell, by task, and those that are on the robot."""
        there = [
            {
                "id": each.get("id"),
                "name": (each.get("metadata") or {}).get("protocolName"),
                "file": _main(each),
                "uploaded_at": each.get("createdAt"),
            }
            for each in await self._protocols.all()
        ]
        return {"cell": {name: one.title for name, one in self.cell.protocols.items()}, "robot": there}

    async def upload_protocol(
        self,
        name: Annotated[str, Text(128, 4, r"[\w .-]+\.py")],
        content: Annotated[str, Text(60_000, 1)],
        run: Run,
        labware: dict[str, Any] | None = None,
    ) -> dict[str, object]:
        """Upload a protocol; refused with the errors of the robot's analysis.

        Args:
            name: Of the file.
            content: Its text.
            run: The task.
            labware: Definitions of labware that it needs, by file name; the cell's own are there already.
        """
        run.progress(message="the robot analyses the protocol")
        files = {
            file: text
            for one in self.cell.protocols.values()
            for file, text in one.files.items()
            if file.endswith(".json")
        }
        files |= {key: json.dumps(definition).encode() for key, definition in (labware or {}).items()}
        protocol_id, analysis = await self.player.analyse({**files, name: content.encode()}, {})
        return {
            "protocol": protocol_id,
            "name": name,
            "parameters": list(analysis.parameters),
            "commands": len(analysis.commands),
        }

    async def run_protocol(
        self, name: Annotated[str, Text(128, 1)], run: Run, parameters: dict[str, Any] | None = None
    ) -> dict[str, object]:
        """Run a protocol of the cell, or one that is on the robot.

        Args:
            name: Of its task, its file, or its id.
            run: The task.
            parameters: Values of its run-time parameters.

        Returns:
            The final status of the run, with its id and how long it took.
        """
        values = dict(parameters or {})
        for task, one in self.cell.protocols.items():
            if name == task or name in one.files:
                return await self.play(task, checked(one, values), run)
        there = await self._protocols.all()
        for each in reversed(there):  # the newest of a name
            if name in (each.get("id"), _main(each), (each.get("metadata") or {}).get("protocolName")):
                return await self.player.play(Wanted(name, values, protocol_id=str(each["id"])), run)
        known = [*self.cell.protocols, *(file for file in map(_main, there) if file)]
        raise Refused(f"there is no protocol {name!r}{near(name, known)}: {', '.join(known)}")

    async def play(self, task: str, arguments: Mapping[str, Any], run: Run) -> dict[str, object]:
        """Run a protocol of the cell; the driver does it."""
        raise NotImplementedError


def checked(protocol: Protocol, values: Mapping[str, object]) -> dict[str, object]:
    """Values of a protocol's parameters, as it takes them.

    Raises:
        Refused: Everything that is wrong with them.
    """
    return Schema(protocol.parameters, protocol.task).check(values)


def _main(told: Mapping[str, Any]) -> str | None:
    files = [each.get("name") for each in told.get("files") or () if each.get("role") == "main"]
    return str(files[0]) if files else None
