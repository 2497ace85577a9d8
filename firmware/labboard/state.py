"""The state of a board: what its parts measure, and whether it may be used."""

import asyncio
import math
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const
import wire

from labboard import clock

_READ_WITHIN = const(5000)  # ms
_LOOK = const(50)  # ms between two looks at which part is to be read
_RANK = ("starting", "emergency_stopped", "fault", "maintenance", "busy", "reserved")


class State:
    """What is said as the state.

    Args:
        say: Publishes it.
        parts: Those that are read.
        reasons: Gives a dictionary: word of the readiness → texts, for all that stands in the way.
        more: Gives what else belongs to the state: its stop, its holds, its health.

    Attributes:
        task: The name of the task that runs, or None.
    """

    def __init__(self, say, parts, reasons, more):
        self._say = say
        self._parts = parts
        self._reasons = reasons
        self._more = more
        self._values = {}
        self._problems = {}  # part's key → why it gives nothing
        self._due = []
        self._said_at = ticks_ms()
        self.longest = 60_000  # ms between two states; 10 000 of a board that moves something
        self.task = None

    def changed(self):
        """Say it soon."""
        self._say.changed("state")

    def begin(self):
        """All parts are known: their values are unknown."""
        for part in self._parts:
            for key, entity in part.entities.items():
                if entity["platform"] not in ("button", "event") and not entity.get("stateless"):
                    self._values[key] = None
        self._due = [ticks_ms()] * len(self._parts)

    def readiness(self):
        """One word, and all reasons."""
        reasons = self._reasons()
        for key in self._problems:
            reasons.setdefault("fault", []).append("%s: %s" % (key, self._problems[key]))
        if self.task:
            reasons["busy"] = [self.task + " runs"]
        words = [word for word in _RANK if word in reasons]
        return (words[0] if words else "ready"), [text for word in words for text in reasons[word]]

    def payload(self):
        """The state as it goes out."""
        self._said_at = ticks_ms()
        told = self._more()
        told.update(self._values)
        told["readiness"], told["readiness_reasons"] = self.readiness()
        told["connected"] = True
        told["task"] = self.task
        told["updated_at"] = clock.now()
        return wire.encode(told).encode()

    async def run(self):
        """Read the parts as often as they want, and say the state even when nothing changes."""
        while True:
            now = ticks_ms()
            for number, part in enumerate(self._parts):
                # A task that reads may hold its part for long, and the others must not wait for it.
                if part.every and ticks_diff(now, self._due[number]) >= 0 and not part.lock.locked():
                    self._due[number] = ticks_add(now, part.every)
                    await self._read(part)
            if ticks_diff(ticks_ms(), self._said_at) > self.longest // 2:
                self._said_at = ticks_ms()
                self.changed()
            await asyncio.sleep_ms(_LOOK)

    async def measure(self, of=None):
        """Read now: one part, or all that are read."""
        for part in self._parts:
            if part.every and (of is None or part is of):
                await self._read(part)

    async def _read(self, part):  # noqa: C901, PLR0912
        problem = None
        values = {}
        try:
            async with part.lock:
                values = part.read()
                if hasattr(values, "send"):
                    values = await asyncio.wait_for_ms(values, _READ_WITHIN)
        except asyncio.TimeoutError:
            problem, values = "no answer within %d s" % (_READ_WITHIN // 1000), {}
        except OSError as error:
            problem, values = str(error), {}
        except Exception as error:  # a part of somebody's own, too, must not stop the others
            problem, values = "%s: %s" % (type(error).__name__, error), {}
        known = self._values
        news = False
        if problem != self._problems.get(part.key):
            news = True
            if problem is None:
                del self._problems[part.key]
            else:
                self._problems[part.key] = problem
        for key, entity in part.entities.items():
            if problem is not None and key in known and key not in values:
                values[key] = None
            elif entity.get("precision") is not None and isinstance(values.get(key), float):
                values[key] = round(values[key], entity["precision"])  # or noise would be change
        for key, value in values.items():
            if isinstance(value, float) and not math.isfinite(value):
                value = None  # noqa: PLW2901 - not a number is not known
            if key not in known or known[key] != value:
                known[key] = value
                news = True
        if news:
            self.changed()
