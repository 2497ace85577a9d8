"""Telling Home Assistant: at once, not too often, and withdrawn when a thing is no more."""

import asyncio
from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit import kitchen_sink
from tests.unit.runtime.skipping_loop import run_in_no_time

from lab2mqtt.runtime.announcer import APART, JITTER, REMEMBER_AFTER, Announcer

TOPIC = "homeassistant/device/lab2mqtt_sink/config"


class Hub:
    """What was published, and when by the loop's clock."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, float]] = []

    def publish(self, topic: str, payload: str) -> None:
        """Take a retained message."""
        self.said.append((topic, payload, asyncio.get_running_loop().time()))

    @property
    def topics(self) -> list[str]:
        """The topics, in order."""
        return [topic for topic, _, _ in self.said]

    def components(self, position: int = -1) -> dict[str, Any]:
        """The components of an announcement."""
        found: dict[str, Any] = json.loads(self.said[position][1])["components"]
        return found


def sink(device_id: str = "sink", **changed: object) -> dict[str, Any]:
    """A description, with something changed."""
    return kitchen_sink.description(device_id) | changed


def announcer(hub: Hub, file: Path | None = None, **where: str) -> Announcer:
    """An announcer of the default base."""
    return Announcer(
        file, where.get("base", "lab2mqtt"), where.get("discovery", "homeassistant"), hub.publish
    )


def without(description: dict[str, Any], key: str) -> dict[str, Any]:
    """A description that has lost an entity."""
    entities = {name: one for name, one in description["entities"].items() if name != key}
    return description | {"entities": entities}


def test_a_device_is_announced_at_once() -> None:
    """A person who plugged it in looks at the dashboard."""

    async def work() -> None:
        hub = Hub()
        announcer(hub).describe(sink())
        assert hub.topics == [TOPIC]
        assert "flow" in hub.components()

    run_in_no_time(work())


def test_changes_in_a_row_become_one_announcement_that_keeps_its_distance() -> None:
    """Home Assistant skips components when a second message comes while it sets up the first."""

    async def work() -> None:
        hub = Hub()
        one = announcer(hub)
        for name in ("First", "Second", "Third"):
            one.describe(sink(name=name))
        await asyncio.sleep(10 * APART)
        names = [json.loads(payload)["device"]["name"] for _, payload, _ in hub.said]
        assert names == ["First", "Third"]
        assert hub.said[1][2] - hub.said[0][2] == pytest.approx(APART, abs=0.1)

    run_in_no_time(work())


def test_a_hub_that_is_born_is_told_everything_within_a_moment_and_once() -> None:
    """A hundred bridges do not all shout at the same time; two births in a row are one."""

    async def work() -> None:
        hub = Hub()
        one = announcer(hub)
        ids = [f"sink-{number}" for number in range(5)]
        for device_id in ids:
            one.describe(sink(device_id))
        await asyncio.sleep(2 * APART)
        hub.said.clear()
        born = asyncio.get_running_loop().time()
        one.again()
        one.again()
        await asyncio.sleep(10 * JITTER)
        assert sorted(hub.topics) == [f"homeassistant/device/lab2mqtt_{name}/config" for name in ids]
        assert all(0 <= when - born <= JITTER + 0.1 for _, _, when in hub.said)

    run_in_no_time(work())


def test_after_the_end_nothing_is_announced() -> None:
    """The bridge has said that it is offline."""

    async def work() -> None:
        hub = Hub()
        one = announcer(hub)
        one.describe(sink())
        one.describe(sink(name="New"))
        one.close()
        await asyncio.sleep(10 * APART)
        assert len(hub.said) == 1

    run_in_no_time(work())


def test_an_entity_that_is_no_more_is_removed_even_after_restarts(tmp_path: Path) -> None:
    """The hub keeps it until it is told, and it may have been away when it was told first."""

    async def work() -> None:
        hub = Hub()
        file = tmp_path / "announced.json"
        before = announcer(hub, file)
        before.describe(sink())
        before.close()
        for _ in range(2):
            after = announcer(hub, file)
            after.describe(without(sink(), "light"))
            after.close()
            assert hub.components()["light"] == {"platform": "switch"}
        again = announcer(hub, file)
        again.describe(sink())
        again.close()
        assert hub.components()["light"]["name"] == "Light"

    run_in_no_time(work())


def test_a_device_that_left_the_configuration_is_withdrawn(tmp_path: Path) -> None:
    """All that is retained of it, or it would be there, unavailable, for ever."""

    async def work() -> None:
        hub = Hub()
        file = tmp_path / "announced.json"
        before = announcer(hub, file)
        before.describe(sink())
        before.describe(sink("bath"))
        await asyncio.sleep(2 * REMEMBER_AFTER)  # not closed in order: the power went
        hub.said.clear()
        after = announcer(hub, file)
        after.withdraw(["bath"])
        assert {(topic, payload) for topic, payload, _ in hub.said} == {
            (TOPIC, ""),
            ("lab2mqtt/sink/description", ""),
            ("lab2mqtt/sink/status", ""),
            ("lab2mqtt/sink/state", ""),
        }
        after.close()
        hub.said.clear()
        announcer(hub, file).withdraw(["bath"])
        assert hub.said == []

    run_in_no_time(work())


@pytest.mark.parametrize(
    ("where", "cleared"),
    [
        ({"discovery": "ha"}, {TOPIC}),
        (
            {"base": "lab"},
            {TOPIC, "lab2mqtt/sink/description", "lab2mqtt/sink/status", "lab2mqtt/sink/state"},
        ),
    ],
)
def test_a_device_that_moved_to_other_topics_leaves_none_behind(
    tmp_path: Path, where: dict[str, str], cleared: set[str]
) -> None:
    """Two devices of the same name on the dashboard, one of them dead."""

    async def work() -> None:
        hub = Hub()
        file = tmp_path / "announced.json"
        before = announcer(hub, file)
        before.describe(sink())
        before.close()
        hub.said.clear()
        announcer(hub, file, **where).withdraw(["sink"])
        assert {topic for topic, payload, _ in hub.said if payload == ""} == cleared

    run_in_no_time(work())


def _directory(file: Path) -> None:
    file.mkdir()


def _garbage(file: Path) -> None:
    file.write_text("{")


def _list(file: Path) -> None:
    file.write_text("[]")


@pytest.mark.parametrize("spoil", [_directory, _garbage, _list])
def test_a_memory_that_cannot_be_read_does_not_hinder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], None]
) -> None:
    """It is worth a warning, not a lab that stands still."""

    async def work() -> None:
        hub = Hub()
        file = tmp_path / "announced.json"
        spoil(file)
        one = announcer(hub, file)
        assert "What was announced before is not known" in caplog.text
        one.describe(sink())
        one.withdraw(["sink"])
        one.close()
        assert hub.topics == [TOPIC]

    run_in_no_time(work())


def test_what_another_bridge_announces_is_not_withdrawn(tmp_path: Path) -> None:
    """A device that moved to another bridge is that one's, and is forgotten here."""

    async def work() -> None:
        first = announcer(Hub(), tmp_path / "announced.json")
        first.describe(sink())
        first.close()
        hub = Hub()
        second = announcer(hub, tmp_path / "announced.json")
        assert list(second.remembered) == ["sink"]
        second.withdraw([], others=["sink"])
        second.close()
        assert hub.said == []
        third = announcer(hub, tmp_path / "announced.json")
        third.withdraw([])
        assert hub.said == []

    run_in_no_time(work())


def test_a_device_that_falls_silent_is_announced_no_more() -> None:
    """Neither by the announcement that was put off, nor when a hub is born."""

    async def work() -> None:
        hub = Hub()
        one = announcer(hub)
        one.describe(sink())
        one.describe(without(sink(), next(iter(sink()["entities"]))))  # put off
        said = list(hub.said)
        one.hush("sink")
        one.again()
        await asyncio.sleep(APART + JITTER)
        assert hub.said == said

    run_in_no_time(work())
