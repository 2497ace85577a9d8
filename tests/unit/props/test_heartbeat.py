"""The heartbeat does what the original's document says, to the letter."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.unit.props.recorded_ties import RecordedTies

from lab2mqtt.core.errors import Refused
from lab2mqtt.props import spoken_command
from lab2mqtt.props.actions import actions_of
from lab2mqtt.props.builtin.heartbeat import Worker

Running = Callable[..., Awaitable[tuple[Worker, RecordedTies]]]


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """Starts a heartbeat with a configuration, and ends it."""
    workers: list[Worker] = []

    async def start(**config: object) -> tuple[Worker, RecordedTies]:
        ties = RecordedTies()
        worker = Worker("heartbeat", ties, config)
        workers.append(worker)
        await worker.start()
        return worker, ties

    yield start
    for worker in workers:
        tasks = list(worker._tasks)
        await worker.stop()
        await asyncio.gather(*tasks, return_exceptions=True)


async def say(worker: Worker, payload: str) -> None:
    """Do what a message on its cmd topic asks for."""
    spoken = spoken_command.read(payload.encode())
    action = actions_of(Worker)[spoken.action]
    args, named = action.call_arguments(action.arguments_of(spoken.args))
    await getattr(worker, action.method)(*args, **named)


async def test_it_counts_from_0(running: Running) -> None:
    """Tick 0 comes at once, the next after the interval."""
    _, ties = await running(tick_interval=0.05)
    began = ties.loop.time()
    await ties.until(lambda: ties.values.get("tick") == 3)
    assert 0.14 < ties.loop.time() - began < 1
    ticks = [payload for topic, payload in ties.published if topic == "halloween/heartbeat/telemetry/tick"]
    assert ticks == ["0", "1", "2", "3"]
    assert ties.retained["halloween/heartbeat/status/availability"] == "online"


async def test_it_ticks_every_5_seconds_unless_told(running: Running) -> None:
    """Without configuration the interval is the documented one."""
    worker, ties = await running()
    assert worker._interval() == 5
    await ties.until(lambda: ties.values.get("tick") == 0)
    with pytest.raises(TimeoutError):
        await ties.until(lambda: ties.values.get("tick") == 1, within=0.3)


@pytest.mark.parametrize("wrong", ["soon", 0, -1, True, None, float("nan"), 1e-9, [5]])
async def test_an_interval_that_is_none_is_told_of(running: Running, wrong: object) -> None:
    """It ticks all the same."""
    _, ties = await running(tick_interval=wrong)
    await ties.until(lambda: ties.messages and "tick" in ties.values)
    key, text = ties.messages[0]
    assert key == "warn"
    assert text == f"tick_interval {wrong!r} is not a number of seconds, 0.05 or more; 5 is used"


@pytest.mark.parametrize(
    ("payload", "key", "values"),
    [
        ("ping hello", "pong", ["hello"]),
        ("ping", "pong", ["ok"]),
        ('{"action": "ping", "args": "hello"}', "pong", ["hello"]),
        ('{"action": "ping", "args": 7}', "pong", ["7"]),
        ("set_mode armed", "mode", ["armed"]),
        ("set_mode any mode at all", "mode", ["any mode at all"]),
        ("set_mode", "mode", ["idle"]),
        ('{"action": "set_mode", "args": "  "}', "mode", ["idle"]),
        ("fire 75", "event", ["fire start 75ms", "fire end"]),
        ('{"action": "fire", "args": 75}', "event", ["fire start 75ms", "fire end"]),
        ('{"action": "fire", "params": {"ms": 75}}', "event", ["fire start 75ms", "fire end"]),
        ("fire", "event", ["fire start 500ms", "fire end"]),
        ('{"action": "fire", "args": ""}', "event", ["fire start 500ms", "fire end"]),
    ],
)
async def test_the_documented_commands(running: Running, payload: str, key: str, values: list[str]) -> None:
    """Text and JSON, each with the values that the document shows."""
    worker, ties = await running()
    began = ties.loop.time()
    await say(worker, payload)
    told = [text for topic, text in ties.published if topic == f"halloween/heartbeat/telemetry/{key}"]
    assert told == values
    if key == "event":
        assert ties.loop.time() - began > (0.49 if "500" in values[0] else 0.07)


@pytest.mark.parametrize("payload", ["fire soon", "fire -5", "fire 3600001", "fire 1 2"])
async def test_a_fire_that_is_no_time_is_refused(running: Running, payload: str) -> None:
    """The words say what is allowed."""
    worker, ties = await running()
    with pytest.raises(Refused, match=r"ms .* a whole number, 0 to 3600000 ms"):
        await say(worker, payload)
    assert "event" not in ties.values


async def test_nothing_of_it_is_left_moving_by_an_emergency_stop(running: Running) -> None:
    """It confirms a stop, and has nobody to tell."""
    worker, ties = await running()
    await worker.on_emergency_stop()
    assert not ties.asked
