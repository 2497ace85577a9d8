"""Which texts the Python files ask for, by key and with which placeholders."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
import re

from tests.unit.integration_files.integration import Integration

FUNCTIONS = {"async_create_issue": "issues", "DeviceInfo": "device", "SelectSelectorConfig": "selector"}


@dataclass(frozen=True)
class Use:
    """One place in the Python files that asks for a text.

    Attributes:
        where: File and line.
        section: Of the translations: "exceptions", "issues", "entity", "device" or "selector".
        platform: Of an entity; empty where it may be any.
        pattern: The keys that it may ask for.
        given: The placeholders that it fills in; None where that cannot be read off.
        optional: Those of them that a text may leave out.
        fixable: Whether an issue says it has a fix flow; None where that cannot be read off.
    """

    where: str
    section: str
    platform: str
    pattern: re.Pattern[str]
    given: frozenset[str] | None
    optional: frozenset[str] = frozenset()
    fixable: bool | None = None


@dataclass(frozen=True)
class _Error:
    """A class of ours that asks for a text by one of the arguments it is made with."""

    position: int
    argument: str
    fixed: frozenset[str] | None  # the placeholders that it fills in itself; None: those it is made with


def keys_used(integration: Integration) -> Iterator[Use]:
    """Every text that the Python files ask for by a constant, or by a pattern of constants."""
    shared = {name: value for module in integration.modules.values() for name, value in _constants(module)}
    errors = {name: error for module in integration.modules.values() for name, error in _errors(module)}
    for name, module in integration.modules.items():
        known = shared | dict(_constants(module))
        platform = PurePosixPath(name).parts[0]
        for node in ast.walk(module):
            where = f"{name}.py:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call):
                yield from _of_call(node, where, platform, known, errors)
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(_last_name(target) == "_attr_translation_key" for target in targets):
                    for pattern in _patterns(node.value, known):
                        yield Use(where, "entity", platform, pattern, None)


def _of_call(
    call: ast.Call, where: str, platform: str, known: dict[str, str], errors: dict[str, _Error]
) -> Iterator[Use]:
    function = _last_name(call.func)
    named = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    if error := errors.get(function):
        key = named.get(error.argument)
        if key is None and len(call.args) > error.position:
            key = call.args[error.position]
        given = frozenset(named) - {error.argument}
        optional: frozenset[str] = frozenset()
        if error.fixed is not None:
            given = optional = error.fixed
        whole = (
            None if any(keyword.arg is None for keyword in call.keywords) and error.fixed is None else given
        )
        for pattern in _patterns(key, known) if key else ():
            yield Use(where, "exceptions", "", pattern, whole, optional)
    if (key := named.get("translation_key")) is None:
        return
    if function in FUNCTIONS:
        section = FUNCTIONS[function]
    elif "translation_domain" in named:
        section = "exceptions"
    else:
        section = "entity"  # a description of one
    fixable = named.get("is_fixable")
    for pattern in _patterns(key, known):
        yield Use(
            where,
            section,
            platform if section == "entity" else "",
            pattern,
            _names_of(named.get("translation_placeholders"), known),
            fixable=fixable.value if isinstance(fixable, ast.Constant) else None,
        )


def _patterns(node: ast.expr, known: dict[str, str]) -> Iterator[re.Pattern[str]]:
    """What an expression may be as a key; nothing where only a run would tell."""
    match node:
        case ast.Constant(value=str(value)):
            yield re.compile(re.escape(value))
        case ast.Name() | ast.Attribute() if (name := _last_name(node)) in known:
            yield re.compile(re.escape(known[name]))
        case ast.IfExp(body=one, orelse=other):
            yield from _patterns(one, known)
            yield from _patterns(other, known)
        case ast.JoinedStr(values=parts):
            yield re.compile(
                "".join(
                    re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in parts
                )
            )


def _names_of(node: ast.expr | None, known: dict[str, str]) -> frozenset[str] | None:
    if node is None or (isinstance(node, ast.Constant) and node.value is None):
        return frozenset()
    if not isinstance(node, ast.Dict):
        return None
    names = set()
    for key in node.keys:
        if isinstance(key, ast.Constant):
            names.add(str(key.value))
        elif key is not None and _last_name(key) in known:
            names.add(known[_last_name(key)])
        else:
            return None
    return frozenset(names)


def _constants(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in module.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                for target in targets:
                    yield _last_name(target), node.value.value


def _errors(module: ast.Module) -> Iterator[tuple[str, _Error]]:
    for made in ast.walk(module):
        if not isinstance(made, ast.ClassDef):
            continue
        for start in made.body:
            if not isinstance(start, ast.FunctionDef) or start.name != "__init__":
                continue
            arguments = [argument.arg for argument in start.args.args[1:]]
            for call in ast.walk(start):
                if not isinstance(call, ast.Call):
                    continue
                named = {keyword.arg: keyword.value for keyword in call.keywords}
                key = named.get("translation_key")
                if isinstance(key, ast.Name) and key.id in arguments:
                    fixed = _names_of(named.get("translation_placeholders"), {})
                    yield made.name, _Error(arguments.index(key.id), key.id, fixed)


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
