"""What a run does to tips and liquids, step by step, and what of it is refused."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab2mqtt.core.errors import Garbled, Refused
from lab2mqtt.drivers.ot2.deck import Deck
from lab2mqtt.drivers.ot2.deck_checks import Pipette, Reported
from lab2mqtt.drivers.ot2.deck_settings import DeckSettings, Layout
from lab2mqtt.drivers.ot2.labware import TRASH, Place
from lab2mqtt.drivers.ot2.steps import Plan, Step, mixing, read_steps
from lab2mqtt.simulators.ot2.cell_engine import CellEngine
from lab2mqtt.simulators.ot2.engine import Upload

EXAMPLES = Path(__file__).parents[3] / "examples" / "ot2"
CELL = Reported({"right": Pipette("p300_single_gen2", 20, 300)})
ASKED = {"R": 100.0, "Y": 50.0, "B": 80.0}
RED, YELLOW, TIP, WELL = Place("3", "B1"), Place("3", "B2"), Place("9", "A1"), Place("1", "A1")
TAKE, DROP = Step("pick_up", TIP), Step("drop", TIP)


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        (
            [TAKE, Step("aspirate", RED, 50), Step("dispense", WELL, 50), Step("aspirate", YELLOW, 50), DROP],
            "tip 9/A1 touched red: it would spoil vial B2 (yellow); take a new one",
        ),
        ([Step("pick_up", Place("10", "A2"))], "the run would end with the sensor on the pipette"),
        ([Step("pick_up", Place("10", "A2")), Step("drop", TRASH)], "drops at 12/A1 what it took from 10/A2"),
        ([TAKE, TAKE], "the protocol picks up 9/A1 with a tip on the pipette"),
        ([DROP], "the protocol drops a tip at 9/A1 and has none"),
        ([TAKE, Step("drop", Place("9", "A2"))], "the protocol drops a tip at 9/A2, where one is already"),
        ([Step("aspirate", RED, 50)], "the protocol aspirates from 3/B1 without a tip"),
        ([Step("dispense", WELL, 50)], "the protocol dispenses 50 µL, and 0 are in the tip"),
        (
            [TAKE, Step("aspirate", RED, 200), Step("aspirate", RED, 200), DROP],
            "400 µL is more than a tip takes",
        ),
        ([TAKE, Step("aspirate", RED, 50), Step("dispense", RED, 50), DROP], "dispenses into vial B1"),
        ([Step("pick_up", Place("5", "A1"))], "nothing is configured in slot 5: the deck has 1, 3, 9, 10"),
        ([Step("pick_up", WELL)], "pick up at 1/A1: corning_96_wellplate_360ul_flat stands there"),
        ([Step("move", Place("1", "Z9"))], "Z9 is no well"),
    ],
)
def test_protocols_of_the_labs_own(steps: Sequence[Step], text: str) -> None:
    """What any protocol does to tips and liquids is checked, not only ours."""
    deck = Deck(DeckSettings(), None, new=True)
    with pytest.raises(Refused) as caught:
        deck.reserve(Plan(tuple(steps)), "run-1", CELL)
    assert text in str(caught.value)
    assert caught.value.error_code == ("not_allowed" if "spoil" in text else "invalid_parameters")


def test_from_well_to_well() -> None:
    """A protocol that mixes in the well and carries some on."""
    deck = Deck(DeckSettings(), None, new=True)
    other = Place("1", "A2")
    steps = (
        TAKE,
        *(Step("aspirate", RED, 200), Step("dispense", WELL, 200)),
        *(Step("aspirate", WELL, 100), Step("dispense", WELL, 100)),
        *(Step("aspirate", WELL, 50), Step("dispense", other, 50)),
        Step("drop", TRASH),
    )
    deck.reserve(Plan(steps), "run-1", CELL)
    deck.succeeded()
    shown = deck.shown()
    assert [shown["plates"]["1"][well]["label"] for well in ("A1", "A2")] == ["red 150", "red 50"]
    assert shown["tips"]["9"]["out"] == 1


async def test_steps_of_an_analysis() -> None:
    """What an analysis of the cell's protocols tells is what we would do."""
    layout = Layout(DeckSettings())
    source = (EXAMPLES / "mix_and_measure.py").read_text()
    analysis = await CellEngine().analyze(Upload("cell.py", source), {**ASKED, "well": "C7"})
    sensor = Place("10", "A2")
    measure = (Step("pick_up", sensor), Step("move", Place("1", "C7")), Step("drop", sensor))
    assert read_steps(analysis.commands) == (*mixing(layout, ASKED, "C7"), *measure)


def test_commands_in_place() -> None:
    """Where a command names no well, the last one counts; labware may stand on a module."""
    slot = {"location": {"slotName": "4"}}
    told: list[dict[str, Any]] = [
        {"commandType": "loadModule", "params": slot, "result": {"moduleId": "m"}},
        {
            "commandType": "loadLabware",
            "params": {"location": {"moduleId": "m"}},
            "result": {"labwareId": "p"},
        },
        {"commandType": "pickUpTip", "params": {"labwareId": "p", "wellName": "A1"}},
        {"commandType": "aspirateInPlace", "params": {"volume": 20}},
        {"commandType": "comment", "params": {}},
        {"commandType": "moveToAddressableAreaForDropTip", "params": {}},
        {"commandType": "dropTipInPlace", "params": {}},
    ]
    there = Place("4", "A1")
    expected = (Step("pick_up", there), Step("aspirate", there, 20), Step("drop", TRASH))
    assert read_steps(told) == expected
    with pytest.raises(Garbled, match="labware 'q', which was not loaded"):
        read_steps([{"commandType": "dropTip", "params": {"labwareId": "q", "wellName": "A1"}}])
