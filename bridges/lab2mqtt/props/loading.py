"""From a file to a worker's class, its id and its configuration."""

from collections.abc import Iterable
import contextlib
from dataclasses import dataclass
import json
from pathlib import Path
import re
import traceback
from types import ModuleType
from typing import Any

from lab2mqtt.core.errors import LabError, Misconfigured
from lab2mqtt.core.words import near, show
from lab2mqtt.props import original
from lab2mqtt.props.base import BaseWorker
from lab2mqtt.props.finding import Found
from lab2mqtt.props.fresh_modules import import_anew
from lab2mqtt.runtime.yaml_file import YamlFile

_WITHOUT = re.compile(r"\ufeff|^\s*(#.*|---)?$\n?", re.MULTILINE)  # YAML that holds nothing
HOST = "worker_host"  # its topics lie beside those of the props


class LoadError(LabError):
    """A file gives no worker; the text tells why, in one line."""


@dataclass(frozen=True)
class Loaded:
    """A worker, ready to be made.

    Attributes:
        worker: Its class.
        prop_id: Its id.
        config: What it is to be given: a dict, or its ``ConfigModel``.
        warnings: What is wrong with the configuration.
    """

    worker: type[BaseWorker]
    prop_id: str
    config: object
    warnings: tuple[str, ...] = ()


def load(found: Found) -> Loaded:
    """Load a worker, with its modules as they are on the disk now. The module may do and raise anything.

    Raises:
        LoadError: It gives no worker.
    """
    original.make_importable()
    try:
        module = _module(found)
    except BaseException as error:  # SystemExit too: it ends a worker, and not the host
        raise LoadError(_in_words(error, found.file)) from error
    worker = _worker(module, found.file)
    prop_id = _prop_id(module, found)
    data, warnings = read_config(found.config_files)
    model = getattr(module, "ConfigModel", None)
    config, misfits = _validated(model, data) if model is not None else (data, ())
    return Loaded(worker, prop_id, config, (*warnings, *misfits))


def _module(found: Found) -> ModuleType:
    if found.kind == "prop":
        return import_anew("props", found.name, found.file.parents[1], "backend.worker")
    return import_anew("builtin_workers", found.name, found.file.parent, found.file.stem)


def _worker(module: ModuleType, file: Path) -> type[BaseWorker]:
    worker = getattr(module, "Worker", None)
    if worker is None:
        own = [name for name, value in vars(module).items() if _is_worker(value)]
        hint = f" ({', '.join(own)} must be called so)" if own else near("Worker", vars(module))
        raise LoadError(f"{file.name} has no class Worker{hint}")
    if not _is_worker(worker):
        bases = getattr(worker, "__mro__", ())
        if strange := next(
            (one for one in bases if one.__name__ == "BaseWorker" and one is not BaseWorker), None
        ):
            raise LoadError(
                f"Worker's BaseWorker is of {strange.__module__}, another package that is installed here;"
                f" import it from lab2mqtt.props"
            )
        raise LoadError("Worker is no BaseWorker: write `class Worker(BaseWorker):`")
    found: type[BaseWorker] = worker
    return found


def _is_worker(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseWorker) and value is not BaseWorker


def _prop_id(module: ModuleType, found: Found) -> str:
    told = getattr(module, "PROP_ID", None)
    prop_id = found.name if told is None else told
    allowed = "a text without blanks and without +, # and /"
    if not isinstance(prop_id, str) or not prop_id.isprintable() or not re.fullmatch(r"[^\s+#/]+", prop_id):
        if told is None:
            raise LoadError(f"the name {show(prop_id)} is no id; PROP_ID gives one: {allowed}")
        raise LoadError(f"PROP_ID {show(prop_id)} is not {allowed}")
    if prop_id == HOST:
        raise LoadError(f"{HOST} is the host's own id; PROP_ID gives another")
    return prop_id


def read_config(files: Iterable[Path]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Read the first file that is there; gives {} where there is none or it is broken, and what is wrong."""
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        return {}, ()
    try:
        data, warnings = _json(file) if file.suffix == ".json" else _yaml(file)
    except Misconfigured as error:
        return {}, (str(error).replace(str(file), file.name),)
    return data, warnings


def _json(file: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Read JSON.

    Raises:
        Misconfigured: It is none, or no object.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise Misconfigured(f"{file}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise Misconfigured(f"{file}:{error.lineno}: no JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise Misconfigured(f"{file}: no JSON: {error}") from error
    if not isinstance(data, dict):
        raise Misconfigured(f'{file}:1: the file must hold an object, such as {{"tick_interval": 5}}')
    return data, ()


def _yaml(file: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Read YAML.

    Raises:
        Misconfigured: It is none, or holds no keys.
    """
    with contextlib.suppress(OSError, UnicodeDecodeError):  # which the next line tells
        if not _WITHOUT.sub("", file.read_text(encoding="utf-8")):
            return {}, ()
    source = YamlFile.load(file, "tick_interval: 5")
    return dict(source.data), tuple(text.replace(str(file), file.name) for text in source.told())


def _validated(model: Any, data: dict[str, Any]) -> tuple[object, tuple[str, ...]]:  # noqa: ANN401
    """What a ``ConfigModel`` makes of a configuration; where it does not fit, its defaults, else {}."""
    try:
        return model.model_validate(data), ()
    except Exception as error:  # noqa: BLE001 - the model is the worker's own
        misfit = _misfit(error)
    try:
        return model(), (f"the configuration does not fit: {misfit}; its defaults are used",)
    except Exception:  # noqa: BLE001
        return {}, (f"the configuration does not fit: {misfit}; there are no defaults, so it is empty",)


def _misfit(error: Exception) -> str:
    """Which keys are wrong, and why. Pydantic's own text repeats the values, and one may be a password."""
    try:
        told = error.errors()  # type: ignore[attr-defined]
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in told)
    except Exception:  # noqa: BLE001 - no error of pydantic's
        return _one_line(error)


def _one_line(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - of the worker's own kind
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _in_words(error: BaseException, file: Path) -> str:
    """``ValueError: no such pin (worker.py, line 12)``; a SyntaxError says by itself where."""
    if isinstance(error, SyntaxError):
        return _one_line(error)
    folder = file.parent
    frames = traceback.extract_tb(error.__traceback__)
    own = [one for one in frames if Path(one.filename).is_relative_to(folder)]
    where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    beside = bool(name) and ((folder / f"{name}.py").is_file() or (folder / f"{name}").is_dir())
    return _one_line(error) + where + (f"; what lies beside it: `from . import {name}`" if beside else "")
