"""The OT-2 over both brokers, by what the simulated robot truly did."""

from collections.abc import Callable, Iterator
import json
import time
from typing import Any
import urllib.request

import pytest
from tests.broker.bench import ON_MOSQUITTO
from tests.broker.brokers import Broker
from tests.broker.observer import retained
from tests.broker.wet_bench import LONG, MEASURE, MIX, MIXED, WITHIN, WetBench

PROOF_WITHIN = 0.1  # s, as for every device
ANNOUNCED = "homeassistant/device/lab2mqtt_ot2/temperature/config"


@pytest.fixture(scope="module")
def shared_bench(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WetBench]:
    """The bench of all tests on one broker."""
    made = WetBench(broker, tmp_path_factory.mktemp("wet"))
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def bench(shared_bench: WetBench) -> WetBench:
    """A bench whose robot is ready, with nothing used."""
    return shared_bench.ready()


@pytest.fixture
def now(bench: WetBench) -> float:
    """The robot's time before the test."""
    at: float = bench.truth()["at"]
    return at


def test_it_mixes_twice_without_a_hand_in_between(bench: WetBench) -> None:
    """The steps are told in words, the result comes once, and the wells are used."""
    for number, well in enumerate(("B2", "B3"), 1):
        request_id = bench.send("mix_color", MIX | {"well": well, "experiment_id": f"e-{number}"})
        result = bench.result(request_id)["result"]
        assert (result["status"], result["well"], result["experiment_id"]) == (
            "succeeded",
            well,
            f"e-{number}",
        )
        assert result["commands"] == 20
        assert bench.truth()["wells"][f"1/{well}"] == MIXED
        told = bench.progress(request_id)
        assert told[0]["status"] == "running"
        words = [one["message"] for one in told if "message" in one]
        assert words[0] == "the robot analyses the protocol"
        assert any(" of 20: " in one and "3/B" in one for one in words), words
        assert told[-1]["percent"] > 50
        assert len(bench.results(request_id)) == 1
        assert bench.state["wells_used"] == number
        assert bench.state["plate"][f"1/{well}"] == {
            "volume": 230,
            "contents": "red 100, yellow 50, blue 80",
            "experiment": f"e-{number}",
        }
        assert bench.state["last_result"] == "succeeded"
    assert bench.truth()["picked"] == {"9/B1": 2, "9/B2": 2, "9/B3": 2}
    again = bench.call("mix_color", MIX | {"well": "B4", "experiment_id": "e-1"})
    assert (again["status"], again["error_code"]) == ("error", "invalid_parameters")
    assert "experiment 'e-1' was dispensed already, into 1/B2" in again["error"]


def _use_b2(bench: WetBench) -> None:
    bench.done("mix_color", MIX)


def _empty_the_rack(bench: WetBench) -> None:
    bench.done("reset_tips", {"there": False})


def _nothing(bench: WetBench) -> None:
    del bench


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
    bench: WetBench,
    before: Callable[[WetBench], None],
    changed: dict[str, Any],
    error_code: str,
    told: str,
) -> None:
    """With a code and a sentence that helps. What follows from it is not told once more."""
    before(bench)
    now = bench.truth()["at"]
    refused = bench.call("mix_color", MIX | changed)
    assert (refused["status"], refused["error_code"]) == ("error", error_code)
    assert told in refused["error"]
    assert ";" not in refused["error"]
    assert bench.moved(now) == []
    assert bench.state["readiness"] == "ready"


def test_a_protocol_with_a_mistake_shows_what_the_analysis_finds(bench: WetBench, now: float) -> None:
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
    wrong = bench.call("upload_protocol", {"name": "too_much.py", "content": protocol})
    assert (wrong["status"], wrong["error_code"]) == ("error", "invalid_parameters")
    assert "analysis of the protocol failed: ValueError: R + Y + B is 450 µL" in wrong["error"]
    assert "(ExceptionInProtocolError 4000)" in wrong["error"]
    wrong = bench.call("upload_protocol", {"name": "open.py", "content": protocol + "\nfor (\n"})
    assert wrong["error_code"] == "invalid_parameters"
    assert "open.py is not a valid Python protocol" in wrong["error"]
    good = bench.done("upload_protocol", {"name": "enough.py", "content": protocol.replace("150.0", "50.0")})
    assert good["commands"] == 20
    assert bench.moved(now) == []


# Stops


def _start(bench: WetBench, now: float) -> str:
    """Begin a long mix, and wait until paint is in a tip."""
    request_id = bench.send("mix_color", LONG)
    bench.until_moved(now, "aspirate")
    return request_id


