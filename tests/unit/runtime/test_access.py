"""The access list as data, and mosquitto's hash; tests/broker/test_security.py tries both on mosquitto."""

from hypothesis import given, settings, strategies as st
import pytest

from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.runtime.access import People, access_list, fits, hashed, users_of
from lab2mqtt.runtime.outline import Outline

BENCH = Outline("bench", "bench", ("resort",))


def lines(bridge: Outline, people: People, user: str) -> set[str]:
    """The lines of one user."""
    text = access_list(users_of([bridge], people))
    return set(text.split(f"user {user}\n")[1].split("\n\n")[0].splitlines())


def test_a_bridge_speaks_for_itself_and_its_devices_only() -> None:
    """To the depth that is used: a base inside another's device is none of its business."""
    written = {
        line.split(" ", 2)[2]
        for line in lines(BENCH, People(), "bench")
        if " write " in line or "readwrite" in line
    }
    assert written == {
        "lab2mqtt/bridge/bench/+",
        "lab2mqtt/resort/+",
        "lab2mqtt/resort/picture/+",
        "homeassistant/device/lab2mqtt_resort/config",
        "homeassistant/device/lab2mqtt_resort/+/config",
        "lab2mqtt/bridge/+/claim",
        "lab2mqtt/bridge/+/marker",
        "lab2mqtt/emergency_stop",
    }


def test_a_bridge_that_adopts_announces_the_boards_that_are_named() -> None:
    """And hears of all under its prefixes; who may read the base may read these, too."""
    adopter = Outline("bench", "bench", adopts=("lab2mqtt", "ot2"))
    people = People(["hub"], ["ada"], ["wall"], ["lamp"])
    for base in ("lab2mqtt", "ot2"):
        assert {
            f"topic readwrite {base}/lamp/+",
            f"topic write {base}/lamp/picture/+",
            f"topic write homeassistant/device/{base}_lamp/config",
            f"topic readwrite homeassistant/device/{base}_lamp/+/config",
            f"topic read {base}/+/description",
            f"topic read {base}/+/status",
        } <= lines(adopter, people, "bench")
        assert f"topic readwrite {base}/lamp/+" in lines(adopter, people, "lamp")
        assert f"topic write {base}/+/command" in lines(adopter, people, "hub")
        assert f"topic read {base}/#" in lines(adopter, people, "wall")
    assert {"topic read ot2/+/result", "topic read lab2mqtt/bridge/+/health"} <= lines(
        adopter, people, "bench"
    )
    assert not [line for line in lines(BENCH, people, "bench") if "lamp" in line or "health" in line]
    with pytest.raises(Misconfigured, match="lie in each other"):
        users_of([Outline("bench", "bench", adopts=("lab2mqtt", "homeassistant"))], people)


def test_only_a_bridge_and_a_hub_announce() -> None:
    """An announcement can make any entity of Home Assistant, and Home Assistant may command everything."""
    people = People(["hub"], ["ada"], ["wall"], ["lamp"])
    for user in ("ada", "wall", "lamp"):
        assert not [line for line in lines(BENCH, people, user) if "homeassistant" in line]


def test_a_viewer_commands_nothing_and_everybody_may_stop() -> None:
    """The stop of the base and the lab's, where they are two."""
    bridge = Outline("bench", "bench", ("resort",), base="lab/a", stop_topic="lab/stop")
    people = People(["hub"], ["ada"], ["wall"], ["lamp"])
    assert not [line for line in lines(bridge, people, "wall") if line.endswith("/command")]
    for user in ("bench", "hub", "ada", "wall", "lamp"):
        stops = {"topic readwrite lab/a/emergency_stop", "topic readwrite lab/stop"}
        assert stops <= lines(bridge, people, user)


def test_there_are_no_patterns() -> None:
    """They hold for everybody, and ``%c`` is what a client calls itself."""
    text = access_list(users_of([BENCH], People(["hub"], ["ada"], ["wall"], ["lamp"])))
    kinds = {line.split()[0] for line in text.splitlines() if line and line[0] != "#"}
    assert kinds == {"user", "topic"}
    assert "%" not in text


@pytest.mark.parametrize(
    ("bridges", "people", "told"),
    [
        ([BENCH, BENCH], People(), "user 'bench' would be two: bridge bench and bridge bench"),
        ([BENCH], People(hubs=["bench"]), "user 'bench' would be two: bridge bench and hub"),
        ([BENCH], People(operators=["ada"], viewers=["ada"]), "user 'ada' would be two: operator and viewer"),
        ([BENCH], People(boards=["resort"]), "would both speak on lab2mqtt/resort/status"),
        ([BENCH, Outline("bench", "other")], People(), "would both speak on lab2mqtt/bridge/bench/status"),
        ([BENCH, Outline("b", "b", ("resort",))], People(), "would both speak on lab2mqtt/resort/status"),
        (
            [Outline("a", "a", ("c",), base="a_b"), Outline("b", "b", ("b_c",), base="a")],
            People(),
            "would both speak on homeassistant/device/a_b_c/config",
        ),
        ([BENCH, Outline("b", "b", base="lab2mqtt/x")], People(), "lie in each other"),
        ([Outline("b", "b", base="homeassistant")], People(), "lie in each other"),
        ([Outline("b", "b", base="homeassistant/x")], People(), "lie in each other"),
        ([Outline("b", "b", base=" x")], People(), "has blanks at an end"),
        ([BENCH], People(boards=["Lamp"]), "board 'Lamp' is no device id"),
        *(
            ([BENCH], People(viewers=[name]), "viewer: user name")
            for name in ("", "a:b", " a", "a/b", "#", "+", "..")
        ),
        ([BENCH], People(viewers=["a\nuser root"]), "viewer: user name"),
    ],
    ids=range(20),
)
def test_two_who_could_speak_for_each_other_are_refused(
    bridges: list[Outline], people: People, told: str
) -> None:
    """And a name that mosquitto would read as something else."""
    with pytest.raises(Misconfigured, match=told):
        users_of(bridges, people)


def test_a_hash_is_mosquittos_and_salted() -> None:
    """Two of one password differ, and each fits only its own."""
    one, other = hashed("sesame"), hashed("sesame")
    assert one != other
    assert one.startswith("$7$1000$")
    assert fits("sesame", one)
    assert fits("sesame", other)
    assert not fits("Sesame", one)


@settings(max_examples=50)
@given(st.text())
def test_what_is_no_entry_of_ours_fits_nothing(entry: str) -> None:
    """Such as one of another hash."""
    assert not fits("sesame", entry)
    assert not fits("sesame", f"$7$1000${entry}$x")
