"""The file that keeps what is known of an OT-2's deck, and the settings that it belongs to."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab2mqtt.core.errors import Fault, Misconfigured, Refused
from lab2mqtt.core.parameters import Schema, parameters_of
from lab2mqtt.drivers.ot2.deck import Deck
from lab2mqtt.drivers.ot2.deck_checks import Pipette, Reported
from lab2mqtt.drivers.ot2.deck_settings import DeckSettings, Layout
from lab2mqtt.drivers.ot2.labware import Labware, known

EXAMPLES = Path(__file__).parents[3] / "examples" / "ot2"
CELL = Reported({"right": Pipette("p300_single_gen2", 20, 300)})
ASKED = {"R": 100.0, "Y": 50.0, "B": 80.0}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the file will be."""
    return tmp_path / "deep" / "deck.json"


def opened(state: Path, *, new: bool = True, **settings: Any) -> Deck:  # noqa: ANN401
    """A bridge that starts."""
    return Deck(DeckSettings(**settings), state, new=new)


def in_the_middle(state: Path) -> Deck:
    """A deck with one well mixed and a run under way."""
    deck = opened(state)
    deck.reserve(deck.mixing(ASKED, "A1", "κάτι"), "run-1", CELL)
    deck.succeeded()
    deck.reset_tips("9", ["H12"], there=False)
    deck.reserve(deck.mixing(ASKED, "A2", "e-2"), "run-2", CELL)
    deck.advance(7)
    return deck


def test_kept_across_restarts(state: Path) -> None:
    """A new bridge knows what the old one knew, the run under way included, and can tell its end."""
    deck = in_the_middle(state)
    again = opened(state)
    assert again.shown() == deck.shown()
    assert again.reserved == deck.reserved
    again.interrupted(7)
    third = opened(state)
    assert third.shown() == again.shown()
    assert third.shown()["plates"]["1"]["A2"]["used"] is None
    assert [file.name for file in state.parent.iterdir()] == ["deck.json"]
    with pytest.raises(Refused, match="experiment 'κάτι' was dispensed already, into 1/A1"):
        third.check(third.mixing({"R": 20}, "A3", "κάτι"), CELL)


def test_a_run_that_a_killed_bridge_left(state: Path) -> None:
    """It forbids the next one until its end is told."""
    in_the_middle(state)
    deck = opened(state)
    with pytest.raises(Refused, match="run run-2 is not over, or was cut off"):
        deck.check(deck.mixing(ASKED, "A3"), CELL)


def reset_everything(deck: Deck) -> None:
    """A person has looked."""
    deck.reset_tips("9")
    deck.reset_plate("1")
    for name in "RYB":
        deck.reset_vial(name)
    deck.reset_sensor()


def test_nothing_is_known_of_a_real_robot_at_first(state: Path) -> None:
    """Nothing moves before a person has told everything, in any order."""
    deck = opened(state, new=False)
    assert deck.problem == "nothing is known of the deck yet: reset tips, plate, vials and sensor"
    with pytest.raises(Refused, match=r"nobody knows what hangs on the pipette.*the sensor is unknown"):
        deck.check(deck.measuring("A1"), CELL)
    deck.reset_sensor()
    assert len(deck.faults()) == 1
    deck.reset_tips("9")
    assert deck.faults() == []
    with pytest.raises(Refused) as caught:
        deck.check(deck.mixing({"R": 20}, "A1", "e-1"), CELL)
    assert str(caught.value).split("; ") == [
        "which experiments were dispensed is not known any more: reset the plate to begin anew",
        "what is in vial B1 (red) is unknown: look, then reset it",
        "what is in well A1 is unknown: look, then reset the plate",
    ]
    reset_everything(deck)
    assert deck.problem == ""
    deck.check(deck.mixing(ASKED, "A1", "e-1"), CELL)
    assert opened(state, new=False).shown() == deck.shown()


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "{}", "\udce4", "[" * 100_000],
)
def test_a_damaged_file_is_unknown(state: Path, content: str) -> None:
    """It is kept, told of, never taken for a new deck, and copied once."""
    state.parent.mkdir()
    state.write_text(content, errors="surrogateescape")
    for deck in (opened(state), opened(state)):
        (aside,) = (file for file in state.parent.iterdir() if file != state)
        assert aside.name == "deck.json.unreadable-1"
        assert aside.read_bytes() == state.read_bytes()
        assert str(aside) in deck.problem
        assert len(deck.faults()) == 2
    deck = opened(state)
    reset_everything(deck)
    assert opened(state).shown() == deck.shown()
    assert deck.problem == ""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["version"], 2),
        (["deck"], None),
        (["wells", "1/A1"], {}),
        (["wells", "1/A1", "contents"], {"red": -1}),
        (["wells", "1/A1", "contents"], {"red": True}),
        (["wells", "1/A1", "contents"], {"red": float("nan")}),
        (["wells", "A1"], {"contents": {}}),
        (["tips", "9/A1"], ["gone"]),
        (["tips", "9/A1"], []),
        (["tips", "9/A1"], ["used", 7]),
        (["sensor"], "here"),
        (["hand"], {"place": "9/A1"}),
        (["hand"], 7),
        (["experiments"], ["e-1"]),
        (["reserved", "done"], 99),
        (["reserved", "done"], True),
        (["reserved", "steps"], [["explode", "1/A1", 0]]),
        (["reserved", "run"], None),
    ],
)
def test_a_file_with_one_thing_wrong(state: Path, path: list[str], value: object) -> None:
    """What makes no sense anywhere makes the whole unknown."""
    in_the_middle(state)
    content = json.loads(state.read_text())
    *way, last = path
    inner = content
    for key in way:
        inner = inner[key]
    inner[last] = value
    state.write_text(json.dumps(content))
    deck = opened(state)
    assert deck.problem.startswith("what was known of the deck is lost (")
    assert deck.shown()["tips"]["9"]["unknown"] == 96


