"""The runtime of a board, made smaller: it stays what it is, and its nodes find what they call."""

import ast
from collections.abc import Mapping

from lab2mqtt import wire as protocol
from lab2mqtt.boards import firmware
from lab2mqtt.boards.compact import compact

WIRE = '''"""Rules."""
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
BUSY = "busy"
UNKNOWN_TASK = "unknown_task"
LIMIT = 64
CODES = (BUSY, UNKNOWN_TASK)
def used(value):
    return _half() and _helped(value, LIMIT)
def _helped(value, limit):
    return value in CODES and limit
def never_called():
    return 1
if 1:
    def _half(): return "ours"
else:
    def _half(): return "theirs"
'''
LINK = """import wire
class Base:
    def __init__(self): self._kept = None
    def run(self): return self._step("x")
"""
MQTT = """import wire
from labboard.base import Base
class Link(Base):
    def _step(self, what): return (self._kept, what, wire.used("busy"), wire.UNKNOWN_TASK)
"""
SOURCES = {"wire": WIRE, "base": LINK, "mqtt": MQTT}
APP = "import wire\nprint(wire.never_called)"


def ran(sources: Mapping[str, str]) -> object:
    """What the classes do together, as on a board."""
    made: dict[str, object] = {}
    library = type(protocol)("wire")
    exec(sources["wire"], library.__dict__)  # noqa: S102
    space: dict[str, object] = {"wire": library}
    for name in ("base", "mqtt"):
        lines = [line for line in sources[name].splitlines() if not line.startswith(("import", "from"))]
        exec("\n".join(lines), space)  # noqa: S102
    made.update(space)
    return made["Link"]().run()  # type: ignore[operator]


def test_what_is_smaller_does_the_same() -> None:
    """Also where a class of one module inherits from one of another, each with private names."""
    small = compact(SOURCES, {})
    assert ran(small) == ran(SOURCES) == (None, "x", 64, "unknown_task")
    assert "_helped" not in small["wire"]
    assert "_step" not in small["mqtt"]
    assert sum(map(len, small.values())) < sum(map(len, SOURCES.values()))


def test_lines_stay_where_they_are() -> None:
    """Or a traceback would lead astray."""
    small = compact(SOURCES, {})
    assert small["wire"].splitlines()[8].startswith("def used(")
    assert len(small["mqtt"].splitlines()) == len(MQTT.splitlines())


def test_what_nothing_calls_is_left_out_unless_a_node_does() -> None:
    """Nor is the half that only CPython runs, nor what is for the checker of types."""
    small = compact(SOURCES, {})["wire"]
    for word in ("never_called", "theirs", "typing"):
        assert word not in small
    assert "never_called" in compact(SOURCES, {"app": APP})["wire"]


def test_the_runtime_keeps_the_names_that_nodes_use() -> None:
    """What a node's main.py and its parts may call, by position and by name."""
    folder = firmware() / "labboard"
    sources = {file.stem: file.read_text("utf-8") for file in folder.glob("*.py")}
    sources["wire"] = (firmware().parent / "bridges/lab2mqtt/wire.py").read_text("utf-8")
    small = compact(sources, {})
    for name in ("board", "part", "pins", "tasks"):
        assert public(small[name]) == public(sources[name])


def public(source: str) -> list[tuple[str, list[str]]]:
    """The public functions of a module with their parameters."""
    return [
        (node.name, [one.arg for one in node.args.args])
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    ]
