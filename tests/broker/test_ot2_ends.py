"""How an OT-2's mix ends otherwise: stopped, cancelled, held, lost and found, by what the robot truly did."""

from collections.abc import Callable
import json
import urllib.request

from tests.broker.bench import ON_MOSQUITTO
from tests.broker.wet_bench import LONG, MIX, WITHIN, WetBench

PROOF_WITHIN = 0.1  # s, as for every device


# Stops


def _under_way(wet: WetBench) -> int:
    """How much was done once the command under way has come to its end, as everything else has."""
    wet.until_state(lambda state: state["run_status"] == "paused")
    count = len(wet.moved())
    while True:
        wet.done("get_instruments")
        if len(wet.moved()) == count:
            return count
        count = len(wet.moved())


def test_an_emergency_stop_holds_the_run_and_is_latched(
    wet: WetBench, record_property: Callable[[str, object], None]
) -> None:
    """At once, proven, and nothing moves after the command under way, not by the release either."""
    since = wet.seen.mark()
    running = wet.start_mixing()
    stopped = wet.engage("stop-1")
    proof = wet.event("emergency_stopped", since)
    print(f"\nstop to proof on {type(wet.broker).__name__}: {(proof.at - stopped) * 1000:.1f} ms")  # noqa: T201 - a figure
    record_property("stop_ms", (proof.at - stopped) * 1000)
    assert proof.at - stopped < PROOF_WITHIN
    assert (proof.json["stop_id"], proof.json["confirmed"]) == ("stop-1", True)
    result = wet.result(running)
    assert result["error_code"] == "emergency_stopped"
    assert "the test" in result["error"]
    done = _under_way(wet)
    assert wet.state["readiness"] == "emergency_stopped"
    for task in ("mix_color", "home", "resume_run", "stop"):
        refused = wet.call(task, MIX if task == "mix_color" else {})
        assert refused["error_code"] == "emergency_stopped", refused
    assert wet.done("get_deck")["sensor"] == "parked"

    wet.release()
    for task in ("mix_color", "home"):
        refused = wet.call(task, MIX if task == "mix_color" else {})
        assert "a run is paused: resume_run goes on with it, stop ends it" in refused["error"]
    assert len(wet.moved()) == done

    assert wet.done("resume_run")["status"] == "succeeded"
    assert wet.truth()["wells"]["1/D6"] == {"3/B1": 100, "3/B2": 100, "3/B3": 100}
    assert wet.state["plate"]["1/D6"]["volume"] == 300
    wet.until_ready()


@ON_MOSQUITTO
def test_a_run_that_was_stopped_is_ended(wet: WetBench) -> None:
    """The robot homes and drops the tip into the trash, as said beforehand; then a person looks."""
    running = wet.start_mixing()
    stop = wet.done("emergency_stop", {"reason": "smoke"})
    assert stop["confirmed"] is True
    assert "smoke" in wet.result(running)["error"]
    told = wet.done("reset_emergency_stop")
    assert "`stop` ends it: the robot homes, and drops the tip" in told["look_at"]
    assert wet.truth()["trash"] == []
    held = [tip["place"] for tip in wet.truth()["tips"].values()]
    assert wet.done("stop")["status"] == "stopped"
    assert wet.truth()["trash"] == held
    assert wet.truth()["place"] == "home"
    state = wet.until_state(lambda state: state["last_result"] == "stopped")
    assert state["readiness"] == "fault"
    assert "hangs on the pipette" in state["readiness_reasons"][0]
    assert "slot 9" in wet.call("mix_color", MIX)["error"]
    wet.done("reset_tips")
    wet.until_ready()
    wet.done("mix_color", MIX)


def test_a_cancelled_mix_ends_and_the_robot_drops_the_tip(wet: WetBench) -> None:
    """Its run too; one result."""
    running = wet.start_mixing()
    assert wet.done("cancel") == {"cancelled": running}
    assert wet.result(running)["error_code"] == "cancelled"
    wet.until_state(lambda state: state["last_result"] == "stopped" and not state["run_status"])
    truth = wet.truth()
    assert (truth["tips"], truth["place"]) == ({}, "home")
    assert len(wet.moved("dispense")) < 3
    assert len(wet.results(running)) == 1


@ON_MOSQUITTO
def test_pause_holds_and_resume_goes_on(wet: WetBench) -> None:
    """After the command under way; told as a progress."""
    running = wet.start_mixing()
    assert wet.done("pause")["paused"] is True
    done = _under_way(wet)
    wet.done("get_deck")
    assert len(wet.moved()) == done
    wet.done("resume")
    assert wet.result(running)["status"] == "success"
    told = [one["status"] for one in wet.progress(running)]
    assert told.index("paused") < len(told) - 1 - told[::-1].index("running")
    assert wet.truth()["wells"]["1/D6"] == {"3/B1": 100, "3/B2": 100, "3/B3": 100}


# What may be lost


