"""What a prop's board tells of itself in the older dialect: its state in a word, and its telemetry."""

from time import ticks_diff, ticks_ms

from micropython import const
import wire

from labboard.state import State

_EVERY = const(5000)  # ms between two telemetries, where nothing changes


class PropState(State):
    """Reads the parts, and says what they give.

    Args:
        say: Publishes it.
        parts: Those that are read.
        word: Gives the state in a word.
        more: Gives what the board itself tells.
        warn: Says that something was not done.
        error: Says what fails.

    Attributes:
        tell: Makes the telemetry of all values; set before it is said.
    """

    def __init__(self, say, parts, word, more, warn, error):
        super().__init__(say, parts, dict, dict)
        self._word = word
        self._tells = more
        self._warn = warn
        self._error = error
        self._said_word = None
        self._news = False
        self._failing = {}  # part's key → why, of those that were said
        self._skipped = 0
        self.tell = dict

    def changed(self):
        """Say it soon."""
        self._news = True

    def look(self):
        """Read all parts soon: something happened to them."""
        self._due = [ticks_ms()] * len(self._due)

    def payload(self):
        """The state as it goes out."""
        self._said_word = self._word()
        return self._said_word.encode()

    def tick(self, now):
        """Say what is new, ten times a second; nothing without a link."""
        link = self._say.link
        if not link.up:
            self._news = True  # a new link is told all
            return
        if self._word() != self._said_word:
            self._say.changed("state")
        if self._news or ticks_diff(now, self._said_at) >= _EVERY:
            self._news = False
            self._said_at = now
            told = self.tell(self._values)
            told.update(self._tells())
            self._say.put("telemetry", wire.encode(told).encode(), 0)
        if self._problems != self._failing:
            for key, why in self._problems.items():
                if self._failing.get(key) != why:
                    self._error("%s: %s" % (key, why))
            self._failing = dict(self._problems)
        if link.oversized != self._skipped:
            self._skipped = link.oversized
            self._warn("a command was too long to be read")
