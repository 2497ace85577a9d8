"""The firmware's own sources, smaller for a board: without what is never called, with short private names.

On a board each name takes some 20 bytes of the heap, once for all modules, and each function some 80. Line
numbers stay as they are, so that a traceback of a board still leads to the line.
"""

import ast
from collections.abc import Iterator, Mapping
import functools
import io
import itertools
from string import ascii_lowercase
import tokenize

WIRE = "wire"
_LEFT_ALONE = "mqtt_as_client"  # overrides private methods of a library
_FOR_NODES = ("board", "part", "pins", "tasks")  # what these take may be named in a call
_INTERNED = 12  # characters of a constant with its quotes; a longer word would be kept once for each module


def compact(sources: Mapping[str, str], also: Mapping[str, str]) -> dict[str, str]:
    """Make sources smaller.

    Args:
        sources: Module → source: the runtime's, and ``wire``.
        also: More sources, of the application; they stay, and what they use of ``wire`` stays.
    """
    constants = _constants(sources[WIRE], _used(list(also.values())))
    runtime = {name: _replaced(source, constants) for name, source in sources.items()}
    used = _used([source for name, source in runtime.items() if name != WIRE] + list(also.values()))
    return _with_short_names(runtime | {WIRE: _without_unused(runtime[WIRE], used)}, list(also.values()))


@functools.cache
def _nodes(source: str) -> list[ast.AST]:
    """All nodes of a source, the module first; nobody changes them. Every simulated board waits for this."""
    return list(ast.walk(ast.parse(source)))


# Constants of the protocol


def _constants(source: str, untouched: set[str]) -> dict[str, str]:
    """What is written in the place of each word and number of ``wire``: itself, or a short name of it."""
    found: dict[str, str] = {}
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(value=ast.Constant(bool())):
                pass
            case ast.Assign(targets=[ast.Name(name)]) if name.isupper() and name not in untouched:
                value = repr(node.value.value) if isinstance(node.value, ast.Constant) else ""
                found[name] = value if 0 < len(value) <= _INTERNED else f"k{len(found)}"
    return found


def _replaced(source: str, constants: Mapping[str, str]) -> str:
    """Write constants in the place of their names: of ``wire.BUSY``, and in ``wire`` itself of ``BUSY``."""
    lines = source.splitlines(keepends=True)
    is_wire = f"import {WIRE}" not in source
    places = _places(source, is_wire=is_wire)
    for node in sorted(places, key=lambda one: (one.lineno, one.col_offset), reverse=True):
        name = node.id if isinstance(node, ast.Name) else node.attr
        new = constants.get(name, name)
        if new == name or (isinstance(node.ctx, ast.Store) and not new.isidentifier()):
            continue
        line = lines[node.lineno - 1].encode()
        new = f"{WIRE}.{new}" if new.isidentifier() and not is_wire else new
        line = line[: node.col_offset] + new.encode() + line[node.end_col_offset :]
        lines[node.lineno - 1] = line.decode()
    return "".join(lines)


def _places(source: str, *, is_wire: bool) -> list[ast.Name | ast.Attribute]:
    """Where a name of ``wire`` stands; none goes over a line."""
    nodes = _nodes(source)
    if is_wire:
        return [node for node in nodes if isinstance(node, ast.Name)]
    return [
        node
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == WIRE
    ]


# What is never called


def _used(sources: list[str]) -> set[str]:
    """The names that sources take from ``wire``."""
    return {
        node.attr
        for source in sources
        for node in _nodes(source)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == WIRE
    }


def _without_unused(source: str, used: set[str]) -> str:
    """Blank the lines of what nothing needs: CPython's half, and what no used function calls."""
    lines = source.splitlines()
    nodes = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.If) and not node.orelse:  # only for the checker of types
            _blank(lines, node.lineno - 1, node.end_lineno or 0)
        elif isinstance(node, ast.If):
            _blank(lines, node.body[-1].end_lineno or 0, node.orelse[-1].end_lineno or 0)
            nodes += node.body
        else:
            nodes.append(node)
    kept = {name for node in nodes if not _defined(node) for name in _named(node)}
    kept |= used
    before = -1
    while before < len(kept):
        before = len(kept)
        kept |= {name for node in nodes if _defined(node) & kept for name in _named(node)}
    for node in nodes:
        if _defined(node) and not _defined(node) & kept:
            _blank(lines, node.lineno - 1, node.end_lineno or 0)
    return "\n".join(lines) + "\n"


