"""A show file: read and checked, everything that is wrong at once. No input or output here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
import math
from typing import Any, cast

from lab2mqtt import wire
from lab2mqtt.core.errors import Misconfigured, Refused
from lab2mqtt.core.parameters import Parameter, Schema
from lab2mqtt.core.words import near, show
from lab2mqtt.runtime.yaml_file import KeyPath, YamlFile

LONGEST = 24 * 3600.0  # s
MOST_CUES = 1000
MOST_ROUNDS = 10_000
SHORTEST_ROUND = 0.1  # s: shorter than that a loop would flood
ANSWER_WITHIN = 30.0  # s
TIME_WORDS = f"seconds such as 12.5, or m:ss.s such as 1:30.5, up to {LONGEST / 3600:g} hours"

_SHOW = (
    Parameter(name="cues", type="array"),
    Parameter(name="name", type="string", required=False, shortest=1, longest=64),
    Parameter(name="loop", type="any", required=False),
    Parameter(name="length", type="any", required=False),
)
_CUE = (
    Parameter(name="at", type="any"),
    Parameter(name="target", type="string", shortest=1, longest=64, pattern=r"[^\s/+#]+"),
    Parameter(name="action", type="string", shortest=1, longest=64, pattern=r"[^\s+#]+"),
    Parameter(name="args", type="any", required=False),
    Parameter(name="name", type="string", required=False, shortest=1, longest=64),
    Parameter(name="wait", type="boolean", required=False),
    Parameter(name="on_failure", type="string", required=False, choices=("stop", "continue")),
    Parameter(name="via", type="string", required=False, choices=("call", "cmd")),
    Parameter(name="within", type="number", required=False, minimum=0.1, maximum=LONGEST, unit="s"),
)


@dataclass(frozen=True, kw_only=True)
class Cue:
    """Something that is to be done at its time.

    Attributes:
        number: Its place in the show, from 1.
        at: When, in seconds of the show.
        target: Whose action: a prop or any device.
        action: Its action or task.
        args: Of the action; those of a call by name.
        name: What people call it.
        wait: Whether the show's clock stands until it is answered.
        goes_on: Whether the show goes on when it fails.
        by_call: Whether it is called and answered; else a message on the target's ``cmd`` topic.
        within: Seconds for the answer.
    """

    number: int
    at: float
    target: str
    action: str
    args: Any = None
    name: str = ""
    wait: bool = False
    goes_on: bool = False
    by_call: bool = True
    within: float = ANSWER_WITHIN

    @property
    def title(self) -> str:
        """Number and name, such as ``3 fogger fog``."""
        return f"{self.number} {self.name or f'{self.target} {self.action}'}"


@dataclass(frozen=True, kw_only=True)
class Show:
    """A show, as it is played.

    Attributes:
        name: The name of its file, by which it is played.
        title: What people call it.
        cues: In the order of time; at least one.
        length: Seconds of one round.
        rounds: How many times it plays; infinite for a loop without end.
    """

    name: str
    title: str
    cues: tuple[Cue, ...]
    length: float
    rounds: float = 1

    @property
    def can_loop(self) -> bool:
        """Whether a round is long enough to be played again and again."""
        return self.length >= SHORTEST_ROUND

    def place(self, cue: object) -> int:
        """Where a cue stands, from 0, by its number or its name.

        Raises:
            Refused: There is none.
        """
        text = str(cue).strip()
        names = {one.name: index for index, one in enumerate(self.cues) if one.name}
        if text in names:
            return names[text]
        if text.isascii() and text.isdigit() and 0 < int(text[:9]) <= len(self.cues):
            return int(text) - 1
        raise Refused(
            f"{self.name} has no cue {text!r}{near(text, names)}: it has 1 to {len(self.cues)}"
            + (f", and the names {', '.join(names)}" if names else "")
        )


def read_show(source: YamlFile, own_id: str) -> Show:
    """Read a show.

    Args:
        source: The file; it names the show.
        own_id: The id of the show runner, which no cue may command.

    Raises:
        Misconfigured: Everything that is wrong, each with its line.
    """
    told = _checked(source, (), source.data, _SHOW, "a show")
    cues = _cues(source, told.get("cues", ()), own_id)
    last = max((cue.at for cue in cues), default=0.0)
    length = last
    if "length" in told:
        length = _time(source, ("length",), told["length"], "length") or 0.0
        if length < last:
            source.wrong(("length",), f"length {length:g} s ends before the last cue, at {last:g} s")
    show_ = Show(
        name=source.file.stem,
        title=str(told.get("name") or source.file.stem.replace("_", " ").capitalize()),
        cues=tuple(cues),
        length=length,
        rounds=_rounds(source, told.get("loop", False)),
    )
    if cues and show_.rounds > 1 and not show_.can_loop:
        source.wrong(
            ("loop",),
            f"a show that loops takes {SHORTEST_ROUND:g} s or more: add `length:`, seconds of a round",
        )
    if wrong := source.told():
        raise Misconfigured("\n".join(wrong))
    return show_


def seconds_of(value: object) -> float:
    """A time as written in a show file, in seconds.

    Args:
        value: A number of seconds, or text as ``m:ss.s`` or ``h:mm:ss``. YAML itself reads ``1:30`` as 90.

    Raises:
        ValueError: It is none, is negative or too long.
    """
    seconds = math.nan
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str):
        *higher, last = value.strip().split(":")
        whole = last.replace(".", "", 1)
        plain = all(part.isascii() and part.isdigit() for part in (*higher, whole))
        if plain and len(value) <= 16 and len(higher) <= 2:  # noqa: PLR2004 - hours and minutes
            parts = [*(float(part) for part in higher), float(last)]
            if all(part < 60 for part in parts[1:]):  # noqa: PLR2004 - minutes and seconds
                seconds = sum(part * 60**power for power, part in enumerate(reversed(parts)))
    if not 0 <= seconds <= LONGEST:
        raise ValueError(f"{show(value)} is no time: {TIME_WORDS}")
    return seconds


def _cues(source: YamlFile, told: object, own_id: str) -> list[Cue]:
    listed = cast("Sequence[object]", told)
    if "cues" in source.data and not 0 < len(listed) <= MOST_CUES and isinstance(source.data["cues"], list):
        source.wrong(("cues",), f"cues has {len(listed)}: a show has 1 to {MOST_CUES}")
        return []
    cues = [cue for index, one in enumerate(listed) if (cue := _cue(source, index, one, own_id))]
    names: dict[str, int] = {}
    for before, cue in zip([None, *cues], cues, strict=False):
        path = ("cues", str(cue.number - 1))
        if before and cue.at < before.at:
            source.wrong(
                (*path, "at"),
                f"cue {cue.number}: at {cue.at:g} s is before cue {before.number}, at {before.at:g} s: "
                "cues stand in the order of time",
            )
        if cue.name and names.setdefault(cue.name, cue.number) != cue.number:
            source.wrong(
                (*path, "name"), f"cue {cue.number}: cue {names[cue.name]} is called {cue.name!r} already"
            )
    return cues


def _cue(source: YamlFile, index: int, one: object, own_id: str) -> Cue | None:
    path = ("cues", str(index))
    where = f"cue {index + 1}"
    before = len(source.problems)
    if not isinstance(one, dict):
        source.wrong(path, f"{where}: {show(one)} is no cue: it has at, target and action")
        return None
    told = _checked(source, path, one, _CUE, where)
    at = _time(source, (*path, "at"), told["at"], f"{where}: at") if "at" in told else None
    by_call = told.get("via", "call") == "call"
    name = str(told.get("name", ""))
    args = told.get("args")
    wrong = {
        "target": "target" in told and _wrong_target(told["target"], own_id, by_call=by_call),
        "name": name.isdigit() and f"name {name!r} is a number, as all cues have one: a word is needed",
        "wait": told.get("wait") and not by_call and "nobody answers on a cmd topic: no wait with `via: cmd`",
        "within": "within" in told
        and not by_call
        and "nobody answers on a cmd topic: no within with `via: cmd`",
        "args": _wrong_args(args, by_call=by_call),
    }
    for key, text in wrong.items():
        if text:
            source.wrong((*path, key), f"{where}: {text}")
    if at is None or len(source.problems) > before:
        return None
    return Cue(
        number=index + 1,
        at=at,
        target=str(told["target"]),
        action=str(told["action"]),
        args=args,
        name=name,
        wait=bool(told.get("wait")),
        goes_on=told.get("on_failure") == "continue",
        by_call=by_call,
        within=float(told.get("within", ANSWER_WITHIN)),
    )


def _wrong_target(target: str, own_id: str, *, by_call: bool) -> str:
    if target == own_id:
        return f"target {own_id} is the show itself; `loop:` repeats a show"
    if by_call and not wire.is_device_id(target):
        return f"target {show(target)} is no device id, made of a-z, 0-9, - and _; or add `via: cmd`"
    return ""


def _wrong_args(args: object, *, by_call: bool) -> str:
    """What is wrong with the arguments of a cue; "" if nothing."""
    try:
        size = len(json.dumps(args, allow_nan=False))
    except (TypeError, ValueError):
        return f"args {show(args)} cannot be said in JSON: put dates in quotes"
    if size > wire.MAX_COMMAND // 2:
        return f"args has {size} bytes; {wire.MAX_COMMAND // 2} are allowed"
    by_name = args is None or (isinstance(args, dict) and all(isinstance(key, str) for key in args))
    if by_call and not by_name:
        return f"args {show(args)} has no names: a call takes them as `args: {{name: value}}`, or `via: cmd`"
    return ""


def _rounds(source: YamlFile, told: object) -> float:
    if isinstance(told, bool):
        return math.inf if told else 1
    if isinstance(told, int) and 0 < told <= MOST_ROUNDS:
        return told
    source.wrong(
        ("loop",), f"loop {show(told)} is not true, false or how many times it plays, 1 to {MOST_ROUNDS}"
    )
    return 1


def _time(source: YamlFile, path: KeyPath, value: object, what: str) -> float | None:
    try:
        return seconds_of(value)
    except ValueError as error:
        source.wrong(path, f"{what} {error}")
        return None


def _checked(
    source: YamlFile, path: KeyPath, told: Mapping[str, object], takes: tuple[Parameter, ...], owner: str
) -> dict[str, Any]:
    """The keys of a mapping that are right; what is wrong is noted, each at its line."""
    schema = Schema(takes, owner)
    _, wrong = schema.problems(told)
    for key, text in wrong.items():
        words = f"at is missing: {TIME_WORDS}" if key == "at" else text
        if isinstance(told.get(key), bool) and key in ("target", "action", "name"):
            words += "; YAML takes on, off, yes and no for true and false: put it in quotes"
        source.wrong((*path, str(key)), words if words.startswith(owner) else f"{owner}: {words}")
    return {key: value for key, value in told.items() if key in schema.parameters and key not in wrong}
