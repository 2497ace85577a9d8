"""The commands that talk to a lab, as processes: what they print, where, and how they end."""

import json
import signal

import pytest
from tests.broker.bench import DEVICE, LAB_STOP, ONE_BROKER, SLOW, Bench
from tests.broker.observer import until
from tests.broker.program import Program, run

from lab2mqtt.hub.ports import free_port


def test_the_devices_are_listed(bench: Bench) -> None:
    """For people, and as JSON for scripts."""
    said = bench.run("devices")
    assert said.code == 0, said.err
    assert DEVICE in said.out
    assert "ready" in said.out
    (row,) = json.loads(bench.run("devices", "--json").out).values()
    assert row["readiness"] == "ready"
    assert row["simulated"] is True
    assert row["bridge"] == bench.name


def test_a_call_ends_with_the_measured_angle(bench: Bench) -> None:
    """Exit code 0, the result on stdout, progress on stderr."""
    said = bench.run("call", DEVICE, "activate_hotel", "hotel=B")
    assert said.code == 0, said.err
    angle = float(dict(line.split(": ") for line in said.out.splitlines())["angle_deg"])
    assert abs(angle - 109) < 0.5
    assert abs(bench.servo.truth()["position"] - 109) < 0.5
    assert "activate_hotel" in said.err

    said = bench.run("call", DEVICE, "get_position", "--json")
    assert said.code == 0
    assert json.loads(said.out)["active_hotel"] == "B"
    assert said.err == ""


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["call", DEVICE, "activate_hotel", "hotel=Z"], 1, "A, B, C, D"),
        (["call", DEVICE, "activate_hotel"], 1, "hotel"),
        (["call", DEVICE, "activate_hotle", "hotel=A"], 1, "activate_hotel"),
        (["call", DEVICE, "set_speed", "speed=fast"], 1, "speed"),
        (["call", "plate-resrot", "get_position"], 2, DEVICE),
        (["call", DEVICE, "activate_hotel", "B"], 2, "name=value"),
        (["cancel", DEVICE], 1, "nothing runs"),
        (["pause", DEVICE], 1, "nothing runs"),
        (["forget", DEVICE], 2, "online"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_what_was_not_done_says_why(bench: Bench, words: list[str], code: int, why: str) -> None:
    """On stderr, with an exit code that tells, and nothing on stdout that looks like a result."""
    goal = bench.servo.truth()["goal"]
    said = bench.run(*words)
    assert (said.code, said.out) == (code, ""), said
    assert why in said.err
    assert "Traceback" not in said.err
    assert bench.servo.truth()["goal"] == goal


def test_a_call_that_fails_tells_its_code(bench: Bench) -> None:
    """A time-out, while it runs."""
    bench.call("activate_hotel", {"hotel": "A"})
    said = bench.run("call", DEVICE, "activate_hotel", "hotel=D", "--timeout", "0.3")
    assert said.code == 1
    assert "timeout" in said.err


def test_pause_resume_and_cancel(bench: Bench) -> None:
    """Each its own command."""
    bench.call("set_speed", {"speed": SLOW})
    running = bench.start_long_move()
    assert bench.run("pause", DEVICE).code == 0
    bench.wait_for(bench.topic("state"), lambda state: state["readiness"] == "paused")
    assert bench.run("resume", DEVICE, "--json").code == 0
    bench.wait_for(bench.topic("state"), lambda state: state["readiness"] == "busy")
    said = bench.run("cancel", DEVICE)
    assert said.code == 0
    assert running in said.out
    assert bench.result(running)["error_code"] == "cancelled"


def test_stop_and_reset_the_lab(bench: Bench) -> None:
    """All that moves stops, each device by name; motion is refused until the reset, which moves nothing."""
    bench.call("set_speed", {"speed": SLOW})
    running = bench.start_long_move()
    said = bench.run("stop", "--reason", "try out")
    assert said.code == 0, said.err
    assert f"{DEVICE} stopped" in said.err
    result = bench.result(running)
    assert result["error_code"] == "emergency_stopped"
    assert "try out" in result["error"]
    stood = bench.servo.until_still()
    assert stood["torque"] is False
    refused = bench.run("call", DEVICE, "go_home")
    assert refused.code == 1
    assert "emergency_stopped" in refused.err
    assert "engaged" in bench.run("devices").out
    assert bench.run("reset").code == 0
    assert bench.servo.truth()["position"] == pytest.approx(stood["position"], abs=0.1)
    bench.until_ready()
    assert bench.call("move_to_angle", {"angle": stood["position"] % 360})["status"] == "success"


def test_stop_and_reset_one_device(bench: Bench) -> None:
    """Its own latch; the lab's reset tells that there is one."""
    assert bench.run("stop", DEVICE, "--json").code == 0
    assert bench.call("go_home")["error_code"] == "emergency_stopped"
    assert f"reset {DEVICE}" in bench.run("reset").out
    assert bench.run("reset", DEVICE).code == 0
    bench.until_ready()


def test_the_common_stop_topic_by_its_base(bench: Bench) -> None:
    """``lab2mqtt stop`` without a base stops a lab of another base as well, and can be reset like that."""
    broker = f"mqtt://127.0.0.1:{bench.broker.port}"
    bench.call("set_speed", {"speed": SLOW})
    running = bench.start_long_move()
    said = run("stop", "--broker", broker)
    assert said.code == 0, said.err
    assert bench.result(running)["error_code"] == "emergency_stopped"
    assert bench.seen.last(LAB_STOP)["engaged"] is True
    assert run("reset", "--broker", broker).code == 0
    bench.wait_for(bench.topic("state"), lambda state: not state["emergency_stop"])


@ONE_BROKER
def test_a_stop_that_nobody_confirms_is_a_failure(bench: Bench) -> None:
    """Silence is not taken for consent."""
    bench.servo.fault("silent")
    said = bench.run("stop")
    bench.servo.fault("silent", on=False)
    assert said.code == 1
    assert f"{DEVICE} has NOT confirmed" in said.err


def test_a_device_that_is_gone_is_forgotten(bench: Bench) -> None:
    """All that the broker kept of it, also what Home Assistant was told."""
    bench.bridge.terminate()
    bench.send_raw({"task": "go_home"}, retain=True)
    bench.seen.barrier()
    said = bench.run("forget", DEVICE, "--discovery", bench.discovery)
    assert said.code == 0, said.err
    assert [topic for topic in bench.kept() if DEVICE in topic] == []
    assert bench.run("devices", "--json").out.strip() == "{}"


def test_watch_prints_what_is_said(bench: Bench) -> None:
    """One line of JSON each, until Ctrl-C."""
    watching = Program(["watch", "--json", "--config", str(bench.config)], bench.folder / "watch.log")
    watching.start()

    def results() -> list[dict[str, object]]:
        whole = [line for line in watching.said().splitlines(keepends=True) if line.endswith("}\n")]
        told = [json.loads(line) for line in whole if line.startswith("{")]
        return [one for one in told if (one["from"], one["kind"]) == (DEVICE, "result")]

    try:
        # It listens once its own lines come: ask until they do.
        until(lambda: bench.call("get_hotels") and results(), "it prints a result", every=0.1)
    finally:
        ended = watching.terminate(signal.SIGINT)
    assert ended.code == 130
    assert "Traceback" not in watching.said()


@pytest.mark.parametrize(
    "words", [["devices"], ["call", DEVICE, "go_home"], ["stop"], ["reset"], ["forget", DEVICE]]
)
def test_no_broker_is_exit_code_3(words: list[str]) -> None:
    """Soon, and in words."""
    port = free_port()
    said = run(*words, "--broker", f"mqtt://127.0.0.1:{port}")
    assert said.code == 3
    assert str(port) in said.err
    assert "Traceback" not in said.err
    assert said.seconds < 4
