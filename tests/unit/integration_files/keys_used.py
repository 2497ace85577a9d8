"""Which texts the Python files ask for, by key and with which placeholders."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
import re

from tests.unit.integration_files.integration import Integration
from tests.unit.integration_files.keyed import Keyed, find_keyed, last_name, section_of


@dataclass(frozen=True)
class Use:
    """One place in the Python files that asks for a text.

    Attributes:
        where: File and line.
        section: Of the translations: "exceptions", "issues", "entity", "device" or "selector".
        platform: Of an entity, if the file is of one.
        pattern: The keys that it may ask for.
        given: The placeholders that it fills in; None where that cannot be read off.
        optional: Those of them that a text may leave out.
        fixable: Whether an issue says it has a fix flow; None where that cannot be read off.
    """

    where: str
    section: str
    platform: str
    pattern: re.Pattern[str]
    given: frozenset[str] | None = None
    optional: frozenset[str] = frozenset()
    fixable: bool | None = None


@dataclass(frozen=True)
class _Scope:
    """Where a call stands.

    Attributes:
        file: Its name without ".py".
        known: Constants that names stand for.
        assigned: What the variables of the function are set to.
        bases: Of the class around it.
    """

    file: str
    known: dict[str, str]
    assigned: dict[str, list[ast.expr]] = field(default_factory=dict)
    bases: tuple[str, ...] = ()

    def patterns(self, node: ast.expr | None) -> Iterator[re.Pattern[str]]:
        """What an expression may be as a key; nothing where only a run would tell."""
        match node:
            case ast.Constant(value=str(value)):
                yield re.compile(re.escape(value))
            case ast.Name() | ast.Attribute() if (name := last_name(node)) in self.known:
                yield re.compile(re.escape(self.known[name]))
            case ast.Name(id=name) if name in self.assigned:
                for one in self.assigned[name]:
                    yield from replace(self, assigned={}).patterns(one)
            case ast.IfExp():
                yield from self.patterns(node.body)
                yield from self.patterns(node.orelse)
            case ast.JoinedStr(values=parts):
                constants = (
                    re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in parts
                )
                yield re.compile("".join(constants))

    def names_of(self, node: ast.expr | None) -> frozenset[str] | None:
        """The keys of a mapping as it is written; None where only a run would tell."""
        if node is None or (isinstance(node, ast.Constant) and node.value is None):
            return frozenset()
        if not isinstance(node, ast.Dict):
            return None
        names = [self.known.get(last_name(key), _constant(key)) if key else None for key in node.keys]
        return None if None in names else frozenset(name for name in names if name)


def keys_used(integration: Integration) -> Iterator[Use]:
    """Every text that the Python files ask for by a constant, or by a pattern of constants."""
    modules = integration.modules
    shared = {name: value for module in modules.values() for name, value in _constants(module)}
    keyed = find_keyed([*modules.values()], _Scope("", shared).names_of)
    for name, module in modules.items():
        yield from _in(module, _Scope(name, shared | dict(_constants(module))), keyed)


def _in(tree: ast.AST, scope: _Scope, keyed: dict[str, Keyed]) -> Iterator[Use]:
    for node in ast.iter_child_nodes(tree):
        inner = scope
        match node:
            case ast.ClassDef(bases=bases):
                inner = replace(scope, bases=tuple(last_name(base) for base in bases))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                inner = replace(scope, assigned=scope.assigned | _assigned(node))
            case ast.Call():
                yield from _of_call(node, scope, keyed)
            case ast.Assign(targets=[target], value=value):
                if last_name(target) == "_attr_translation_key":
                    for pattern in scope.patterns(value):
                        yield Use(_where(node, scope), "entity", PurePosixPath(scope.file).parts[0], pattern)
        yield from _in(node, inner, keyed)


def _of_call(call: ast.Call, scope: _Scope, keyed: dict[str, Keyed]) -> Iterator[Use]:
    named = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    whole = all(keyword.arg for keyword in call.keywords)
    for one in (keyed[name] for name in _called(call, scope) if name in keyed):
        key = named.get(one.argument)
        if key is None and len(call.args) > one.position:
            key = call.args[one.position]
        given = one.fixed
        if one.fills_in:
            given = frozenset(named) - {one.argument} if whole else None
        yield from _uses(call, scope, one.section, key, given, one.fixed)
    key = named.get("translation_key")
    if key is None and last_name(call.func).endswith("Description"):
        key = named.get("key")  # our entities are translated by it
    given = scope.names_of(named.get("translation_placeholders"))
    fixable = named.get("is_fixable")
    for use in _uses(call, scope, section_of(call), key, given, None):
        yield replace(use, fixable=bool(fixable.value) if isinstance(fixable, ast.Constant) else None)


def _uses(
    call: ast.Call,
    scope: _Scope,
    section: str,
    key: ast.expr | None,
    given: frozenset[str] | None,
    optional: frozenset[str] | None,
) -> Iterator[Use]:
    platform = PurePosixPath(scope.file).parts[0] if section == "entity" else ""
    patterns = list(scope.patterns(key))
    if len(patterns) > 1 or isinstance(key, ast.JoinedStr):
        optional = given  # it serves several texts
    for pattern in patterns:
        yield Use(_where(call, scope), section, platform, pattern, given, optional or frozenset())


def _called(call: ast.Call, scope: _Scope) -> tuple[str, ...]:
    match call.func:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__"):
            return scope.bases
    return (last_name(call.func),)


def _assigned(function: ast.AST) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.setdefault(name, []).append(value)
    return found


def _constants(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in module.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(value)))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(value)))
            ):
                yield name, value


def _constant(node: ast.expr) -> str | None:
    return str(node.value) if isinstance(node, ast.Constant) else None


def _where(node: ast.Call | ast.Assign, scope: _Scope) -> str:
    return f"{scope.file}.py:{node.lineno}"
