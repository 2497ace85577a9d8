"""The OT-2 over both brokers, by what the simulated robot truly did."""

from collections.abc import Callable
import json
import re
import time
from typing import Any

import pytest
from tests.broker.bench import ON_MOSQUITTO
from tests.broker.observer import retained
from tests.broker.program import run
from tests.broker.wet_bench import MEASURE, MIX, MIXED, WITHIN, WetBench

ANNOUNCED = "homeassistant/device/lab2mqtt_ot2/temperature/config"


def test_it_mixes_twice_without_a_hand_in_between(wet: WetBench) -> None:
    """The steps are told in words, the result comes once, and the wells are used."""
    for number, well in enumerate(("B2", "B3"), 1):
        request_id = wet.send("mix_color", MIX | {"well": well, "experiment_id": f"e-{number}"})
        result = wet.result(request_id)["result"]
        assert (result["status"], result["well"], result["experiment_id"]) == (
            "succeeded",
            well,
            f"e-{number}",
        )
        assert result["commands"] == 20
        assert wet.truth()["wells"][f"1/{well}"] == MIXED
        told = wet.progress(request_id)
        assert told[0]["status"] == "running"
        words = [one["message"] for one in told if "message" in one]
        assert words[0] == "the robot analyses the protocol"
        assert words[1:]  # which of the steps depends on when it looked
        assert [one for one in words[1:] if not re.fullmatch(r"\d+ of 20: [a-z]+( .*)?", one)] == []
        assert told[-1]["percent"] > 50
        assert len(wet.results(request_id)) == 1
        assert wet.state["wells_used"] == number
        assert wet.state["plate"][f"1/{well}"] == {
            "volume": 230,
            "contents": "red 100, yellow 50, blue 80",
            "experiment": f"e-{number}",
        }
        assert wet.state["last_result"] == "succeeded"
    assert wet.truth()["picked"] == {"9/B1": 2, "9/B2": 2, "9/B3": 2}
    again = wet.call("mix_color", MIX | {"well": "B4", "experiment_id": "e-1"})
    assert (again["status"], again["error_code"]) == ("error", "invalid_parameters")
    assert "experiment 'e-1' was dispensed already, into 1/B2" in again["error"]


def _use_b2(wet: WetBench) -> None:
    wet.done("mix_color", MIX)


def _empty_the_rack(wet: WetBench) -> None:
    wet.done("reset_tips", {"there": False})


def _nothing(wet: WetBench) -> None:
    del wet


@pytest.mark.parametrize(
    ("before", "changed", "error_code", "told"),
    [
        (
            _nothing,
            {"R": 101, "Y": 100, "B": 100},
            "invalid_parameters",
            "301 µL: more than 0 and at most 300",
        ),
        (_use_b2, {}, "not_allowed", "well B2 is used (red 100, yellow 50, blue 80 µL): take another, as A1"),
        (_nothing, {"well": "Z9"}, "invalid_parameters", "well 'Z9' is not one of A1, A2, A3, A4, …, H12"),
        (_nothing, {"R": 5}, "invalid_parameters", "R is 5 µL: "),
        (
            _empty_the_rack,
            {},
            "not_allowed",
            "rack opentrons_96_tiprack_300ul in slot 9 is empty: put one in, then reset tips",
        ),
    ],
    ids=["301 µL", "used well", "well Z9", "5 µL", "empty rack"],
)
def test_what_cannot_work_is_refused_before_anything_moves(
    wet: WetBench,
    before: Callable[[WetBench], None],
    changed: dict[str, Any],
    error_code: str,
    told: str,
) -> None:
    """With a code and a sentence that helps. What follows from it is not told once more."""
    before(wet)
    now = wet.truth()["at"]
    refused = wet.call("mix_color", MIX | changed)
    assert (refused["status"], refused["error_code"]) == ("error", error_code)
    assert told in refused["error"]
    assert ";" not in refused["error"]
    assert wet.moved(since=now) == []
    assert wet.state["readiness"] == "ready"


def test_a_protocol_with_a_mistake_shows_what_the_analysis_finds(wet: WetBench) -> None:
    """With the robot's code; and one that cannot even be read, where."""
    paints = "\n".join(
        f'    parameters.add_float("{name}", "{name}", default=150.0, minimum=0.0, maximum=300.0)'
        for name in "RYB"
    )
    protocol = f"""
metadata = {{"protocolName": "Too much", "apiLevel": "2.18", "cell": "mix_color"}}

def add_parameters(parameters):
{paints}
    parameters.add_str("well", "Well", default="A1")

def run(protocol):
    pass
"""
    wrong = wet.call("upload_protocol", {"name": "too_much.py", "content": protocol})
    assert (wrong["status"], wrong["error_code"]) == ("error", "invalid_parameters")
    assert "analysis of the protocol failed: ValueError: R + Y + B is 450 µL" in wrong["error"]
    assert "(ExceptionInProtocolError 4000)" in wrong["error"]
    wrong = wet.call("upload_protocol", {"name": "open.py", "content": protocol + "\nfor (\n"})
    assert wrong["error_code"] == "invalid_parameters"
    assert "open.py is not a valid Python protocol" in wrong["error"]
    good = wet.done("upload_protocol", {"name": "enough.py", "content": protocol.replace("150.0", "50.0")})
    assert good["commands"] == 20
    assert wet.moved() == []