@ON_MOSQUITTO
def test_a_robot_that_is_restarted_in_mid_run_asks_to_be_homed(wet: WetBench) -> None:
    """The run has failed, and it is said why. A person takes the tip off, says so, and homes it."""
    running = wet.start_mixing()
    wet.truth(reboot=True)
    result = wet.result(running)
    assert result["error_code"] == "device_error"
    assert "the run failed: the robot was restarted while it ran" in result["error"]
    state = wet.until_state(lambda state: state["last_result"] == "failed")
    assert "the robot was restarted" in state["last_error"]
    assert "the robot was restarted, and its position is not known" in state["readiness_reasons"]
    refused = wet.call("mix_color", MIX)
    assert (refused["error_code"], refused["error"]) == (
        "not_allowed",
        "it must be homed first: the robot was restarted, and its position is not known",
    )
    assert wet.done("get_position")["known"] is False
    refused = wet.call("home")
    assert "nobody knows what hangs on the pipette: look, take it off" in refused["error"]
    wet.truth(new_tips=True)
    wet.done("reset_tips")
    since = wet.seen.mark()
    wet.until_state(lambda state: state["readiness"] == "needs_homing")
    wet.done("home")
    wet.until_ready(since)
    assert "what is in well D6 is unknown" in wet.call("mix_color", LONG)["error"]


def test_a_bridge_that_was_killed_in_mid_run_finds_out_what_became_of_it(wet: WetBench) -> None:
    """The robot went on meanwhile. The command is answered, and not done again."""
    running = wet.start_mixing()
    wet.bridge.kill()
    since = wet.seen.mark()
    wet.bridge.start()
    answer = wet.seen.wait(
        wet.topic("result"), lambda told: told["request_id"] == running, since=since, within=WITHIN
    ).json
    assert answer["error_code"] == "interrupted"
    state = wet.until_state(lambda state: state["last_result"] == "succeeded", since)
    assert state["plate"]["1/D6"]["contents"] == "red 100, yellow 100, blue 100"
    wet.until_ready(since)
    assert wet.call("mix_color", LONG, request_id=running)["error_code"] == "interrupted"
    assert len(wet.moved("dispense")) == 3
    assert wet.truth()["wells"]["1/D6"] == {"3/B1": 100, "3/B2": 100, "3/B3": 100}
    assert "well D6 is used" in wet.call("mix_color", LONG)["error"]


@ON_MOSQUITTO
def test_a_bridge_that_ends_in_mid_run_holds_it(wet: WetBench) -> None:
    """Nobody would watch it; the next bridge goes on with it when a person wants that."""
    running = wet.start_mixing()
    wet.bridge.terminate()
    assert wet.result(running)["error_code"] == "interrupted"
    since = wet.seen.mark()
    wet.bridge.start()
    wet.until_state(
        lambda state: "a run is paused: resume_run goes on with it" in str(state["readiness_reasons"]), since
    )
    assert len(wet.moved("dispense")) < 3
    assert wet.done("resume_run")["status"] == "succeeded"
    assert len(wet.moved("dispense")) == 3
    wet.until_ready(since)
    assert wet.state["plate"]["1/D6"]["volume"] == 300


@ON_MOSQUITTO
def test_a_robot_that_is_off_for_a_while_comes_back_by_itself(wet: WetBench) -> None:
    """Offline, refused in words; then online again, to be homed, and it mixes."""
    since = wet.seen.mark()
    wet.truth(fault="off")
    wet.seen.wait(wet.topic("status"), lambda told: told["status"] == "offline", since=since, within=10)
    state = wet.until_state(lambda state: state["readiness"] == "unreachable")
    assert "it is off, restarting or somewhere else" in state["readiness_reasons"][0]
    assert (state["door"], state["temperature"]) == (None, None)
    assert wet.call("mix_color", MIX)["error_code"] == "device_unavailable"
    back = wet.seen.mark()
    wet.truth(fault="off", on=False)
    wet.seen.wait(wet.topic("status"), lambda told: told["status"] == "online", since=back, within=WITHIN)
    wet.until_state(lambda state: state["readiness"] == "needs_homing", back)
    wet.done("home")
    wet.until_ready(back)
    wet.done("mix_color", MIX)


@ON_MOSQUITTO
def test_an_open_door_is_told_and_holds_a_run_where_the_robot_minds_it(wet: WetBench) -> None:
    """With the words that tell what to do; closed again, the run goes on where it was."""
    url = f"http://{wet.cell.link.read_text().strip()}/settings"
    _mind_the_door(url, mind=True)
    try:
        running = wet.start_mixing()
        wet.truth(fault="door_open")
        held = wet.seen.wait(
            wet.topic("progress"),
            lambda told: told["request_id"] == running and told["status"] == "paused",
            within=WITHIN,
        ).json
        assert held["message"] == "the door is open: close it, then resume"
        wet.until_state(lambda state: state["door"] is True)
        done = _under_way_at_door(wet)
        wet.truth(fault="door_open", on=False)
        assert len(wet.moved()) == done
        wet.done("resume")
        assert wet.result(running)["status"] == "success"
        wet.until_state(lambda state: state["door"] is False)
    finally:
        _mind_the_door(url, mind=False)


def _under_way_at_door(wet: WetBench) -> int:
    wet.until_state(lambda state: state["run_status"] == "blocked-by-open-door")
    return len(wet.moved())


def _mind_the_door(url: str, *, mind: bool) -> None:
    """Set, as the Opentrons App does, whether runs wait for the door."""
    body = json.dumps({"id": "enableDoorSafetySwitch", "value": mind}).encode()
    headers = {"Opentrons-Version": "*", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:  # noqa: S310 - loopback
        assert answer.status == 200
