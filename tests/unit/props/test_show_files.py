"""Show files: what they may say, and what is said of those that are wrong."""

import math
from pathlib import Path

import pytest

from lab2mqtt.core.errors import Misconfigured, Refused
from lab2mqtt.core.parameters import Schema
from lab2mqtt.props.actions import actions_of
from lab2mqtt.props.finding import Found
from lab2mqtt.props.loading import load
from lab2mqtt.props.shows.cues import Show, read_show, seconds_of
from lab2mqtt.props.shows.folder import load_shows
from lab2mqtt.runtime.yaml_file import YamlFile

GRAVEYARD = """
name: The graveyard
cues:
  - {at: 0, target: fogger, action: fog, args: {seconds: 5}, wait: true}
  - {at: 2.5, name: scream, target: coffin_jumper, action: trigger, on_failure: continue}
  - at: 0:04.5
    target: esp32-grave-shaker-01
    action: shake
    args: [5, 80]
    via: cmd
  - {at: 1:05, target: plate-resort, action: activate_hotel, args: {hotel: B}, within: 120}
length: 1:30
loop: 3
"""
CUE_KEYS = ("at", "target", "action", "args", "name", "wait", "on_failure", "via", "within")
PROPS = Path(__file__).parents[3] / "props"


@pytest.fixture
def read(tmp_path: Path) -> "Reading":
    """Reads a text as the show file ``graveyard.yaml``."""
    return Reading(tmp_path / "graveyard.yaml")


class Reading:
    """A file, written and read."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self, text: str) -> Show:
        """Read a text."""
        self._file.write_text(text, encoding="utf-8")
        return read_show(YamlFile.load(self._file), "show")

    def wrong(self, text: str) -> list[str]:
        """What is said of a text, without the file's folder."""
        with pytest.raises(Misconfigured) as told:
            self(text)
        return [line.removeprefix(f"{self._file}:") for line in str(told.value).splitlines()]

    def wrong_cue(self, *cues: str) -> list[str]:
        """What is said of some cues, the first on line 2."""
        return self.wrong("\n".join(["cues:", *(f"  - {{{cue}}}" for cue in cues)]))


def test_a_show(read: Reading) -> None:
    """Everything that a file may say is in the show."""
    show = read(GRAVEYARD)
    assert (show.name, show.title, show.length, show.rounds) == ("graveyard", "The graveyard", 90, 3)
    fog, scream, shake, hotel = show.cues
    assert (fog.at, fog.target, fog.action, fog.args) == (0, "fogger", "fog", {"seconds": 5})
    assert (fog.wait, fog.goes_on, fog.by_call, fog.within) == (True, False, True, 30)
    assert (scream.at, scream.name, scream.wait, scream.goes_on, scream.args) == (
        2.5,
        "scream",
        False,
        True,
        None,
    )
    assert (shake.at, shake.args, shake.by_call) == (4.5, [5, 80], False)
    assert (hotel.at, hotel.args, hotel.within) == (65, {"hotel": "B"}, 120)
    assert [cue.title for cue in show.cues] == [
        "1 fogger fog",
        "2 scream",
        "3 esp32-grave-shaker-01 shake",
        "4 plate-resort activate_hotel",
    ]


def test_what_is_not_said_is_usual(read: Reading) -> None:
    """A show ends with its last cue and plays once."""
    show = read("cues: [{at: 1, target: a, action: b}, {at: 3, target: a, action: b}]")
    assert (show.title, show.length, show.rounds, show.can_loop) == ("Graveyard", 3, 1, True)
    assert read("{loop: yes, length: 1, cues: [{at: 0, target: a, action: b}]}").rounds == math.inf
    assert read("{loop: no, cues: [{at: 0, target: a, action: b}]}").rounds == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0),
        (12.5, 12.5),
        ("7", 7),
        ("0:00", 0),
        ("1:30.5", 90.5),
        ("01:05", 65),
        ("90:00", 5400),
        ("1:00:00.25", 3600.25),
        (" 2:00 ", 120),
        ("24:00:00", 86400),
    ],
)
def test_times(value: object, seconds: float) -> None:
    """Seconds, or minutes and hours before them."""
    assert seconds_of(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        -1,
        -0.001,
        86400.1,
        math.nan,
        math.inf,
        True,
        None,
        "",
        ":",
        "1:",
        ":30",
        "1:60",
        "1:75:00",
        "-1:30",
        "1:-30",
        "1.5:30",
        "1:2:3:4",
        "soon",
        "1e3",
        "1:3 0",
        "²",
        "1:30.5.5",
        "9" * 40,
        [1],
        {},
    ],
)
def test_what_is_no_time(value: object) -> None:
    """The words show both ways to write one."""
    with pytest.raises(
        ValueError, match=r"no time: seconds such as 12\.5, or m:ss\.s such as 1:30\.5, up to 24"
    ):
        seconds_of(value)