def _blank(lines: list[str], after: int, until: int) -> None:
    lines[after:until] = [""] * (until - after)


def _defined(node: ast.stmt) -> set[str]:
    """The names that a statement of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {one.id for target in node.targets for one in ast.walk(target) if isinstance(one, ast.Name)}
    return set()


def _named(node: ast.stmt) -> set[str]:
    """The names that a statement reads."""
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}


# Private names


def _with_short_names(sources: Mapping[str, str], also: list[str]) -> dict[str, str]:
    """Give the private names of each family of modules the same few short ones."""
    tokens = {name: _tokens(source) for name, source in sources.items()}
    known = [sources[name] for name in _FOR_NODES if name in sources]
    parameters = _parameters([one for one in sources.values() if one not in known], [*known, *also])
    short: dict[str, str] = {}
    for family in _families(sources):
        if _LEFT_ALONE in family:
            short |= {name: sources[name] for name in family}
            continue
        private = {one.string for name in family for one in tokens[name] if _is_private(one)}
        names = dict(zip(sorted(private | parameters), _short(), strict=False))
        for name in family:
            short[name] = _renamed(sources[name], tokens[name], names)
    return short


def _parameters(sources: list[str], known: list[str]) -> set[str]:
    """The names of parameters that are nothing else: no attribute, no keyword, no key of a message."""
    found: set[str] = set()
    other: set[str] = set()
    for source in [*sources, *known]:
        for node in _nodes(source):
            match node:
                case ast.arg(arg=name):
                    (other if source in known else found).add(name)
                case ast.Attribute(attr=name) | ast.keyword(arg=str(name)) | ast.Constant(str(name)):
                    other.add(name)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    other.add(name)
                case ast.ClassDef(name=name, body=body):
                    other |= {name, *(each for one in body for each in _defined(one))}
                case ast.alias(name=name, asname=asname):
                    other |= {*name.split("."), asname or ""}
                case ast.Module(body=body):
                    other |= {name for one in body for name in _defined(one)}
    return found - other - {"self"}


def _families(sources: Mapping[str, str]) -> list[set[str]]:
    """The modules, together where a class of one inherits from a class of another."""
    families = [{name} for name in sources]
    for name, source in sources.items():
        nodes = _nodes(source)
        origin = {
            alias.name: (node.module or "").rpartition(".")[2]
            for node in nodes
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        bases = {
            base.id
            for node in nodes
            if isinstance(node, ast.ClassDef)
            for base in node.bases
            if isinstance(base, ast.Name)
        }
        for other in {origin.get(base) for base in bases} & set(sources):
            joined = [family for family in families if name in family or other in family]
            families = [family for family in families if family not in joined] + [set().union(*joined)]
    return families


def _tokens(source: str) -> list[tokenize.TokenInfo]:
    return list(tokenize.generate_tokens(io.StringIO(source).readline))


def _is_private(token: tokenize.TokenInfo) -> bool:
    text = token.string
    return token.type == tokenize.NAME and text[:1] == "_" and text[:2] != "__" and len(text) > 1


def _short() -> Iterator[str]:
    for length in itertools.count(1):
        for letters in itertools.product(ascii_lowercase, repeat=length):
            yield "_" + "".join(letters)


def _renamed(source: str, tokens: list[tokenize.TokenInfo], names: Mapping[str, str]) -> str:
    lines = source.splitlines(keepends=True)
    for token in reversed(tokens):
        if token.type == tokenize.NAME and token.string in names:
            row, start = token.start
            line = lines[row - 1]
            lines[row - 1] = line[:start] + names[token.string] + line[token.end[1] :]
    return "".join(lines)
