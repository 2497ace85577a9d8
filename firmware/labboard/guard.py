"""The guard: outputs go to their safe state when the broker falls silent; a board that is ill starts anew."""

import asyncio
from time import ticks_diff, ticks_ms

from micropython import const
import wire

_LOOK = const(100)  # ms
_DOG = const(8000)  # ms; an RP2040 knows no more than 8388
_HUNG = const(60000)  # ms that a task may go on after it was asked to end


class Guard:
    """Looks at the board ten times a second.

    Args:
        parts: All of them.
        ticks: What else is looked at as often: functions of ticks_ms.
        execution: What runs.
        without_link: Minutes without a link after which the board starts anew; 0: never.
        restart: Starts the board anew, for a reason.
        watchdog: Whether a watchdog resets a board whose loop stands.
    """

    def __init__(self, parts, ticks, execution, without_link, restart, watchdog):
        self._parts = parts
        self._ticks = ticks
        self._execution = execution
        self._without_link = without_link * 60_000
        self._restart = restart
        self._watchdog = watchdog
        self._at_rest = []  # parts that were made safe in this silence

    async def run(self, link):
        """Guard for ever."""
        dog = None
        if self._watchdog:
            import machine

            dog = machine.WDT(timeout=_DOG)
        linked = ticks_ms()
        while True:
            now = ticks_ms()
            self._make_safe(now, link.heard)
            for tick in self._ticks:
                tick(now)
            if link.up:
                linked = now
            ill = self._illness(now, linked)
            if ill:
                self._restart(ill)
            elif dog:
                dog.feed()
            await asyncio.sleep_ms(_LOOK)

    def _make_safe(self, now, heard):
        silence = ticks_diff(now, heard)
        for part in self._parts:
            if part.safe_after is None:
                continue
            if silence <= part.safe_after * 1000:
                if part in self._at_rest:
                    self._at_rest.remove(part)
            elif part not in self._at_rest:
                self._at_rest.append(part)
                safe(part)
                # What runs would go on to set it, and what waits is by now wanted by nobody.
                text = "nothing was heard from the broker for %g s: %s" % (
                    part.safe_after,
                    part.safe_words or "safe state",
                )
                self._execution.end_all(wire.INTERRUPTED, text)

    def _illness(self, now, linked):
        if self._without_link and ticks_diff(now, linked) > self._without_link:
            return "no link to the broker for %d min" % (self._without_link // 60_000)
        hung = self._execution.hung_at
        if hung is not None and ticks_diff(now, hung) > _HUNG:
            return "a task does not end"
        return ""


def safe(part):
    """Bring one part to its safe state, whatever it says to that."""
    try:
        part.safe()
    except Exception as error:
        print("%s: safe failed: %s" % (part.key, error))


def stop(parts):
    """Let all that moves stand; gives what was in the way, or ""."""
    problems = []
    for part in parts:
        try:
            part.stop()
        except Exception as error:
            problems.append("%s: %s: %s" % (part.key, type(error).__name__, error))
    return "; ".join(problems)
