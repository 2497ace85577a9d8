"""Commands that come before their prop can take them: it says that it is online a moment sooner."""

import asyncio
from collections.abc import Callable
import contextlib

from lab2mqtt.runtime.mqtt import Message

WITHIN = 2.0  # s that a command waits; then it is refused in words
LOOK_EVERY = 0.02  # s
MOST = 32  # commands of one prop that wait


class Early:
    """Keeps the commands of one prop, in order, until it answers."""

    def __init__(self, answers: Callable[[], bool], take: Callable[[Message], None]) -> None:
        """Keep none.

        Args:
            answers: Whether the prop does by now.
            take: Does what a command says, or tells why not.
        """
        self._answers = answers
        self._take = take
        self._waiting: list[Message] = []
        self._work: asyncio.Task[None] | None = None

    def put(self, message: Message) -> None:
        """Take a command now, or as soon as the prop answers."""
        if not self._waiting and self._answers():
            self._take(message)
        elif len(self._waiting) < MOST:
            self._waiting.append(message)
            if self._work is None or self._work.done():
                self._work = asyncio.create_task(self._wait())
        else:
            self._take(message)  # which tells that it does not answer

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WITHIN):
                while not self._answers():  # noqa: ASYNC110 - an instrument tells nobody of it
                    await asyncio.sleep(LOOK_EVERY)
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self._take(message)
