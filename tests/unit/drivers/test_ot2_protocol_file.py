"""What a protocol tells of itself, read without the robot."""

from pathlib import Path
import time

import pytest
from tests.unit.drivers.ot2_protocol_sources import RIGHT, STRICTER, WRONG

from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.drivers.ot2.cell import COLOUR
from lab2mqtt.drivers.ot2.protocol_file import ProtocolFile, read_protocols

HEAD = 'metadata = {"task": "mix"}\nrequirements = {"apiLevel": "2.18"}\n'
RUN = "def run(protocol): pass\n"


def read(source: str, name: str = "mix.py") -> ProtocolFile:
    """Read one protocol."""
    (file,) = read_protocols({name: source.encode()})
    return file


def test_every_kind_of_parameter() -> None:
    """As the real package tells the same, see its tests."""
    file = read(RIGHT)
    told = [(each.name, each.type, each.default, each.choices, each.unit) for each in file.parameters]
    assert told == [
        ("cycles", "integer", 3, (), "times"),
        ("depth", "number", 1.0, (), ""),
        ("rows", "integer", 8, (8, 4), ""),
        ("speed", "number", 2.0, (1.0, 2.0), "mm/s"),
        ("well", "string", "A1", ("A1",), ""),
        ("dry", "boolean", False, (), ""),
    ]
    limits = [(each.minimum, each.maximum) for each in file.parameters]
    assert limits == [(1, 9), (0.0, 2.5), *[(None, None)] * 4]
    assert isinstance(file.parameters[1].default, float)
    words = [each.description for each in file.parameters]
    assert words == ["How often.", "Depth", "Rows", "Speed", "Where.", "Without liquid."]
    assert [*file.display_names.values()] == ["Cycles", "Depth", "Rows", "Speed", "Well", "Dry"]
    assert (file.name, file.metadata, file.line) == ("mix.py", {"task": "mix"}, 2)


@pytest.mark.parametrize("what", [*WRONG, *STRICTER])
def test_what_is_wrong_is_told_with_file_and_line(what: str) -> None:
    """And in words that help."""
    source, text = (WRONG | STRICTER)[what]
    with pytest.raises(Misconfigured) as caught:
        read_protocols({"mix.py": source.encode()})
    assert str(caught.value).startswith("mix.py")
    assert text in str(caught.value)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """Of every file; one that is all right is not named."""
    files = {"a.py": WRONG["no run"][0], "b.py": HEAD + RUN, "c.py": WRONG["free text"][0]}
    with pytest.raises(Misconfigured) as caught:
        read_protocols({name: source.encode() for name, source in files.items()})
    first, second = str(caught.value).split("; ")
    assert (first.startswith("a.py: "), second.startswith("c.py, line 7: ")) == (True, True)


def test_a_protocol_that_never_ends_is_named() -> None:
    """The bridge does not wait for it for ever."""
    files = {"a.py": HEAD + RUN, "b.py": HEAD + "while True: pass\n" + RUN, "c.py": HEAD + RUN}
    began = time.monotonic()
    with pytest.raises(Misconfigured, match=r"^b\.py: reading its parameters did not end, .* within 0\.5 s$"):
        read_protocols({name: source.encode() for name, source in files.items()}, within=0.5)
    assert time.monotonic() - began < 5


def test_only_tasks_are_executed() -> None:
    """Another file may lie there, as a protocol for the Opentrons App; but it must be Python."""
    file = read('metadata = {"protocolName": "by hand"}\n1 / 0\n')
    assert (file.metadata, file.parameters) == ({"protocolName": "by hand"}, ())
    with pytest.raises(Misconfigured, match=r"^mix\.py, line 1: invalid syntax$"):
        read("this is no Python\n")


@pytest.mark.parametrize(
    "imports",
    [
        "import opentrons\nHELD: opentrons.protocol_api.Labware | None = None",
        "from opentrons import protocol_api as api, types\nCORNER = types.Point(1, 2, 3)",
        "from opentrons.types import Mount\nLEFT = {Mount.LEFT: 1}",
        "from opentrons.protocol_api import Labware\nclass Plate(Labware): pass\nPlate().tip",
        "from opentrons_shared_data.labware import load_definition\nload_definition(1)",
        "from dataclasses import dataclass\n@dataclass\nclass Volumes:\n    red: float = 0\n",
        "import json, math, collections, datetime, typing, csv, re, enum",
        "print('hello')",
        "import sys\nsys.stdout.write('{}')\nsys.stdout.flush()",
        "import os\nos.write(1, b'hello')",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(3600,)).start()",
    ],
)
def test_what_a_protocol_does_outside_its_functions(imports: str) -> None:
    """The names of opentrons are there, and the answer is ours alone."""
    source = HEAD + imports + "\ndef add_parameters(p): p.add_bool('A', 'a', True)\n" + RUN
    assert [parameter.name for parameter in read(source).parameters] == ["a"]


def test_nothing_of_the_bridge_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No password of the environment, no stdin, no package of the bridge."""
    monkeypatch.setenv("LAB_MQTT_PASSWORD", "secret")
    source = """
import os, sys
assert "LAB_MQTT_PASSWORD" not in os.environ
assert sys.stdin.read() == ""
try:
    import voluptuous
except ImportError:
    pass
else:
    raise AssertionError
"""
    assert read(HEAD + source + RUN).metadata == {"task": "mix"}


def test_the_colour_cell_is_read_fast() -> None:
    """A bridge waits for it at its start. 30 ms on the machine of docs/performance.md."""
    files = {file.name: file.read_bytes() for file in COLOUR.glob("*.py")}
    took = []
    for note in "abc":  # another content is read anew
        began = time.perf_counter()
        read_protocols({name: content + f"\n# {note}\n".encode() for name, content in files.items()})
        took.append(time.perf_counter() - began)
    assert min(took) < 0.15


def test_the_same_content_is_read_once(tmp_path: Path) -> None:
    """The declaration reads it, and the driver again."""
    trace = tmp_path / "trace"
    source = f"open({str(trace)!r}, 'a').write('read ')\n"
    first = read(HEAD + source + RUN)
    assert read(HEAD + source + RUN) is first
    assert trace.read_text() == "read "
    read(HEAD + source + "# changed\n" + RUN)
    assert trace.read_text() == "read read "
