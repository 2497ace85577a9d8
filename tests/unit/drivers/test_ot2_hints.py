"""The robot's hints, over a real broker; and that nobody needs one."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.broker.brokers import Amqtt
from tests.unit.ot2_bench import Bench, bench, until
from tests.unit.ot2_driven import MIX, driven

from lab2mqtt.drivers.ot2 import watch
from lab2mqtt.drivers.ot2.hints import QUIET, Hints
from lab2mqtt.hub.ports import free_port


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Amqtt]:
    """The embedded broker, as the robot's."""
    made = Amqtt(Path(tmp_path_factory.mktemp("broker")))
    made.start()
    yield made
    made.kill()


@pytest.fixture
async def robot(broker: Amqtt) -> AsyncIterator[Bench]:
    """Hints to that broker."""
    async with bench(hints=f"mqtt://127.0.0.1:{broker.port}") as made:
        yield made


async def test_gathered(robot: Bench, broker: Amqtt) -> None:
    """A run with many commands is few hints, and each says what to look at."""
    heard: list[frozenset[str]] = []
    something = asyncio.Event()

    def hear(topics: frozenset[str]) -> None:
        heard.append(topics)
        something.set()

    hints = Hints("127.0.0.1", hear, broker.port)
    hints.open()
    run = ""
    async with asyncio.timeout(10):
        await something.wait()
        assert heard == [frozenset({"runs"})]
        assert hints.connected
        while not {"runs/commands_links", "clientData/mark"} <= frozenset().union(*heard):
            something.clear()
            await robot.ask("PUT", "/clientData/mark", {"data": {}})
            run = await robot.run("mix_color")
            await robot.act(run, "play")
            await robot.reaches(run, "succeeded")
            await something.wait()
    topics = frozenset().union(*heard)
    assert f"runs/{run}" in topics
    assert len(heard) <= 8
    await hints.close()
    await hints.close()
    assert not hints.connected


async def test_blocked_port() -> None:
    """No hints, no error; closed at once."""
    hints = Hints("127.0.0.1", lambda _: None, free_port())
    hints.open()
    await asyncio.sleep(QUIET)
    assert not hints.connected
    async with asyncio.timeout(5):
        await hints.close()


async def test_broker_that_comes_later(tmp_path: Path) -> None:
    """Is found, and what was missed is looked at."""
    later, something = Amqtt(tmp_path), asyncio.Event()
    hints = Hints("127.0.0.1", lambda _: something.set(), later.port)
    hints.open()
    later.start()
    try:
        async with asyncio.timeout(10):
            await something.wait()
        assert hints.connected
        later.kill()
        await until(lambda: not hints.connected)
    finally:
        later.kill()
        await hints.close()


class TestDriver:
    """What the driver makes of them."""

    async def test_that_come(self, broker: Amqtt) -> None:
        """Somebody else is seen sooner than the next look is due."""
        there_too = {"hints": f"mqtt://127.0.0.1:{broker.port}", "settings": {"hints_port": broker.port}}
        async with driven(**there_too) as there:
            hints = there.driver._watch._hints
            assert hints
            await until(lambda: hints.connected)
            await there.driver._watch.look()
            await there.bench.post("/maintenance_runs", {})
            await there.shows(lambda now: now.occupied, 3.0)

    async def test_that_never_come(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Their port is blocked: everything works, and looks find out."""
        monkeypatch.setitem(watch._EVERY, "maintenance", 0.5)
        async with driven(settings={"hints_port": free_port()}) as there:
            assert (await there.play("mix_color", **MIX))["status"] == "succeeded"
            await there.bench.post("/maintenance_runs", {})
            await there.shows(lambda now: now.occupied)