def test_a_place_that_is_missing_is_unknown(state: Path) -> None:
    """A file tells what is known, no more."""
    in_the_middle(state).succeeded()
    content = json.loads(state.read_text())
    del content["wells"]["1/A5"], content["tips"]["9/A5"]
    state.write_text(json.dumps(content))
    shown = opened(state).shown()
    assert shown["plates"]["1"]["A5"]["used"] is None
    assert shown["tips"]["9"]["unknown"] == 1


def test_exchanged_labware_is_unknown(state: Path) -> None:
    """Another kind of plate in the slot is another plate; the rest stays."""
    in_the_middle(state).succeeded()
    other = Labware("small_plate", ("A1", "A2"), 200)
    deck = Deck(DeckSettings(deck=DeckSettings().deck | {"1": "small_plate"}), state, [other])
    shown = deck.shown()
    assert [well["used"] for well in shown["plates"]["1"].values()] == [None, None]
    assert shown["tips"]["9"]["used"] == 3
    deck.reset_plate("1")
    with pytest.raises(Refused, match="201 µL is more than well A1 may hold: 200 at most"):
        deck.check(deck.mixing({"R": 201}, "A1"), CELL)


def test_what_cannot_be_written(state: Path, tmp_path: Path) -> None:
    """A run may not begin that is not written down; what has happened is believed all the same."""
    deck = opened(state)
    before = deck.shown()
    (tmp_path / "file").write_text("")
    deck._file = tmp_path / "file" / "deck.json"
    with pytest.raises(Fault, match="cannot be written"):
        deck.reserve(deck.mixing(ASKED, "A1"), "run-1", CELL)
    with pytest.raises(Fault, match="cannot be written"):
        deck.reset_tips("9", there=False)
    assert deck.shown() == before
    deck._file = state
    deck.reserve(deck.mixing(ASKED, "A1"), "run-1", CELL)
    deck._file = tmp_path / "file" / "deck.json"
    with pytest.raises(Fault, match="cannot be written"):
        deck.advance(3)
    assert deck.shown()["plates"]["1"]["A1"]["volume"] == 100
    assert opened(state).reserved != deck.reserved
    deck._file = state
    deck.advance(4)
    assert opened(state).shown() == deck.shown()


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder in its place: unknown, not new."""
    deck = opened(tmp_path)
    assert deck.problem.startswith("what is known of the deck cannot be read")
    assert len(deck.faults()) == 2


def test_wrong_resets(state: Path) -> None:
    """What is not there cannot be reset."""
    deck = opened(state)
    with pytest.raises(Refused, match="there is no tip rack in slot 1: 9"):
        deck.reset_tips("1")
    with pytest.raises(Refused, match="there is no plate in slot 9: 1, 3"):
        deck.reset_plate("9")
    with pytest.raises(Refused, match="Z9 is no well of corning_96_wellplate_360ul_flat: A1 to H12; Q1 is"):
        deck.reset_plate("1", ["Z9", "A1", "Q1"])
    with pytest.raises(Refused, match="there is no vial 'G': R, Y, B"):
        deck.reset_vial("G")
    for volume in (15_001, -1, float("nan")):
        with pytest.raises(Refused, match="in vial R: it holds 0 to 15000"):
            deck.reset_vial("R", volume)
    deck.reset_plate("3")
    assert deck.shown()["vials"]["R"]["volume"] == 12_000


class TestSettings:
    """The deck as configured."""

    def test_the_defaults_are_the_cell(self) -> None:
        """As a configuration without a word would have it, and with a YAML file's numbers."""
        assert Schema(parameters_of(DeckSettings), "ot2").check({}) == {}
        numbered: dict[Any, str] = {int(slot): name for slot, name in DeckSettings().deck.items()}
        layout = Layout(DeckSettings(deck=numbered))
        assert {slot: kind.load_name for slot, kind in layout.labware.items()} == DeckSettings().deck
        assert (layout.pipette, layout.racks(), layout.plates()) == ("P300", ["9"], ["1", "3"])

    def test_our_labware_is_that_of_the_examples(self) -> None:
        """The vials entirely; of the port, which is padded, the place that is used."""
        ours = known()
        for name in ("ac_6_tuberack_15000ul", "ac_color_sensor_charging_port"):
            read = Labware.read(json.loads((EXAMPLES / f"{name}.json").read_text()))
            assert (read.load_name, read.capacity, read.tips) == (name, ours[name].capacity, ours[name].tips)
            assert set(ours[name].wells) <= set(read.wells)
            if not read.tips:
                assert read == ours[name]
        with pytest.raises(ValueError, match="not a labware definition of schema 2"):
            Labware.read({"wells": {}})

    @pytest.mark.parametrize(
        ("settings", "text"),
        [
            ({"deck": {"12": "opentrons_96_tiprack_300ul"}}, "deck has a slot '12': there are 1 to 11"),
            ({"deck": {"1": "corning_96_wellplate_360ul"}}, "did you mean 'corning_96_wellplate_360ul_flat'"),
            ({"deck": {"1": 7}}, "deck.1: labware 7 is not known; known are ac_6"),
            ({"vials": {"R": 7}}, "vials.R is 7: it takes place, liquid"),
            ({"vials": {"R": {"place": "3/B1", "liquid": "red"}}}, "vials.R: tip is missing"),
            (
                {"vials": {"R": {"place": "3/C1", "liquid": "r", "tip": "9/A1"}}},
                "place 3/C1: C1 is no well of ac_6",
            ),
            (
                {"vials": {"R": {"place": "B1", "liquid": "r", "tip": "9/A1"}}},
                "'B1' is no place: slot/well, as 9/B1",
            ),
            (
                {"vials": {"R": {"place": "5/B1", "liquid": "r", "tip": "9/A1"}}},
                "the deck has nothing in slot 5",
            ),
            ({"vials": {"R": {"place": "3/B1", "liquid": "r", "tip": "1/A1"}}}, "and a tip rack is needed"),
            (
                {"vials": {"R": {"place": "3/B1", "liquid": "r", "tip": "9/A1", "volume": 15001}}},
                "takes: 15000 µL",
            ),
            ({"vials": {n: {"place": "3/B1", "liquid": "r", "tip": "9/A1"} for n in "RY"}}, "the same place"),
            (
                {"vials": {n: {"place": f"3/{n}1", "liquid": n, "tip": "9/A1"} for n in "AB"}, "rinse": ""},
                "vials.B.tip 9/A1 is for A already",
            ),
            ({"rinse": "3/B1"}, "rinse 3/B1 is a vial that is drawn from"),
            ({"sensor_port": "9/B1"}, "sensor_port 9/B1 is the place of a tip"),
            ({"sensor_port": "10/A3"}, "A3 is no well of ac_color_sensor_charging_port: A1 to A2"),
            ({"plate": "9"}, "plate 9: no plate stands in that slot"),
        ],
    )
    def test_what_does_not_fit(self, settings: dict[str, Any], text: str) -> None:
        """The key, the value and what is allowed."""
        with pytest.raises(Misconfigured) as caught:
            Layout(DeckSettings(**settings))
        assert text in str(caught.value)
