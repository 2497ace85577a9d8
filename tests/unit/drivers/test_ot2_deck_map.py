"""The deck as a card draws it: labware in its slots, each place a letter, the step of the run."""

import json

import pytest

from lab2mqtt.drivers.ot2.deck import Deck
from lab2mqtt.drivers.ot2.deck_checks import Pipette, Reported
from lab2mqtt.drivers.ot2.deck_settings import DeckSettings
from lab2mqtt.drivers.ot2.labware import Labware, row_and_column

CELL = Reported({"right": Pipette("p300_single_gen2", 20, 300)})
ASKED = {"R": 100.0, "Y": 50.0, "B": 80.0}


def new(deck: dict[str, str] | None = None, *more: Labware) -> Deck:
    """A deck as configured."""
    settings = DeckSettings()
    return Deck(DeckSettings(deck={**settings.deck, **(deck or {})}), None, more, new=True)


def test_every_labware_stands_in_its_slot() -> None:
    """With its use, and a letter for each place in rows and columns."""
    told = new().shown()["map"]
    slots = told["slots"]
    assert {slot: each["use"] for slot, each in slots.items()} == {
        "1": "wells",
        "3": "wells",
        "9": "tips",
        "10": "sensor",
    }
    assert slots["1"]["labware"] == "corning_96_wellplate_360ul_flat"
    assert slots["1"]["places"] == ["e" * 12] * 8
    assert slots["1"]["limit"] == 300
    assert slots["3"]["places"] == ["ree", "lll"]
    full = {"name": "Y", "liquid": "yellow", "volume": 12_000, "usable": 11_000, "full": 12_000}
    assert slots["3"]["vials"]["B2"] == full
    assert slots["9"]["places"] == ["n" * 12] * 8
    assert slots["10"]["places"] == [".p"]
    assert (told["plate"], told["step"], told["hand"]) == ("1", None, None)


def test_a_run_is_followed_step_by_step() -> None:
    """What the robot does next, what hangs on the pipette, and what it leaves."""
    deck = new()
    deck.reserve(deck.mixing(ASKED, "B2"), "run-1", CELL)
    seen = []
    for done in range(4):
        deck.advance(done)
        told = deck.shown()["map"]
        seen.append((told["step"]["kind"], told["step"]["place"], told["hand"]))
    assert seen == [
        ("pick_up", "9/B1", None),
        ("aspirate", "3/B1", {"place": "9/B1", "volume": 0}),
        ("dispense", "1/B2", {"place": "9/B1", "volume": 100}),
        ("blow_out", "3/A1", {"place": "9/B1", "volume": 0}),
    ]
    told = deck.shown()["map"]["slots"]
    assert told["9"]["places"][1] == "o" + "n" * 11
    assert told["1"]["places"][1] == "el" + "e" * 10
    assert told["3"]["vials"]["B1"]["volume"] == 11_900
    deck.succeeded()
    told = deck.shown()["map"]
    assert (told["step"], told["hand"]) == (None, None)
    assert told["slots"]["9"]["places"][1] == "uuu" + "n" * 9


def test_nothing_is_known() -> None:
    """Of a real deck, before a person has said anything."""
    told = Deck(DeckSettings(), None).shown()["map"]
    assert told["slots"]["1"]["places"] == ["?" * 12] * 8
    assert told["slots"]["3"]["places"] == ["r??", "???"]
    assert told["slots"]["9"]["places"] == ["?" * 12] * 8
    vial = told["slots"]["3"]["vials"]["B1"]
    assert (vial["volume"], vial["usable"]) == (None, None)
    assert told["hand"] == {"place": None, "volume": None}


def test_labware_with_gaps() -> None:
    """A place that is not there is a blank, so that the others stand where they are."""
    corners = Labware("corners", ("A1", "A3", "C2"), 500)
    told = new({"2": "corners"}, corners).shown()["map"]["slots"]["2"]
    assert told["places"] == ["e e", "   ", " e "]
    assert "vials" not in told


@pytest.mark.parametrize(
    ("well", "place"),
    [("A1", (0, 0)), ("H12", (7, 11)), ("Z2", (25, 1)), ("AA1", (26, 0)), ("AF48", (31, 47))],
)
def test_where_a_well_lies(well: str, place: tuple[int, int]) -> None:
    """In the grid of its labware, also past Z, as in a plate of 1536."""
    assert row_and_column(well) == place


def test_it_is_small() -> None:
    """A deck full of the densest labware stays far below what Home Assistant takes of attributes, 16 KB."""
    rows = [chr(65 + row) for row in range(16)]
    dense = Labware("dense", tuple(f"{row}{column + 1}" for row in rows for column in range(24)), 100)
    told = new(dict.fromkeys(("2", "4", "5", "6", "7", "8", "11"), "dense"), dense).shown()["map"]
    assert len(json.dumps(told)) < 6000
