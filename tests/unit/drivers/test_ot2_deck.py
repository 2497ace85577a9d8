"""What is asked before anything moves on an OT-2, and what is remembered of its deck."""

from dataclasses import replace
from functools import partial
import json
from pathlib import Path
from typing import Any

import pytest

from lab2mqtt.core.errors import Refused
from lab2mqtt.drivers.ot2.deck import Deck
from lab2mqtt.drivers.ot2.deck_checks import Pipette, Reported
from lab2mqtt.drivers.ot2.deck_settings import DeckSettings, Layout
from lab2mqtt.drivers.ot2.deck_state import EXPERIMENTS, DeckState
from lab2mqtt.drivers.ot2.labware import known
from lab2mqtt.drivers.ot2.steps import Plan

P300 = Pipette("p300_single_gen2", 20, 300)
CELL = Reported({"right": P300})
ASKED = {"R": 100.0, "Y": 50.0, "B": 80.0}
FULL = 12_000.0
RACK = "rack opentrons_96_tiprack_300ul in slot 9"


def new(state: Path | None = None, **settings: Any) -> Deck:  # noqa: ANN401
    """A deck as configured."""
    return Deck(DeckSettings(**settings), state, new=True)


def refused(deck: Deck, plan: Plan, reported: Reported = CELL) -> Refused:
    """Why a plan is refused."""
    with pytest.raises(Refused) as caught:
        deck.reserve(plan, "run-1", reported)
    return caught.value


def mixed(deck: Deck, well: str, experiment: str = "", run: str = "run-1") -> None:
    """A mix that went well."""
    deck.reserve(deck.mixing(ASKED, well, experiment), run, CELL)
    deck.succeeded()


def test_a_mix_and_what_it_leaves() -> None:
    """The well is used, the vials have less, each tip belongs to its colour."""
    deck = new()
    mixed(deck, "B2", "e-1")
    shown = deck.shown()
    well = {"volume": 230.0, "label": "red 100, yellow 50, blue 80", "used": True, "experiment": "e-1"}
    assert shown["plates"]["1"]["B2"] == well
    assert shown["plates"]["1"]["B3"] == {"volume": 0, "label": "", "used": False, "experiment": ""}
    assert shown["tips"] == {"9": {"left": 96, "new": 93, "used": 3, "out": 0, "unknown": 0}}
    assert shown["vials"]["Y"] == {"liquid": "yellow", "volume": FULL - 50, "usable": FULL - 1050}
    assert (shown["sensor"], shown["run"], shown["problem"]) == ("parked", None, "")
    assert json.loads(json.dumps(shown)) == shown
    mixed(deck, "B3", "e-2", "run-2")
    assert deck.shown()["tips"]["9"]["used"] == 3


@pytest.mark.parametrize(
    ("asked", "well", "text"),
    [
        ((151, 150, 0), "B2", "301 µL is more than well B2 may hold: 300 at most"),
        ((301, 0, 0), "B2", "301 µL of red is more than the P300 and its tip can take: 20 to 300"),
        ((5, 0, 50), "B2", "5 µL of red is less than the P300 can take: 20 to 300"),
        ((-5, 0, 50), "B2", "-5 µL of red is less than the P300 can take: 20 to 300"),
        ((float("nan"), 0, 50), "B2", "nan µL of red is no volume: 20 to 300"),
        ((float("inf"), 0, 50), "B2", "inf µL of red is no volume: 20 to 300"),
        ((50, 0, 0), "Z9", "Z9 is no well of corning_96_wellplate_360ul_flat: A1 to H12"),
        ((50, 0, 0), "A13", "A13 is no well of corning_96_wellplate_360ul_flat: A1 to H12"),
        ((50, 0, 0), "b2", "A1 to H12 (did you mean 'B2'?)"),
        ((50, 0, 0), "", "nothing is no well of corning_96_wellplate_360ul_flat: A1 to H12"),
    ],
)
def test_what_is_asked_wrongly(asked: tuple[float, float, float], well: str, text: str) -> None:
    """A sentence that helps, and nothing has changed."""
    deck = new()
    before = deck.shown()
    error = refused(deck, deck.mixing(dict(zip("RYB", asked, strict=True)), well))
    assert text in str(error)
    assert error.error_code == "invalid_parameters"
    assert deck.shown() == before


