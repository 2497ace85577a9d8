"""Plays a show: a clock that can be halted and set, and the cues that are due by it.

All of it runs in one event loop; nothing here waits. Time is the loop's own, which no clock change moves.
"""

import asyncio
from collections.abc import Callable, Coroutine
import math
from typing import Any

from lab2mqtt.core.errors import LabError
from lab2mqtt.props.shows.cues import Cue, Show

IDLE, PLAYING, PAUSED, STOPPED, FAILED = STATES = ("idle", "playing", "paused", "stopped", "failed")
LATE = 1.0  # s: what is later than that is left out
EARLY = 0.001  # s: an event loop's timer may end by a tick of its clock too soon

Fire = Callable[[Cue], Coroutine[Any, Any, None]]


class Player:
    """One show at a time.

    Attributes:
        state: One of ``STATES``.
        show: What plays, or played last.
        fired: The number of the cue that was fired last, 0 before the first.
        round: Which time the show plays, from 1.
    """

    def __init__(self, fire: Fire, changed: Callable[[], None], tell: Callable[[str, str], None]) -> None:
        """Have nothing to play yet.

        Args:
            fire: Does a cue, and returns when it is answered; what it raises is the cue's failure.
            changed: Called when state, cue or round have changed.
            tell: Takes ``warn`` or ``error``, and words.
        """
        self._fire = fire
        self._changed = changed
        self._tell = tell
        self.state = IDLE
        self.show: Show | None = None
        self.fired = 0
        self.round = 0
        self._rounds = 1.0
        self._next = 0
        self._halted_at: float | None = 0.0  # the position, while the clock stands
        self._zero = 0.0  # the loop's time at position 0, while it goes
        self._timer: asyncio.TimerHandle | None = None
        self._running: dict[asyncio.Task[None], Cue] = {}
        self._awaited: asyncio.Task[None] | None = None

    # What is asked of it

    def play(self, show: Show, first: int = 0) -> None:
        """Play from a cue, counted from 0; the clock begins at its time."""
        self._end(PLAYING)
        self.show = show
        self.fired, self.round, self._rounds = 0, 1, show.rounds
        self._set(first)
        self._go()
        self._changed()

    def pause(self) -> None:
        """Halt the clock; what has begun goes on."""
        self.state = PAUSED
        self._halt(self.position)
        self._changed()

    def resume(self) -> None:
        """Let the clock go on from where it was halted."""
        self.state = PLAYING
        self._go()
        self._changed()

    def jump(self, place: int) -> None:
        """Go on with a cue, counted from 0; nothing between is fired, and no answer is waited for."""
        self._awaited = None
        self._set(place)
        self._go()
        self._changed()

    def repeat(self, *, on: bool) -> None:
        """Repeat without end, or let this round be the last."""
        self._rounds = math.inf if on else self.round
        self._changed()

    def stop(self) -> None:
        """Fire nothing more, and wait for no answer. Does nothing where nothing plays."""
        if self.is_on:
            self._end(STOPPED)
            self._changed()

    # What it tells

    @property
    def is_on(self) -> bool:
        """Whether a show plays or is paused."""
        return self.state in (PLAYING, PAUSED)

    @property
    def goes(self) -> bool:
        """Whether the clock goes."""
        return self._halted_at is None

    @property
    def repeats(self) -> bool:
        """Whether another round follows this one."""
        return self._rounds > self.round

    @property
    def position(self) -> float:
        """Seconds of the show's clock."""
        if self._halted_at is not None:
            return self._halted_at
        return asyncio.get_running_loop().time() - self._zero

    @property
    def next_cue(self) -> Cue | None:
        """What is fired next in this round, while a show plays or is paused."""
        if self.show is None or not self.is_on or self._next >= len(self.show.cues):
            return None
        return self.show.cues[self._next]

    @property
    def next_at(self) -> float:
        """The position at which something happens next: a cue, or the round's end."""
        cue = self.next_cue
        if cue is not None:
            return cue.at
        return self.show.length if self.show else 0.0

    # The clock

    def _set(self, place: int) -> None:
        if self.show is None:
            raise RuntimeError("no show")
        self._next = place
        self._halt(self.show.cues[place].at)

    def _halt(self, position: float) -> None:
        self._halted_at = position
        self._plan()

    def _go(self) -> None:
        if self.state == PLAYING and self._awaited is None and self._halted_at is not None:
            self._zero = asyncio.get_running_loop().time() - self._halted_at
            self._halted_at = None
            self._plan()

    def _plan(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self.goes:
            self._timer = asyncio.get_running_loop().call_at(self._zero + self.next_at, self._due)

    # What is due

    def _due(self) -> None:
        while self.goes and (late := self.position - self.next_at) >= -EARLY:
            if cue := self.next_cue:
                self._next += 1
                self._cue(cue, late)
            else:
                self._round_ends(late)
        self._plan()
        self._changed()

    def _cue(self, cue: Cue, late: float) -> None:
        if late > LATE:
            self._tell("warn", f"cue {cue.title} was {late:.1f} s late: skipped")
            return
        task = asyncio.get_running_loop().create_task(self._fire(cue))
        self._running[task] = cue
        task.add_done_callback(self._answered)
        self.fired = cue.number
        if cue.wait:
            self._awaited = task
            self._halt(cue.at)

    def _round_ends(self, late: float) -> None:
        length = self.next_at
        if not self.repeats:
            self._halt(length)
            self._end_if_done()
            return
        self.round += 1
        self._next = 0
        if late > LATE:  # else all rounds that were missed would pass at once
            self._tell("warn", f"round {self.round} began {late:.1f} s late")
            self._zero += late
        self._zero += length

    def _answered(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        cue = self._running.pop(task, None)
        if cue is None:  # the show has ended before
            return
        if task is self._awaited:
            self._awaited = None
        if error and not cue.goes_on:
            self._end(FAILED)
            self._tell("error", f"cue {cue.title}: {_words(error)}; the show has stopped")
            self._changed()
            return
        if error:
            self._tell("warn", f"cue {cue.title}: {_words(error)}; the show goes on")
        self._go()
        self._end_if_done()

    def _end_if_done(self) -> None:
        """A show is over with its last answer."""
        over = self.next_cue is None and self._halted_at == self.next_at and not self.repeats
        if self.state == PLAYING and over and not self._running:
            self._end(IDLE)
            self._changed()

    def _end(self, state: str) -> None:
        if self.goes:
            self._halt(self.position)
        self.state = state
        self._awaited = None
        running = list(self._running)
        self._running.clear()
        for task in running:
            task.cancel()


def _words(error: BaseException) -> str:
    if isinstance(error, LabError):
        return f"{error} ({error.error_code})"
    return f"{type(error).__name__}: {error}"
