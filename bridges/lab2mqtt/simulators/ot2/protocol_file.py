"""What the robot reads from an upload at once, before any analysis: files, metadata, for which robot."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
import hashlib
import json
from typing import Any

from lab2mqtt.simulators.ot2.engine import Upload
from lab2mqtt.simulators.ot2.labware import Labware


class FilesInvalid(Exception):
    """No protocol can be made of these files: 422 ProtocolFilesInvalid."""


class OtherRobot(Exception):
    """The protocol is for another model: 422 ProtocolRobotTypeMismatch."""


@dataclass(frozen=True)
class ProtocolFile:
    """A protocol as it was read.

    Attributes:
        digest: Of all files; the same content has the same.
        files: ``{"name", "role"}`` of each.
    """

    upload: Upload
    digest: str
    metadata: Mapping[str, Any]
    files: tuple[Mapping[str, str], ...]


def read(files: Mapping[str, bytes]) -> ProtocolFile:
    """Read what was uploaded.

    Args:
        files: Contents by name: one Python file, and definitions of labware as JSON.

    Raises:
        FilesInvalid: It cannot be read.
        OtherRobot: It is not for an OT-2.
    """
    mains = [name for name in files if name.lower().endswith(".py")]
    if len(mains) != 1:
        found = (
            "No valid protocol file found." if not mains else "Could not pick single main file from protocol."
        )
        raise FilesInvalid(found)
    name = mains[0]
    try:
        source = files[name].decode("utf-8")
        tree = ast.parse(source, name)
    except (UnicodeDecodeError, SyntaxError, ValueError) as error:
        raise FilesInvalid(f"{name} is not a valid Python protocol: {error}") from error
    labware = {}
    for other in files.keys() - {name}:
        try:
            labware[other] = json.loads(files[other])
            Labware.read(labware[other])
        except ValueError as error:
            raise FilesInvalid(f"{other}: {error}") from error
    told, requirements = _constant(tree, "metadata"), _constant(tree, "requirements")
    if not (told.get("apiLevel") or requirements.get("apiLevel")):
        raise FilesInvalid(f"apiLevel not declared in {name}")
    if not any(isinstance(each, ast.FunctionDef) and each.name == "run" for each in tree.body):
        raise FilesInvalid(f"{name} is not a valid Python protocol: it has no function `run`")
    if str(requirements.get("robotType", "OT-2")).upper() != "OT-2":
        raise OtherRobot(
            "This protocol is for Flex robots. It can't be analyzed or run on this robot, which is an OT-2."
        )
    digest = hashlib.sha256()
    for each in sorted(files):
        digest.update(each.encode() + b"\0" + hashlib.sha256(files[each]).digest())
    roles = ({"name": name, "role": "main"}, *({"name": each, "role": "labware"} for each in sorted(labware)))
    return ProtocolFile(Upload(name, source, labware), digest.hexdigest(), told, roles)


def metadata(source: str) -> dict[str, Any]:
    """What a protocol tells of itself; nothing where that is not written as constants."""
    return _constant(ast.parse(source), "metadata")


def _constant(tree: ast.Module, name: str) -> dict[str, Any]:
    for statement in tree.body:
        targets = (
            statement.targets
            if isinstance(statement, ast.Assign)
            else [statement.target]
            if isinstance(statement, ast.AnnAssign)
            else []
        )
        value = getattr(statement, "value", None)
        if value is not None and any(isinstance(each, ast.Name) and each.id == name for each in targets):
            try:
                found = ast.literal_eval(value)
            except ValueError:
                return {}
            return found if isinstance(found, dict) else {}
    return {}
