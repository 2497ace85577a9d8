"""What a protocol tells of itself, read without the robot and without ``opentrons``.

The bridge describes its tasks while the robot is off. So the ``add_parameters`` of each protocol is called in
a process of its own, where ``opentrons`` is a stand-in that writes down what it is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import functools
import json
from pathlib import Path
import subprocess
import sys
from typing import Any, Final

from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.parameters import Parameter

WITHIN = 10.0  # s for all files together
_PROCESS: Final = Path(__file__).with_name("protocol_process.py")
_TYPES: Final = {"int": "integer", "float": "number", "str": "string", "bool": "boolean"}


@dataclass(frozen=True)
class ProtocolFile:
    """A protocol as it was read.

    Attributes:
        name: Of the file.
        metadata: As it stands there.
        line: Where its metadata stands.
        parameters: Its run-time parameters, none of them required. Those of a file whose metadata name no
            ``task`` are not read.
        display_names: What people call the parameters, by name.
    """

    name: str
    metadata: Mapping[str, str]
    line: int
    parameters: tuple[Parameter, ...]
    display_names: Mapping[str, str]

    def wrong(self, text: str) -> Misconfigured:
        """An error of its metadata."""
        return Misconfigured(f"{_place(self.name, self.line)}: {text}")


def read_protocols(files: Mapping[str, bytes], within: float = WITHIN) -> tuple[ProtocolFile, ...]:
    """Read all protocols of a cell, in one process. The same content again is not read again.

    Args:
        files: Contents by name.
        within: s for all together.

    Raises:
        Misconfigured: Everything that is wrong, each with file and line.
    """
    return _read(tuple(sorted(files.items())), within)


@functools.lru_cache(maxsize=8)  # the declaration needs it, and the driver again
def _read(files: tuple[tuple[str, bytes], ...], within: float) -> tuple[ProtocolFile, ...]:
    answers = _answers(files, within)
    wrong = [
        f"{_place(name, told['line'])}: {told['wrong']}"
        for (name, _), told in zip(files, answers, strict=False)
        if "wrong" in told
    ]
    if len(answers) < len(files):
        name = files[len(answers)][0]
        wrong.append(f"{name}: reading its parameters did not end, or ended Python, within {within:g} s")
    if wrong:
        raise Misconfigured("; ".join(wrong))
    return tuple(_file(name, told) for (name, _), told in zip(files, answers, strict=True))


def _answers(files: Sequence[tuple[str, bytes]], within: float) -> list[dict[str, Any]]:
    """An answer for each file, and none from the one on that was too much for Python or for our patience."""
    asked = json.dumps([{"name": name, "source": source.hex()} for name, source in files])
    try:
        told = subprocess.run(  # noqa: S603 - our own file; nothing of the bridge's surroundings goes with it
            [sys.executable, "-I", "-S", str(_PROCESS)],
            input=asked.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=within,
            env={},
            check=False,
        ).stdout
    except subprocess.TimeoutExpired as late:
        told = late.output or b""
    return [json.loads(line) for line in told.splitlines()]


def _place(name: str, line: int | None) -> str:
    return f"{name}, line {line}" if line else name


def _file(name: str, told: Mapping[str, Any]) -> ProtocolFile:
    return ProtocolFile(
        name,
        told["metadata"],
        told["line"],
        tuple(_parameter(each) for each in told["parameters"]),
        {each["name"]: each["display_name"] or each["name"] for each in told["parameters"]},
    )


def _parameter(told: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=told["name"],
        type=_TYPES[told["type"]],
        required=False,
        default=told["default"],
        description=told["description"] or told["display_name"],
        unit=told["unit"] or "",
        choices=tuple(told.get("choices") or ()),
        minimum=told.get("minimum"),
        maximum=told.get("maximum"),
    )
