"""What the entities show of a deck, as JSON has it; None is unknown."""

from collections.abc import Iterable
from typing import Any

from lab2mqtt.drivers.ot2.deck_map import drawn
from lab2mqtt.drivers.ot2.deck_settings import Layout
from lab2mqtt.drivers.ot2.deck_state import DeckState, Tip
from lab2mqtt.drivers.ot2.labware import Place


def shown(state: DeckState, layout: Layout) -> dict[str, Any]:
    """Tips, plates, vials, sensor and run.

    Returns:
        ``tips`` by slot: how many are ``left`` (there, new or used), ``new``, ``used``, ``out``, ``unknown``.
        ``plates`` by slot and well: ``volume`` in µL, ``label``, ``used``, ``experiment``.
        ``vials`` by name: ``liquid``, ``volume`` and what of it is ``usable``, in µL.
        ``sensor``: parked, held, unknown; None where there is none.
        ``run``: the one that is reserved, None where none is.
        ``map``: the deck to draw, see ``deck_map``.
    """
    return {
        "tips": {slot: _tips(state.tip(each) for each in layout.places(slot)) for slot in layout.racks()},
        "plates": {slot: _plate(state, layout, slot) for slot in layout.plates()},
        "vials": _vials(state, layout),
        "sensor": state.sensor if layout.sensor_port else None,
        "run": state.reserved.run if state.reserved else None,
        "map": drawn(state, layout),
    }


def _tips(tips: Iterable[Tip]) -> dict[str, int]:
    counted = {"left": 0, "new": 0, "used": 0, "out": 0, "unknown": 0}
    for tip in tips:
        counted[tip.state] += 1
    counted["left"] = counted["new"] + counted["used"]
    return counted


def _plate(state: DeckState, layout: Layout, slot: str) -> dict[str, dict[str, Any]]:
    found = {}
    for place in layout.places(slot):
        if place not in layout.sources and place != layout.rinse:
            well = state.well(place)
            found[place.well] = {
                "volume": well.volume,
                "label": well.label,
                "used": None if well.contents is None else bool(well.contents),
                "experiment": well.experiment,
            }
    return found


def _vials(state: DeckState, layout: Layout) -> dict[str, dict[str, Any]]:
    found = {}
    for name, vial in layout.vials.items():
        volume = state.well(Place.read(vial.place)).volume
        usable = None if volume is None else max(0.0, volume - vial.dead_volume)
        found[name] = {"liquid": vial.liquid, "volume": volume, "usable": usable}
    return found
