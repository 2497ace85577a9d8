"""The latches of the emergency stop, and the small file that keeps them."""

import asyncio
from collections.abc import Callable, Iterator
import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from lab2mqtt import wire
from lab2mqtt.runtime import kept as kept_module
from lab2mqtt.runtime.kept import Kept
from lab2mqtt.runtime.stop import Latches, told

LAB = "lab2mqtt/emergency_stop"
WITHIN = 5.0  # s; only a test that fails waits so long


def stop(stop_id: str = "s1", *, engaged: bool = True, by: str = "a person") -> dict[str, Any]:
    """A stop of the lab, or its release."""
    return wire.stop_message(engaged=engaged, stop_id=stop_id, by=by, reason="smoke", timestamp=1)


async def test_the_labs_stop_holds_every_device_and_a_devices_own_only_that_one() -> None:
    """Two latches, and motion needs both released."""
    latches = Latches(None, LAB)
    latches.engage("sink", stop("own"))
    assert latches.of("sink") == stop("own")
    assert latches.of("bath") is None
    assert latches.hear(LAB, stop("lab"))
    assert latches.of("bath") == latches.of("sink") == stop("lab")
    assert latches.own("sink") == stop("own")
    assert latches.hear(LAB, stop("lab", engaged=False))
    assert latches.of("sink") == stop("own")
    latches.release("sink")
    assert latches.of("sink") is None


async def test_a_release_that_names_an_older_stop_releases_nothing() -> None:
    """Somebody stopped again meanwhile, for another reason."""
    latches = Latches(None, LAB)
    latches.hear(LAB, stop("old"))
    latches.hear(LAB, stop("new"))
    assert not latches.hear(LAB, stop("old", engaged=False))
    assert latches.of("sink") == stop("new")


async def test_the_same_stop_again_changes_nothing() -> None:
    """It is retained, and comes with every connection."""
    latches = Latches(None, LAB)
    assert latches.hear(LAB, stop())
    assert not latches.hear(LAB, stop())


async def test_two_stop_topics_are_two_latches() -> None:
    """The one of the house and the one of the base topic."""
    latches = Latches(None, LAB)
    latches.hear(LAB, stop("one"))
    latches.hear("house/stop", stop("two"))
    latches.hear(LAB, stop("one", engaged=False))
    assert latches.of("sink") == stop("two")


async def test_both_latches_survive_a_restart(tmp_path: Path) -> None:
    """A power cut releases nothing."""
    file = tmp_path / "state" / "stop.json"
    before = Latches(file, LAB)
    before.hear(LAB, stop("lab"))
    before.engage("sink", stop("own"))
    assert await before.kept()
    after = Latches(file, LAB)
    assert (after.lab[LAB], after.own("sink")) == (stop("lab"), stop("own"))
    after.hear(LAB, stop("lab", engaged=False))
    after.release("sink")
    assert await after.kept()
    assert Latches(file, LAB).of("sink") is None


def _text(content: str) -> Callable[[Path], None]:
    def spoil(file: Path) -> None:
        file.write_text(content)

    return spoil


def _folder(file: Path) -> None:
    file.mkdir()


def _bytes(file: Path) -> None:
    file.write_bytes(b"\xff")