def test_exactly_what_fits() -> None:
    """300 µL, also as a sum that floating point makes a little more of; 20 and 300 of one colour."""
    deck = new()
    for well, asked in (
        ("A1", (100.0, 100.0, 100.0)),
        ("A2", (133.4, 133.3, 33.3)),
        ("A3", (20.0, 0.0, 0.0)),
        ("A4", (0.0, 0.0, 300.0)),
    ):
        deck.reserve(deck.mixing(dict(zip("RYB", asked, strict=True)), well), well, CELL)
        deck.succeeded()
        assert deck.shown()["plates"]["1"][well]["volume"] == pytest.approx(sum(asked))


def test_all_faults_at_once() -> None:
    """One answer tells what is wrong with the question, the deck and the robot."""
    deck = new()
    mixed(deck, "A1", "e-1")
    deck.reset_tips("9", ["B2"], there=False)
    deck.reset_vial("B", 1010)
    plan = deck.mixing({"R": 5, "Y": 200, "B": 100}, "A1", "e-1")
    wrong = Reported({"left": Pipette("p20_single_gen2", tip=True)})
    told = str(refused(deck, plan, wrong)).split("; ")
    assert told == [
        "experiment 'e-1' was dispensed already, into 1/A1: take another id",
        "well A1 is used by experiment 'e-1' (red 100, yellow 50, blue 80 µL): take another, as A2",
        f"{RACK} has no tip in B2, and 95 elsewhere: put one in, then reset tips",
        "vial B3 (blue) has 10 µL that can be drawn, not 100: fill it, then reset it",
        "5 µL of red is less than the P300 can take: 20 to 300",
        "305 µL is more than well A1 may hold: 300 at most",
        "no pipette is attached on the right: a p300_single_gen2 is needed there",
        "something hangs on the pipette on the left: take it off, then reset tips or sensor",
    ]


def test_nothing_to_mix() -> None:
    """No colour, or one that is not there."""
    deck = new()
    with pytest.raises(Refused, match="at least one of R, Y, B is more than 0 µL"):
        deck.mixing(dict.fromkeys("RYB", 0), "A1")
    with pytest.raises(Refused, match="there is no vial 'G': R, Y, B"):
        deck.mixing({"G": 10}, "A1")


class TestDeck:
    """What stands on the deck is not what is needed."""

    def test_an_empty_rack(self) -> None:
        """It is named, and a person's word is enough."""
        deck = new()
        deck.reset_tips("9", there=False)
        error = refused(deck, deck.mixing({"R": 50}, "A1"))
        text = "rack opentrons_96_tiprack_300ul in slot 9 is empty: put one in, then reset tips"
        assert (str(error), error.error_code) == (text, "not_allowed")
        assert deck.shown()["tips"]["9"]["left"] == 0
        deck.reset_tips("9", ["B1"])
        deck.check(deck.mixing({"R": 50}, "A1"), CELL)

    def test_a_used_well(self) -> None:
        """It may be filled again on a new plate, in another experiment."""
        deck = new()
        mixed(deck, "A1")
        assert "well A1 is used (red 100" in str(refused(deck, deck.mixing({"R": 20}, "A1")))
        deck.reset_plate("1", ["A1"])
        mixed(deck, "A1")

    def test_a_full_plate(self) -> None:
        """There is no other well to propose."""
        deck = new()
        for well in known()["corning_96_wellplate_360ul_flat"].wells:
            deck.reserve(deck.mixing({"R": 20}, well), well, CELL)
            deck.succeeded()
        told = str(refused(deck, deck.mixing({"R": 20}, "A1")))
        assert told.endswith("take a new plate, then reset it")

    def test_an_experiment_only_once(self) -> None:
        """Also on another plate; not where it has none, and not for a measurement."""
        deck = new()
        mixed(deck, "A1", "e-1")
        deck.reset_plate("1")
        error = refused(deck, deck.mixing({"R": 20}, "A2", "e-1"))
        assert str(error) == "experiment 'e-1' was dispensed already, into 1/A1: take another id"
        assert error.error_code == "invalid_parameters"
        deck.check(replace(deck.measuring("A1"), experiment="e-1"), CELL)

    def test_only_so_many_experiments(self) -> None:
        """The file stays small."""
        state = DeckState.new(Layout(DeckSettings()))
        for number in range(EXPERIMENTS + 5):
            state.remember(f"e-{number}", "1/A1")
        assert state.experiments
        assert (len(state.experiments), next(iter(state.experiments))) == (EXPERIMENTS, "e-5")

    @pytest.mark.parametrize(
        ("reported", "text"),
        [
            (Reported(), "no pipette is attached on the right: a p300_single_gen2 is needed there"),
            (
                Reported({"right": Pipette("p20_single_gen2")}),
                "a p20_single_gen2 is attached on the right: a p300_single_gen2 is needed there",
            ),
            (
                Reported({"right": replace(P300, tip=True)}),
                "something hangs on the pipette on the right: take it off, then reset tips or sensor",
            ),
            (
                replace(CELL, labware={"1": "biorad", "12": "trash"}),
                (
                    "the protocol wants biorad in slot 1, and corning_96_wellplate_360ul_flat is configured"
                    " there"
                ),
            ),
            (
                replace(CELL, labware={"3": "ac_6_tuberack_15000ul", "5": "trough"}),
                "the protocol wants trough in slot 5, and nothing is configured there",
            ),
            (
                replace(CELL, used={"left": "p20_single_gen2"}),
                (
                    "the protocol wants a p20_single_gen2 on the left:"
                    " tips and liquids are kept for a p300_single_gen2 on the right"
                ),
            ),
            (
                replace(CELL, modules=("temperatureModuleV2",)),
                "module temperatureModuleV2 is not attached: plug it in and switch it on",
            ),
        ],
    )
    def test_the_robot_is_not_as_configured(self, reported: Reported, text: str) -> None:
        """Each difference is told."""
        deck = new(modules=("temperatureModuleV2",) * 2)
        modules = reported.modules or ("temperatureModuleV2",) * 2
        error = refused(deck, deck.mixing({"R": 50}, "A1"), replace(reported, modules=modules))
        assert (str(error), error.error_code) == (text, "not_allowed")

    def test_the_robot_knows_its_pipette_better(self) -> None:
        """The limits that it reports go before ours."""
        deck = new()
        told = str(refused(deck, deck.mixing({"R": 25}, "A1"), Reported({"right": replace(P300, least=30)})))
        assert told == "25 µL of red is less than the P300 can take: 30 to 300"


