"""What is kept of a flow run's calls, and what is made of it: ids, records, and the end of the run."""

from datetime import timedelta
import logging
import threading
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.runtime import flow_run
from prefect.states import Cancelled, Cancelling
import pytest
from tests.broker.bench import Bench
from tests.broker.observer import until
from tests.prefect.prefect_lab import PrefectLab
from tests.prefect.test_retries import DEVICE, asked, here

from lab2mqtt.client import Expired, NoAnswer
from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.prefect import FlowLab, cancel_calls, flow_lab, request_ids
from lab2mqtt.prefect.plate_resort import activate_hotel, activate_hotel_flow
from lab2mqtt.prefect.record import CALL, calls_of

__all__ = ["here"]


def test_tasks_that_run_at_once_have_their_ids_in_whatever_order_they_call(server: PrefectLab) -> None:
    """Only those that ask for the same are numbered; a retry of the flow asks under the same ids."""
    del server
    made: list[dict[str, str]] = []

    @task(cache_policy=NO_CACHE)
    def asks(number: int, before: threading.Event, after: threading.Event) -> None:
        assert before.wait(20)
        for _ in range(2):
            one = request_ids.next_id("pump", "move", {"ml": number})
            made[-1][one] = str(number)
        after.set()

    @flow(retries=1)
    def at_once() -> None:
        made.append({})
        first, second, third = (threading.Event() for _ in range(3))
        order = [(first, second), (second, third)][:: 1 if len(made) == 1 else -1]
        first.set()
        running = [asks.submit(number, *order[number]) for number in (0, 1)]
        for one in running:
            one.result()
        if len(made) == 1:
            raise RuntimeError("once more")

    at_once()
    assert made[0] == made[1]
    assert len(made[0]) == 4
    assert max(map(len, made[0])) <= 64


def test_tasks_of_the_same_content_are_numbered(server: PrefectLab) -> None:
    """Each of them is done."""
    del server

    @task(cache_policy=NO_CACHE)
    def asks() -> str:
        return request_ids.next_id("pump", "move", {"ml": 1})

    @flow
    def alike() -> list[str]:
        return [asks() for _ in range(3)]

    assert [one.rpartition(".")[0][-2:] for one in alike()] == [".0", ".1", ".2"]


def test_a_call_is_found_behind_many_others(server: PrefectLab) -> None:
    """Prefect gives 200 at once."""
    del server

    @flow
    def many() -> list[dict[str, Any]]:
        run = request_ids.this_run().id
        with get_client(sync_client=True) as client:
            for number in range(201):
                told = {"status": "success" if number else "sent"}
                client.create_artifact(ArtifactCreate(type=CALL, data=told, flow_run_id=run))
            return [told for _, told in calls_of(client, run)]

    found = many()
    assert len(found) == 201
    assert found[-1] == {"status": "sent"}


def test_what_the_device_did_not_cancel_is_not_told_as_cancelled(
    server: PrefectLab, broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    """Its record stays open, so that it can be cancelled once more; who waits is told that nobody knows."""
    del server
    told = {
        "status": "sent",
        "broker": f"mqtt://127.0.0.1:{broker.port}",
        "base": "nobody",
        "device": DEVICE,
        "request_id": "x.0",
    }

    @flow
    def left() -> str:
        with get_client(sync_client=True) as client:
            run = request_ids.this_run().id
            client.create_artifact(ArtifactCreate(type=CALL, data=told, flow_run_id=run))
        return str(flow_run.id)

    left_run = left()
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(left_run)
        with caplog.at_level(logging.ERROR):
            cancel_calls(left, run, Cancelling())
        assert [one for _, one in calls_of(client, run.id)] == [told]
        client.set_flow_run_state(run.id, Cancelled(), force=True)
    assert f"{DEVICE} did NOT cancel x.0: neither it nor its bridge is online" in caplog.text
    with pytest.raises(NoAnswer, match=r"did NOT cancel x\.0"):
        activate_hotel.result(run)


def test_a_cancelled_run_begins_no_motion_that_waited(here: Bench) -> None:
    """Also where the device becomes free just then."""

    class Ended(BaseException):
        pass

    @flow
    def waits() -> None:
        with FlowLab() as lab:
            lab[DEVICE].submit("activate_hotel", hotel="A")
            until(lambda: asked(here), "it was refused", within=20)
            with get_client(sync_client=True) as client:
                client.set_flow_run_state(request_ids.this_run().id, Cancelling(), force=True)
            here.call("release", {"holder": "somebody"})
            raise Ended

    before = here.servo.goals()
    here.call("reserve", {"holder": "somebody", "seconds": 60})
    with pytest.raises(Ended):
        waits()
    assert [one["task"] for one in asked(here)] == ["activate_hotel"]
    assert here.servo.goals() == before


def test_a_subflow_of_a_run_that_is_too_old_moves_nothing(
    here: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a new run, and asks for what the one before it did."""
    monkeypatch.setattr(flow_lab, "REMEMBERED", timedelta(0))

    @flow(retries=1)
    def outer() -> None:
        activate_hotel_flow("B")
        raise RuntimeError("once more")

    before = len(asked(here))
    with pytest.raises(Expired, match="more than a day ago"):
        outer()
    assert len(asked(here)) == before + 1


def test_names_of_runs_are_cut_and_cleaned_but_not_their_ids(here: Bench) -> None:
    """Two runs of one long name are not one holder."""
    before = len(asked(here))

    @flow(flow_run_name="plate\u202e " * 30)
    def long_name() -> str:
        with FlowLab() as lab, lab[DEVICE].reserved() as device:
            device.set_speed(speed=140)
        return str(flow_run.id)

    run = long_name()
    first, second = asked(here)[before : before + 2]
    holder = first["parameters"]["holder"]  # type: ignore[index]
    assert holder.endswith(f" {run}")
    assert second["reservation"] == holder
    for name in (holder, str(second["issued_by"])):
        assert len(name) <= 128
        assert name.isprintable()