def test_everything_wrong_is_told_at_once(read: Reading) -> None:
    """Each with its line and what is allowed."""
    assert read.wrong(
        """
cues:
  - {target: fogger, action: fog}
  - {at: soon, target: fogger, action: fog}
  - {at: 5, target: Fogger 1, action: fog, via: mqtt}
  - fog
  - at: 6
    target: fogger
    acton: fog
    wait: 3
    on_failure: ignore
    within: 0
loop: 0
length: later
colour: green
"""
    ) == [
        "3: cue 1: at is missing: seconds such as 12.5, or m:ss.s such as 1:30.5, up to 24 hours",
        "4: cue 2: at 'soon' is no time: seconds such as 12.5, or m:ss.s such as 1:30.5, up to 24 hours",
        "5: cue 3: target 'Fogger 1' is not a text of 1 to 64 characters that matches [^\\s/+#]+",
        "5: cue 3: via 'mqtt' is not one of call, cmd",
        "6: cue 4: 'fog' is no cue: it has at, target and action",
        "7: cue 5: action is missing: a text of 1 to 64 characters that matches [^\\s+#]+",
        "9: cue 5 has no 'acton' (did you mean 'action'?): it takes " + ", ".join(CUE_KEYS),
        "10: cue 5: wait 3 is not true or false",
        "11: cue 5: on_failure 'ignore' is not one of stop, continue",
        "12: cue 5: within 0 is out of range: a number, 0.1 to 86400 s",
        "13: loop 0 is not true, false or how many times it plays, 1 to 10000",
        "14: length 'later' is no time: seconds such as 12.5, or m:ss.s such as 1:30.5, up to 24 hours",
        "15: a show has no 'colour': it takes cues, name, loop, length",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: x", "1: a show: cues is missing: a list"),
        ("cues: now", "1: a show: cues 'now' is not a list"),
        ("cues: []", "1: cues has 0: a show has 1 to 1000"),
        ("cues: {at: 1}", '1: a show: cues {"at": 1} is not a list'),
        (
            "{cues: [{at: 9, target: a, action: b}],\nlength: 8}",
            "2: length 8 s ends before the last cue, at 9 s",
        ),
        (
            "{cues: [{at: 0, target: a, action: b}],\nloop: true}",
            "2: a show that loops takes 0.1 s or more: add `length:`, seconds of a round",
        ),
        (
            "{cues: [{at: 1, target: a, action: b}],\nloop: 1.5}",
            "2: loop 1.5 is not true, false or how many times it plays, 1 to 10000",
        ),
    ],
)
def test_a_show_that_is_wrong(read: Reading, text: str, told: str) -> None:
    """What is wrong with the whole."""
    assert read.wrong(text) == [told]


@pytest.mark.parametrize(
    ("cue", "told"),
    [
        ("at: 0, target: show, action: jump", "target show is the show itself; `loop:` repeats a show"),
        (
            "at: 0, target: Fogger, action: fog",
            "target 'Fogger' is no device id, made of a-z, 0-9, - and _; or add `via: cmd`",
        ),
        (
            "at: 0, target: fogger, action: off",
            (
                "action false is not a text of 1 to 64 characters that matches [^\\s+#]+; "
                "YAML takes on, off, yes and no for true and false: put it in quotes"
            ),
        ),
        (
            "at: 0, target: fogger, action: fog, args: 5",
            "args 5 has no names: a call takes them as `args: {name: value}`, or `via: cmd`",
        ),
        (
            "at: 0, target: fogger, action: fog, args: {1: 5}",
            'args {"1": 5} has no names: a call takes them as `args: {name: value}`, or `via: cmd`',
        ),
        (
            "at: 0, target: fogger, action: fog, via: cmd, args: 2026-10-31",
            "args datetime.date(2026, 10, 31) cannot be said in JSON: put dates in quotes",
        ),
        (
            "at: 0, target: fogger, action: fog, args: {seconds: .nan}",
            'args {"seconds": NaN} cannot be said in JSON: put dates in quotes',
        ),
        (
            "at: 0, target: fogger, action: fog, via: cmd, wait: true",
            "nobody answers on a cmd topic: no wait with `via: cmd`",
        ),
        (
            "at: 0, target: fogger, action: fog, via: cmd, within: 5",
            "nobody answers on a cmd topic: no within with `via: cmd`",
        ),
        (
            "at: 0, target: fogger, action: fog, name: '7'",
            "name '7' is a number, as all cues have one: a word is needed",
        ),
    ],
)
def test_a_cue_that_is_wrong(read: Reading, cue: str, told: str) -> None:
    """What is wrong with one."""
    assert read.wrong_cue(cue) == [f"2: cue 1: {told}"]


