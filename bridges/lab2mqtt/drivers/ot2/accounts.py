"""What became of each run of ours: followed by its task, left paused, or ended, and so noted on the deck."""

import asyncio
from collections.abc import Mapping, Sequence
import contextlib
import logging
from typing import Any, Final

from lab2mqtt.core.errors import LabError, Unreachable
from lab2mqtt.drivers.ot2.answers import PAUSED, RunState
from lab2mqtt.drivers.ot2.current import Current
from lab2mqtt.drivers.ot2.deck import Deck
from lab2mqtt.drivers.ot2.errors import NotFound, RobotFault
from lab2mqtt.drivers.ot2.runs import Runs
from lab2mqtt.drivers.ot2.snapshot import Outcome
from lab2mqtt.drivers.ot2.steps import read_steps

_LOGGER = logging.getLogger(__name__)

_AGAIN: Final = 1.0  # s between two looks at a run that nobody follows


class Accounts:
    """The runs of ours on one robot. The deck keeps one reserved until its end was seen.

    Attributes:
        current: The run that a task follows.
        left: The run that is paused and that no task follows.
        unfollowed: The reserved run that no task follows, as it was seen last; it may be ending.
        last: How the last one ended.
    """

    def __init__(self, runs: Runs, deck: Deck) -> None:
        """Prepare; nothing is asked.

        Args:
            runs: Of the robot.
            deck: What stands on it.
        """
        self.current: Current | None = None
        self.left: Current | None = None
        self.unfollowed: RunState | None = None
        self.last: Outcome | None = None
        self._runs, self._deck = runs, deck
        self._before: Current | None = None  # the last that was followed
        self._looking: asyncio.Task[None] | None = None
        self._resting: asyncio.Task[None] | None = None
        self._settling = asyncio.Lock()

    def follow(self, now: Current) -> None:
        """Note that a task follows a run."""
        if self._resting:
            self._resting.cancel()  # what was wanted of a run before
        self.current = self._before = now
        self.left = self.unfollowed = None

    def let_go(self) -> None:
        """Note that its task has ended; what becomes of the run is found out in the background."""
        if self.current and self._deck.reserved:
            self.unfollowed = self.current.state
        self.current = None
        self.look()

    def look(self) -> None:
        """Find out, in the background, what becomes of a run that nobody follows."""
        busy = self._looking is not None and not self._looking.done()
        if self._deck.reserved and self.current is None and not busy:
            self._looking = asyncio.create_task(self._account())

    def bring_to_rest(self, run_id: str, *, ending: bool) -> "asyncio.Task[None]":
        """See that a run begins nothing more, in the background: tried until the robot has obeyed.

        Args:
            run_id: Which.
            ending: Whether it is ended too, where the sensor does not hang on the pipette.
        """
        if self._resting:
            self._resting.cancel()
        self._resting = asyncio.create_task(self._bring_to_rest(run_id, ending=ending))
        return self._resting

    async def close(self) -> None:
        """Look no more; what is reserved stays so."""
        for task in filter(None, (self._looking, self._resting)):
            task.cancel()
            await asyncio.wait([task])
        self._looking = self._resting = None
        self.left = self.unfollowed = None

    def is_ours(self, state: RunState) -> bool:
        """Whether a run of the robot is one of ours."""
        reserved = self._deck.reserved
        current = self.current or self.left
        return state.run_id in (reserved and reserved.run, current and current.run_id)

    async def advance(self, now: Current) -> None:
        """Note on the deck which steps have succeeded."""
        if now.index is None or self._deck.reserved is None:
            return
        command = now.where and now.where.command
        begun = now.index if command and command.get("status") == "succeeded" else now.index - 1
        done = len(read_steps(now.commands[:begun]))
        if done > now.done:
            now.done = done
            await asyncio.to_thread(self._deck.advance, done)

    async def look_back(self, run_id: str) -> None:
        """Note which steps of the reserved run have succeeded by now; the looks at it came a little later."""
        reserved = self._deck.reserved
        if reserved and reserved.run == run_id:
            good = _good(await self._runs.commands(run_id))
            await asyncio.to_thread(self._deck.advance, min(len(read_steps(good)), len(reserved.steps)))

    async def settle(self, state: RunState, task: str | None) -> Outcome:
        """Tell the deck how a run ended, and let the robot go."""
        async with self._settling:
            reserved = self._deck.reserved
            if reserved and reserved.run == state.run_id:
                if state.status == "succeeded":
                    await asyncio.to_thread(self._deck.succeeded)
                elif state.started_at is None and not state.lost:
                    await asyncio.to_thread(self._deck.released)
                else:
                    done = await self._done(state, len(reserved.steps))
                    await asyncio.to_thread(self._deck.interrupted, done)
            self.left = self.unfollowed = None
        error = str(state.problem) if state.problem else None
        self.last = Outcome(state.run_id, task, state.status, error)
        if state.current:
            with contextlib.suppress(LabError):
                await self._runs.release(state.run_id)
        return self.last

    # Parts.

    async def _account(self) -> None:
        """Wait for the end of the run that is reserved and that nobody follows, and settle it."""
        while (reserved := self._deck.reserved) and self.current is None:
            try:
                state = await self._runs.state(reserved.run)
                if state.ended:  # shown as it was seen before, until it is settled
                    await self.settle(state, None)
                    continue
                self.unfollowed = state
                if state.status == "idle":  # it never began, and once it is gone it never will
                    await self._runs.release(state.run_id)
                    with contextlib.suppress(RobotFault):
                        await self._runs.delete(state.run_id)
                    await asyncio.to_thread(self._deck.released)
                    self.unfollowed = None
                elif state.status in PAUSED and self.left is None:
                    await self._find_left(state)
                else:
                    await asyncio.sleep(_AGAIN)
            except NotFound:
                self.unfollowed = None
                await asyncio.to_thread(self._deck.interrupted, None)
                self.last = Outcome(reserved.run, None, "failed", "the robot knows nothing of it any more")
            except Unreachable:
                await asyncio.sleep(_AGAIN)
            except LabError as error:
                _LOGGER.warning("run %s cannot be accounted for yet: %s", reserved.run, error)
                await asyncio.sleep(_AGAIN)

    async def _bring_to_rest(self, run_id: str, *, ending: bool) -> None:
        complaint = ""
        while True:
            try:
                await self._runs.hold(run_id)
                if ending and (await self._runs.state(run_id)).active:
                    await self.look_back(run_id)
                    if not self._deck.sensor_at_risk:
                        await self._runs.act(run_id, "stop")
            except NotFound:
                return
            except LabError as error:
                if str(error) != complaint:
                    complaint = str(error)
                    _LOGGER.warning("run %s does not rest yet: %s", run_id, complaint)
                await asyncio.sleep(_AGAIN)
            else:
                return

    async def _find_left(self, state: RunState) -> None:
        """A run of before is paused: know it again."""
        now = self._before
        if now is None or now.run_id != state.run_id:
            now = Current(state.run_id, None, await self._runs.commands(state.run_id), planned=False)
        now.state, now.where = state, await self._runs.step(state.run_id)
        await self.advance(now)
        self.left = now

    async def _done(self, state: RunState, most: int) -> int | None:
        """How many steps have certainly succeeded; None where the robot cannot tell."""
        try:
            commands = await self._runs.commands(state.run_id)
        except LabError:
            return None
        return None if state.lost else min(len(read_steps(_good(commands))), most)


def _good(commands: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [command for command in commands if command.get("status") == "succeeded"]