def _under_way(bench: WetBench, now: float) -> int:
    """How much was done once the command under way has come to its end, as everything else has."""
    bench.until_state(lambda state: state["run_status"] == "paused")
    count = len(bench.moved(now))
    while True:
        bench.done("get_instruments")
        if len(bench.moved(now)) == count:
            return count
        count = len(bench.moved(now))


def test_an_emergency_stop_holds_the_run_and_is_latched(
    bench: WetBench, now: float, record_property: Callable[[str, object], None]
) -> None:
    """At once, proven, and nothing moves after the command under way, not by the release either."""
    since = bench.seen.mark()
    running = _start(bench, now)
    stopped = bench.engage("stop-1")
    proof = bench.event("emergency_stopped", since)
    print(f"\nstop to proof on {type(bench.broker).__name__}: {(proof.at - stopped) * 1000:.1f} ms")  # noqa: T201 - a figure
    record_property("stop_ms", (proof.at - stopped) * 1000)
    assert proof.at - stopped < PROOF_WITHIN
    assert (proof.json["stop_id"], proof.json["confirmed"]) == ("stop-1", True)
    result = bench.result(running)
    assert result["error_code"] == "emergency_stopped"
    assert "the test" in result["error"]
    done = _under_way(bench, now)
    assert bench.state["readiness"] == "emergency_stopped"
    for task in ("mix_color", "home", "resume_run", "stop"):
        refused = bench.call(task, MIX if task == "mix_color" else {})
        assert refused["error_code"] == "emergency_stopped", refused
    assert bench.done("get_deck")["sensor"] == "parked"

    bench.release()
    for task in ("mix_color", "home"):
        refused = bench.call(task, MIX if task == "mix_color" else {})
        assert "a run is paused: resume_run goes on with it, stop ends it" in refused["error"]
    assert len(bench.moved(now)) == done

    assert bench.done("resume_run")["status"] == "succeeded"
    assert bench.truth()["wells"]["1/D6"] == {"3/B1": 100, "3/B2": 100, "3/B3": 100}
    assert bench.state["plate"]["1/D6"]["volume"] == 300
    bench.until_ready()


def test_a_run_that_was_stopped_is_ended(bench: WetBench, now: float) -> None:
    """The robot homes and drops the tip into the trash, as said beforehand; then a person looks."""
    running = _start(bench, now)
    stop = bench.done("emergency_stop", {"reason": "smoke"})
    assert stop["confirmed"] is True
    assert "smoke" in bench.result(running)["error"]
    told = bench.done("reset_emergency_stop")
    assert "`stop` ends the run: the robot homes, and drops the tip" in told["look_at"]
    assert bench.truth()["trash"] == []
    assert bench.done("stop")["status"] == "stopped"
    assert bench.truth()["trash"] == ["9/B1"]
    assert bench.truth()["place"] == "home"
    state = bench.until_state(lambda state: state["last_result"] == "stopped")
    assert state["readiness"] == "fault"
    assert "hangs on the pipette" in state["readiness_reasons"][0]
    assert "slot 9" in bench.call("mix_color", MIX)["error"]
    bench.done("reset_tips")
    bench.until_ready()
    bench.done("mix_color", MIX)


def test_a_cancelled_mix_ends_and_the_robot_drops_the_tip(bench: WetBench, now: float) -> None:
    """Its run too; one result."""
    running = _start(bench, now)
    assert bench.done("cancel") == {"cancelled": running}
    assert bench.result(running)["error_code"] == "cancelled"
    bench.until_state(lambda state: state["last_result"] == "stopped" and not state["run_status"])
    assert bench.truth()["trash"] == ["9/B1"]
    assert len(bench.results(running)) == 1


def test_pause_holds_and_resume_goes_on(bench: WetBench, now: float) -> None:
    """After the command under way; told as a progress."""
    running = _start(bench, now)
    assert bench.done("pause")["paused"] is True
    done = _under_way(bench, now)
    bench.done("get_deck")
    assert len(bench.moved(now)) == done
    bench.done("resume")
    assert bench.result(running)["status"] == "success"
    told = [one["status"] for one in bench.progress(running)]
    assert told.index("paused") < len(told) - 1 - told[::-1].index("running")
    assert bench.truth()["wells"]["1/D6"] == {"3/B1": 100, "3/B2": 100, "3/B3": 100}


# What may be lost


