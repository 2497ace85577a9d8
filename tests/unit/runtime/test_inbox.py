"""The inbox: at once where nothing waits, in turn where much does, and never more than there is room for."""

import asyncio
from collections import Counter

import pytest

from lab2mqtt.runtime.inbox import BYTES, MESSAGES, Inbox
from lab2mqtt.runtime.mqtt import Message


class Done:
    """Notes what was done, and what was dropped."""

    def __init__(self) -> None:
        self.done: list[tuple[str, bytes]] = []
        self.dropped: Counter[str] = Counter()
        self.inbox = Inbox(self._handle, self._drop)

    def _handle(self, message: Message) -> None:
        self.done.append((message.topic, message.payload))
        if message.payload == b"fails":
            raise RuntimeError(message.payload)

    def _drop(self, topic: str) -> None:
        self.dropped[topic] += 1

    def put(self, topic: str, *payloads: bytes) -> None:
        """Let messages come."""
        for payload in payloads:
            self.inbox.put(Message(topic, payload, retained=False))

    def on(self, topic: str) -> list[bytes]:
        """What was done of a topic."""
        return [payload for name, payload in self.done if name == topic]

    async def until_empty(self) -> None:
        """Wait until nothing waits."""
        async with asyncio.timeout(5):
            while self.inbox.waits():  # noqa: ASYNC110 - turn by turn
                await asyncio.sleep(0)


async def test_where_nothing_waits_it_is_done_at_once() -> None:
    """On every topic, without a turn of the loop between."""
    seen = Done()
    seen.put("a", b"1")
    seen.put("b", b"1")
    assert seen.done == [("a", b"1"), ("b", b"1")]
    await asyncio.sleep(0)
    seen.put("a", b"2")
    assert seen.on("a") == [b"1", b"2"]
    assert not seen.inbox.waits()


async def test_a_topic_keeps_its_order_and_others_do_not_wait() -> None:
    """A hundred of one come before one of another, which is done first."""
    seen = Done()
    many = [b"%d" % number for number in range(100)]
    seen.put("a", *many)
    seen.put("b", b"1")
    assert seen.done == [("a", b"0"), ("b", b"1")]
    assert seen.inbox.waits("a")
    assert not seen.inbox.waits("b")
    await seen.until_empty()
    assert seen.on("a") == many


async def test_what_waits_on_several_topics_is_done_in_turn() -> None:
    """One of each, then the next of each."""
    seen = Done()
    for topic in ("a", "b", "c"):
        seen.put(topic, b"0", b"1", b"2")
    await seen.until_empty()
    assert [topic for topic, _ in seen.done] == ["a", "b", "c"] * 3


@pytest.mark.parametrize(("size", "room"), [(10, MESSAGES), (BYTES // 4, 4)])
async def test_there_is_room_for_so_many_and_so_much(size: int, room: int) -> None:
    """What comes beyond it is dropped and told; when there is room again, it is taken."""
    seen = Done()
    payload = b"x" * size
    seen.put("a", *[payload] * (1 + room + 7))
    assert seen.dropped == {"a": 7}
    await seen.until_empty()
    assert len(seen.on("a")) == 1 + room
    seen.put("a", payload, payload)
    await seen.until_empty()
    assert len(seen.on("a")) == 1 + room + 2
    assert seen.dropped == {"a": 7}


async def test_what_must_not_be_overtaken_is_done_now() -> None:
    """One topic, or all; each thing once."""
    seen = Done()
    for topic in ("a", "b", "c"):
        seen.put(topic, b"0", b"1", b"2")
    seen.inbox.catch_up("b")
    assert seen.on("b") == [b"0", b"1", b"2"]
    assert seen.on("a") == [b"0"]
    seen.inbox.catch_up()
    assert not seen.inbox.waits()
    seen.put("a", b"3", b"4")
    await seen.until_empty()
    assert seen.on("a") == [b"0", b"1", b"2", b"3", b"4"]
    assert seen.on("c") == [b"0", b"1", b"2"]


async def test_one_that_fails_holds_up_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged; the next is done."""
    seen = Done()
    seen.put("a", b"0", b"fails", b"2")
    await seen.until_empty()
    assert seen.on("a") == [b"0", b"fails", b"2"]
    assert "could not be handled" in caplog.text
