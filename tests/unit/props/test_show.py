"""The show runner: what it does and tells, what it refuses, and what ends a show."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
import threading
import time

import pytest
from tests.unit.props.recorded_ties import Asked
from tests.unit.props.show_bench import GRAVEYARD, LATER, Held, Running, over, runner, turns

from lab2mqtt.core.errors import Fault, Misconfigured, Refused, Unreachable
from lab2mqtt.core.parameters import Schema
from lab2mqtt.props import spoken_command
from lab2mqtt.props.actions import actions_of
from lab2mqtt.props.builtin.show import Worker


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """Starts a show runner with shows, by their names, and ends it."""
    async with runner(tmp_path) as start:
        yield start


async def test_what_it_tells(running: Running) -> None:
    """Where it is, and what comes next."""
    worker, ties = await running(graveyard=GRAVEYARD)
    assert ties.values == {
        "show": "none", "cue": 0, "cues": 0, "next_cue": "none", "next_in": 0.0, "position": 0.0, "round": 0,
        "loop": False,
    }  # fmt: skip
    await worker.do_play("graveyard", "scream")
    assert (ties.values["show"], ties.values["cues"], ties.values["next_cue"]) == ("graveyard", 4, "2 scream")
    assert ties.values["position"] == 0.1
    await ties.until(lambda: ties.values["cue"] == 2)
    assert ties.values["next_cue"] == "3 shaker shake"
    assert ties.values["next_in"] == pytest.approx(0.1, abs=0.05)
    await over(ties)
    assert (ties.values["cue"], ties.values["next_cue"], ties.values["round"]) == (4, "none", 1)
    assert ("halloween/show/telemetry/next_cue", "end") in ties.published


async def test_it_tells_its_position_while_it_plays(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no cue is due."""
    monkeypatch.setattr("lab2mqtt.props.builtin.show.TELL_EVERY", 0.05)
    worker, ties = await running(later=LATER)
    await worker.do_play()
    await ties.until(lambda: float(str(ties.values["position"])) >= 0.2)
    assert ties.values["next_cue"] == "2 a later"
    assert 59 < float(str(ties.values["next_in"])) <= 59.8
    await worker.do_pause()
    count = len(ties.published)
    with pytest.raises(TimeoutError):
        await ties.until(lambda: len(ties.published) > count, within=0.15)


async def test_stop_ends_it_at_once(running: Running) -> None:
    """From every state; where nothing plays it does nothing."""
    held = Held("fog")
    worker, ties = await running(held, graveyard=GRAVEYARD)
    await worker.do_stop()
    assert ties.states[-1] == "idle"
    await worker.do_play()
    await ties.until(lambda: held.begun)
    await worker.do_stop()
    assert ties.states[-1] == "stopped"
    with pytest.raises(TimeoutError):
        await ties.until(lambda: len(held.begun) > 1, within=0.4)
    await worker.do_play(cue=4)
    await worker.do_pause()
    await worker.do_stop()
    await turns()
    assert ties.states[-2:] == ["paused", "stopped"]
    assert held.begun == ["fog"]
    await worker.do_stop()
    assert ties.states[-1] == "stopped"


async def test_a_cue_that_was_not_sent_is_not_after_a_stop(running: Running) -> None:
    """Play and stop in one turn of the loop fire nothing."""
    worker, ties = await running(graveyard=GRAVEYARD)
    await worker.do_play()
    worker._player._due()  # its first cue is due, and not yet sent
    await worker.do_stop()
    await turns()
    assert not ties.asked


async def test_an_emergency_stop_ends_it_for_good(running: Running) -> None:
    """Its release lets nothing follow."""
    worker, ties = await running(graveyard=GRAVEYARD)
    await worker.do_play()
    await ties.until(lambda: ties.asked)
    ties.stopped = "the lab's emergency stop"
    await worker.on_emergency_stop()
    assert ties.states[-1] == "stopped"
    ties.stopped = ""
    await worker.on_emergency_stop_released()
    with pytest.raises(TimeoutError):
        await ties.until(lambda: len(ties.asked) > 1, within=0.4)
    assert ties.states[-1] == "stopped"
    with pytest.raises(Refused, match="nothing plays"):
        await worker.do_resume()


