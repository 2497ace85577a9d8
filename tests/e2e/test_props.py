"""A person looks at props in the demo's Home Assistant: a coffin jumps and is blocked, a show stops."""

from collections.abc import Iterator
import json
from pathlib import Path
from typing import Any

import pytest
from tests.e2e import running_demo
from tests.e2e.browser import Browser, browser
from tests.e2e.running_demo import Demo
from tests.hub.lab import shows

from lab2mqtt.hub.process import HomeAssistant

pytestmark = pytest.mark.timeout(180)

BOARD = "esp32-coffin-jumper-01"
STATE = "sensor.coffin_jumper_state"
EVENT = "event.coffin_jumper_happening"
WITHOUT_SIDEBAR = (256, 0, 1024, 1380)
SHOW_WITHOUT_SIDEBAR = (256, 0, 1024, 1355)
AGAIN_WITHIN = 30.0  # s; an action and the rest after it take 17


@pytest.fixture(scope="module")
def demo(hub: HomeAssistant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo as everybody starts it; the parts that it needs are there."""
    assert hub.pid
    with running_demo.running(tmp_path_factory.mktemp("demo")) as made:
        yield made


@pytest.fixture
def tab(demo: Demo) -> Iterator[Browser]:
    """A browser at its pages, high enough for a device with many entities."""
    with browser(demo.api.url, size=(1280, 1640)) as opened:
        yield opened


def _jumps(demo: Demo) -> int:
    """How often the solenoid was switched on since the start."""
    journal = demo.state / "boards" / BOARD / "sim" / "journal.jsonl"
    lines: list[dict[str, Any]] = [json.loads(line) for line in journal.read_text().splitlines()]
    return sum(line["output"] == "pin_25" and line["value"] == 1 for line in lines)


def _state(demo: Demo, tab: Browser, word: str) -> None:
    """Wait until the prop's state is a word, and the page shows it."""
    demo.api.wait_for(STATE, shows(word), AGAIN_WITHIN)
    tab.wait_for_row("State", word)


def test_the_coffin_jumps_and_can_be_blocked(demo: Demo, tab: Browser, results: Path) -> None:
    """Motion, action, lockout, armed; refused in lockout; blocked, it lets everybody pass.

    It ends in the picture of the docs: ``script/test e2e``, then copy test-results/coffin-jumper.png to
    docs/images.
    """
    tab.open(demo.page("Coffin jumper"))
    _state(demo, tab, "armed")
    assert _jumps(demo) == 0

    demo.fault(BOARD, "motion=true")
    _state(demo, tab, "action")
    assert _jumps(demo) == 1
    demo.fault(BOARD, "motion=false")
    _state(demo, tab, "lockout")
    tab.press("Trigger")
    refused = demo.api.wait_for(EVENT, lambda now: now["attributes"].get("event_type") == "task_failed")
    assert (refused["attributes"]["task"], refused["attributes"]["error_code"]) == ("trigger", "not_allowed")
    assert "locked out after its last action" in refused["attributes"]["error"]
    tab.wait_for_text("task_failed")
    tab.picture(results / "coffin-jumper.png", clip=WITHOUT_SIDEBAR)
    _state(demo, tab, "armed")

    tab.press("Block")
    _state(demo, tab, "blocked")
    demo.fault(BOARD, "motion=true")
    tab.wait_for_row("Motion", "Detected")
    tab.wait_for_row("State", "blocked")
    demo.fault(BOARD, "motion=false")
    tab.wait_for_row("Motion", "Clear")
    tab.press("Unblock")
    _state(demo, tab, "armed")
    assert _jumps(demo) == 1
    assert tab.complaints == []


def test_a_show_shows_what_comes_next_and_is_stopped(demo: Demo, tab: Browser, results: Path) -> None:
    """By its own stop, on its page; nothing of it comes after that."""
    tab.open(demo.page("Show"))
    tab.wait_for_row("State", "idle")
    tab.press("Play Graveyard")
    tab.wait_for_row("State", "playing")
    tab.wait_for_row("Next cue", "scream")
    tab.picture(results / "show.png", clip=SHOW_WITHOUT_SIDEBAR)
    jumps = _jumps(demo)
    tab.press("Stop now")
    tab.wait_for_row("Readiness", "emergency_stopped")
    tab.wait_for_row("State", "stopped")
    tab.wait_for_row("Next cue", "none")
    tab.press("Release stop")
    tab.wait_for_row("Readiness", "ready")
    tab.wait_for_row("State", "stopped")
    assert _jumps(demo) == jumps
    assert tab.complaints == []