def test_a_robot_that_is_restarted_in_mid_run_asks_to_be_homed(bench: WetBench, now: float) -> None:
    """The run has failed, and it is said why. A person takes the tip off, says so, and homes it."""
    running = _start(bench, now)
    bench.truth(reboot=True)
    result = bench.result(running)
    assert result["error_code"] == "device_error"
    assert "the run failed: the robot was restarted while it ran" in result["error"]
    state = bench.until_state(lambda state: state["last_result"] == "failed")
    assert "the robot was restarted" in state["last_error"]
    assert "the robot was restarted, and its position is not known" in state["readiness_reasons"]
    refused = bench.call("mix_color", MIX)
    assert (refused["error_code"], refused["error"]) == (
        "not_allowed",
        "it must be homed first: the robot was restarted, and its position is not known",
    )
    assert bench.done("get_position")["known"] is False
    refused = bench.call("home")
    assert "nobody knows what hangs on the pipette: look, take it off" in refused["error"]
    bench.truth(new_tips=True)
    bench.done("reset_tips")
    since = bench.seen.mark()
    bench.until_state(lambda state: state["readiness"] == "needs_homing")
    bench.done("home")
    bench.until_ready(since)
    assert "what is in well D6 is unknown" in bench.call("mix_color", LONG)["error"]


def test_a_bridge_that_was_killed_in_mid_run_finds_out_what_became_of_it(bench: WetBench, now: float) -> None:
    """The robot went on meanwhile. The command is answered, and not done again."""
    running = _start(bench, now)
    bench.bridge.kill()
    since = bench.seen.mark()
    bench.bridge.start()
    answer = bench.seen.wait(
        bench.topic("result"), lambda told: told["request_id"] == running, since=since, within=WITHIN
    ).json
    assert answer["error_code"] == "interrupted"
    state = bench.until_state(lambda state: state["last_result"] == "succeeded", since)
    assert state["plate"]["1/D6"]["contents"] == "red 100, yellow 100, blue 100"
    bench.until_ready(since)
    assert bench.call("mix_color", LONG, request_id=running)["error_code"] == "interrupted"
    assert len(bench.moved(now, "dispense")) == 3
    assert bench.truth()["wells"]["1/D6"] == {"3/B1": 100, "3/B2": 100, "3/B3": 100}
    assert "well D6 is used" in bench.call("mix_color", LONG)["error"]


@ON_MOSQUITTO
def test_a_bridge_that_ends_in_mid_run_holds_it(bench: WetBench, now: float) -> None:
    """Nobody would watch it; the next bridge goes on with it when a person wants that."""
    running = _start(bench, now)
    bench.bridge.terminate()
    assert bench.result(running)["error_code"] == "interrupted"
    since = bench.seen.mark()
    bench.bridge.start()
    bench.until_state(
        lambda state: "a run is paused: resume_run goes on with it" in str(state["readiness_reasons"]), since
    )
    assert len(bench.moved(now, "dispense")) < 3
    assert bench.done("resume_run")["status"] == "succeeded"
    assert len(bench.moved(now, "dispense")) == 3
    bench.until_ready(since)
    assert bench.state["plate"]["1/D6"]["volume"] == 300


@ON_MOSQUITTO
def test_a_robot_that_is_off_for_a_while_comes_back_by_itself(bench: WetBench) -> None:
    """Offline, refused in words; then online again, to be homed, and it mixes."""
    since = bench.seen.mark()
    bench.truth(fault="off")
    bench.seen.wait(bench.topic("status"), lambda told: told["status"] == "offline", since=since, within=10)
    state = bench.until_state(lambda state: state["readiness"] == "unreachable")
    assert "it is off, restarting or somewhere else" in state["readiness_reasons"][0]
    assert (state["door"], state["temperature"]) == (None, None)
    assert bench.call("mix_color", MIX)["error_code"] == "device_unavailable"
    back = bench.seen.mark()
    bench.truth(fault="off", on=False)
    bench.seen.wait(bench.topic("status"), lambda told: told["status"] == "online", since=back, within=WITHIN)
    bench.until_state(lambda state: state["readiness"] == "needs_homing", back)
    bench.done("home")
    bench.until_ready(back)
    bench.done("mix_color", MIX)


@ON_MOSQUITTO
def test_an_open_door_is_told_and_holds_a_run_where_the_robot_minds_it(bench: WetBench, now: float) -> None:
    """With the words that tell what to do; closed again, the run goes on where it was."""
    url = f"http://{bench.cell.link.read_text().strip()}/settings"
    _mind_the_door(url, mind=True)
    try:
        running = _start(bench, now)
        bench.truth(fault="door_open")
        held = bench.seen.wait(
            bench.topic("progress"),
            lambda told: told["request_id"] == running and told["status"] == "paused",
            within=WITHIN,
        ).json
        assert held["message"] == "the door is open: close it, then resume"
        bench.until_state(lambda state: state["door"] is True)
        done = _under_way_at_door(bench, now)
        bench.truth(fault="door_open", on=False)
        assert len(bench.moved(now)) == done
        bench.done("resume")
        assert bench.result(running)["status"] == "success"
        bench.until_state(lambda state: state["door"] is False)
    finally:
        _mind_the_door(url, mind=False)


