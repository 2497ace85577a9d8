"""The file that keeps what is remembered of a deck: after a power cut there is the old one or the new one."""

from collections.abc import Mapping
import json
import math
from pathlib import Path
from typing import Any, get_args

from lab2mqtt.core.errors import Fault
from lab2mqtt.drivers.ot2.deck_settings import Layout
from lab2mqtt.drivers.ot2.deck_state import UNKNOWN_HAND, DeckState, Hand, Reserved, Sensor, Tip, Well
from lab2mqtt.drivers.ot2.labware import Place
from lab2mqtt.drivers.ot2.steps import KINDS, Step
from lab2mqtt.whole_file import write_whole

_VERSION = 1
_TIPS = ("new", "used", "out", "unknown")


def load(file: Path, layout: Layout) -> DeckState:
    """Read the file. Labware that was exchanged for another kind is unknown.

    Raises:
        FileNotFoundError: There is none.
        OSError: It cannot be read.
        ValueError: It is damaged, or another version wrote it.
    """
    content = file.read_bytes()
    try:
        return _decode(json.loads(content), layout)
    except (TypeError, KeyError, AttributeError, LookupError) as error:
        raise ValueError(repr(error)) from error
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def save(file: Path, state: DeckState, layout: Layout) -> None:
    """Write the file.

    Raises:
        Fault: It cannot be written; the old one is still there.
    """
    try:
        write_whole(file, json.dumps(_encode(state, layout), ensure_ascii=False, separators=(",", ":")))
    except (OSError, ValueError) as error:
        raise Fault(f"what is known of the deck cannot be written: {error}") from error


def set_aside(file: Path) -> Path | None:
    """Copy a damaged file beside itself; None where that cannot be done.

    A copy, because the file itself stays until the next one replaces it: where there is none, the deck may be
    taken for a new one. Each damaged file is copied once.
    """
    try:
        content = file.read_bytes()
        for number in range(1, 1000):
            aside = file.with_name(f"{file.name}.unreadable-{number}")
            if not aside.exists():
                aside.write_bytes(content)
                return aside
            if aside.read_bytes() == content:
                return aside
    except OSError:
        pass
    return None


def _encode(state: DeckState, layout: Layout) -> dict[str, Any]:
    hand, reserved = state.hand, state.reserved
    return {
        "version": _VERSION,
        "deck": {slot: kind.load_name for slot, kind in layout.labware.items()},
        "wells": {
            str(place): {"contents": None if well.contents is None else dict(well.contents)}
            | ({"experiment": well.experiment} if well.experiment else {})
            for place, well in state.wells.items()
        },
        "tips": {str(place): [tip.state, *tip.liquids] for place, tip in state.tips.items()},
        "sensor": state.sensor,
        "hand": hand
        and {
            "place": str(hand.place) if hand.place else None,
            "liquids": hand.liquids,
            "contents": None if hand.contents is None else dict(hand.contents),
        },
        "experiments": state.experiments,
        "reserved": reserved
        and {
            "run": reserved.run,
            "experiment": reserved.experiment,
            "done": reserved.done,
            "steps": [[step.kind, str(step.place), step.volume] for step in reserved.steps],
        },
    }


def _decode(content: Any, layout: Layout) -> DeckState:  # noqa: ANN401 - whatever the file holds
    if content["version"] != _VERSION:
        raise ValueError(f"version {content['version']!r} of the file is not known, only {_VERSION}")
    deck: Mapping[str, Any] = content["deck"]
    same = {slot for slot, kind in layout.labware.items() if deck.get(slot) == kind.load_name}
    sensor = content["sensor"]
    if sensor not in get_args(Sensor):
        raise ValueError(f"the sensor is {sensor!r}")
    state = DeckState(
        wells=_at(content["wells"], same, _well),
        tips=_at(content["tips"], same, _tip),
        sensor=sensor,
        hand=_hand(content["hand"]),
        experiments=_experiments(content["experiments"]),
        reserved=_reserved(content["reserved"]),
    )
    if layout.sensor_port and layout.sensor_port.slot not in same:
        state.sensor = "unknown"
    if state.hand and state.hand.place and state.hand.place.slot not in same:
        state.hand = UNKNOWN_HAND
    return state


def _at(told: Mapping[str, Any], same: set[str], read: Any) -> dict[Place, Any]:  # noqa: ANN401
    found = {Place.read(place): read(value) for place, value in told.items()}
    return {place: value for place, value in found.items() if place.slot in same}


def _well(told: Mapping[str, Any]) -> Well:
    return Well(_contents(told["contents"]), _text(told.get("experiment", "")))


def _tip(told: list[Any]) -> Tip:
    state, *liquids = told
    if state not in _TIPS:
        raise ValueError(f"a tip is {state!r}")
    return Tip(state, tuple(_text(liquid) for liquid in liquids))


def _hand(told: Mapping[str, Any] | None) -> Hand | None:
    if told is None:
        return None
    place = told["place"]
    return Hand(
        None if place is None else Place.read(place),
        tuple(_text(liquid) for liquid in told["liquids"]),
        _contents(told["contents"]),
    )


def _experiments(told: Mapping[str, Any] | None) -> dict[str, str] | None:
    return None if told is None else {name: _text(where) for name, where in told.items()}


def _reserved(told: Mapping[str, Any] | None) -> Reserved | None:
    if told is None:
        return None
    steps = []
    for kind, place, volume in told["steps"]:
        if kind not in KINDS:
            raise ValueError(f"a step is {kind!r}")
        steps.append(Step(kind, Place.read(place), _volume(volume)))
    done = told["done"]
    if type(done) is not int or not 0 <= done <= len(steps):
        raise ValueError(f"{done!r} of {len(steps)} steps are done")
    return Reserved(_text(told["run"]), tuple(steps), _text(told["experiment"]), done)


def _contents(told: Mapping[str, Any] | None) -> dict[str, float] | None:
    return None if told is None else {name: _volume(volume) for name, volume in told.items()}


def _text(told: object) -> str:
    if not isinstance(told, str):
        raise TypeError(f"{told!r} is no text")
    return told


def _volume(told: object) -> float:
    if isinstance(told, bool) or not isinstance(told, (int, float)) or not 0 <= told < math.inf:
        raise ValueError(f"{told!r} is no volume")
    return float(told)
