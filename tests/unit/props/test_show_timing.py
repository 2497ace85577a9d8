"""When the cues of a show come: waits, pauses, jumps, loops, and what is late."""

from collections.abc import AsyncIterator
from pathlib import Path
import re
import time

import pytest
from tests.unit.props.show_bench import GRAVEYARD, JITTER, Held, Running, over, runner, turns

from lab2mqtt.core.errors import Fault, Refused


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """Starts a show runner with shows, by their names, and ends it."""
    async with runner(tmp_path) as start:
        yield start


async def test_the_cues_come_in_time(running: Running) -> None:
    """Each to its target and by its way, with its arguments."""
    worker, ties = await running(graveyard=GRAVEYARD)
    began = ties.loop.time()
    assert await worker.do_play() == {"show": "graveyard", "cue": 1}
    await over(ties)
    assert [one[1:] for one in ties.asked] == [
        ("fogger", "fog", {"seconds": 5}, "call"),
        ("coffin", "trigger", {}, "call"),
        ("shaker", "shake", [5, 80], "cmd"),
        ("plate-resort", "move", {}, "call"),
    ]
    late = [one.at - began - due for one, due in zip(ties.asked, (0, 0.1, 0.2, 0.3), strict=True)]
    assert all(-0.002 < one < JITTER for one in late), late
    assert ties.states == ["started", "idle", "playing", "idle"]
    assert ties.retained["halloween/show/state"] == "idle"
    assert not ties.messages


async def test_a_wait_halts_the_clock(running: Running) -> None:
    """What follows counts from the answer."""
    held = Held("fog")
    text = "cues: [{at: 0, target: a, action: fog, wait: true}, {at: 0.1, target: a, action: shake}]"
    worker, ties = await running(held, waits=text)
    await worker.do_play()
    await ties.until(lambda: held.begun == ["fog"])
    with pytest.raises(TimeoutError):
        await ties.until(lambda: len(held.begun) > 1, within=0.3)
    assert ties.values["position"] == 0
    answered = ties.loop.time()
    held.go.set()
    await over(ties)
    assert ties.words == ["a fog", "a shake"]
    assert 0.098 < ties.asked[1].at - answered < 0.1 + JITTER


async def test_a_show_is_over_with_its_last_answer(running: Running) -> None:
    """Its failure would still be the show's."""
    held = Held("move")
    worker, ties = await running(held, graveyard=GRAVEYARD)
    await worker.do_play(cue=4)
    await ties.until(lambda: ties.values["next_cue"] == "end")
    await turns()
    assert ties.states[-1] == "playing"
    held.go.set()
    await over(ties)


async def test_pause_halts_the_clock_and_nothing_that_has_begun(running: Running) -> None:
    """And resume goes on from there."""
    held = Held("fog")
    text = "cues: [{at: 0, target: a, action: fog}, {at: 0.1, target: a, action: shake}]"
    worker, ties = await running(held, short=text)
    await worker.do_play()
    await ties.until(lambda: held.begun == ["fog"])
    await worker.do_pause()
    assert ties.states[-1] == "paused"
    with pytest.raises(TimeoutError):
        await ties.until(lambda: len(held.begun) > 1, within=0.2)
    assert not held.ended
    held.go.set()
    await turns()
    assert held.ended == ["fog"]
    assert ties.states[-1] == "paused"
    await worker.do_pause()
    resumed = ties.loop.time()
    await worker.do_resume()
    await over(ties)
    assert 0.05 < ties.asked[1].at - resumed < 0.1 + JITTER
    assert ties.states == ["started", "idle", "playing", "paused", "playing", "idle"]


async def test_an_answer_while_paused_fires_nothing(running: Running) -> None:
    """The cue that was waited for is done, and the next one waits for resume."""
    held = Held("fog")
    text = "cues: [{at: 0, target: a, action: fog, wait: true}, {at: 0, target: a, action: shake}]"
    worker, ties = await running(held, waits=text)
    await worker.do_play()
    await ties.until(lambda: held.begun)
    await worker.do_pause()
    held.go.set()
    await turns()
    assert ties.words == ["a fog"]
    await worker.do_resume()
    await over(ties)
    assert ties.words == ["a fog", "a shake"]