@pytest.mark.parametrize(
    "spoil",
    [
        _text(""),
        _text('{"lab": {'),
        _text("[]"),
        _text('{"lab": 3}'),
        _text('{"lab": [], "devices": 7}'),
        _text('{"lab": {"t": 3}, "devices": {}}'),
        _text('{"lab": {}, "devices": {"sink": true}}'),
        _text('{"lab": [], "devices": {}}'),
        _folder,
        _bytes,
        _text("[" * 200_000),
        _text('{"devices": {"sink": ' + "[" * 200_000),
        _text('{"lab": {"t": {"engaged": true, "stop_id": "s", "by": "", "reason": "", "timestamp": NaN}}}'),
    ],
    ids=range(13),
)
async def test_a_record_that_cannot_be_read_counts_as_an_engaged_stop(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """Whoever releases it has looked at the lab."""
    file = tmp_path / "stop.json"
    spoil(file)
    latches = Latches(file, LAB)
    held = latches.of("sink")
    assert held is not None
    assert "its record cannot be read" in told(held)
    release = wire.stop_message(engaged=False, stop_id=held["stop_id"], by="a person", reason="", timestamp=1)
    assert latches.hear(LAB, release)
    assert latches.of("sink") is None
    assert await latches.kept() is not file.is_dir()


async def test_a_file_that_cannot_be_written_does_not_hinder_a_stop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Stopped first, kept after; and somebody is told, also where nobody waits for it."""
    (tmp_path / "state").write_text("a file where a folder is needed")
    latches = Latches(tmp_path / "state" / "stop.json", LAB)
    caplog.clear()
    assert latches.hear(LAB, stop())
    latches.engage("sink", stop("own"))
    assert latches.of("sink") == stop()
    assert not await latches.kept()
    assert latches.of("sink") == stop()
    assert caplog.text.count("stop.json cannot be written, and would be lost by a restart") == 1


async def test_a_stop_that_could_not_be_kept_is_kept_as_soon_as_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody has to stop again for that."""
    caplog.set_level("INFO")
    monkeypatch.setattr(kept_module, "AGAIN", 0.01)
    (tmp_path / "state").write_text("a file where a folder is needed")
    file = tmp_path / "state" / "stop.json"
    latches = Latches(file, LAB)
    latches.hear(LAB, stop("old"))
    assert not await latches.kept()
    latches.hear(LAB, stop("new"))
    assert not await latches.kept()
    (tmp_path / "state").unlink()
    async with asyncio.timeout(WITHIN):
        while not await latches.kept():  # noqa: ASYNC110 - a new attempt sets no event
            await asyncio.sleep(0)
    assert Latches(file, LAB).of("sink") == stop("new")
    assert caplog.text.count("would be lost by a restart") == 1
    assert caplog.text.count("is written again") == 1


@contextlib.contextmanager
def stalled(file: Path) -> Iterator[Callable[[], None]]:
    """A disk that takes nothing and says nothing; what is given ends that.

    Whoever opens a pipe to write into it waits until somebody reads.
    """
    part, aside = file.with_name(f".{file.name}.part"), file.with_name("aside")
    os.mkfifo(part)
    ends: list[int] = []

    def end() -> None:
        part.rename(aside)  # later writes meet a disk that is well
        ends.append(os.open(aside, os.O_RDONLY | os.O_NONBLOCK))

    try:
        yield end
    finally:
        if not ends:
            end()
        os.close(ends[0])


async def test_a_disk_that_stalls_holds_up_nothing_and_gets_the_newest_latches_after(tmp_path: Path) -> None:
    """The stop is obeyed in the event loop."""
    file = tmp_path / "stop.json"
    latches = Latches(file, LAB)
    latches.hear(LAB, stop("first"))
    assert await latches.kept()
    loop = asyncio.get_running_loop()
    with stalled(file) as end:
        began = loop.time()
        for number in range(100):
            assert latches.hear(LAB, stop(str(number)))
            await asyncio.sleep(0)
        latches.engage("sink", stop("own"))
        assert loop.time() - began < 1.0
        kept = asyncio.create_task(latches.kept())
        _, waits = await asyncio.wait([kept], timeout=0.05)
        assert waits == {kept}
        assert latches.of("sink") == stop("99")
        assert Latches(file, LAB).of("sink") == stop("first")
        end()
        assert await asyncio.wait_for(kept, WITHIN)
    after = Latches(file, LAB)
    assert (after.lab[LAB], after.own("sink")) == (stop("99"), stop("own"))


@pytest.mark.parametrize(
    ("by", "reason", "text"),
    [
        ("Ada", "smoke", "emergency stop engaged by Ada (smoke)"),
        ("", "smoke", "emergency stop engaged (smoke)"),
        ("Ada", "", "emergency stop engaged by Ada"),
    ],
)
def test_a_stop_in_words_says_who_and_why_as_far_as_known(by: str, reason: str, text: str) -> None:
    """It stands on the dashboard."""
    assert told({"by": by, "reason": reason}) == text


# The file


def test_nothing_is_kept_where_there_is_no_file() -> None:
    """A demo starts fresh."""
    kept = Kept(None)
    kept.write({"a": 1})
    assert kept.read() == {}


def test_what_was_written_is_read_and_the_folder_is_made(tmp_path: Path) -> None:
    """The first start of a bridge."""
    kept = Kept(tmp_path / "new" / "file.json")
    assert kept.read() == {}
    kept.write({"a": "°"})
    assert kept.read() == {"a": "°"}


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """The old content or the new, never half of it."""
    file = tmp_path / "file.json"
    kept = Kept(file)
    kept.write({"a": 1})
    with pytest.raises(TypeError):
        kept.write({"a": [1] * 100, "b": object()})
    assert json.loads(file.read_text()) == {"a": 1}
    kept.write({"a": 2})  # whatever the failed one left behind
    assert kept.read() == {"a": 2}


def test_a_file_that_holds_no_object_is_refused(tmp_path: Path) -> None:
    """Somebody edited it."""
    file = tmp_path / "file.json"
    file.write_text("[]")
    with pytest.raises(ValueError, match="holds no JSON object"):
        Kept(file).read()


async def test_what_is_written_soon_is_what_it_was_then(tmp_path: Path) -> None:
    """Whoever changes it afterwards has to write it again."""
    kept = Kept(tmp_path / "file.json")
    assert await kept.written()
    content = {"a": 1}
    kept.write_soon(content)
    content["a"] = 2
    assert await kept.written()
    assert kept.read() == {"a": 1}


async def test_what_json_cannot_hold_is_told_to_whoever_writes_it(tmp_path: Path) -> None:
    """At once, and what was there stays."""
    kept = Kept(tmp_path / "file.json")
    kept.write_soon({"a": 1})
    with pytest.raises(TypeError):
        kept.write_soon({"a": object()})
    assert await kept.written()
    assert kept.read() == {"a": 1}


async def test_nothing_is_written_soon_where_there_is_no_file() -> None:
    """A demo starts fresh."""
    kept = Kept(None)
    kept.write_soon({"a": 1})
    assert await kept.written()
    assert kept.read() == {}


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    """It is not ours, and would fill the memory."""
    file = tmp_path / "file.json"
    with file.open("wb") as out:
        out.truncate(kept_module.LONGEST + 1)
    with pytest.raises(ValueError, match="at most 16777216 are read"):
        Kept(file).read()
