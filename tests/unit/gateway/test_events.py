"""What waits for one reader is bounded."""

import json

import pytest

from lab2mqtt.gateway import events
from lab2mqtt.gateway.events import Reader, sse


async def _all(reader: Reader) -> list[str]:
    reader.end()
    return [one.decode() async for one in reader.stream()]


async def test_the_oldest_go_first_and_the_reader_is_told_how_many() -> None:
    """By number."""
    reader = Reader()
    for number in range(events.MOST + 3):
        reader.put(sse("state", {"number": number}))
    told = await _all(reader)
    assert told[0] == 'event: missed\ndata: {"events":3}\n\n'
    assert told[1] == 'event: state\ndata: {"number":3}\n\n'
    assert len(told) == 1 + events.MOST


async def test_large_events_are_bounded_by_their_bytes() -> None:
    """But one may always wait."""
    reader = Reader()
    large = sse("result", "x" * (events.LARGEST // 2))
    for _ in range(4):
        reader.put(large)
    assert (await _all(reader))[0] == 'event: missed\ndata: {"events":3}\n\n'
    alone = Reader()
    alone.put(sse("result", "x" * (2 * events.LARGEST)))
    assert len(await _all(alone)) == 1


async def test_a_reader_hears_that_the_line_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a comment, which is no event."""
    monkeypatch.setattr(events, "HEARTBEAT", 0.01)
    reader = Reader()
    stream = reader.stream()
    assert (await anext(stream)).startswith(b": ")
    reader.put(sse("stop", {"text": "two\nlines"}))
    event = await anext(stream)
    assert event.count(b"\n") == 3
    assert json.loads(event.partition(b"data: ")[2]) == {"text": "two\nlines"}


async def test_nothing_comes_after_the_end() -> None:
    """However long what waited takes."""
    reader = Reader()
    reader.put(b"1")
    reader.end()
    reader.put(b"2")
    assert [one async for one in reader.stream()] == [b"1"]


async def test_who_is_cut_off_is_not_told_what_waits() -> None:
    """The token may be one that was taken away."""
    reader = Reader()
    for number in range(events.MOST + 1):
        reader.put(sse("state", {"number": number}))
    reader.cut()
    assert [one async for one in reader.stream()] == []
