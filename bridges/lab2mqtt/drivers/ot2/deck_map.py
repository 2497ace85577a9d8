"""The deck as a picture needs it, in few bytes: it stands in every state, beside the wells that are used."""

from collections.abc import Callable
from typing import Any

from lab2mqtt.drivers.ot2.deck_settings import Layout
from lab2mqtt.drivers.ot2.deck_state import DeckState
from lab2mqtt.drivers.ot2.labware import Place, row_and_column

_TIPS = {"new": "n", "used": "u", "out": "o", "unknown": "?"}


def drawn(state: DeckState, layout: Layout) -> dict[str, Any]:
    """What stands where, and what the pipette does there.

    Returns:
        ``slots`` by slot: ``labware``, its load name; ``use``: ``tips``, ``wells`` or ``sensor``; ``places``,
        a text for each row with a letter for each column. Of tips ``n`` new, ``u`` used, ``o`` out; of wells
        ``e`` empty, ``l`` with liquid, ``r`` the rinse; of the sensor's ``p`` its port; ``?`` is unknown,
        ``.`` a place of which nothing is noted, a blank no place. Of wells also ``limit``, the most in one in
        µL, and ``vials`` by well: ``name``, ``liquid``, ``volume``, ``usable`` and ``full`` in µL.
        ``plate``: the slot of the plate that is mixed in.
        ``step``: ``kind`` and ``place`` of the next or present step of the run that is under way; None
        without one.
        ``hand``: what hangs on the pipette: ``place`` where it was taken, None where nobody knows; ``volume``
        in µL. None: nothing does.
    """
    run, hand = state.reserved, state.hand
    step = run.steps[run.done] if run and run.done < len(run.steps) else None
    return {
        "slots": {slot: _slot(state, layout, slot) for slot in layout.labware},
        "plate": layout.settings.plate,
        "step": step and {"kind": step.kind, "place": str(step.place)},
        "hand": hand and {"place": hand.place and str(hand.place), "volume": hand.volume},
    }


def _slot(state: DeckState, layout: Layout, slot: str) -> dict[str, Any]:
    told: dict[str, Any] = {"labware": layout.labware[slot].load_name}
    if slot in layout.racks():
        return told | {
            "use": "tips",
            "places": _rows(layout, slot, lambda place: _TIPS[state.tip(place).state]),
        }
    if slot not in layout.plates():
        port = layout.sensor_port
        return told | {
            "use": "sensor",
            "places": _rows(layout, slot, lambda place: "p" if place == port else "."),
        }
    told |= {"use": "wells", "places": _rows(layout, slot, lambda place: _well(state, layout, place))}
    told["limit"] = layout.limit(Place(slot, layout.labware[slot].wells[0]))
    vials = {
        place.well: {
            "name": name,
            "liquid": vial.liquid,
            "full": vial.volume,
            **_left(state, place, vial.dead_volume),
        }
        for name, vial in layout.vials.items()
        if (place := Place.read(vial.place)).slot == slot
    }
    return told | ({"vials": vials} if vials else {})


def _left(state: DeckState, place: Place, dead: float) -> dict[str, float | None]:
    volume = state.well(place).volume
    return {"volume": volume, "usable": None if volume is None else max(0.0, volume - dead)}


def _well(state: DeckState, layout: Layout, place: Place) -> str:
    if place == layout.rinse:
        return "r"
    contents = state.well(place).contents
    return "?" if contents is None else "l" if contents else "e"


def _rows(layout: Layout, slot: str, letter: Callable[[Place], str]) -> list[str]:
    """A grid over all places; the places of some labware leave gaps in it."""
    letters = {row_and_column(place.well): letter(place) for place in layout.places(slot)}
    rows, columns = (max(each) + 1 for each in zip(*letters, strict=True))
    return ["".join(letters.get((row, column), " ") for column in range(columns)) for row in range(rows)]