async def test_an_emergency_stop_past_a_loop_that_hangs(running: Running) -> None:
    """What is due while it hangs is not fired when it goes on."""
    worker, ties = await running(graveyard=GRAVEYARD)
    await worker.do_play()
    await ties.until(lambda: ties.asked)

    def stop() -> None:
        ties.stopped = "the lab's emergency stop"
        asyncio.run(worker.on_emergency_stop())

    other = threading.Thread(target=stop)
    other.start()
    other.join()
    time.sleep(0.4)  # noqa: ASYNC251 - hangs
    await over(ties, "stopped")
    assert ties.words == ["fogger fog"]
    ties.stopped = ""
    with pytest.raises(TimeoutError):
        await ties.until(lambda: len(ties.asked) > 1, within=0.4)


@pytest.mark.parametrize("via", ["call", "cmd"])
async def test_nothing_is_fired_while_stopped(running: Running, via: str) -> None:
    """Even if nobody has told the show of the stop."""
    worker, ties = await running(one=f"cues: [{{at: 0.05, target: a, action: b, via: {via}}}]")
    await worker.do_play()
    ties.stopped = "the lab's emergency stop"
    await over(ties, "failed")
    assert not ties.asked
    assert "cue 1 a b: the lab's emergency stop (emergency_stopped)" in ties.messages[0][1]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Fault("no fluid"), "no fluid (device_error)"),
        (Refused("not warm", "not_allowed"), "not warm (not_allowed)"),
        (
            Unreachable("a did not answer fog within 30 s"),
            (
                "a did not answer fog within 30 s; if a knows halloween/a/cmd only, add `via: cmd` "
                "(device_unavailable)"
            ),
        ),
        (ValueError("odd"), "ValueError: odd"),
    ],
)
@pytest.mark.parametrize("word", ["stop", "continue"])
async def test_a_failure_stops_the_show_unless_told_otherwise(
    running: Running, error: Exception, told: str, word: str
) -> None:
    """It is told with the cue's number and the target's own words."""

    async def fail(asked: Asked) -> None:
        if asked.action == "fog":
            raise error

    text = (
        f"cues: [{{at: 0, target: a, action: fog, on_failure: {word}, wait: true}}, "
        "{at: 0.05, target: a, action: shake}]"
    )
    worker, ties = await running(fail, fails=text)
    await worker.do_play()
    if word == "continue":
        await over(ties)
        assert ties.words == ["a fog", "a shake"]
        assert ties.messages == [("warn", f"cue 1 a fog: {told}; the show goes on")]
    else:
        await over(ties, "failed")
        with pytest.raises(TimeoutError):
            await ties.until(lambda: len(ties.asked) > 1, within=0.15)
        assert ties.messages == [("error", f"cue 1 a fog: {told}; the show has stopped")]
        assert await worker.do_play(cue=2) == {"show": "fails", "cue": 2}
        await over(ties)


async def test_what_is_refused(running: Running) -> None:
    """With what would be right."""
    worker, ties = await running(graveyard=GRAVEYARD, later=LATER)
    for action in (worker.do_pause, worker.do_resume, lambda: worker.do_jump(1)):
        with pytest.raises(Refused, match=r"nothing plays: .* is for a show that plays or is paused"):
            await action()
    with pytest.raises(Refused, match="there are graveyard, later"):
        await worker.do_play()
    with pytest.raises(Refused, match=r"no show 'latre' \(did you mean 'later'\?\)"):
        await worker.do_play("latre")
    with pytest.raises(Refused, match="later has no cue '3'"):
        await worker.do_play("later", 3)
    assert ties.states[-1] == "idle"
    await worker.do_play("later")
    with pytest.raises(Refused, match="later is playing: stop it first, or jump"):
        await worker.do_play("graveyard")
    with pytest.raises(Refused, match="later has no cue 'scream'"):
        await worker.do_jump("scream")
    assert ties.states[-1] == "playing"
    await worker.do_pause()
    with pytest.raises(Refused, match="later is paused: stop it first"):
        await worker.do_play("later")


