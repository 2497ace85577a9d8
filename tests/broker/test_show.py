"""The show runner over props and firmware, through a real broker and a real worker host."""

from collections.abc import Iterator
import json
from pathlib import Path
import time

import pytest
from tests.broker.brokers import Broker
from tests.broker.props_bench import PropsBench

SHOW = """
name: The haunted lab
cues:
  - {at: 0, target: coffin, action: open, args: {width: 3}}
  - {at: 0.2, name: creak, target: coffin, action: creak, wait: true}
  - {at: 0.4, target: esp32-fogger-01, action: fog, args: {seconds: 2}, via: cmd}
  - {at: 3, target: coffin, action: open, args: {width: 4}}
"""
COFFIN = """
async def do_open(self, width: int):
    self.telemetry("open", width)

async def do_creak(self):
    await asyncio.sleep(0.5)
    self.telemetry("creak", "done")

async def do_jam(self):
    raise RuntimeError("the lid is jammed")

async def do_stop(self):
    pass
"""


@pytest.fixture(scope="module")
def bench(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PropsBench]:
    """One host with a prop and some shows."""
    made = PropsBench(broker, tmp_path_factory.mktemp("props"))
    made.worker("coffin", COFFIN)
    write(made.root / "shows" / "lab.yaml", SHOW)
    write(made.root / "shows" / "jam.yaml", "cues: [{at: 0, target: coffin, action: jam}]")
    write(made.root / "more" / "listed.yaml", "cues: [{at: 0, target: coffin, action: creek}]")
    write(made.root / "show.yaml", "shows: [more/listed.yaml]")
    with made:
        made.until_text("show/state", "idle")
        made.until_text("coffin/state", "started")
        made.until_ready("show")
        made.until_ready("coffin")
        yield made


def write(file: Path, text: str) -> None:
    """Write a file, and its folder."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_a_show_reaches_props_and_firmware(bench: PropsBench) -> None:
    """Each by its way and in its time; what waits is waited for."""
    since = bench.cmd("show", "play lab")
    opened = bench.until_text("coffin/telemetry/open", "3", since)
    creaked = bench.until_text("coffin/telemetry/creak", "done", since)
    fog = bench.seen.wait(
        f"{bench.prefix}/esp32-fogger-01/cmd", bool, within=15, since=since, read=lambda one: one.payload
    )
    asked = {"seconds": 2}
    assert json.loads(fog.payload) == {"action": "fog", "args": asked, "params": asked}
    # How exactly, tests/unit/props/test_show_timing.py measures; a busy machine tells it late.
    assert 0.5 < creaked.at - opened.at < 2
    assert 0.05 < fog.at - creaked.at < 1.5
    bench.cmd("show", "jump 4")
    bench.until_text("coffin/telemetry/open", "4", since)
    bench.until_text("show/state", "idle", since)
    assert bench.texts("coffin/telemetry/open", since) == ["3", "4"]


def test_home_assistant_has_what_a_show_needs(bench: PropsBench) -> None:
    """A button for each show, state and next cue."""
    described = bench.until("show", "description", lambda told: "play_lab" in told["entities"])
    entities = described.json["entities"]
    assert entities["play_lab"]["name"] == "Play The haunted lab"
    assert entities["play_lab"]["parameters"] == {"show": "lab"}
    assert {"play_jam", "play_listed", "do_pause", "do_resume", "do_stop", "jump", "loop"} <= entities.keys()
    since = bench.seen.mark()
    assert bench.call("show", "play", {"show": "lab", "cue": "creak"})["result"] == {"show": "lab", "cue": 2}
    bench.until(
        "show",
        "state",
        lambda told: (told["state"], told["next_cue"][:1], told["cue"]) == ("playing", "3", 2),
        since,
    )
    assert bench.call("show", "stop")["status"] == "success"
    bench.until("show", "state", lambda told: (told["state"], told["next_cue"]) == ("stopped", "none"), since)


@pytest.mark.parametrize(
    ("show", "told"),
    [
        (
            "jam",
            "cue 1 coffin jam: coffin: RuntimeError: the lid is jammed (device_error); the show has stopped",
        ),
        ("listed", "cue 1 coffin creek: coffin: "),
    ],
)
def test_a_cue_that_fails_is_told_with_its_number(bench: PropsBench, show: str, told: str) -> None:
    """In the words of the prop."""
    since = bench.cmd("show", f"play {show}")
    bench.until_text("show/state", "failed", since)
    assert bench.until_words("show/status/error", told, since)


def test_an_emergency_stop_ends_a_show_for_good(bench: PropsBench) -> None:
    """Nothing follows, neither while it is engaged nor after its release."""
    since = bench.cmd("show", "play lab creak")
    bench.until_text("show/state", "playing", since)
    bench.stop_lab()
    try:
        bench.until_text("show/state", "stopped", since)
        refused = bench.call("show", "play", {"show": "lab"})
        assert refused["error_code"] == "emergency_stopped"
    finally:
        bench.stop_lab(engaged=False)
    bench.until("show", "state", lambda told: told["readiness"] == "ready", since)
    released = bench.seen.mark()
    assert bench.call("show", "resume")["error"].startswith("nothing plays")
    time.sleep(1.5)  # in which the next cues would have been due
    assert not bench.seen.heard(f"{bench.prefix}/esp32-fogger-01/cmd", since)
    assert not bench.texts("coffin/telemetry/open", released)
    assert bench.texts("show/state", released) == []