def _under_way_at_door(bench: WetBench, now: float) -> int:
    bench.until_state(lambda state: state["run_status"] == "blocked-by-open-door")
    return len(bench.moved(now))


def _mind_the_door(url: str, *, mind: bool) -> None:
    """Set, as the Opentrons App does, whether runs wait for the door."""
    body = json.dumps({"id": "enableDoorSafetySwitch", "value": mind}).encode()
    headers = {"Opentrons-Version": "*", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:  # noqa: S310 - loopback
        assert answer.status == 200


@ON_MOSQUITTO
def test_a_module_goes_and_comes(bench: WetBench) -> None:
    """With its values and its own page in Home Assistant."""

    def parts(*names: str) -> Callable[[Any], bool]:
        return lambda told: told and list(told["parts"]) == list(names)

    assert bench.state["temperature"] == 23
    since = bench.seen.mark()
    bench.truth(fault="module_unplugged")
    told = bench.seen.wait(bench.topic("description"), parts(), since=since, within=WITHIN).json
    assert "temperature" not in told["entities"]
    gone = bench.seen.wait(ANNOUNCED, since=since).json
    assert [keys for keys in gone["components"].values() if len(keys) > 1] == []
    refused = bench.call("set_temperature", {"target": 18})
    assert (refused["error_code"], refused["error"]) == (
        "not_allowed",
        "no temperature module is attached: there is no module at all",
    )
    refused = bench.call("adjust_cooling", {"target": 18})
    assert "nothing cools: no temperature module is attached" in refused["error"]
    back = bench.seen.mark()
    bench.truth(fault="module_unplugged", on=False)
    bench.done("get_position")  # it looks at everything
    bench.seen.wait(bench.topic("description"), parts("temperature"), since=back, within=WITHIN)
    again = bench.seen.wait(ANNOUNCED, since=back).json
    assert again["device"]["via_device"] == "lab2mqtt_ot2"
    assert "temperature" in str(again["components"])
    assert bench.done("adjust_cooling", {"target": 18})["target"] == 18
    bench.done("get_position")
    bench.until_state(lambda state: state["temperature_target"] == 18)
    bench.done("deactivate_temperature")


# Who may


def test_a_reservation_keeps_others_from_mixing(bench: WetBench, now: float) -> None:
    """Nothing moves; its holder mixes."""
    bench.done("reserve", {"holder": "Ada", "seconds": 60})
    refused = bench.call("mix_color", MIX)
    assert refused["error_code"] == "reserved"
    assert "Ada" in refused["error"]
    assert bench.call("mix_color", MIX, reservation="Grace")["error_code"] == "reserved"
    assert bench.moved(now) == []
    mixed = bench.call("mix_color", MIX, reservation="Ada")
    assert mixed["status"] == "success", mixed
    assert bench.truth()["wells"]["1/B2"] == MIXED


def test_the_sensor_is_held_until_it_is_put_back(bench: WetBench) -> None:
    """Its task succeeds while the run waits; nothing else may begin, and no stop throws it away."""
    assert bench.done(MEASURE, {"well": "C3"})["status"] == "in_place"
    truth = bench.truth()
    assert (truth["sensor"], truth["place"]) == ("held", "1/C3")
    assert bench.until_state(lambda state: state["sensor"] == "held")["readiness"] == "busy"
    for task, parameters in (("mix_color", MIX), ("home", {}), ("stop", {})):
        refused = bench.call(task, parameters)
        assert refused["status"] == "error"
        assert "throw" in refused["error"] or "puts it back" in refused["error"], refused
    assert bench.truth()["sensor"] == "held"
    assert bench.done("move_sensor_back")["status"] == "charging"
    assert bench.truth()["sensor"] == "parked"
    bench.until_ready()


@ON_MOSQUITTO
def test_it_leaves_nothing_that_a_client_cannot_read(bench: WetBench) -> None:
    """The picture is a picture, and all else is JSON; the state is small enough for a board."""
    kept = retained(bench.broker.port, "lab2mqtt/ot2/#")
    picture = kept.pop("lab2mqtt/ot2/picture/camera")
    assert picture.startswith(b"\xff\xd8\xff")
    bench.until_state(lambda state: 0 < time.time() - state["camera"] < 600)
    assert {topic.rpartition("/")[2] for topic in kept} == {"description", "status", "state"}
    for payload in kept.values():
        json.loads(payload)
    assert len(kept["lab2mqtt/ot2/state"]) < 8192