class TestRun:
    """During a run and after it."""

    def test_one_at_a_time(self) -> None:
        """Nothing else starts and nothing is reset before its end is told."""
        deck = new()
        deck.reserve(deck.mixing(ASKED, "A1"), "run-1", CELL)
        text = "run run-1 is not over, or was cut off and is not accounted for"
        assert str(refused(deck, deck.mixing(ASKED, "A2"))) == text
        for reset in (
            partial(deck.reset_tips, "9"),
            partial(deck.reset_plate, "1"),
            partial(deck.reset_vial, "R"),
            partial(deck.reset_sensor),
        ):
            with pytest.raises(Refused, match="run run-1 is not over") as caught:
                reset()
            assert caught.value.error_code == "busy"
        deck.released()
        assert deck.faults() == []

    def test_step_by_step(self) -> None:
        """What has succeeded is shown, what has not is not; the same again changes nothing."""
        deck = new()
        deck.reserve(deck.mixing(ASKED, "A1"), "run-1", CELL)
        for done, red, well, out in (
            (0, 0, 0, 0),
            (1, 0, 0, 1),
            (2, 100, 0, 1),
            (3, 100, 100, 1),
            (5, 100, 100, 0),
        ):
            deck.advance(done)
            deck.advance(max(0, done - 1))
            shown = deck.shown()
            assert shown["vials"]["R"]["volume"] == FULL - red
            assert shown["plates"]["1"]["A1"]["volume"] == well
            assert shown["tips"]["9"]["out"] == out
        with pytest.raises(Refused, match="99 steps are done of a run that has 15"):
            deck.advance(99)

    def test_released_before_it_began(self) -> None:
        """Nothing has happened, and the experiment can be had again; not once a step is done."""
        deck = new()
        before = deck.shown()
        deck.reserve(deck.mixing(ASKED, "A1", "e-1"), "run-1", CELL)
        deck.released()
        assert deck.shown() == before
        deck.reserve(deck.mixing(ASKED, "A1", "e-1"), "run-2", CELL)
        deck.advance(1)
        with pytest.raises(Refused, match="1 steps of run run-2 are done: it was interrupted"):
            deck.released()

    def test_no_run(self) -> None:
        """There is nothing to tell of."""
        deck = new()
        for told in (deck.succeeded, deck.released, lambda: deck.advance(1), lambda: deck.interrupted(1)):
            with pytest.raises(Refused, match="no run is reserved"):
                told()

    @pytest.mark.parametrize("done", [1, 2])
    def test_interrupted_with_paint_in_the_tip(self, done: int) -> None:
        """Well, tip and pipette are unknown until a person has looked; the paint counts as drawn."""
        deck = new()
        deck.reserve(deck.mixing(ASKED, "A1", "e-1"), "run-1", CELL)
        deck.interrupted(done)
        shown = deck.shown()
        unknown = {"volume": None, "label": "unknown", "used": None, "experiment": ""}
        assert shown["plates"]["1"]["A1"] == unknown
        assert shown["tips"]["9"]["unknown"] == 1
        assert [shown["vials"][name]["volume"] for name in "RYB"] == [FULL - 100, FULL, FULL]
        plan = deck.mixing(ASKED, "A1", "e-1")
        assert str(refused(deck, plan)).split("; ") == [
            "experiment 'e-1' was dispensed already, into 1/A1: take another id",
            f"whether a clean tip is in B1 of the {RACK} is unknown: look, then reset tips",
            "what is in well A1 is unknown: look, then reset the plate, or take another, as A2",
            "nobody knows what hangs on the pipette: look, take it off, then reset tips of slot 9",
        ]
        deck.reset_tips("9", ["B1"])
        mixed(deck, "A2", "e-2")

    def test_interrupted_before_any_paint(self) -> None:
        """The tip is in doubt, the well is not, and the experiment can be had again."""
        deck = new()
        deck.reserve(deck.mixing(ASKED, "A1", "e-1"), "run-1", CELL)
        deck.interrupted(0)
        assert deck.shown()["plates"]["1"]["A1"]["used"] is False
        deck.reset_tips("9", ["B1"])
        mixed(deck, "A1", "e-1")

    def test_interrupted_between_two_colours(self) -> None:
        """The well holds what it certainly got."""
        deck = new()
        deck.reserve(deck.mixing(ASKED, "A1"), "run-1", CELL)
        deck.interrupted(5)
        shown = deck.shown()
        assert shown["plates"]["1"]["A1"]["label"] == "red 100"
        assert (shown["tips"]["9"]["used"], shown["tips"]["9"]["unknown"]) == (1, 1)

    def test_nobody_knows_how_far(self) -> None:
        """Everything that the run could have touched is in doubt."""
        deck = new()
        deck.reserve(deck.mixing(ASKED, "A1"), "run-1", CELL)
        deck.interrupted(None)
        shown = deck.shown()
        assert shown["plates"]["1"]["A1"]["used"] is None
        assert shown["tips"]["9"]["unknown"] == 3
        assert [shown["vials"][name]["volume"] for name in "RYB"] == [FULL - 100, FULL - 50, FULL - 80]
        deck.reset_tips("9", ["B1", "B2"])
        assert "reset tips of every rack" in deck.faults()[0]
        deck.reset_tips("9", ["B3"])
        assert deck.faults() == []

    def test_the_sensor(self) -> None:
        """Parked, held, parked; unknown after a run that broke off with it, and then nothing moves."""
        deck = new()
        deck.reserve(deck.measuring("A1"), "run-1", CELL)
        deck.advance(2)
        assert deck.shown()["sensor"] == "held"
        deck.succeeded()
        assert deck.shown()["sensor"] == "parked"
        deck.reserve(deck.measuring("A1"), "run-2", CELL)
        deck.interrupted(2)
        assert deck.shown()["sensor"] == "unknown"
        told = [
            "the sensor may hang on the pipette: put it into its port, then reset the sensor",
            "the sensor is unknown: put it into its port 10/A2, then reset it",
        ]
        assert deck.faults() == told
        assert str(refused(deck, deck.mixing(ASKED, "A1"))) == "; ".join(told)
        deck.reset_tips("9")
        assert deck.faults() == told
        deck.reset_sensor()
        mixed(deck, "A1")

    def test_no_sensor(self) -> None:
        """A cell without one mixes all the same."""
        deck = new(sensor_port="")
        mixed(deck, "A1")
        assert deck.shown()["sensor"] is None
        for ask in (lambda: deck.measuring("A1"), deck.reset_sensor):
            with pytest.raises(Refused, match="no sensor is configured"):
                ask()
