"""A flow run that is run again, in every way in which that happens: what moves is moved once."""

import json
import threading

from prefect import flow
import pytest
from tests.broker.bench import Bench
from tests.broker.observer import until
from tests.prefect.prefect_lab import PrefectLab

from lab2mqtt.client import Interrupted, InvalidParameters, Reserved
from lab2mqtt.prefect import FlowLab, Patience
from lab2mqtt.prefect.plate_resort import activate_hotel_flow, emergency_stop_flow, move_to_angle_flow

DEVICE = "plate-resort"


@pytest.fixture
def here(server: PrefectLab, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A bench that flows of this process find."""
    del server
    monkeypatch.setenv("LAB2MQTT_BROKER", f"mqtt://127.0.0.1:{bench.broker.port}")
    monkeypatch.setenv("LAB2MQTT_BASE", bench.base)
    return bench


def asked(bench: Bench) -> list[dict[str, object]]:
    """All commands that were sent by flows."""
    told = [heard.json for heard in bench.seen.heard(bench.topic("command"))]
    return [one for one in told if str(one.get("issued_by", "")).startswith("prefect/")]


def test_a_flow_that_fails_after_the_motion_and_is_retried_moves_once(here: Bench) -> None:
    """Prefect runs all of the flow again; the motion is answered by what came out."""
    came: list[object] = []

    @flow(retries=2)
    def fails_twice() -> object:
        with FlowLab() as lab:
            came.append(lab[DEVICE].activate_hotel(hotel="C"))
            came.append(lab[DEVICE].set_speed(speed=140))
        if len(came) < 6:
            raise RuntimeError("something else went wrong")
        return came[-1]

    before = here.servo.goals()
    fails_twice()
    assert here.servo.goals() == before + 1
    assert came[0] == came[2] == came[4]
    ids = [str(one["request_id"]) for one in asked(here)]
    assert ids == [ids[0], ids[1]] * 3
    assert ids[0].endswith(".0")
    assert ids[1].endswith(".1")


def test_a_run_that_takes_another_way_when_it_is_retried_is_refused(here: Bench) -> None:
    """Its second motion would be one that nobody asked for."""
    angles = iter([100.0, 200.0])

    @flow(retries=1)
    def changes_its_mind() -> None:
        with FlowLab() as lab:
            lab[DEVICE].move_to_angle(angle=next(angles))
        raise RuntimeError("once more")

    before = here.servo.goals()
    with pytest.raises(Exception, match="used before"):
        changes_its_mind()
    assert here.servo.goals() == before + 1


def test_what_a_dead_bridge_left_is_told_and_not_moved_again(here: Bench) -> None:
    """Nobody knows how far it came: a person looks."""
    here.call("set_speed", {"speed": 30})
    came: list[BaseException] = []

    def run() -> None:
        try:
            move_to_angle_flow(angle=aim)
        except Interrupted as interrupted:
            came.append(interrupted)

    aim = 355 if here.servo.truth()["position"] < 180 else 5
    before = here.servo.goals()
    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: here.servo.truth()["moving"], "it moves", within=20)
    here.bridge.kill()
    here.bridge.start()
    thread.join(30)
    assert not thread.is_alive()
    assert came
    here.until_ready()
    moving = [one for one in asked(here) if one["task"] == "move_to_angle"]
    assert len({one["request_id"] for one in moving}) == 1
    assert len(moving) == 1  # the answer came by itself, once the bridge was back
    lines = [json.loads(line) for line in here.servo.journal.read_text().splitlines()]
    first, *others = [line for line in lines if line["what"] == "goal"][before:]
    assert abs(first["goal"] - first["position"]) > 1000  # half of a turn
    # At most the bridge that came back holds the shaft where it is, if it turns still.
    assert all(abs(line["goal"] - line["position"]) < 100 for line in others)
    assert len(others) <= 1


def test_a_reserved_device_is_waited_for_under_new_ids(here: Bench) -> None:
    """Nothing was done by a command that was refused before the start."""
    here.call("reserve", {"holder": "somebody", "seconds": 60})
    threading.Thread(
        target=lambda: (
            until(lambda: len(asked(here)) >= 2, "it was refused", within=20),
            here.send("release", {"holder": "somebody"}),
        )
    ).start()
    before = here.servo.goals()
    assert activate_hotel_flow("D")["hotel"] == "D"
    assert here.servo.goals() == before + 1
    ids = [str(one["request_id"]) for one in asked(here)]
    assert [one.rpartition(".")[2] for one in ids] == ["0", *(f"0-{n}" for n in range(1, len(ids)))]


def test_one_who_does_not_want_to_wait_is_told_at_once(here: Bench) -> None:
    """Also of what no waiting helps against."""
    here.call("reserve", {"holder": "somebody", "seconds": 60})

    @flow
    def impatient() -> None:
        with FlowLab(patience=Patience(refused_for=0)) as lab:
            lab[DEVICE].activate_hotel(hotel="A")

    with pytest.raises(Reserved, match="somebody"):
        impatient()
    here.call("release", {"holder": "somebody"})

    @flow
    def wrong() -> None:
        with FlowLab() as lab:
            lab[DEVICE].activate_hotel(hotel="Z")

    with pytest.raises(InvalidParameters, match="one of A, B, C, D"):
        wrong()


def test_a_flow_stops_the_device(here: Bench) -> None:
    """At once, whatever runs; each time anew."""
    here.call("set_speed", {"speed": 20})
    moving = here.start_long_move()
    assert emergency_stop_flow(reason="to see")["confirmed"] is True
    assert here.result(moving)["error_code"] == "emergency_stopped"
    here.servo.until_still()


def test_64_reads_at_once(here: Bench) -> None:
    """None lost, and none mixed up."""

    @flow
    def many() -> list[object]:
        with FlowLab() as lab:
            tasks = ("get_position", "get_hotels", "health", "status")
            futures = [lab[DEVICE].submit(tasks[number % 4]) for number in range(64)]
            return [future.result() for future in futures]

    found = many()
    wanted = [here.call(task)["result"].keys() for task in ("get_position", "get_hotels", "health", "status")]
    assert [one.keys() for one in found] == wanted * 16
    assert len({one["request_id"] for one in asked(here)}) == 64
