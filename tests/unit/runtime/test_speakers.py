"""Several bridges with one device on one broker: whatever overtakes what, one speaks, and only one."""

import asyncio
from collections.abc import Callable
import json
import random
from typing import Any, cast

import pytest
from tests.unit.runtime.skipping_loop import run_in_no_time

from lab2mqtt import wire
from lab2mqtt.runtime.mqtt import Connection, Message
from lab2mqtt.runtime.speakers import GONE_AFTER, LOOK_EVERY, Speakers

SLOWEST = 0.05  # s from one to the broker, and from the broker to one
DEVICE = "arm"
DESCRIPTION = "lab/arm/description"


class Air:
    """What a broker does: one order for all, what is retained, and each listener is told in that order."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self.retained: dict[str, str] = {}
        self.bridges: list[Bridge] = []
        self._at: dict[object, float] = {}

    def carry(self, way: object, what: Callable[[], None]) -> None:
        """Do something later; what goes the same way keeps its order."""
        now = asyncio.get_running_loop().time()
        at = max(self._at.get(way, 0.0), now + self.random.uniform(0, SLOWEST)) + 1e-6
        self._at[way] = at
        asyncio.get_running_loop().call_at(at, what)

    def publish(self, sender: object, topic: str, payload: str, *, retain: bool = False) -> None:
        """Take a message."""

        def taken() -> None:
            if retain:
                self.retained[topic] = payload
            for bridge in self.bridges:
                if topic in bridge.topics:
                    bridge.tell(topic, payload)

        self.carry((sender, "up"), taken)


class Bridge:
    """A bridge with one device: what runtime/bridge.py does with Speakers, on this air."""

    def __init__(self, air: Air, name: str) -> None:
        self.air = air
        self.name = name
        self.topics: set[str] = set()
        self.up = self.speaks = self.hangs = False
        self._missed: list[tuple[str, str]] = []
        air.bridges.append(self)
        self.speakers = Speakers("lab", name, f"of {name}", [DEVICE], cast("Connection", self), self)
        self._claim = f"lab/bridge/{name}/claim"

    # As a Connection.

    async def listen(self, topics: list[tuple[str, int]]) -> None:
        """Subscribe."""
        listening = asyncio.get_running_loop().create_future()

        def subscribed() -> None:
            for topic, _ in topics:
                self.topics.add(topic)
                if topic in self.air.retained:
                    self.tell(topic, self.air.retained[topic])
            self.air.carry((self, "down"), lambda: listening.set_result(None))

        self.air.carry((self, "up"), subscribed)
        await listening

    def publish(self, topic: str, payload: str, *, retain: bool = False, later: bool = True) -> None:
        """Publish."""
        del later
        self.air.publish(self, topic, payload, retain=retain)

    # As a Voice.

    def speak(self, device_ids: list[str]) -> None:
        """Take the device."""
        for device_id in device_ids:
            self.speaks = True
            self.say_again(device_id)

    def hush(self, device_id: str) -> None:
        """Let go of it."""
        assert device_id in self.speakers.silent
        self.speaks = False

    def say_again(self, device_id: str) -> None:
        """Describe it."""
        told = {"device_id": device_id, "announced_by": self.name, "bridge": self.name}
        self.publish(f"lab/{device_id}/description", json.dumps(told), retain=True)

    def say_health(self) -> None:
        """Nobody looks at it here."""

    # As a bridge.

    def tell(self, topic: str, payload: str) -> None:
        """Carry a message to it."""
        self.air.carry((self, "down"), lambda: self._hear(topic, payload))

    def _hear(self, topic: str, payload: str) -> None:
        if self.hangs:
            self._missed.append((topic, payload))
            return
        if topic != self._claim:
            self.speakers.hear(Message(topic, payload.encode(), retained=False))
        elif (claim := wire.read_claim(payload.encode())).get("bridge") and not claim.get("asker"):
            answer = wire.claim_answer(
                f"of {self.name}",
                claim["instance"],
                **self.speakers.answer_to(claim),
                question=claim.get("question"),
            )
            self.publish(topic, wire.encode(answer))

    def wake_up(self) -> None:
        """Go on, with what was missed."""
        self.hangs = False
        missed, self._missed = self._missed, []
        for topic, payload in missed:
            self._hear(topic, payload)

    def status(self, word: str) -> None:
        """Say a word as the bridge's status."""
        told = wire.bridge_status(word, f"of {self.name}", 0)
        self.publish(f"lab/bridge/{self.name}/status", wire.encode(told), retain=True)

    async def run(self, after: float = 0.0) -> None:
        """Find out whether to speak, and watch."""
        await asyncio.sleep(after)
        self.speakers.forget()
        self.up = True
        await self.listen([(self._claim, 1), *self.speakers.topics()])
        if await self.speakers.find():
            self.speak([DEVICE])
        self.status("online")
        await self.speakers.run()

    @property
    def takes_commands(self) -> bool:
        """Whether it would do what it is told."""
        return self.speaks and self.speakers.is_ours(DEVICE)


