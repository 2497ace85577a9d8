"""The cell: a folder of protocols and labware, and what it adds to the declaration of an OT-2.

A protocol whose ``metadata`` name a ``task`` becomes that task. More keys, all of them texts:

    required    names of the parameters that a command must give; the others have the protocol's defaults
    pauses      the word that is told when the run holds: the task has succeeded, and the run stays paused
    holds       "sensor": that hangs on the pipette meanwhile
    resumes     the task that goes on with such a run, to its end
    resumed     the word that it tells then; succeeded by default
    form        the name of a button that does the task, with entities for its parameters beside it
    icon        mdi:…
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
import json
from pathlib import Path
import re
from typing import Any, Final

from lab2mqtt.core.device import Growth, Task
from lab2mqtt.core.entities import AnyEntity, Sensor
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.parameters import Parameter, Schema, Setting
from lab2mqtt.core.words import near, show
from lab2mqtt.drivers.ot2 import module_entities, modules
from lab2mqtt.drivers.ot2.deck_settings import Layout
from lab2mqtt.drivers.ot2.form import form
from lab2mqtt.drivers.ot2.labware import Labware
from lab2mqtt.drivers.ot2.protocol_file import ProtocolFile, read_protocols
from lab2mqtt.drivers.ot2.settings import Ot2Settings
from lab2mqtt.drivers.ot2.snapshot import Snapshot

COLOUR: Final = Path(__file__).parents[2] / "cells" / "colour"
TIMEOUT: Final = Setting("task_timeout")
IDS: Final = (
    Parameter(
        name="experiment_id",
        type="string",
        required=False,
        longest=64,
        description="Comes back in the result. What is dispensed for one is not dispensed for it again.",
    ),
    Parameter(
        name="session_id",
        type="string",
        required=False,
        longest=64,
        description="Comes back in the result.",
    ),
)
_TASK: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_COLOUR_PARAMETERS: Final = {"R", "Y", "B", "well"}


@dataclass(frozen=True)
class Protocol:
    """A protocol that is a task.

    Attributes:
        task: Its name.
        file: The file's name.
        title: The protocol's name.
        description: What it does.
        files: What is uploaded: the protocol and the labware of the cell, contents by name.
        parameters: Its run-time parameters; those that are not required have their default.
        display_names: What people call them, by name.
        pauses: The word that is told when the run holds, and the task has succeeded; empty: it does not hold.
        holds: What hangs on the pipette meanwhile: ``sensor``, or nothing.
        resumes: The task that goes on to the end of the run.
        resumed: The word that it tells then.
        form: The button's name; empty: it has no form.
        icon: A Material Design icon.
    """

    task: str
    file: str
    title: str
    description: str
    files: Mapping[str, bytes]
    parameters: tuple[Parameter, ...]
    display_names: Mapping[str, str]
    pauses: str = ""
    holds: str = ""
    resumes: str = ""
    resumed: str = ""
    form: str = ""
    icon: str = ""

    @property
    def schema(self) -> Schema:
        """What the task takes, the ids of experiment and session included."""
        return Schema((*self.parameters, *IDS), self.task)


@dataclass(frozen=True)
class Cell:
    """What a folder holds.

    Attributes:
        protocols: By the name of their task.
        definitions: The definitions of labware, contents by the name of the file.
        labware: The kinds that they define.
    """

    protocols: Mapping[str, Protocol]
    definitions: Mapping[str, bytes]
    labware: tuple[Labware, ...]

    @property
    def forms(self) -> list[str]:
        """The tasks that have a form."""
        return [task for task, protocol in self.protocols.items() if protocol.form]

    @property
    def resumes(self) -> dict[str, str]:
        """The tasks that go on with a run that holds, with the word that each tells at its end."""
        return {each.resumes: each.resumed for each in self.protocols.values() if each.resumes}

    @classmethod
    def load(cls, folder: Path | None = None) -> "Cell":
        """Read a folder; the colour cell where none is named.

        Raises:
            Misconfigured: What is wrong, with file and line.
        """
        folder = COLOUR if folder is None else folder
        try:
            return cls._load(folder)
        except OSError as error:
            raise Misconfigured(f"cell {folder}: {error.strerror or error}") from error
        except Misconfigured as error:
            raise Misconfigured(f"cell {folder}: {error}") from error

    @classmethod
    def _load(cls, folder: Path) -> "Cell":
        found = {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if file.is_file()}
        definitions = {name: content for name, content in found.items() if name.endswith(".json")}
        labware = tuple(_labware(name, content) for name, content in definitions.items())
        sources = {name: content for name, content in found.items() if name.endswith(".py")}
        files = [file for file in read_protocols(sources) if file.metadata.get("task")]
        if not files:
            raise Misconfigured('no protocol in it names its task: metadata = {"task": "mix_color", …}')
        protocols: dict[str, Protocol] = {}
        for file in files:
            protocol = _protocol(file, {file.name: sources[file.name], **definitions})
            if protocol.task in protocols:
                raise file.wrong(f"task {protocol.task!r} is that of another protocol too")
            protocols[protocol.task] = protocol
        cell = cls(protocols, definitions, labware)
        for file in files:
            _check_resuming(file, cell)
        return cell


def grow(settings: Ot2Settings) -> Growth:
    """What the cell of the settings, and modules that may be attached, add to the declaration.

    Raises:
        Misconfigured: Something in its folder is wrong, or does not fit the deck.
    """
    cell = Cell.load(settings.cell)
    layout = Layout(settings, cell.labware)
    entities: list[AnyEntity] = [
        *(_tips_left(slot) for slot in layout.racks()),
        *(_vial_left(name, vial.liquid) for name, vial in layout.vials.items()),
    ]
    tasks = [_task(protocol) for protocol in cell.protocols.values()]
    for name in cell.forms:
        grown = _form(cell.protocols[name])
        entities += grown.entities
        tasks += grown.tasks
    tasks += _resuming(cell)
    mix = cell.protocols.get("mix_color")
    if mix and {parameter.name for parameter in mix.parameters} >= _COLOUR_PARAMETERS:
        tasks.append(_mix_colors(mix))
    if settings.color_sensor:
        tasks.append(_read_color(settings.color_sensor))
    return Growth((*entities, *module_entities.ENTITIES), (*tasks, *modules.TASKS))


# Reading the folder.


def _labware(name: str, content: bytes) -> Labware:
    try:
        return Labware.read(json.loads(content))
    except ValueError as error:
        raise Misconfigured(f"{name}: {error}") from error


def _protocol(file: ProtocolFile, files: Mapping[str, bytes]) -> Protocol:
    told = file.metadata
    task, title = told["task"], told.get("protocolName", "")
    if not _TASK.fullmatch(task):
        raise file.wrong(f"task {task!r} is not snake case of at most 40 characters")
    names = {parameter.name for parameter in file.parameters}
    if taken := names & {each.name for each in IDS}:
        raise file.wrong(f"{min(taken)} is a parameter of every task of a cell: take another name")
    required = told.get("required", "").split()
    for name in required:
        if name not in names:
            raise file.wrong(f"required names {name!r}, which is no parameter{near(name, names)}")
    _check_pause(file)
    if not re.fullmatch(r"(mdi:[a-z0-9-]+)?", told.get("icon", "")):
        raise file.wrong(f"icon {told['icon']!r} is not one of mdi:…")
    return Protocol(
        task=task,
        file=file.name,
        title=title or task,
        description=told.get("description") or title or f"Run {file.name}.",
        files=files,
        parameters=tuple(replace(each, required=each.name in required) for each in file.parameters),
        display_names=file.display_names,
        **{key: told.get(key, "") for key in ("pauses", "holds", "resumes", "resumed", "form", "icon")},
    )


def _check_pause(file: ProtocolFile) -> None:
    """See that the keys of a run that holds fit together."""
    told = file.metadata
    for key, needed in (("holds", "pauses"), ("resumes", "pauses"), ("resumed", "resumes")):
        if told.get(key) and not told.get(needed):
            raise file.wrong(f"{key} needs {needed} beside it")
    if (held := told.get("holds", "")) not in ("", "sensor"):
        raise file.wrong(f"holds {show(held)} is not 'sensor'")
    if (resumes := told.get("resumes")) and not _TASK.fullmatch(resumes):
        raise file.wrong(f"resumes {resumes!r} is not snake case of at most 40 characters")


def _check_resuming(file: ProtocolFile, cell: Cell) -> None:
    """See that the task that goes on with a run is one of its own, and tells one word."""
    name = file.metadata.get("resumes", "")
    if name in cell.protocols:
        raise file.wrong(f"resumes {name!r}, which is the task of a protocol")
    if name and cell.resumes[name] != (word := file.metadata.get("resumed", "")):
        raise file.wrong(
            f"resumed {word!r}, and {cell.resumes[name]!r} in another protocol: {name} tells one"
        )


# What it adds.


def _task(protocol: Protocol) -> Task:
    return Task(
        protocol.task,
        run="play",
        parameters=(*protocol.parameters, *IDS),
        description=protocol.description,
        returns=_returns(protocol.pauses or "succeeded"),
        effect="move",
        timeout=TIMEOUT,
    )


def _returns(status: str) -> str:
    return f"status: {status}; run, commands, elapsed in s, experiment_id and session_id if given."


def _resuming(cell: Cell) -> Iterable[Task]:
    """One task for each name that protocols give in ``resumes``."""
    for name, word in cell.resumes.items():
        titles = [each.title for each in cell.protocols.values() if each.resumes == name]
        yield Task(
            name,
            run="put_back",
            parameters=(),
            description=f"Go on with the run that holds, to its end: {', '.join(titles)}.",
            returns=_returns(word or "succeeded"),
            effect="move",
            timeout=TIMEOUT,
            homes=True,  # the way out must be open where something asks for homing
        )


def _form(protocol: Protocol) -> Growth:
    try:
        return form(
            protocol.task,
            protocol.form,
            protocol.icon,
            protocol.parameters,
            protocol.display_names,
            TIMEOUT,
        )
    except ValueError as error:
        raise Misconfigured(f"{protocol.file}: the form: {error}") from error


def _mix_colors(mix: Protocol) -> Task:
    well = next(parameter for parameter in mix.parameters if parameter.name == "well")
    colours = (
        Parameter(name=letter, type="integer", minimum=0, maximum=255, description=f"{word} of the colour")
        for letter, word in (("r", "Red"), ("g", "Green"), ("b", "Blue"))
    )
    empty = replace(
        well, required=False, default=None, description="The next empty one, row by row, where none is named."
    )
    return Task(
        "mix_colors",
        run="mix_colors",
        parameters=(*colours, empty, *IDS),
        description="Mix the paint that comes nearest to a colour of light; only its hue counts.",
        returns=_returns("succeeded"),
        effect="move",
        timeout=TIMEOUT,
    )


def _read_color(sensor: str) -> Task:
    return Task(
        "read_color",
        run="read_color",
        parameters=(),
        description=f"Ask the colour sensor {sensor} what it sees.",
        returns="What the sensor answers.",
        effect="read",
        timeout=60.0,
    )


def _tips_left(slot: str) -> AnyEntity:
    def left(snapshot: Snapshot) -> int | None:
        """How many are certainly there; none certainly there says nothing while some may be."""
        tips = snapshot.deck.get("tips", {}).get(slot)
        if tips is None or (not tips["left"] and tips["unknown"]):
            return None
        return int(tips["left"])

    return Sensor(
        f"tips_{slot}", f"Tips left, slot {slot}", icon="mdi:dots-grid", state_class="measurement", read=left
    )


def _vial_left(name: str, liquid: str) -> AnyEntity:
    def left(snapshot: Snapshot) -> float | None:
        """What can still be drawn, in mL: Home Assistant has no smaller unit of volume."""
        usable: Any = snapshot.deck.get("vials", {}).get(name, {}).get("usable")
        return None if usable is None else round(usable / 1000, 3)

    try:
        return Sensor(
            f"vial_{name.lower()}",
            f"{liquid.capitalize()} left",
            unit="mL",
            device_class="volume_storage",
            precision=2,
            read=left,
        )
    except ValueError as error:
        raise Misconfigured(f"vials.{name}: the name is not made of a-z, A-Z, 0-9 and _") from error
