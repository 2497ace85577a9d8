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
PART = "homeassistant/device/lab2mqtt_sink/dishwasher/config"


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

    def components(self, topic: str = TOPIC) -> dict[str, Any]:
        """The components of the last announcement on a topic."""
        payloads = [payload for one, payload, _ in self.said if one == topic]
        found: dict[str, Any] = json.loads(payloads[-1])["components"]
        return found


def sink(device_id: str = "sink", **changed: object) -> dict[str, Any]:
    """A description, with something changed; the dishwasher is not there."""
    return {**without(with_dishwasher(device_id), *DISHWASHERS), "parts": {}, **changed}


def with_dishwasher(device_id: str = "sink") -> dict[str, Any]:
    """The description of a sink with a part."""
    return kitchen_sink.description(device_id)


def before_it_answers() -> dict[str, Any]:
    """The description of a sink of whose parts nothing is known yet."""
    told = sink()
    del told["parts"]
    return told


# The entities of the part.
DISHWASHERS = ("washing_temperature", "dry")


def announcer(hub: Hub, file: Path | None = None, **where: str) -> Announcer:
    """An announcer of the default base."""
    return Announcer(
        file, where.get("base", "lab2mqtt"), where.get("discovery", "homeassistant"), hub.publish
    )


def without(description: dict[str, Any], *keys: str) -> dict[str, Any]:
    """A description that has lost some entities."""
    entities = {name: one for name, one in description["entities"].items() if name not in keys}
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
            ("lab2mqtt/sink/picture/picture", ""),
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
            {
                TOPIC,
                *(f"lab2mqtt/sink/{kind}" for kind in ("description", "status", "state", "picture/picture")),
            },
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


# Parts


def test_a_part_is_announced_with_the_device_and_keeps_the_same_distance() -> None:
    """Both messages belong together, and the hub takes neither twice in a row."""

    async def work() -> None:
        hub = Hub()
        one = announcer(hub)
        one.describe(with_dishwasher())
        assert hub.topics == [TOPIC, PART]
        assert set(hub.components(PART)) == set(DISHWASHERS)
        one.describe(with_dishwasher() | {"name": "Second"})
        await asyncio.sleep(10 * APART)
        assert hub.topics == [TOPIC, PART, TOPIC, PART]
        assert hub.said[2][2] - hub.said[0][2] == pytest.approx(APART, abs=0.1)

    run_in_no_time(work())


def test_a_part_that_goes_is_removed_and_comes_back(tmp_path: Path) -> None:
    """Its entities go, and the hub may have been away when it was told so first."""

    async def work() -> None:
        hub = Hub()
        file = tmp_path / "announced.json"
        one = announcer(hub, file)
        one.describe(with_dishwasher())
        one.describe(sink())
        await asyncio.sleep(2 * APART)
        removed = {"washing_temperature": {"platform": "number"}, "dry": {"platform": "button"}}
        assert hub.components(PART) == removed
        one.close()
        hub.said.clear()
        one = announcer(hub, file)
        one.describe(sink())
        assert hub.components(PART) == removed
        one.describe(with_dishwasher())
        await asyncio.sleep(2 * APART)
        assert hub.components(PART)["dry"]["name"] == "Dry"
        one.close()

    run_in_no_time(work())


def test_a_part_stays_while_nothing_is_known_of_parts(tmp_path: Path) -> None:
    """A bridge starts before the instrument answers: nobody has taken the dishwasher away."""

    async def work() -> None:
        file = tmp_path / "announced.json"
        before = announcer(Hub(), file)
        before.describe(with_dishwasher())
        before.close()
        hub = Hub()
        after = announcer(hub, file)
        after.withdraw(["sink"])
        after.describe(before_it_answers())
        assert hub.topics == [TOPIC]
        after.describe(sink())  # now it has answered, and it is gone
        await asyncio.sleep(2 * APART)
        assert hub.components(PART)["dry"] == {"platform": "button"}
        after.close()

    run_in_no_time(work())


