"""Flows that a worker runs, and functions that have it do so."""

import os
from pathlib import Path
import signal

from prefect.client.orchestration import get_client
from prefect.states import Cancelling
import pytest
from tests.broker.bench import Bench
from tests.broker.observer import until
from tests.broker.program import Program
from tests.prefect.prefect_lab import PrefectLab

from lab2mqtt.prefect import cancel_calls
from lab2mqtt.prefect.plate_resort import activate_hotel, emergency_stop, get_status, move_to_angle_flow

pytestmark = pytest.mark.timeout(180)  # s; the process of a run takes its time to start on a busy machine


def processes_of(flow_run: object) -> list[int]:
    """The engine processes of a flow run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:
            continue
        if b"prefect.engine" in command and f"PREFECT__FLOW_RUN_ID={flow_run}".encode() in environment:
            found.append(int(folder.name))
    return found


def test_a_caller_gets_the_result(lab: PrefectLab, bench: Bench) -> None:
    """It knows the Prefect API alone: neither the broker nor a disk of the worker."""
    before = bench.servo.goals()
    first = get_status.submit()  # both at once: it does not wait
    moved = activate_hotel.submit("B")
    assert not moved.state.is_final()
    assert activate_hotel.result(moved)["hotel"] == "B"
    assert get_status.result(first)["connected"] is True
    assert bench.servo.goals() == before + 1
    assert bench.servo.truth()["position"] == pytest.approx(109, abs=1)
    assert "activate_hotel: progress" in lab.log(moved.id)
    [bar] = lab.artifacts(moved.id, "progress")
    assert bar["data"] == 100
    [call] = lab.artifacts(moved.id, "lab2mqtt-call")
    assert call["data"]["request_id"] == f"{moved.id}.0"


def test_a_killed_flow_that_is_retried_moves_once(quick_lab: PrefectLab, bench: Bench) -> None:
    """The device answers the same id from its ledger; the motion itself goes on without the flow."""
    bench.call("set_speed", {"speed": 20})
    before = bench.servo.goals()
    run = quick_lab.run_of("move-to-angle/plate-resort-move-to-angle", {"angle": 200})
    until(lambda: bench.servo.truth()["moving"], "the run has begun to move it", within=30)
    for process in processes_of(run):
        os.kill(process, signal.SIGKILL)
    # The worker says so twice; the second would undo what comes in between.
    quick_lab.worker.until_said("prefect.flow_runs.worker - Check whether")
    quick_lab.retry(run)
    quick_lab.until_state(run, "COMPLETED")
    assert bench.servo.goals() == before + 1
    results = {told["data"]["request_id"] for told in quick_lab.artifacts(run, "lab2mqtt-call")}
    assert results == {f"{run}.0"}


def test_a_cancelled_run_stops_the_motion(quick_lab: PrefectLab, bench: Bench) -> None:
    """Cancel in Prefect ends the task on the device, and both say so."""
    bench.call("set_speed", {"speed": 10})
    run = quick_lab.run_of("move-to-angle/plate-resort-move-to-angle", {"angle": 10})
    until(lambda: bench.servo.truth()["moving"], "the run has begun to move it", within=30)
    quick_lab.cancel(run)
    result = bench.result(f"{run}.0", within=10)
    assert result["error_code"] == "cancelled"
    bench.servo.until_still()
    assert bench.servo.truth()["position"] > 15
    assert quick_lab.until_state(run, "CANCELLED", "FAILED", "CRASHED", "COMPLETED") == "CANCELLED"
    [call] = quick_lab.artifacts(run, "lab2mqtt-call")
    assert call["data"]["error_code"] == "cancelled"


def test_an_emergency_stop_waits_for_no_worker(quick_lab: PrefectLab, bench: Bench, tmp_path: Path) -> None:
    """Who listens for stops does them at once, also where the pool takes no more runs."""
    arguments = ["prefect", "stops", "plate-resort", "--config", str(bench.config)]
    stops = Program(arguments, tmp_path / "stops.log", environment=quick_lab.environment)
    stops.start()
    quick_lab.change_pool(is_paused=True)
    try:
        stops.until_said("listening", within=20)
        bench.call("set_speed", {"speed": 16})  # 22 °/s: slow, and moving for who waits for it
        moving = bench.start_long_move()
        told = emergency_stop(reason="to see")
        assert told["confirmed"] is True
        assert bench.result(moving)["error_code"] == "emergency_stopped"
    finally:
        quick_lab.change_pool(is_paused=False)
        stops.terminate(signal.SIGINT)
    said, heard = (bench.seen.heard(bench.topic(kind))[-1] for kind in ("command", "event"))
    assert said.json["issued_by"] == "prefect/stops"
    assert heard.at > said.at


def test_what_a_killed_flow_left_moving_is_cancelled_by_its_record(
    quick_lab: PrefectLab, bench: Bench
) -> None:
    """The hook runs in the worker, and has nothing but what the run has told Prefect."""
    bench.call("set_speed", {"speed": 20})
    goal = 355.0 if bench.servo.truth()["position"] < 180 else 5.0
    run = quick_lab.run_of("move-to-angle/plate-resort-move-to-angle", {"angle": goal})
    until(lambda: bench.servo.truth()["moving"], "the run has begun to move it", within=30)
    for process in processes_of(run):
        os.kill(process, signal.SIGKILL)
    quick_lab.until_state(run, "CRASHED")
    assert bench.servo.truth()["moving"]  # a process that ends is no wish to stop
    with get_client(sync_client=True) as client:
        cancel_calls(move_to_angle_flow, client.read_flow_run(run), Cancelling())
    assert bench.result(f"{run}.0", within=10)["error_code"] == "cancelled"
    bench.servo.until_still()
    [call] = quick_lab.artifacts(run, "lab2mqtt-call")
    assert call["data"]["error_code"] == "cancelled"
