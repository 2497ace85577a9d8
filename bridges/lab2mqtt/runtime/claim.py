"""One bridge of a name: asked on every link before anything is commanded."""

import asyncio
from collections.abc import Callable
import contextlib
import logging
import os
import socket
from typing import Any

from lab2mqtt import wire
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.runtime.mqtt import BrokerError

_LOGGER = logging.getLogger(__name__)

ANSWER_WITHIN = 2.0  # s; who is silent for so long is dead, or hangs and will find out


class Claim:
    """The id of one bridge, claimed for one process.

    What a broker tells one listener comes in the order in which it was said. So a bridge that takes over says
    it before it takes commands, and one that hung reads that before any command that both could take.

    Attributes:
        topic: Where it is asked and answered.
        status_topic: The bridge's retained status.
        sure: Whether this process has the id: no other has spoken in its name since it asked.
        lost: Whether another process has it for good.
    """

    def __init__(
        self,
        base: str,
        bridge: str,
        instance: str,
        publish: Callable[[str, str], None],
        say_starting: Callable[[], None],
        on_sure: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            base: The base topic.
            bridge: The bridge's id.
            instance: What tells this process from another of the same id.
            publish: Publishes a payload on a topic.
            say_starting: Says, as the bridge's retained status, that this process is about to come.
            on_sure: Called when another spoke in our name and is silent.
        """
        self.topic = wire.bridge_topic(base, bridge, "claim")
        self.status_topic = wire.bridge_topic(base, bridge, "status")
        self.sure = self.lost = False
        self._bridge = bridge
        self._instance = instance
        self._publish = publish
        self._say_starting = say_starting
        self._on_sure = on_sure
        self._asked_at = 0.0
        self._questions = 0
        self._returned = asyncio.Event()
        self._answered = asyncio.Event()
        self._who: dict[str, Any] = {}
        self._other = self._ours = False
        self._ran = False
        self._doubt: asyncio.Task[None] | None = None

    @property
    def online(self) -> bool:
        """Whether the broker has told us that this process is online."""
        return self._ours

    def forget(self) -> None:
        """A new link tells everything anew; call it before the link listens to anything."""
        self.close()
        self.sure = self._other = self._ours = False

    async def take(self) -> None:
        """Claim the id on a new link, which listens to both topics by now.

        Raises:
            Misconfigured: Another process has it; the text says which.
            BrokerError: The broker does not let us speak on our own topic.
        """
        await self._ask()  # what is retained comes before our own question comes back
        if self._ours:
            said = True
        elif said := not self._other:
            # Of two that start in one moment, the one that says this later finds the other's word.
            self._say_starting()
            await self._ask()
        await self._silence()
        if self.lost:
            await self.beaten()
        if not said:
            self._say_starting()  # who hangs reads it, when it wakes up, before any command for us
        self.sure = self._ran = True

    async def heard_all(self) -> None:
        """Wait until all that is retained has come on what is listened to by now.

        Raises:
            BrokerError: The link was lost.
        """
        await self._ask()

    async def beaten(self) -> None:
        """Wait until another process has the id.

        Raises:
            Misconfigured: It has.
        """
        await self._answered.wait()
        raise Misconfigured(
            f"bridge {self._bridge!r} runs already, on {self._who.get('host', 'another machine')} as process"
            f" {self._who.get('pid', '?')}; stop that one, or give this one another id"
        )

    def answer(self, asker: str, **more: object) -> None:
        """Tell who asks that we are here."""
        who = {"host": socket.gethostname(), "pid": os.getpid(), **more}
        self._publish(self.topic, wire.encode(wire.claim_answer(self._instance, asker, **who)))

    def hear(self, claim: dict[str, Any]) -> None:
        """Take a question or an answer about this id, as wire.read_claim gives it."""
        if self.lost:
            return
        if claim["instance"] == self._instance:
            if not claim.get("asker"):
                self._returned.set()
        elif claim.get("asker") == self._instance:
            self._hear_answer(claim)
        elif not claim.get("asker"):
            self._other = self._other or not self.sure
            if self.sure or self._comes_before(claim):
                self.answer(claim["instance"], question=claim.get("question"), ran=self._ran)
            else:
                self._question()  # it may have come too late to hear the one before

    def _hear_answer(self, answer: dict[str, Any]) -> None:
        in_time = asyncio.get_running_loop().time() - self._asked_at < ANSWER_WITHIN
        if not in_time or answer.get("question") != self._questions:
            return
        if self._ran and answer.get("ran") is not True:
            self._question()  # it comes after us, and does not know of us yet
        elif self.sure:
            self._begin_to_doubt()
        else:
            self._who, self.lost, self._other = answer, True, True
            self._answered.set()
            self._returned.set()

    def hear_status(self, payload: bytes) -> bool:
        """Take what was said as the bridge's status; gives whether it calls the bridge offline for good."""
        try:
            status = wire.read_bridge_status(payload)
        except wire.WireError:
            return True
        online = status["status"] == wire.ONLINE
        self._ours = online and status.get("instance") == self._instance
        if status.get("instance") != self._instance and (online or status.get("starting")):
            self._other = True
            if self.sure:
                self._begin_to_doubt()
        return not online and not status.get("starting")

    def close(self) -> None:
        """Ask no more."""
        if self._doubt:
            self._doubt.cancel()
            self._doubt = None

    def _begin_to_doubt(self) -> None:
        _LOGGER.warning("Another process speaks as bridge %s; asking who it is", self._bridge)
        self.sure = False
        self._doubt = asyncio.create_task(self._resolve())

    async def _resolve(self) -> None:
        """Another spoke although we have the id: one of us hung or was cut off, and only one goes on."""
        self._other = True
        self._question()
        await self._silence()
        if not self.lost:
            _LOGGER.warning("It does not answer; going on")
            self.sure = True
            self._on_sure()

    async def _silence(self) -> None:
        """Where another was heard of, wait until it has answered or is silent for long enough."""
        loop = asyncio.get_running_loop()
        while self._other and not self.lost and (left := self._asked_at + ANSWER_WITHIN - loop.time()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._answered.wait()

    async def _ask(self) -> None:
        self._returned.clear()
        self._question()
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._returned.wait()
        except TimeoutError as error:
            raise BrokerError(f"the broker does not return what we say on {self.topic}") from error

    def _question(self) -> None:
        self._asked_at = asyncio.get_running_loop().time()
        self._questions += 1
        question = wire.claim(self._instance, question=self._questions, ran=self._ran)
        self._publish(self.topic, wire.encode(question))

    def _comes_before(self, other: dict[str, Any]) -> bool:
        """Of two that ask, the one that ran already goes on, else the smaller: both find the same."""
        return (not self._ran, self._instance) < (other.get("ran") is not True, other["instance"])
