"""One mapping of a configuration as a dataclass: its hints and docstring tell what may stand there."""

from pathlib import Path
from typing import Any, TypeVar

from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.parameters import Schema, parameters_of
from lab2mqtt.core.words import show
from lab2mqtt.runtime.yaml_file import KeyPath, YamlFile

T = TypeVar("T")


def section(source: YamlFile, path: KeyPath, shape: type[T]) -> T | None:
    """Read one mapping; what is wrong is noted, and then there is none.

    Args:
        source: The file.
        path: The keys that lead to it; none for the whole file.
        shape: The dataclass.
    """
    values: Any = source.data
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    if values is None:
        values = {}
    where = ".".join(path)
    if not isinstance(values, dict):
        source.wrong(path, f"{where} {show(values)} is not a set of keys with values")
        return None
    schema = schema_of(shape, where or "the file")
    checked, wrong = schema.problems({str(key): value for key, value in values.items()})
    for key, text in wrong.items():
        source.wrong((*path, key), f"{where}.{text}" if where and key in schema.parameters else text)
    try:
        return None if wrong else shape(**frozen(checked, schema, source.file.parent))
    except Misconfigured as error:  # what no single key shows
        source.wrong(path, f"{where}: {error}")
        return None


def schema_of(shape: type, owner: str) -> Schema:
    """The keys of a dataclass; ``owner`` names it in the texts."""
    return Schema(parameters_of(shape), owner)


def frozen(values: dict[str, object], schema: Schema, folder: Path) -> dict[str, Any]:
    """Settings are frozen; so are their lists. A relative path is seen from a folder."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, list):
            found[key] = tuple(value)
        elif isinstance(value, str) and schema.parameters[key].is_path:
            found[key] = folder / value
        else:
            found[key] = value
    return found