def test_cues_that_do_not_fit_each_other(read: Reading) -> None:
    """Their order in time, and their names."""
    assert read.wrong_cue(
        "at: 2, target: a, action: b, name: boo",
        "at: 1, target: a, action: b",
        "at: 3, target: a, action: b, name: boo",
    ) == [
        "3: cue 2: at 1 s is before cue 1, at 2 s: cues stand in the order of time",
        "4: cue 3: cue 1 is called 'boo' already",
    ]


def test_too_many_cues(read: Reading) -> None:
    """There is a limit, and it is told."""
    many = ["at: 1, target: a, action: b"] * 1001
    assert read.wrong_cue(*many) == ["1: cues has 1001: a show has 1 to 1000"]


def test_a_cue_is_found_by_number_and_name(read: Reading) -> None:
    """A name may have blanks; what is not there is told, with what is."""
    show = read(GRAVEYARD)
    assert [show.place(one) for one in (1, "4", " 2 ", "scream")] == [0, 3, 1, 1]
    for none in (0, 5, -1, "0", "5", "", None, True, "9" * 5000, "²"):
        with pytest.raises(Refused, match=r"graveyard has no cue .* it has 1 to 4, and the names scream"):
            show.place(none)
    with pytest.raises(Refused, match=r"no cue 'screem' \(did you mean 'scream'\?\)"):
        show.place("screem")


def test_the_files_of_a_folder(tmp_path: Path) -> None:
    """Those beside the props and those that are listed; one that is wrong does not hide the others."""
    right = "cues: [{at: 0, target: a, action: b}]"
    (tmp_path / "shows").mkdir()
    for name, text in {
        "shows/first.yaml": right,
        "shows/second.yml": right,
        "shows/notes.txt": "no show",
        "shows/Grave Yard.yaml": right,
        "shows/broken.yaml": "cues: [",
        "shows/twice.yaml": right,
        "shows/twice.yml": right,
        "third.yaml": right,
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    shows = load_shows(tmp_path, ["third.yaml", "gone.yaml"], "show")
    assert sorted(shows.right) == ["first", "second", "third"]
    assert sorted(shows.wrong) == ["Grave Yard", "broken", "gone", "twice"]
    assert "broken.yaml:1: no YAML" in shows.wrong["broken"]
    assert "gone.yaml: No such file" in shows.wrong["gone"]
    assert "twice.yml: there is another show file of the name twice" in shows.wrong["twice"]
    assert "named with a-z, 0-9 and _" in shows.wrong["Grave Yard"]
    assert shows.get("third").name == "third"
    with pytest.raises(Refused, match=r"broken cannot be played: .*broken\.yaml:1"):
        shows.get("broken")
    with pytest.raises(
        Refused, match=r"no show 'frist' \(did you mean 'first'\?\): there are Grave Yard, broken, "
    ):
        shows.get("frist")
    with pytest.raises(Refused, match="which show is not said: there are"):
        shows.get("")


def test_the_only_show_needs_no_name(tmp_path: Path) -> None:
    """And where there is none, it is said where to put one."""
    with pytest.raises(Refused, match=r"put one into shows/<name>\.yaml"):
        load_shows(tmp_path, (), "show").get("")
    (tmp_path / "only.yaml").write_text("cues: [{at: 0, target: a, action: b}]", encoding="utf-8")
    assert load_shows(tmp_path, ["only.yaml"], "show").get("").name == "only"


def test_the_example_fits_the_example_props() -> None:
    """Each cue calls an action that its prop has, with arguments that it takes."""
    shows = load_shows(PROPS, (), "show")
    assert not shows.wrong
    for cue in shows.get("graveyard").cues:
        file = PROPS / cue.target / "backend" / "worker.py"
        action = actions_of(load(Found(cue.target, file, "prop")).worker)[cue.action]
        assert Schema(action.parameters, action.word).check(cue.args or {}) == (cue.args or {})
