"""The client as scripts and notebooks use it, against a real bridge."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
import contextlib
import time

import pytest
from tests.broker.bench import DEVICE, Bench

from lab2mqtt import client
from lab2mqtt.client import Lab, SyncLab, lab as client_lab
from lab2mqtt.hub.ports import free_port
from lab2mqtt.runtime.mqtt import BrokerError

SOON = 3.0  # s in which a broker that refuses is told about


@pytest.fixture
async def lab(bench: Bench) -> AsyncIterator[Lab]:
    """A client of the bench."""
    async with Lab(_url(bench), base=bench.base) as found:
        yield found


def _url(bench: Bench) -> str:
    return f"mqtt://127.0.0.1:{bench.broker.port}"


async def test_a_task_is_a_method(bench: Bench, lab: Lab) -> None:
    """It returns what the task returned, once the carousel stands there."""
    arrival = await lab[DEVICE].activate_hotel(hotel="B")
    assert abs(arrival["angle_deg"] - 109) < 0.5
    assert abs(bench.servo.truth()["position"] - 109) < 0.5
    assert lab[DEVICE].state["active_hotel"] == "B"
    assert list(lab) == [DEVICE]
    assert lab[DEVICE].reachable
    assert "ready" in repr(lab[DEVICE])


async def test_several_calls_at_once_on_one_connection(bench: Bench, lab: Lab) -> None:
    """Each gets its own answer, reads before the move that runs."""
    resort = lab[DEVICE]
    moving = asyncio.create_task(
        resort.activate_hotel(hotel="D" if bench.servo.truth()["position"] < 180 else "A")
    )
    await asyncio.sleep(0)  # so that it is sent first
    answers = await asyncio.gather(
        resort.get_hotels(),
        resort.get_position(),
        resort.find_plate(plate="nowhere"),
        resort.call("set_speed", {"speed": 0}),
        return_exceptions=True,
    )
    assert not moving.done()
    assert answers[0]["hotels"] == ["A", "B", "C", "D"]
    assert answers[1]["moving"] in (True, False)
    assert isinstance(answers[2], client.TaskError)
    assert isinstance(answers[3], client.InvalidParameters)
    assert (await moving)["result"] == "reached"


async def test_progress_is_told(bench: Bench, lab: Lab) -> None:
    """While the task runs."""
    told: list[dict[str, object]] = []
    hotel = "D" if bench.servo.truth()["position"] < 180 else "A"
    await lab[DEVICE].call("activate_hotel", {"hotel": hotel}, on_progress=told.append)
    assert told[0]["status"] == "running"
    assert [one for one in told if one["status"] == "progress"]


@pytest.mark.parametrize(
    ("task", "parameters", "error", "code"),
    [
        ("activate_hotel", {"hotel": "Z"}, client.InvalidParameters, "invalid_parameters"),
        ("activate_hotle", {}, client.UnknownTask, "unknown_task"),
        ("remove_plate", {"plate": "none"}, client.TaskError, None),
        ("cancel", {}, client.TaskError, None),
    ],
)
async def test_errors_have_types(
    lab: Lab, task: str, parameters: dict[str, object], error: type[client.TaskError], code: str | None
) -> None:
    """One by error code, all of them TaskErrors, with the device's own words."""
    with pytest.raises(error) as caught:
        await lab[DEVICE].call(task, parameters)
    assert code in (None, caught.value.error_code)
    assert str(caught.value)


async def test_a_cancelled_a_stopped_and_a_timed_out_task(bench: Bench, lab: Lab) -> None:
    """Each tells by its type how it ended."""
    resort = lab[DEVICE]

    async def far(timeout: float | None = None) -> object:  # noqa: ASYNC109 - the task's
        angle = 355.0 if bench.servo.truth()["position"] < 180 else 5.0
        return await resort.call("move_to_angle", {"angle": angle}, timeout=timeout)

    with pytest.raises(client.TaskTimedOut):
        await far(timeout=0.3)
    moving = asyncio.create_task(far())
    await lab.wait_until(lambda one: bool(one[DEVICE].state["moving"]))
    await resort.cancel()
    with pytest.raises(client.TaskCancelled):
        await moving
    await lab.wait_until(lambda one: not one[DEVICE].state["moving"])
    moving = asyncio.create_task(far())
    await lab.wait_until(lambda one: bool(one[DEVICE].state["moving"]))
    await lab.engage_stop("enough")
    with pytest.raises(client.Stopped, match="enough"):
        await moving
    await lab.wait_until(lambda one: one.stop is not None)
    assert await lab.release_stop() is True
    await lab.wait_until(lambda one: not one[DEVICE].state["emergency_stop"])
    assert bench.servo.truth()["torque"] is False


async def test_the_same_id_is_done_once(bench: Bench, lab: Lab) -> None:
    """A script that lost its answer asks again."""
    resort = lab[DEVICE]
    first = await resort.call("activate_hotel", {"hotel": "A"}, request_id="script")
    await resort.activate_hotel(hotel="B")
    assert await resort.call("activate_hotel", {"hotel": "A"}, request_id="script") == first
    assert abs(bench.servo.truth()["position"] - 109) < 0.5
    with pytest.raises(client.Conflict):
        await resort.call("activate_hotel", {"hotel": "C"}, request_id="script")


