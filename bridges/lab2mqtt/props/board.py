"""The firmware that a prop's worker owns, as it tells of itself under ``halloween/<board>/``."""

import asyncio
from collections.abc import Callable, Mapping
import concurrent.futures
import contextlib
from dataclasses import dataclass
import json
from typing import Any

from lab2mqtt import wire
from lab2mqtt.core.errors import Fault, Refused, Unreachable
from lab2mqtt.props.base import ONLINE, RELEASE, STOPPED, BaseWorker

ANSWER_WITHIN = 2.0  # s in which a board shows that it does what it was told
STOP_WITHIN = 1.0  # s in which it shows that it stands

# The first is known to our firmware, the second to the original too; `stop` is to neither.
_STOPS = ("emergency_stop", "stop_action")
_GONE, _REFUSED, _FAILED, _BEGUN = "gone", "refused", "failed", "begun"


@dataclass(eq=False)
class _Asked:
    """A command whose outcome is awaited."""

    action: str
    outcome: str = ""
    words: str = ""


class Board:
    """What one board said last, and a way to know that it did what it was told.

    Boards of this dialect do not answer commands. That one was obeyed shows in what the board says next: its
    state, its telemetry, or ``status/warn`` with why not; the oldest firmware is silent when it refuses.

    Attributes:
        board_id: Its id, as in its topics.
        online: Whether it says so; False until it was heard.
        state: The word that it said last; "" while it is offline.
        values: Its last telemetry; empty while it is offline.
    """

    def __init__(self, worker: BaseWorker, board_id: str, changed: Callable[[], object]) -> None:
        """Know nothing yet; ``listen`` begins.

        Args:
            worker: Its owner.
            board_id: Its id.
            changed: Called, in the worker's loop, after each message of the board.
        """
        self._worker = worker
        self._changed = changed
        self._asked: set[_Asked] = set()
        self._waiting: list[tuple[Callable[[], object], concurrent.futures.Future[object]]] = []
        self._release_owed = False
        self.board_id = board_id
        self.online = False
        self.state = ""
        self.values: Mapping[str, Any] = {}

    def listen(self) -> None:
        """Hear it from now on; for the worker's ``start``."""
        for topic, handler in (
            ("availability", self._hear_availability),
            ("state", self._hear_state),
            ("telemetry", self._hear_telemetry),
            ("status/warn", self._hear_words),
            ("status/error", self._hear_words),
        ):
            self._worker.listen(self._topic(topic), handler)

    def tell(self, action: str, **params: object) -> None:
        """Send a command and wait for nothing.

        Args:
            action: The board's word.
            **params: What it takes.
        """
        if not params:
            self._worker.command(self.board_id, action)
            return
        # Not `args`, as between workers: the original firmware reads `params` alone.
        told = {"action": action, "params": params}
        self._worker.mqtt.publish(self._topic("cmd"), json.dumps(told), qos=1)

    async def ask(
        self,
        action: str,
        begun: Callable[[], object],
        *,
        undo: str = "",
        within: float = ANSWER_WITHIN,
        **params: object,
    ) -> None:
        """Send a command, and wait until the board shows that it does it.

        Args:
            action: The board's word.
            begun: Tells by what the board said whether it has begun.
            undo: The command that takes it back where nothing shows in time, so that it does not come late.
            within: Seconds.
            **params: What it takes.

        Raises:
            Refused: An emergency stop is engaged, or the board refused; in its own words.
            Unreachable: It is offline.
            Fault: It failed, in its own words, or did not begin.
        """
        self.check()
        outcome = ""
        asked = _Asked(action)
        self._asked.add(asked)

        def shows() -> str:
            if begun():
                return _BEGUN
            return asked.outcome if self.online else _GONE

        try:
            self.tell(action, **params)
            outcome = str(await self.until(shows, within))
        finally:
            self._asked.discard(asked)
            if undo and outcome in ("", _GONE):
                self.tell(undo)
        if outcome == _GONE:
            raise Unreachable(f"{self.board_id} went offline at {action}")
        if outcome == _REFUSED:
            raise Refused(f"{self.board_id}: {asked.words}", wire.NOT_ALLOWED)
        if outcome == _FAILED:
            raise Fault(f"{self.board_id}: {asked.words}")
        if outcome != _BEGUN:
            raise Fault(f"{self.board_id} is online and did not begin with {action} within {within:g} s")

    def check(self) -> None:
        """See that it can be told something.

        Raises:
            Refused: An emergency stop is engaged, of the lab, the prop or the board.
            Unreachable: It is offline.
        """
        self._check_way()
        if self.state == STOPPED:
            raise Refused(
                f"{self.board_id} keeps an emergency stop of its own; `reset` releases it",
                wire.EMERGENCY_STOPPED,
            )

    async def reset(self) -> None:
        """Release its own emergency stop, if it keeps one, and wait until it has; for ``do_reset``.

        Raises:
            Refused: An emergency stop of the lab or the prop is engaged.
            Unreachable: It is offline.
            Fault: It is still stopped.
        """
        self._check_way()
        if self.state != STOPPED:
            return
        self.tell(RELEASE)
        if not await self.until(lambda: self.online and self.state != STOPPED, ANSWER_WITHIN):
            raise Fault(f"{self.board_id} did not release its emergency stop within {ANSWER_WITHIN:g} s")

    async def until(self, test: Callable[[], object], within: float) -> object:
        """Wait until a test passes, which is asked at each message of the board.

        In whatever event loop: an emergency stop may have to run in another than the worker's.

        Args:
            test: Gives something true when it passes.
            within: Seconds.

        Returns:
            What the test gave, if only for a moment; after the time what it gives then.
        """
        if found := test():
            return found
        waiting = (test, concurrent.futures.Future[object]())
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(within):  # wait_for of Python 3.11 now and then loses a cancel
                return await asyncio.wrap_future(waiting[1])
        except TimeoutError:
            return test()
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(waiting)

    async def stop(self, stands: Callable[[], object], *words: str, within: float = STOP_WITHIN) -> None:
        """Tell it to stop, whatever else is, and wait until it shows that it stands.

        Args:
            stands: Tells by what the board said whether it stands, and stays so.
            *words: The commands; without one an emergency stop, for ``on_emergency_stop``.
            within: Seconds.

        Raises:
            Unreachable: It is offline, and cannot confirm.
            Fault: It did not confirm.
        """
        for word in words or _STOPS:
            self.tell(word)
        if not self.online:
            raise Unreachable(f"{self.board_id} is offline and cannot confirm that it stands")
        if not await self.until(lambda: self.online and stands(), within):
            told = self.state or "not known"
            raise Fault(f"{self.board_id} did not confirm the stop within {within:g} s: its state is {told}")

    def release(self) -> None:
        """Release its own emergency stop, at once or as soon as it is back."""
        self._release_owed = not self.online
        if self.online:
            self.tell(RELEASE)

    def _check_way(self) -> None:
        if self._worker.stopped:
            raise Refused(f"stopped: {self._worker.stopped}", wire.EMERGENCY_STOPPED)
        if not self.online:
            raise Unreachable(f"{self.board_id} is offline; see that it has power and Wi-Fi")

    def _hear_availability(self, topic: str, payload: str) -> None:
        del topic
        came = payload == ONLINE and not self.online
        self.online = payload == ONLINE
        if not self.online:
            self.state, self.values = "", {}
        if came and self._worker.stopped:
            self._worker.spawn(self._stop_again())
        elif came and self._release_owed:
            self.release()
        self._heard()

    def _hear_state(self, topic: str, payload: str) -> None:
        del topic
        self.state = payload.strip()
        self._heard()

    def _hear_telemetry(self, topic: str, payload: str) -> None:
        del topic
        try:
            told = json.loads(payload)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            self._worker.status(
                "warn", f"{self.board_id} sent telemetry that is no JSON object: {payload[:60]!r}"
            )
            return
        self.values = told
        self._heard()

    def _hear_words(self, topic: str, payload: str) -> None:
        for asked in self._asked:
            if payload.startswith(f"{asked.action} "):  # the board's words begin with the action
                asked.words = payload
                asked.outcome = _REFUSED if topic.endswith("/warn") else _FAILED
        self._heard()

    async def _stop_again(self) -> None:
        """Stop a board that was away when all others were."""
        stopped = self._worker.on_emergency_stop()
        if asyncio.iscoroutine(stopped):
            await stopped

    def _heard(self) -> None:
        for waiting in list(self._waiting):
            test, found = waiting
            if (passed := test()) and found.set_running_or_notify_cancel():
                self._waiting.remove(waiting)
                found.set_result(passed)
        self._changed()

    def _topic(self, rest: str) -> str:
        return f"{self._worker.mqtt.prefix}/{self.board_id}/{rest}"
