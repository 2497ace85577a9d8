"""Classes and functions of ours that ask for a text by one of their arguments."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# Of Home Assistant, by the section of the translations that their translation_key is of.
SECTIONS = {"async_create_issue": "issues", "DeviceInfo": "device", "SelectSelectorConfig": "selector"}

Names = Callable[[ast.expr | None], frozenset[str] | None]


@dataclass(frozen=True)
class Keyed:
    """What is called with a key.

    Attributes:
        section: Of the translations; with dots, a part of one.
        position: Of the key among the arguments.
        argument: The key's name.
        fills_in: With the other arguments, by their names.
        fixed: The placeholders that it fills in by itself, where it does not with its arguments.
    """

    section: str
    position: int
    argument: str
    fills_in: bool = False
    fixed: frozenset[str] | None = None


def find_keyed(modules: list[ast.Module], names_of: Names) -> dict[str, Keyed]:
    """All of them, by their names.

    Args:
        modules: In which they are looked for.
        names_of: Gives the keys of a mapping as it is written; None where only a run would tell.
    """
    found = {name: keyed for module in modules for name, keyed in _by_path(module)}
    classes = [node for module in modules for node in ast.walk(module) if isinstance(node, ast.ClassDef)]
    fields = {field: section for module in modules for field, section in _fields_asked_for(module)}
    for one in classes:
        for keyed in (*_by_start(one, names_of), *_by_field(one, fields)):
            found[one.name] = keyed
    heirs = [one for one in classes if not _start_of(one)]
    for _ in range(len(heirs)):  # a base may stand behind its heir
        for one in heirs:
            for base in one.bases:
                if last_name(base) in found:
                    found.setdefault(one.name, found[last_name(base)])
    return found


def last_name(node: ast.expr) -> str:
    """The last part of a name with dots; empty for anything else."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def section_of(call: ast.Call) -> str:
    """Which section the ``translation_key`` of a call is of."""
    if (name := last_name(call.func)) in SECTIONS:
        return SECTIONS[name]
    if any(keyword.arg == "translation_domain" for keyword in call.keywords):
        return "exceptions"
    return "entity"  # a description of one


def _start_of(one: ast.ClassDef) -> ast.FunctionDef | None:
    starts = [node for node in one.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    return starts[0] if starts else None


def _by_start(one: ast.ClassDef, names_of: Names) -> Iterator[Keyed]:
    if (start := _start_of(one)) is None:
        return
    arguments = [argument.arg for argument in start.args.args[1:]]
    for node in ast.walk(start):
        match node:
            case ast.Assign(
                targets=[ast.Attribute(attr="_attr_translation_key")], value=ast.Name(id=name)
            ) if name in arguments:
                yield Keyed("entity", arguments.index(name), name)
            case ast.Call(keywords=keywords):
                named = {keyword.arg: keyword.value for keyword in keywords}
                key = named.get("translation_key")
                if isinstance(key, ast.Name) and key.id in arguments:
                    placeholders = named.get("translation_placeholders")
                    by_arguments = (
                        start.args.kwarg is not None
                        and isinstance(placeholders, ast.Name)
                        and placeholders.id == start.args.kwarg.arg
                    )
                    fixed = names_of(placeholders)
                    yield Keyed(section_of(node), arguments.index(key.id), key.id, by_arguments, fixed)


def _by_path(module: ast.Module) -> Iterator[tuple[str, Keyed]]:
    """Functions that take a text by its whole path: component, domain, section, and what they are told."""
    for function in ast.walk(module):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        arguments = [argument.arg for argument in function.args.args if argument.arg != "self"]
        for node in ast.walk(function):
            match node:
                case ast.JoinedStr(
                    values=[
                        ast.Constant(value="component."),
                        _,
                        ast.Constant(value=str(path)),
                        ast.FormattedValue(value=ast.Name(id=name)),
                        *_,
                    ]
                ) if name in arguments:
                    fills_in = function.args.kwarg is not None
                    yield function.name, Keyed(path.strip("."), arguments.index(name), name, fills_in)


def _fields_asked_for(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg == "translation_key" and isinstance(keyword.value, ast.Attribute):
                    yield keyword.value.attr, section_of(node)


def _by_field(one: ast.ClassDef, fields: dict[str, str]) -> Iterator[Keyed]:
    own = [last_name(node.target) for node in one.body if isinstance(node, ast.AnnAssign)]
    for field in own:
        if field in fields and any("dataclass" in ast.unparse(mark) for mark in one.decorator_list):
            yield Keyed(fields[field], own.index(field), field)
