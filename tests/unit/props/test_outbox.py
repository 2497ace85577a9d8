"""What workers say reaches the main loop, fairly, and no faster than that takes it."""

import asyncio
import threading
import time
from typing import Self

import pytest
from tests.unit.props.prop_bench import Said, longest_wait, switching_as_the_host

from lab2mqtt.props import outbox as outbox_module
from lab2mqtt.props.outbox import (
    AT_ONCE,
    BYTES_AT_ONCE,
    LONGEST,
    PATIENCE,
    ROOM,
    ROOM_BYTES,
    Box,
    Outbox,
)


@pytest.fixture
async def said() -> Said:
    """What was said."""
    return Said()


@pytest.fixture
async def outbox(said: Said) -> Outbox:
    """One that says it there."""
    return Outbox(asyncio.get_running_loop(), said)


class Flood:
    """A thread that says all that it can."""

    def __init__(self, box: Box, qos: int = 0) -> None:
        self.count = 0
        self._box = box
        self._qos = qos
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        await asyncio.to_thread(self._thread.join)  # it may wait for the main loop

    def _run(self) -> None:
        while not self._over.is_set():
            self._box.put("flood", str(self.count), self._qos)
            self.count += 1


async def test_messages_come_in_order_and_as_they_are(outbox: Outbox, said: Said) -> None:
    """And in the main loop."""
    box = outbox.box("fogger")
    main = threading.get_ident()

    def put() -> None:
        for number in range(100):
            box.put("halloween/fogger/state", str(number), 1, retain=True)

    await asyncio.to_thread(put)
    await said.until(lambda: len(said.messages) == 100)
    assert said.messages == [("halloween/fogger/state", str(number), 1, True) for number in range(100)]
    assert threading.get_ident() == main


async def test_each_box_has_its_share_of_a_turn(outbox: Outbox, said: Said) -> None:
    """The one that was first does not go first with all."""
    for name in ("a", "b"):
        box = outbox.box(name)
        for number in range(2 * AT_ONCE):
            box.put(name, str(number))
    await asyncio.sleep(0)
    assert [one.topic for one in said.messages] == ["a"] * AT_ONCE + ["b"] * AT_ONCE
    await outbox.drained()
    assert len(said.messages) == 4 * AT_ONCE


