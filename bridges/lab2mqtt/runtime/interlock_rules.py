"""The ``interlocks:`` of configurations: read, and checked against the devices that they look at."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
import math
from typing import TYPE_CHECKING, Any, Literal, cast

from lab2mqtt import wire
from lab2mqtt.core.description import describe_entities
from lab2mqtt.core.house import STATE_KEYS
from lab2mqtt.core.interlock import MOTION, Interlock, kind_of, loops
from lab2mqtt.core.parameters import Parameter, Schema
from lab2mqtt.core.words import near, show
from lab2mqtt.runtime.yaml_file import KeyPath, YamlFile

if TYPE_CHECKING:
    from lab2mqtt.runtime.config import DeviceConfig

COMPARISONS = ("is", "is_not", "above", "below")
# A state is said again after 10 or 60 s (docs/protocol.md#state), and may have been measured before.
MARGIN = 1.5

_RULE = (
    Parameter(name="name", type="string", required=False, shortest=1, longest=120),
    Parameter(name="forbid", type="any"),
    Parameter(name="while", type="object"),
    Parameter(name="max_age", type="number", required=False, minimum=1, maximum=3600, unit="s"),
    Parameter(name="on_break", type="string", required=False, choices=("stop", "finish")),
)
_WHILE = (
    Parameter(name="device", type="string"),
    Parameter(name="key", type="string"),
    Parameter(name="is", type="any", required=False),
    Parameter(name="is_not", type="any", required=False),
    Parameter(name="above", type="number", required=False),
    Parameter(name="below", type="number", required=False),
)

# Platform of an entity → what its value is; a sensor's depends, and a button has none.
_KINDS = {
    "binary_sensor": ("true or false",),
    "switch": ("true or false",),
    "number": ("a number",),
    "select": ("a text",),
    "text": ("a text",),
    "light": ("true or false",),
    "image": ("a number",),  # when it was taken
}


@dataclass(frozen=True)
class Placed:
    """A rule, and where it stands."""

    device_id: str
    path: KeyPath
    rule: Interlock


@dataclass
class Rules:
    """The rules of one file.

    Attributes:
        source: The file.
        base: The base topic; a rule looks at devices of its own base only.
        devices: The file's devices.
        placed: All rules that could be read.
    """

    source: YamlFile
    base: str
    devices: Mapping[str, "DeviceConfig"]
    placed: list[Placed] = field(default_factory=list)

    def of(self, device_id: str) -> tuple[Interlock, ...]:
        """The rules of one device."""
        return tuple(one.rule for one in self.placed if one.device_id == device_id)


def read_rules(source: YamlFile, base: str, devices: Mapping[str, "DeviceConfig"]) -> Rules:
    """Read the rules of a file's devices; what is wrong is noted there."""
    found = Rules(source, base, devices)
    told = cast("dict[str, dict[str, Any]]", source.data["devices"] if devices else {})
    for device_id, config in devices.items():
        for index, one in enumerate(told[device_id].get("interlocks") or ()):
            path = ("devices", device_id, "interlocks", str(index))
            if rule := _rule(source, path, one, config):
                found.placed.append(Placed(device_id, path, rule))
    return found


def check_rules(files: Sequence[Rules]) -> None:
    """Check the rules of the files of one lab against each other's devices; what is wrong is noted there."""
    for base in dict.fromkeys(one.base for one in files):
        lab = [one for one in files if one.base == base]
        devices = {device_id: config for one in lab for device_id, config in one.devices.items()}
        for rules in lab:
            for placed in rules.placed:
                watched = devices.get(placed.rule.device)
                any_device = watched or devices[placed.device_id]
                _check_value(rules.source, placed, any_device, known=watched is not None)
                if watched:
                    _check_age(rules.source, placed, watched)
        _check_loops(lab)


def _rule(source: YamlFile, path: KeyPath, one: object, config: "DeviceConfig") -> Interlock | None:
    told = _mapping(source, path, one, _RULE)
    looked = _mapping(source, (*path, "while"), told["while"], _WHILE) if told else None
    if told is None or looked is None:
        return None
    forbid = _forbidden(source, (*path, "forbid"), told["forbid"], config)
    device = str(looked["device"])
    given = [name for name in COMPARISONS if name in looked]
    wrong = ""
    if not wire.is_device_id(device):
        wrong = f"device {show(device)} is not a device id, made of a-z, 0-9, - and _, at most 64 long"
    elif device == config.instance.device_id:
        wrong = f"device {device!r} is this device itself: a rule looks at another one"
    elif len(given) != 1:
        what = f"{' and '.join(given)} together" if given else "no comparison"
        wrong = f"{what}: exactly one of {', '.join(COMPARISONS)} is needed"
    elif not _comparable(looked[given[0]]):
        wrong = f"{given[0]} {show(looked[given[0]])} is not a text, a number, true or false"
        if looked[given[0]] is None:
            wrong += "; what is unknown forbids by itself"
    if wrong:
        source.wrong((*path, "while"), f"{_where((*path, 'while'))}: {wrong}")
    if wrong or not forbid:
        return None
    comparison = cast("Literal['is', 'is_not', 'above', 'below']", given[0])
    value = cast("dict[str, Any]", cast("dict[str, Any]", one)["while"])[comparison]  # 40 stays 40, not 40.0
    more = {key: told[key] for key in ("max_age", "on_break") if key in told}
    rule = Interlock("", forbid, device, str(looked["key"]), comparison, value, **more)
    return replace(rule, name=str(told.get("name") or f"no {rule.words}"))


def _comparable(value: object) -> bool:
    return math.isfinite(value) if isinstance(value, float) else kind_of(value) != "nothing to compare"