async def test_a_reload_takes_new_shows_and_leaves_what_plays(running: Running, tmp_path: Path) -> None:
    """And tells what is wrong with them."""
    worker, ties = await running(graveyard=GRAVEYARD)
    await worker.do_play()
    file = tmp_path / "shows" / "graveyard.yaml"
    file.write_text("cues: [{at: 0, target: new, action: one}]", encoding="utf-8")
    (tmp_path / "shows" / "other.yaml").write_text(LATER, encoding="utf-8")
    assert await worker.do_reload() == ["graveyard", "other"]
    await over(ties)
    assert len(ties.asked) == 4
    await worker.do_play("graveyard")
    await over(ties)
    assert ties.words[4:] == ["new one"]
    file.write_text("cues: [{at: 0, target: new}]", encoding="utf-8")
    with pytest.raises(Misconfigured, match=r"graveyard\.yaml:1: cue 1: action is missing"):
        await worker.do_reload()
    with pytest.raises(Refused, match=r"graveyard cannot be played: .*action is missing"):
        await worker.do_play("graveyard")
    assert (await worker.do_play("other"))["show"] == "other"


async def test_what_is_wrong_is_told_at_the_start(running: Running) -> None:
    """Of the configuration and of every show."""
    _, ties = await running(config={"shows": "all", "show": []}, broken="cues: [", good=LATER)
    told = [text for key, text in ties.messages if key == "warn"]
    assert len(told) == 3
    assert told[0] == "shows 'all' is not a list (each a text)"
    assert told[1] == "the show runner has no 'show' (did you mean 'shows'?): it takes shows"
    assert "broken.yaml:1: no YAML" in told[2]


async def test_the_end_of_the_worker_ends_the_show(running: Running) -> None:
    """Nothing is fired any more, and the state says so."""
    worker, ties = await running(graveyard=GRAVEYARD)
    await worker.do_play()
    await ties.until(lambda: ties.asked)
    await worker.stop()
    assert ties.retained["halloween/show/state"] == "stopped"
    assert ties.retained["halloween/show/availability"] == "offline"
    with pytest.raises(TimeoutError):
        await ties.until(lambda: len(ties.asked) > 1, within=0.4)


@pytest.mark.parametrize(
    ("payload", "first"),
    [
        ("play graveyard", "fogger fog"),
        ("play graveyard 3", "shaker shake"),
        ("play graveyard scream", "coffin trigger"),
        ('{"action": "play", "args": {"show": "graveyard", "cue": 3}}', "shaker shake"),
        ('{"action": "play", "args": ["graveyard", "4"]}', "plate-resort move"),
        ("play", "fogger fog"),
    ],
)
async def test_it_is_played_by_text_too(running: Running, payload: str, first: str) -> None:
    """As every prop."""
    worker, ties = await running(graveyard=GRAVEYARD)
    await say(worker, payload)
    await ties.until(lambda: ties.asked)
    assert ties.words[0] == first
    for other in ("pause", "jump scream", "jump 4", "loop on", "loop off", "resume", "stop", "reload"):
        await say(worker, other)
    assert ties.states[-3:] == ["paused", "playing", "stopped"]


async def say(worker: Worker, payload: str) -> None:
    """Do what a message on its cmd topic asks for."""
    spoken = spoken_command.read(payload.encode())
    action = actions_of(Worker)[spoken.action]
    checked = Schema(action.parameters, action.word).check(action.arguments_of(spoken.args))
    args, named = action.call_arguments(checked)
    await getattr(worker, action.method)(*args, **named)
