"""Several processes of one bridge id on one broker: whatever overtakes what, one goes on, and only one."""

import asyncio
from collections.abc import Callable
import json
import random

import pytest
from tests.unit.runtime.skipping_loop import run_in_no_time

from lab2mqtt import wire
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.runtime.claim import ANSWER_WITHIN, Claim

SLOWEST = 0.05  # s from one to the broker, and from the broker to one


class Air:
    """What a broker does for these topics: one order for all, and each listener is told in that order."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self.retained = b""
        self.listeners: list[Process] = []
        self._at: dict[object, float] = {}

    def carry(self, way: object, what: Callable[[], None]) -> None:
        """Do something later; what goes the same way keeps its order."""
        loop = asyncio.get_running_loop()
        at = max(self._at.get(way, 0.0), loop.time() + self.random.uniform(0, SLOWEST)) + 1e-6
        self._at[way] = at
        loop.call_at(at, what)

    def publish(self, sender: "Process", topic: str, payload: str, *, retain: bool = False) -> None:
        """Take a message from a process."""

        def taken() -> None:
            if retain:
                self.retained = payload.encode()
            for listener in self.listeners:
                listener.tell(topic, payload.encode())

        self.carry((sender, "up"), taken)


class Process:
    """One process: it claims the id, then says that it is online."""

    def __init__(self, air: Air, instance: str) -> None:
        self.air = air
        self.instance = instance
        self.claim = Claim(
            "lab", "pi", instance, self._say, lambda: self.status("offline", starting=True), self._sure
        )
        self.ended = ""
        self.hangs = False
        self._missed: list[tuple[str, bytes]] = []

    def _say(self, topic: str, payload: str) -> None:
        self.air.publish(self, topic, payload)

    def _sure(self) -> None:
        self.status("online")

    def status(self, word: str, **more: object) -> None:
        """Say a word as the bridge's status."""
        told = wire.encode(wire.bridge_status(word, self.instance, 0, **more))
        self.air.publish(self, self.claim.status_topic, told, retain=True)

    def tell(self, topic: str, payload: bytes) -> None:
        """Carry a message to it."""
        self.air.carry((self, "down"), lambda: self._hear(topic, payload))

    def _hear(self, topic: str, payload: bytes) -> None:
        if self.hangs:
            self._missed.append((topic, payload))
        elif topic == self.claim.topic:
            self.claim.hear(wire.read_claim(payload))
        elif payload:
            self.claim.hear_status(payload)

    def wake_up(self) -> None:
        """Go on, with what was missed."""
        self.hangs = False
        for topic, payload in self._missed:
            self._hear(topic, payload)

    async def run(self, after: float = 0.0) -> None:
        """Claim the id; ``ended`` says why not."""
        await asyncio.sleep(after)
        self.claim.forget()
        listening = asyncio.get_running_loop().create_future()

        def subscribed() -> None:
            self.air.listeners.append(self)
            self.tell(self.claim.status_topic, self.air.retained)
            self.air.carry((self, "down"), lambda: listening.set_result(None))

        self.air.carry((self, "up"), subscribed)
        await listening
        try:
            await self.claim.take()
            self.status("online")
            await self.claim.beaten()
        except Misconfigured as error:
            self.ended = str(error)
            self.air.listeners.remove(self)


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("seed", range(300))
def test_of_several_that_start_one_goes_on(seed: int, count: int) -> None:
    """At once, or one within the first moments of another."""

    async def work() -> None:
        air = Air(seed)
        many = [Process(air, f"{air.random.random():.9f}") for _ in range(count)]
        spread = air.random.choice([0.0, 0.05, 0.3, 3.0])
        running = [asyncio.create_task(one.run(air.random.uniform(0, spread))) for one in many]
        await asyncio.sleep(20)
        (winner,) = [one for one in many if not one.ended]
        assert winner.claim.sure
        assert json.loads(air.retained) == {"status": "online", "instance": winner.instance, "timestamp": 0}
        for task in running:
            task.cancel()

    run_in_no_time(work())


@pytest.mark.parametrize("seed", range(20))
def test_one_that_runs_stays_sure(seed: int) -> None:
    """Whoever else starts: it is answered, and the one that runs takes commands all the while."""

    async def work() -> None:
        air = Air(seed)
        first, second = Process(air, "z"), Process(air, "a")
        running = asyncio.create_task(first.run())
        await asyncio.sleep(1)
        status = air.retained
        began = asyncio.create_task(second.run())
        while not began.done():
            assert first.claim.sure
            await asyncio.sleep(0.001)
        assert "runs already" in second.ended
        assert air.retained == status
        running.cancel()

    run_in_no_time(work())


@pytest.mark.parametrize("seed", range(20))
def test_one_that_hung_ends_when_it_wakes_up(seed: int) -> None:
    """It is in doubt before it can have read a command that the other took, too."""

    async def work() -> None:
        air = Air(seed)
        first, second = Process(air, "a"), Process(air, "z")
        tasks = [asyncio.create_task(first.run())]
        await asyncio.sleep(1)
        first.hangs = True
        tasks.append(asyncio.create_task(second.run()))
        await asyncio.sleep(ANSWER_WITHIN + 1)
        assert second.claim.sure
        first.wake_up()
        assert not first.claim.sure
        await asyncio.sleep(1)
        assert "runs already" in first.ended
        assert second.claim.sure
        tasks[1].cancel()

    run_in_no_time(work())


def test_what_a_dead_one_left_keeps_nobody_out() -> None:
    """A retained ``online`` costs two seconds of silence."""

    async def work() -> None:
        air = Air(0)
        air.retained = b'{"status": "online", "instance": "ghost", "timestamp": 0}'
        one = Process(air, "i")
        began = asyncio.get_running_loop().time()
        task = asyncio.create_task(one.run())
        while not one.claim.sure:  # noqa: ASYNC110 - the clock is the test's
            await asyncio.sleep(0.001)
        assert ANSWER_WITHIN < asyncio.get_running_loop().time() - began < ANSWER_WITHIN + 8 * SLOWEST
        task.cancel()

    run_in_no_time(work())
