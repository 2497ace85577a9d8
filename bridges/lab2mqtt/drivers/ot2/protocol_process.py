"""Reads protocols in a process of its own, without the robot and without ``opentrons``.

``protocol_file`` runs it as a script on the bare standard library. What a protocol does while it is read,
and be it for ever, happens here and not in the bridge. The rules are those of ``opentrons`` 9.0, which a test
compares; not a number is refused too, because no JSON holds it, and so is a truth value for a whole number.

    stdin   a JSON array of {"name", "source"}, the bytes of the source as hexadecimal digits
    stdout  a line of JSON for each, as soon as it is read: {"metadata", "line", "parameters"}, where line is
            that of the metadata; or {"wrong", "line"}, with what is wrong there
"""

import ast
from collections.abc import Callable, Mapping, Sequence
import importlib.machinery
import json
import keyword
import math
import os
import re
import sys
from types import CodeType, ModuleType, TracebackType
from typing import Any, Final

_STAND_INS: Final = ("opentrons", "opentrons_shared_data")
_FIRST_WITH_PARAMETERS: Final = (2, 18)
_LONGEST: Final = {"display_name": 30, "description": 100, "unit": 10}  # characters; the robot's limits
_TYPES: Final[dict[str, type]] = {"int": int, "float": float, "str": str, "bool": bool}
_WORDS: Final = {"int": "a whole number", "float": "a number", "str": "a text", "bool": "True or False"}


class WrongError(Exception):
    """The file cannot become a task; at a line where that is known."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.line = line


class _Open(type):
    """The class of a class that has whatever attribute is asked of it."""

    def __getattr__(cls, name: str) -> type:
        return _stand_in(name)


class _Anything(metaclass=_Open):
    """Stands for a name of ``opentrons``, as a hint, as a base, as a constant; it does nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __getattr__(self, name: str) -> type:
        return _stand_in(name)


class _Module(ModuleType):
    """Stands for a module of ``opentrons``."""

    def __getattr__(self, name: str) -> type:
        return _stand_in(name)


def _stand_in(name: str) -> type:
    if name.startswith("__"):  # Python asks for those itself, and lives without
        raise AttributeError(name)
    return _Open(name, (_Anything,), {})