async def test_a_jump_fires_nothing_between(running: Running) -> None:
    """Forwards and back, while it plays and while it is paused."""
    worker, ties = await running(graveyard=GRAVEYARD)
    await worker.do_play()
    await ties.until(lambda: ties.words == ["fogger fog"])
    await worker.do_jump("4")
    await ties.until(lambda: len(ties.asked) == 2)
    assert ties.words == ["fogger fog", "plate-resort move"]
    await over(ties)

    ties.asked.clear()
    await worker.do_play(cue=3)
    await worker.do_pause()
    await worker.do_jump("scream")
    assert (ties.values["position"], ties.values["next_cue"]) == (0.1, "2 scream")
    with pytest.raises(TimeoutError):
        await ties.until(lambda: ties.asked, within=0.15)
    await worker.do_resume()
    await over(ties)
    assert ties.words == ["coffin trigger", "shaker shake", "plate-resort move"]


async def test_a_jump_waits_for_no_answer(running: Running) -> None:
    """Yet a failure of what has begun still stops the show."""
    held = Held("fog")
    text = (
        "cues: [{at: 0, target: a, action: fog, wait: true}, {at: 1, target: a, action: shake}, "
        "{at: 60, target: a, action: never}]"
    )
    worker, ties = await running(held, waits=text)
    await worker.do_play()
    await ties.until(lambda: held.begun)
    await worker.do_jump(2)
    await ties.until(lambda: held.begun == ["fog", "shake"])
    held.error = Fault("no fluid")
    held.go.set()
    await over(ties, "failed")
    assert ties.messages == [("error", "cue 1 a fog: no fluid (device_error); the show has stopped")]


async def test_a_cue_that_is_late_is_left_out(running: Running) -> None:
    """Never fired late in a burst; what is hardly late is fired."""
    text = (
        "cues: [{at: 0.1, target: a, action: one}, {at: 0.15, target: a, action: two}, "
        "{at: 1, target: a, action: three}, {at: 1.5, target: a, action: four}]"
    )
    worker, ties = await running(late=text)
    await worker.do_play()
    await ties.until(lambda: ties.words == ["a one"])
    time.sleep(1.3)  # noqa: ASYNC251 - the whole process stands still
    await over(ties)
    assert ties.words == ["a one", "a three", "a four"]
    (key, told), *more = ties.messages
    assert not more
    assert key == "warn"
    assert re.fullmatch(r"cue 2 a two was 1\.[23] s late: skipped", told)
    assert ties.asked[2].at - ties.asked[0].at == pytest.approx(1.4, abs=JITTER)


async def test_rounds_that_were_missed_are_not_made_up_for(running: Running) -> None:
    """After a standstill the next round begins anew, and the others are gone."""
    worker, ties = await running(round="{loop: true, length: 0.2, cues: [{at: 0, target: a, action: b}]}")
    await worker.do_play()
    await ties.until(lambda: ties.values["round"] == 2)
    time.sleep(1.5)  # noqa: ASYNC251 - the whole process stands still
    began = ties.loop.time()
    await ties.until(lambda: len(ties.asked) == 4)
    assert ties.loop.time() - began < 0.2 + JITTER
    assert ties.values["round"] == 4
    assert [key for key, _ in ties.messages] == ["warn"]
    assert ties.messages[0][1].startswith("round 3 began 1.")


async def test_a_loop_keeps_time(running: Running) -> None:
    """Rounds follow each other without drift, as many as the file says."""
    text = "{loop: 4, length: 0.1, cues: [{at: 0, target: a, action: b}, {at: 0.05, target: a, action: c}]}"
    worker, ties = await running(rounds=text)
    began = ties.loop.time()
    await worker.do_play()
    assert ties.values["loop"] is True
    await over(ties)
    assert ties.words == ["a b", "a c"] * 4
    late = [one.at - began - 0.05 * index for index, one in enumerate(ties.asked)]
    assert all(-0.002 < one < JITTER for one in late), late
    assert ties.values["round"] == 4
    assert ties.values["loop"] is False


async def test_a_loop_can_be_ended_and_begun(running: Running) -> None:
    """The round that plays is then the last, or not."""
    text = "{length: 0.1, cues: [{at: 0, target: a, action: b}]}"
    worker, ties = await running(rounds=text, short="cues: [{at: 0, target: a, action: b}]")
    with pytest.raises(Refused, match="nothing plays: loop is for a show that plays or is paused"):
        await worker.do_loop(on=True)
    await worker.do_play("rounds")
    await worker.do_loop(on=True)
    assert ties.values["loop"] is True
    await ties.until(lambda: ties.values["round"] == 3)
    await worker.do_loop(on=False)
    await over(ties)
    assert ties.values["round"] == 3
    assert len(ties.asked) == 3
    await worker.do_play("short")
    with pytest.raises(Refused, match="short is too short to be repeated"):
        await worker.do_loop(on=True)
    await worker.do_loop(on=False)