@ON_MOSQUITTO
def test_a_module_goes_and_comes(wet: WetBench) -> None:
    """With its values and its own page in Home Assistant."""

    def parts(*names: str) -> Callable[[Any], bool]:
        return lambda told: told and list(told["parts"]) == list(names)

    assert wet.state["temperature"] == 23
    since = wet.seen.mark()
    wet.truth(fault="module_unplugged")
    told = wet.seen.wait(wet.topic("description"), parts(), since=since, within=WITHIN).json
    assert "temperature" not in told["entities"]
    gone = wet.seen.wait(ANNOUNCED, since=since).json
    assert [keys for keys in gone["components"].values() if len(keys) > 1] == []
    refused = wet.call("set_temperature", {"target": 18})
    assert (refused["error_code"], refused["error"]) == (
        "not_allowed",
        "no temperature module is attached: there is no module at all",
    )
    refused = wet.call("adjust_cooling", {"target": 18})
    assert "nothing cools: no temperature module is attached" in refused["error"]
    back = wet.seen.mark()
    wet.truth(fault="module_unplugged", on=False)
    wet.done("get_position")  # it looks at everything
    wet.seen.wait(wet.topic("description"), parts("temperature"), since=back, within=WITHIN)
    again = wet.seen.wait(ANNOUNCED, since=back).json
    assert again["device"]["via_device"] == "lab2mqtt_ot2"
    assert "temperature" in str(again["components"])
    assert wet.done("adjust_cooling", {"target": 18})["target"] == 18
    wet.done("get_position")
    wet.until_state(lambda state: state["temperature_target"] == 18)
    wet.done("deactivate_temperature")


# Who may


def test_a_reservation_keeps_others_from_mixing(wet: WetBench) -> None:
    """Nothing moves; its holder mixes."""
    wet.done("reserve", {"holder": "Ada", "seconds": 60})
    refused = wet.call("mix_color", MIX)
    assert refused["error_code"] == "reserved"
    assert "Ada" in refused["error"]
    assert wet.call("mix_color", MIX, reservation="Grace")["error_code"] == "reserved"
    assert wet.moved() == []
    mixed = wet.call("mix_color", MIX, reservation="Ada")
    assert mixed["status"] == "success", mixed
    assert wet.truth()["wells"]["1/B2"] == MIXED


@ON_MOSQUITTO
def test_the_sensor_is_held_until_it_is_put_back(wet: WetBench) -> None:
    """Its task succeeds while the run waits; nothing else may begin, and no stop throws it away."""
    assert wet.done(MEASURE, {"well": "C3"})["status"] == "in_place"
    truth = wet.truth()
    assert (truth["sensor"], truth["place"]) == ("held", "1/C3")
    assert wet.until_state(lambda state: state["sensor"] == "held")["readiness"] == "busy"
    for task, parameters in (("mix_color", MIX), ("home", {}), ("stop", {})):
        refused = wet.call(task, parameters)
        assert refused["status"] == "error"
        assert "throw" in refused["error"] or "puts it back" in refused["error"], refused
    assert wet.truth()["sensor"] == "held"
    assert wet.done("move_sensor_back")["status"] == "charging"
    assert wet.truth()["sensor"] == "parked"
    wet.until_ready()


@ON_MOSQUITTO
def test_it_leaves_nothing_that_a_client_cannot_read(wet: WetBench) -> None:
    """The picture is a picture, and all else is JSON; the state is small enough for a board."""
    kept = retained(wet.broker.port, "lab2mqtt/ot2/#")
    picture = kept.pop("lab2mqtt/ot2/picture/camera")
    assert picture.startswith(b"\xff\xd8\xff")
    wet.until_state(lambda state: 0 < time.time() - state["camera"] < 600)
    assert {topic.rpartition("/")[2] for topic in kept} == {"description", "status", "state"}
    for payload in kept.values():
        json.loads(payload)
    assert len(kept["lab2mqtt/ot2/state"]) < 8192


@ON_MOSQUITTO
def test_a_robot_that_is_forgotten_while_it_is_off_leaves_no_module_behind(wet: WetBench) -> None:
    """The last description knows of none: the bridge was restarted, and the robot has not answered."""
    wet.truth(fault="off")
    wet.bridge.terminate()
    since = wet.seen.mark()
    wet.bridge.start()
    told = wet.seen.wait(wet.topic("description"), bool, since=since, within=WITHIN).json
    assert "parts" not in told
    wet.bridge.terminate()
    assert ANNOUNCED in retained(wet.broker.port, "homeassistant/#")
    said = run("forget", "ot2", "--broker", f"mqtt://127.0.0.1:{wet.broker.port}")
    assert said.code == 0, said.err
    assert retained(wet.broker.port, "lab2mqtt/ot2/#", "homeassistant/#") == {}