class _Finder:
    """Finds every module of ``opentrons``, also where the real one is installed."""

    @classmethod
    def find_spec(cls, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        ours = name.partition(".")[0] in _STAND_INS
        return importlib.machinery.ModuleSpec(name, cls, is_package=True) if ours else None  # type: ignore[arg-type] # a class serves as its loader

    @staticmethod
    def create_module(spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    @staticmethod
    def exec_module(_: ModuleType) -> None:
        pass


class ParameterContext:
    """What ``add_parameters`` is given: it checks as the robot does, and writes down.

    Attributes:
        added: What was added, by its variable name.
    """

    def __init__(self) -> None:
        self.added: dict[str, dict[str, object]] = {}

    # The signatures are the robot's.

    def add_int(
        self,
        display_name: object,
        variable_name: object,
        default: object,
        minimum: object = None,
        maximum: object = None,
        choices: object = None,
        description: object = None,
        unit: object = None,
    ) -> None:
        """A whole number."""
        told = {"default": default, "minimum": minimum, "maximum": maximum, "choices": choices}
        self._add("int", variable_name, display_name, told, description, unit)

    def add_float(
        self,
        display_name: object,
        variable_name: object,
        default: object,
        minimum: object = None,
        maximum: object = None,
        choices: object = None,
        description: object = None,
        unit: object = None,
    ) -> None:
        """A number."""
        told = {"default": default, "minimum": minimum, "maximum": maximum, "choices": choices}
        self._add("float", variable_name, display_name, told, description, unit)

    def add_str(
        self,
        display_name: object,
        variable_name: object,
        default: object,
        choices: object = None,
        description: object = None,
    ) -> None:
        """One of a few texts."""
        told = {"default": default, "choices": choices}
        self._add("str", variable_name, display_name, told, description)

    def add_bool(
        self, display_name: object, variable_name: object, default: object, description: object = None
    ) -> None:
        """True or False."""
        self._add("bool", variable_name, display_name, {"default": default}, description)

    def add_csv_file(self, display_name: object, variable_name: object, description: object = None) -> None:  # noqa: ARG002
        """A file, which no command of ours can carry."""
        raise WrongError(f"{variable_name} is a CSV file: a task takes numbers, texts and True or False")

    def _add(
        self,
        kind: str,
        name: object,
        display_name: object,
        told: Mapping[str, object],
        description: object,
        unit: object = None,
    ) -> None:
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            raise WrongError(f"variable_name {name!r} is no name of a Python variable")
        if name in self.added:
            raise WrongError(f"{name} is added twice: each variable_name stands once")
        words = {"display_name": display_name, "description": description, "unit": unit}
        for key, value in words.items():
            if value is not None or key == "display_name":
                _check_words(name, key, value)
        whole = {key: _values(kind, name, key, value) for key, value in told.items()}
        _check_limits(kind, name, whole)
        self.added[name] = {"name": name, "type": kind, **words, **whole}


def _check_words(name: str, key: str, value: object) -> None:
    if not isinstance(value, str) or len(value) > _LONGEST[key]:
        raise WrongError(f"{name}: {key} {value!r} is not a text of at most {_LONGEST[key]} characters")


def _values(kind: str, name: str, key: str, value: object) -> object:
    """A value of the right type; of choices, their values."""
    if key == "choices" and value is not None:
        if not isinstance(value, (list, tuple)):
            raise WrongError(f"{name}: choices is not a list")
        for choice in value:
            if not isinstance(choice, dict) or not {"display_name", "value"} <= choice.keys():
                raise WrongError(f"{name}: each of the choices is a dict with display_name and value")
            _check_words(name, "display_name", choice["display_name"])
        return [_value(kind, name, "a choice", choice["value"]) for choice in value]
    return value if value is None and key != "default" else _value(kind, name, key, value)


def _value(kind: str, name: str, key: str, value: object) -> object:
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    right = isinstance(value, _TYPES[kind]) and (kind == "bool") == isinstance(value, bool)
    if not right or (isinstance(value, float) and not math.isfinite(value)):
        raise WrongError(f"{name}: {key} {value!r} is not {_WORDS[kind]}")
    return value


def _check_limits(kind: str, name: str, told: Mapping[str, Any]) -> None:
    default, low, high, choices = (told.get(key) for key in ("default", "minimum", "maximum", "choices"))
    if kind == "bool":
        return
    if choices is not None:
        if low is not None or high is not None:
            raise WrongError(f"{name} has choices and limits: it takes one of them")
        if default not in choices:
            raise WrongError(f"{name}: default {default!r} is not one of the choices")
    elif kind == "str":
        raise WrongError(f"{name} has no choices: the robot takes no free text")
    elif low is None or high is None:
        raise WrongError(f"{name} needs minimum and maximum, or choices")
    elif low > high:
        raise WrongError(f"{name}: minimum {low} is more than maximum {high}")
    elif not low <= default <= high:
        raise WrongError(f"{name}: default {default} is not within {low} to {high}")


def read(name: str, source: bytes) -> dict[str, object]:
    """Read one protocol. One that names no task is not executed.

    Raises:
        WrongError: It cannot become a task.
    """
    tree = ast.parse(source, name)
    metadata, line = _constants(tree, "metadata")
    found: dict[str, object] = {"metadata": metadata, "line": line, "parameters": []}
    if metadata.get("task"):
        adds = _function(tree, "add_parameters", required=False)
        _function(tree, "run", required=True)
        level = _api_level(tree, metadata, line)
        if adds and level < _FIRST_WITH_PARAMETERS:
            raise WrongError("add_parameters needs apiLevel 2.18 or newer", adds.lineno)
        found["parameters"] = _parameters(compile(tree, name, "exec", dont_inherit=True))
    return found


def _parameters(code: CodeType) -> list[dict[str, object]]:
    """What the protocol adds."""
    names: dict[str, object] = {}  # empty, as the robot begins
    exec(code, names)  # noqa: S102 - what this process is for
    add: Callable[[ParameterContext], object] | None = names.get("add_parameters")  # type: ignore[assignment]
    context = ParameterContext()
    if add:
        add(context)
    return list(context.added.values())


def _constants(tree: ast.Module, name: str) -> tuple[dict[str, str], int]:
    """A dict of texts that a file assigns, and its line; empty where there is none."""
    found: dict[str, str] = {}
    line = 1
    for statement in tree.body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if not (isinstance(target, ast.Name) and target.id == name):
            continue
        line, value = statement.lineno, getattr(statement, "value", None)
        try:
            found = ast.literal_eval(value) if isinstance(value, ast.Dict) else {}
        except ValueError:
            raise WrongError(f"{name} has to be written out, without calls and names", line) from None
        if wrong := [each for pair in found.items() for each in pair if not isinstance(each, str)]:
            raise WrongError(f"{name}: {wrong[0]!r} is not a text, and the robot takes no other", line)
    return found, line


def _function(tree: ast.Module, name: str, *, required: bool) -> ast.FunctionDef | None:
    """A function that takes one argument."""
    found = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == name]
    if not found and not required:
        return None
    if not found:
        raise WrongError(f"there is no function {name}(protocol)")
    if len(found) > 1:
        raise WrongError(f"{name} is defined twice", found[1].lineno)
    takes = found[0].args
    places = [*takes.posonlyargs, *takes.args]
    needed = len(places) - len(takes.defaults) + takes.kw_defaults.count(None)
    if needed > 1 or not (places or takes.vararg):
        raise WrongError(f"{name} takes one argument", found[0].lineno)
    return found[0]


def _api_level(tree: ast.Module, metadata: Mapping[str, str], line: int) -> tuple[int, int]:
    """The level, of a protocol for this robot."""
    requirements, at = _constants(tree, "requirements")
    if unknown := [key for key in requirements if key not in ("apiLevel", "robotType")]:
        raise WrongError(f"requirements takes apiLevel and robotType, not {unknown[0]!r}", at)
    if (robot := requirements.get("robotType", "OT-2")) != "OT-2":
        raise WrongError(f"robotType is {robot!r}: this robot is an 'OT-2'", at)
    if "apiLevel" in metadata and "apiLevel" in requirements:
        raise WrongError("apiLevel stands in metadata and in requirements: it stands in one of them", at)
    level = requirements.get("apiLevel") or metadata.get("apiLevel")
    if not level:
        raise WrongError(
            'apiLevel is missing: requirements = {"robotType": "OT-2", "apiLevel": "2.18"}', line
        )
    if not re.fullmatch(r"\d+\.\d+", level):
        raise WrongError(f"apiLevel {level!r} is not two numbers, as '2.18'", at)
    major, _, minor = level.partition(".")
    return int(major), int(minor)


def _line(traceback: TracebackType | None, name: str) -> int | None:
    """Where in the file it happened."""
    found = None
    while traceback:
        if traceback.tb_frame.f_code.co_filename == name:
            found = traceback.tb_lineno
        traceback = traceback.tb_next
    return found


def tell(name: str, source: bytes) -> dict[str, object]:
    """What was read, or what is wrong."""
    try:
        return read(name, source)
    except WrongError as wrong:
        return {"wrong": str(wrong), "line": wrong.line or _line(wrong.__traceback__, name)}
    except SyntaxError as error:
        return {"wrong": error.msg, "line": error.lineno}
    except ModuleNotFoundError as error:
        text = f"{error.msg}: outside its functions a protocol imports opentrons and Python's own library"
        return {"wrong": text, "line": _line(error.__traceback__, name)}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the protocol does
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return {"wrong": text, "line": _line(error.__traceback__, name)}


def main() -> None:
    """Read what stands on stdin."""
    files: Sequence[Mapping[str, str]] = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a protocol prints is no answer
    sys.meta_path.insert(0, _Finder)
    for file in files:
        print(json.dumps(tell(file["name"], bytes.fromhex(file["source"]))), file=answers, flush=True)
    os._exit(0)  # whatever threads a protocol has begun


if __name__ == "__main__":
    main()