async def test_who_floods_waits_and_nothing_is_lost(
    outbox: Outbox, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as the main loop turns, which on a busy machine it may not do for a while."""
    monkeypatch.setattr(outbox_module, "PATIENCE", 10.0)
    box = outbox.box("flooder")
    async with Flood(box) as flood:
        await asyncio.sleep(0.3)
    await outbox.drained(within=10)
    assert flood.count > ROOM
    assert [int(one.payload) for one in said.messages] == list(range(flood.count))
    assert box.dropped == 0


async def test_a_flood_delays_neither_the_main_loop_nor_other_boxes(said: Said) -> None:
    """Not even three of them."""
    delays: list[float] = []

    def put(until: float) -> None:
        while time.monotonic() < until:
            quiet.put("quiet", str(time.monotonic()))
            time.sleep(0.02)

    def say(payload: str) -> None:
        delays.append(time.monotonic() - float(payload))

    outbox = Outbox(
        asyncio.get_running_loop(), lambda one: say(one.payload) if one.topic == "quiet" else said(one)
    )
    quiet = outbox.box("quiet")
    floods = [Flood(outbox.box(f"flooder {number}")) for number in range(3)]
    with switching_as_the_host():
        async with floods[0], floods[1], floods[2]:
            late = await longest_wait(asyncio.to_thread(put, time.monotonic() + 1.0))
    await outbox.drained()
    assert len(delays) > 10
    assert sorted(delays)[len(delays) * 9 // 10] < 0.1
    assert late < 0.5  # where other programs want the processor too


async def test_where_the_main_loop_takes_nothing_the_oldest_is_dropped(outbox: Outbox, said: Said) -> None:
    """After half a second, and only what the broker would not confirm."""
    box = outbox.box("flooder")
    seconds: list[float] = []

    def put() -> None:
        box.put("state", "armed", 1)
        for number in range(ROOM):
            began = time.monotonic()
            box.put("tick", str(number))
            seconds.append(time.monotonic() - began)

    thread = threading.Thread(target=put)
    thread.start()
    thread.join()  # the main loop does nothing else
    assert PATIENCE <= seconds[-1] < PATIENCE + 0.2
    assert sum(seconds[:-1]) < PATIENCE
    await outbox.drained()
    assert box.dropped == 1
    assert [one.payload for one in said.messages] == ["armed", *(str(number) for number in range(1, ROOM))]


async def test_what_the_broker_confirms_is_not_dropped(outbox: Outbox, said: Said) -> None:
    """Who says it waits for each one."""
    box = outbox.box("flooder")

    def put() -> None:
        for number in range(ROOM + 1):
            box.put("state", str(number), 1)

    thread = threading.Thread(target=put)
    thread.start()
    thread.join()
    await outbox.drained()
    assert box.dropped == 0
    assert [one.payload for one in said.messages] == [str(number) for number in range(ROOM + 1)]


async def test_the_main_loop_itself_never_waits(outbox: Outbox) -> None:
    """It would wait for itself."""
    box, other = outbox.box("own"), outbox.box("other")
    began = time.monotonic()
    for number in range(3 * ROOM):
        box.put("tick", str(number))
        other.run_soon(lambda: None)
    assert time.monotonic() - began < PATIENCE
    assert box.dropped == 2 * ROOM


async def test_what_is_urgent_passes_all(outbox: Outbox, said: Said) -> None:
    """What came before too."""
    box = outbox.box("coffin")
    for number in range(100):
        box.put("tick", str(number))
    await asyncio.to_thread(box.urgent, "cmd", "stop")
    assert said.messages[0] == ("cmd", "stop", 1, False)


async def test_an_urgent_one_does_not_wait_although_its_box_is_full(outbox: Outbox) -> None:
    """Not even where the main loop takes nothing."""
    box = outbox.box("coffin")
    for number in range(ROOM):
        box.put("tick", str(number))
    seconds: list[float] = []

    def urgent() -> None:
        began = time.monotonic()
        box.urgent("cmd", "stop")
        seconds.append(time.monotonic() - began)

    thread = threading.Thread(target=urgent)
    thread.start()
    thread.join()
    assert seconds[0] < 0.1


async def test_of_a_closed_box_nothing_goes_out(outbox: Outbox, said: Said) -> None:
    """Neither what waits nor what comes; others are not touched."""
    box = outbox.box("given up")
    ran: list[str] = []
    box.put("tick", "0")
    box.urgent("cmd", "fire")
    box.run_soon(lambda: ran.append("before"))
    box.close()
    box.put("tick", "1")
    box.urgent("cmd", "fire")
    box.run_soon(lambda: ran.append("after"))
    other = outbox.box("other")
    other.put("tick", "2")
    await outbox.drained()
    assert [one.payload for one in said.messages] == ["2"]
    assert ran == []


async def test_who_waits_for_room_is_let_go_when_the_box_is_closed(outbox: Outbox) -> None:
    """At once."""
    box = outbox.box("given up")
    for number in range(ROOM):
        box.put("tick", str(number))
    began = time.monotonic()
    thread = threading.Thread(target=box.put, args=("tick", "one more"))
    thread.start()
    box.close()
    thread.join()
    assert time.monotonic() - began < PATIENCE


async def test_functions_run_in_the_main_loop_in_order(outbox: Outbox) -> None:
    """Whichever thread hands them over."""
    box = outbox.box("fogger")
    ran: list[tuple[int, int]] = []

    def put() -> None:
        for number in range(50):
            box.run_soon(lambda number=number: ran.append((number, threading.get_ident())))  # type: ignore[misc]

    await asyncio.to_thread(put)
    await outbox.drained()
    assert ran == [(number, threading.get_ident()) for number in range(50)]


async def test_one_that_fails_holds_up_none(
    outbox: Outbox, said: Said, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told in the log."""

    def fail() -> None:
        raise ValueError("too long a topic")

    box = outbox.box("fogger")
    box.run_soon(fail)
    box.put("tick", "0")
    await outbox.drained()
    assert len(said.messages) == 1
    assert "too long a topic" in caplog.text


async def test_drained_does_not_wait_for_one_that_never_falls_silent() -> None:
    """Here each message makes the next."""
    outbox = Outbox(asyncio.get_running_loop(), lambda one: echo.put(*one))
    echo = outbox.box("echo")
    echo.put("tick", "0")
    began = time.monotonic()
    await outbox.drained(0.2)
    assert 0.2 <= time.monotonic() - began < 2
    echo.close()


def test_what_is_said_after_the_main_loop_has_ended_is_nobodys_trouble() -> None:
    """A thread that was given up may come to itself at any time."""
    loop = asyncio.new_event_loop()
    box = Outbox(loop, lambda _: None).box("given up")
    loop.close()
    box.put("tick", "0")
    box.urgent("cmd", "stop")
    box.run_soon(lambda: None)


async def test_nothing_follows_a_stop_that_was_to_come_before_it(outbox: Outbox, said: Said) -> None:
    """A command that still waits would move what has just been stopped; what else waits is said."""
    box = outbox.box("haunt")
    box.put("coffin/cmd", "trigger", 1)
    box.put("haunt/state", "armed", 1)
    box.urgent("coffin/cmd", "stop")
    box.put("coffin/cmd", "arm", 1)
    await outbox.drained()
    assert [one.payload for one in said.messages] == ["stop", "armed", "arm"]


async def test_large_messages_have_their_share_too(outbox: Outbox, said: Said) -> None:
    """A turn does not take them all, and they do not fill the memory."""
    box, other = outbox.box("camera"), outbox.box("fogger")
    picture = "x" * (BYTES_AT_ONCE // 2)
    for _ in range(5):
        box.put("camera", picture)
    other.put("tick", "0")
    await asyncio.sleep(0)
    assert [one.topic for one in said.messages] == ["camera", "camera", "tick"]
    for _ in range(2 * ROOM_BYTES // LONGEST):
        box.put("camera", "x" * LONGEST)
    assert box.dropped > 0


async def test_where_the_broker_is_behind_only_stops_go_out(said: Said) -> None:
    """The rest waits here, where a flood is held up."""
    is_behind = True
    outbox = Outbox(asyncio.get_running_loop(), said, lambda: is_behind)
    box = outbox.box("coffin")
    box.put("tick", "0")
    box.urgent("cmd", "stop")
    await said.until(lambda: said.messages)
    await asyncio.sleep(0.05)
    assert [one.payload for one in said.messages] == ["stop"]
    is_behind = False
    await outbox.drained()
    assert [one.payload for one in said.messages] == ["stop", "0"]


@pytest.mark.parametrize(
    ("topic", "payload", "words"),
    [
        ("tick", "x" * (LONGEST + 1), "1000001 bytes"),
        ("tick", "ä" * LONGEST, "2000000 bytes"),
        ("", "0", "no topic"),
        ("a/+/b", "0", "no topic"),
        ("a\nb", "0", "no topic"),
        ("a\x00b", "0", "no topic"),
        ("ä" * 40_000, "0", "no topic"),
    ],
)
async def test_what_no_broker_takes_is_the_workers_own_error(
    outbox: Outbox, topic: str, payload: str, words: str
) -> None:
    """It would drop everybody's link for it."""
    box = outbox.box("odd")
    with pytest.raises(ValueError, match=words):
        box.put(topic, payload)
    with pytest.raises(ValueError, match=words):
        box.urgent(topic, payload)


async def test_the_host_itself_does_not_fill_a_box(outbox: Outbox, said: Said) -> None:
    """What others ask of a worker makes it say things; what the broker keeps is said all the same."""
    box = outbox.box("asked")
    for number in range(2 * ROOM):
        box.put("status/warn", str(number), 1)
    box.put("availability", "offline", 1, retain=True)
    assert box.dropped == ROOM
    await outbox.drained()
    assert [one.payload for one in said.messages] == [*(str(number) for number in range(ROOM)), "offline"]


async def test_a_box_is_drained_although_more_comes(said: Said) -> None:
    """Of what was there before."""
    outbox = Outbox(asyncio.get_running_loop(), said)
    box = outbox.box("flooder")
    async with Flood(box):
        await said.until(lambda: len(said.messages) > 10)
        before = len(said.messages)
        began = time.monotonic()
        await box.drained(5.0)
        assert time.monotonic() - began < 1.0
    assert len(said.messages) > before