def _only(bridges: list[Bridge]) -> Bridge:
    (speaker,) = [one for one in bridges if one.takes_commands]
    for one in bridges:
        assert one is speaker or one.speakers.silent == {DEVICE: speaker.name}
    return speaker


def _announced(air: Air) -> Any:  # noqa: ANN401 - JSON
    return json.loads(air.retained[DESCRIPTION])["announced_by"]


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("seed", range(300))
def test_of_several_that_start_one_speaks(seed: int, count: int) -> None:
    """On an empty broker, at once or one within the first moments of another."""

    async def work() -> None:
        air = Air(seed)
        bridges = [Bridge(air, name) for name in "cab"[:count]]
        spread = air.random.choice([0.0, 0.05, 0.3, 3.0])
        tasks = [asyncio.create_task(one.run(air.random.uniform(0, spread))) for one in bridges]
        await asyncio.sleep(25)
        speaker = _only(bridges)
        assert _announced(air) == speaker.name
        for task in tasks:
            task.cancel()

    run_in_no_time(work())


@pytest.mark.parametrize("seed", range(50))
def test_who_has_been_up_for_longer_goes_on(seed: int) -> None:
    """One hung while the other came; the other is the one that yields, whatever their names."""

    async def work() -> None:
        air = Air(seed)
        names = air.random.sample(["a", "b"], 2)
        first = Bridge(air, names[0])
        tasks = [asyncio.create_task(first.run())]
        await asyncio.sleep(5)
        first.hangs = True
        second = Bridge(air, names[1])
        tasks.append(asyncio.create_task(second.run()))
        await asyncio.sleep(4)
        assert second.takes_commands
        first.wake_up()
        assert not first.takes_commands  # what comes behind that in its link was the other's
        await asyncio.sleep(5)
        assert _only([first, second]) is first
        assert _announced(air) == first.name
        for task in tasks:
            task.cancel()

    run_in_no_time(work())


@pytest.mark.parametrize("seed", range(20))
def test_the_silent_one_follows(seed: int) -> None:
    """Soon when the description is cleared, and after a while when the speaker answers no more."""

    async def work() -> None:
        air = Air(seed)
        first, second = Bridge(air, "a"), Bridge(air, "b")
        tasks = [asyncio.create_task(first.run())]
        await asyncio.sleep(1)
        tasks.append(asyncio.create_task(second.run()))
        await asyncio.sleep(5)
        assert _only([first, second]) is first
        assert first.speakers.rivals == {DEVICE: "b"}
        first.hangs = True
        await asyncio.sleep(GONE_AFTER - LOOK_EVERY)
        assert second.speakers.silent == {DEVICE: "a"}
        await asyncio.sleep(2 * LOOK_EVERY + 5)
        assert second.takes_commands
        for task in tasks:
            task.cancel()

    run_in_no_time(work())