def _mapping(
    source: YamlFile, path: KeyPath, values: object, parameters: Iterable[Parameter]
) -> dict[str, Any] | None:
    """A mapping of the file, checked; what is wrong is noted, and then there is none."""
    where = _where(path)
    if not isinstance(values, dict):
        source.wrong(path, f"{where} {show(values)} is not a set of keys with values")
        return None
    schema = Schema(parameters, where)
    checked, wrong = schema.problems({str(key): value for key, value in values.items()})
    for key, text in wrong.items():
        source.wrong((*path, key), f"{where}.{text}" if key in schema.parameters else text)
    return None if wrong else checked


def _where(path: KeyPath) -> str:
    """A key as a person names it: ``devices.ot2.interlocks[0].while``."""
    words = ""
    for key in path:
        words += f"[{key}]" if key.isdecimal() and words.endswith("interlocks") else f".{key}"
    return words.lstrip(".")


def _forbidden(source: YamlFile, path: KeyPath, told: object, config: "DeviceConfig") -> tuple[str, ...]:
    """What a rule forbids; nothing where that is wrong, which is noted."""
    names = [told] if isinstance(told, str) else told
    tasks = {
        name: task.effect for name, task in config.tasks.items() if task.method and task.effect != "read"
    }
    known = [MOTION, *tasks]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        source.wrong(path, f"{_where(path)} {show(told)} is not {MOTION}, a task, or a list of tasks")
        return ()
    wrong = ""
    for name in dict.fromkeys(names):
        if name == MOTION and "move" not in tasks.values():
            wrong = f"{MOTION!r}: {config.device.name} has no task that moves"
        elif name in config.tasks and name not in tasks:
            why = "only reads" if config.tasks[name].effect == "read" else "is a task that nothing may forbid"
            wrong = f"{name!r} {why}"
        elif name not in known:
            wrong = f"{name!r} is not one of {', '.join(known)}{near(name, known)}"
        else:
            continue
        source.wrong(path, f"{_where(path)}: {wrong}")
    return () if wrong else tuple(dict.fromkeys(names))


def _check_value(source: YamlFile, placed: Placed, device: "DeviceConfig", *, known: bool) -> None:
    """Check a rule's key and value against what a device says of its entities.

    Args:
        source: Where to note what is wrong.
        placed: The rule.
        device: The device that is looked at; where that is in no file any other, for the keys of the house.
        known: Whether it is the very device.
    """
    rule = placed.rule
    entities: dict[str, dict[str, Any]] = describe_entities(device.device, device.tasks)
    entity = entities.get(rule.key)
    if rule.key in STATE_KEYS:
        # It may be an attribute of another one; if it has a value, the runtime itself says it.
        entity = (entity or {"platform": ""}) | {"stateless": False}
    elif not known:
        entity = {"platform": "sensor"}
    where = _where((*placed.path, "while"))
    if entity is None:
        keys = [key for key, one in entities.items() if _kinds(one)]
        source.wrong(
            (*placed.path, "while", "key"),
            f"{where}: {rule.device} has no {rule.key!r}{near(rule.key, keys)}: it says {', '.join(keys)}",
        )
        return
    subject, value = f"{rule.device} {rule.key}", show(rule.value)
    kinds, options = _kinds(entity), entity.get("options", ())
    wrong = ""
    if not kinds:
        wrong = f"{subject} has no value that a rule can compare"
        if entity.get("none"):
            wrong += ": null and an empty list forbid by themselves; compare readiness"
    elif kind_of(rule.value) not in kinds:
        wrong = f"{subject} is {' or '.join(kinds)}, and {value} is not"
        if isinstance(rule.value, bool):
            wrong += "; a word such as off, on, no or yes needs quotes"
    elif options and rule.value not in options:
        wrong = f"{subject} is one of {', '.join(options)}, not {value}{near(str(rule.value), options)}"
    if wrong:
        source.wrong((*placed.path, "while", rule.comparison), f"{where}: {wrong}")


def _kinds(entity: Mapping[str, Any]) -> tuple[str, ...]:
    """What an entity's value can be in the eyes of a comparison; nothing where none can be compared."""
    if entity.get("stateless") or entity.get("none") or entity.get("device_class") == "timestamp":
        return ()
    if entity["platform"] != "sensor":
        return _KINDS.get(entity["platform"], ())
    if entity.get("options"):
        return ("a text",)
    number = entity.keys() & {"unit", "state_class", "precision"}
    return ("a number",) if number else ("a text", "a number", "true or false")


def _check_age(source: YamlFile, placed: Placed, watched: "DeviceConfig") -> None:
    moves = any(task.effect == "move" for task in watched.device.tasks)
    period = 10 if moves else 60
    if placed.rule.max_age < MARGIN * period:
        source.wrong(
            (*placed.path, "max_age"),
            f"{_where((*placed.path, 'max_age'))} {placed.rule.max_age:g} s: {placed.rule.device} says its "
            f"state every {period} s at the latest; {MARGIN * period:g} s or more are needed",
        )


def _check_loops(lab: Sequence[Rules]) -> None:
    placed = {(one.device_id, one.rule): (rules.source, one.path) for rules in lab for one in rules.placed}
    own: dict[str, list[Interlock]] = {}
    for device_id, rule in placed:
        own.setdefault(device_id, []).append(rule)
    for loop in loops(own):
        source, path = placed[loop[0]]
        way = ", and ".join(f"{device_id} forbids {rule.words}" for device_id, rule in loop)
        source.wrong(path, f"{way}: a loop, in which each could wait for the others for ever")