async def test_an_unknown_device_is_told_the_nearest(lab: Lab) -> None:
    """And an unknown task too, before anything is sent."""
    with pytest.raises(client.UnknownDevice, match=DEVICE):
        lab["plate-resrot"]
    with pytest.raises(AttributeError, match="activate_hotel"):
        lab[DEVICE].activate_hotell  # noqa: B018 - asked for


async def test_a_bridge_that_is_gone_is_told_at_once(bench: Bench, lab: Lab) -> None:
    """Nobody is to wait for an answer that cannot come."""
    bench.bridge.kill()
    await lab.wait_until(lambda one: not one[DEVICE].reachable)
    with pytest.raises(client.DeviceUnavailable, match=r"its bridge .* is offline"):
        await asyncio.wait_for(lab[DEVICE].call("get_position"), 1)
    bench.bridge.start()
    await lab.wait_until(lambda one: one[DEVICE].reachable)
    assert (await lab[DEVICE].call("get_position"))["moving"] is False


async def test_a_bridge_that_hangs_gives_no_answer(
    bench: Bench, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the task's time and some patience; its broker still believes in it."""
    monkeypatch.setattr(client_lab, "PATIENCE", 0.5)
    bench.bridge.hang()
    try:
        with pytest.raises(client.NoAnswer, match=r"not answered within 0\.7 s"):
            await lab[DEVICE].call("get_position", timeout=0.2)
    finally:
        bench.bridge.hang(hangs=False)


async def test_no_broker_is_told_soon() -> None:
    """A port where nobody listens is no reason to wait."""
    began = time.monotonic()
    with pytest.raises(BrokerError, match="refused"):
        async with Lab(f"mqtt://127.0.0.1:{free_port()}"):
            pass
    assert time.monotonic() - began < SOON


async def test_a_broker_that_went_away(bench: Bench, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call fails; when the broker is back, so is the client."""
    monkeypatch.setattr(client_lab, "PATIENCE", 0.5)
    bench.broker.kill()
    with pytest.raises((BrokerError, client.NoAnswer, client.DeviceUnavailable)):
        await lab[DEVICE].call("get_position", timeout=0.2)
    bench.broker.start()

    async def works() -> None:
        while True:
            with contextlib.suppress(BrokerError, client.NoAnswer, client.DeviceUnavailable):
                await lab[DEVICE].call("get_position", timeout=0.2)
                return
            await asyncio.sleep(0.1)

    await asyncio.wait_for(works(), 15)


async def test_a_link_that_does_not_settle_is_made_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on amqtt, which may take a part of a subscription only; a slow broker has more time then."""
    monkeypatch.setattr(client_lab, "SETTLED_WITHIN", 0.0)
    async with Lab(_url(bench), base=bench.base, connect_within=15.0) as lab:
        assert lab._connection.reconnects == 1
        assert await lab[DEVICE].get_position()


async def test_watching_tells_everything(bench: Bench, lab: Lab) -> None:
    """Who, what kind, and the message, in order."""
    told: list[tuple[str, str]] = []

    async def watch() -> None:
        async for name, kind, message in lab.watch():
            told.append((name, kind))
            if kind == "result" and message["request_id"] == "watched":
                return

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    hotel = "D" if bench.servo.truth()["position"] < 180 else "A"
    await lab[DEVICE].call("activate_hotel", {"hotel": hotel}, request_id="watched")
    await asyncio.wait_for(watching, 5)
    assert {(DEVICE, kind) for kind in ("state", "progress", "event", "result")} <= set(told)


async def test_waiting_for_what_never_comes_ends(lab: Lab) -> None:
    """With a TimeoutError."""
    with pytest.raises(TimeoutError):
        await lab.wait_until(lambda _: False, 0.05)


def test_the_same_without_async(bench: Bench) -> None:
    """From several threads at once, too."""
    with SyncLab(_url(bench), base=bench.base) as lab:
        assert list(lab) == [DEVICE]
        resort = lab[DEVICE]
        assert resort.reachable
        with ThreadPoolExecutor(4) as threads:
            reads = [threads.submit(resort.get_position) for _ in range(6)]
            move = threads.submit(resort.activate_hotel, hotel="C")
            assert all(0 <= read.result(10)["position"] < 360 for read in reads)
            assert abs(move.result(10)["angle_deg"] - 199) < 0.5
        assert resort.state["active_hotel"] == "C"
        with pytest.raises(client.InvalidParameters, match="A, B, C, D"):
            resort.activate_hotel(hotel="Z")
        with pytest.raises(client.UnknownDevice):
            lab["nobody"]
        stop_id = lab.engage_stop("notebook")
        bench.wait_for(bench.topic("state"), lambda state: state["emergency_stop"])
        assert bench.seen.last(bench.base_stop)["stop_id"] == stop_id
        with pytest.raises(client.Stopped, match="notebook"):
            resort.go_home()
        bench.wait_for(bench.base_stop, lambda told: told["stop_id"] == stop_id)
        assert lab.release_stop() is True
    lab.close()


def test_no_broker_without_async() -> None:
    """The error is the same, and the thread is gone."""
    began = time.monotonic()
    with pytest.raises(BrokerError):
        SyncLab(f"mqtt://127.0.0.1:{free_port()}")
    assert time.monotonic() - began < SOON