@pytest.mark.parametrize("last", [with_dishwasher, sink, before_it_answers])
def test_a_device_that_is_withdrawn_takes_its_parts_along(
    tmp_path: Path, last: Callable[[], dict[str, Any]]
) -> None:
    """Those that were told to be gone too: something is retained of them."""

    async def work() -> None:
        file = tmp_path / "announced.json"
        before = announcer(Hub(), file)
        before.describe(with_dishwasher())
        before.describe(last())
        await asyncio.sleep(2 * APART)
        before.close()
        hub = Hub()
        announcer(hub, file).withdraw([])
        assert {topic for topic, payload, _ in hub.said if payload == ""} == {
            TOPIC,
            PART,
            *(f"lab2mqtt/sink/{kind}" for kind in ("description", "status", "state", "picture/picture")),
        }

    run_in_no_time(work())


def test_the_picture_of_an_entity_that_is_no_more_is_cleared() -> None:
    """Nobody says it again, and nobody would clear it later."""

    async def work() -> None:
        hub = Hub()
        one = announcer(hub)
        one.describe(sink())
        one.describe(without(sink(), "picture"))
        await asyncio.sleep(2 * APART)
        one.describe(without(sink(), "picture", "light"))
        await asyncio.sleep(2 * APART)
        cleared = [topic for topic, payload, _ in hub.said if payload == ""]
        assert cleared == ["lab2mqtt/sink/picture/picture"]

    run_in_no_time(work())


def test_what_was_remembered_without_parts_is_read(tmp_path: Path) -> None:
    """As a version wrote it that knew none."""

    async def work() -> None:
        hub = Hub()
        file = tmp_path / "announced.json"
        kinds = ("description", "status", "state")
        topics = [TOPIC, *(f"lab2mqtt/sink/{kind}" for kind in kinds)]
        known = {"topics": topics, "components": {"sponge": "sensor"}, "gone": {"soap": "sensor"}}
        file.write_text(json.dumps({"sink": known}))
        one = announcer(hub, file)
        one.withdraw(["sink"])
        one.describe(with_dishwasher())
        one.close()
        assert hub.topics == [TOPIC, PART]
        assert hub.components()["sponge"] == hub.components()["soap"] == {"platform": "sensor"}

    run_in_no_time(work())


def test_of_an_adopted_device_only_the_announcement_is_cleared(tmp_path: Path) -> None:
    """What it retains itself is its own, also when it is no more here, or has lost a picture."""

    async def work() -> None:
        hub = Hub()
        one = Announcer(tmp_path / "kept.json", "ot2", "homeassistant", hub.publish, adopted=True)
        one.describe(with_dishwasher())
        await asyncio.sleep(2 * APART)
        one.describe(without(with_dishwasher(), "picture"))
        await asyncio.sleep(2 * APART)
        one.close()
        later = Announcer(tmp_path / "kept.json", "ot2", "homeassistant", hub.publish, adopted=True)
        assert later.remembered == ["sink"]
        hub.said.clear()
        later.take_back("sink")
        topics = [topic.replace("lab2mqtt", "ot2") for topic in (TOPIC, PART)]
        assert [(topic, payload) for topic, payload, _ in hub.said] == [(topic, "") for topic in topics]
        assert later.remembered == []
        later.take_back("sink")
        assert len(hub.said) == len(topics)

    run_in_no_time(work())


def test_a_device_that_is_taken_back_is_not_announced_by_a_timer() -> None:
    """A hub that was just born must not see it come back."""

    async def work() -> None:
        hub = Hub()
        one = announcer(hub)
        one.describe(sink())
        one.again()
        one.take_back("sink")
        hub.said.clear()
        await asyncio.sleep(10 * JITTER)
        assert hub.said == []

    run_in_no_time(work())
