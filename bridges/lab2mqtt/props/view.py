"""What Home Assistant shows of one prop, kept in the main loop."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import logging

from lab2mqtt.props.seen import MOST_KEYS, Seen, kind_of

_LOGGER = logging.getLogger(__name__)

LONGEST = 255  # characters of a state in Home Assistant
MOST = 10**200  # a whole number that no message holds would end more than its own prop


@dataclass(frozen=True)
class Snapshot:
    """How one prop is.

    Attributes:
        values: What its telemetry told last, by key.
        state: Its state.
        message: Its last status message.
        problems: Why it does not work.
    """

    values: Mapping[str, object]
    state: str | None
    message: str | None
    problems: tuple[str, ...]


class View:
    """One prop as it is shown; tells when something changes, and when something new is to be shown."""

    def __init__(
        self, prop_id: str, seen: Seen, on_change: Callable[[], None], on_news: Callable[[], None]
    ) -> None:
        """Show nothing yet.

        Args:
            prop_id: For the log.
            seen: What it has said before.
            on_change: Called when a value has changed.
            on_news: Called when there is one that was never seen before.
        """
        self.seen = seen
        self._prop_id = prop_id
        self._on_change = on_change
        self._on_news = on_news
        self._values: dict[str, object] = {}
        self._state: str | None = None
        self._message: str | None = None
        self._problem = ""
        self._told_full = False

    def values(self, told: Mapping[str, object]) -> None:
        """Take values of the telemetry, as ``shown``, by their keys in Home Assistant."""
        news = changed = False
        for member, one in told.items():
            key, is_new = self.seen.value(member, one)
            news = news or is_new
            if key:
                value = one if one is None or self.seen.values[key] != "text" else str(one)
                changed = changed or self._values.get(key, ...) != value
                self._values[key] = value
        if self.seen.is_full and not self._told_full:
            self._told_full = True
            _LOGGER.warning("%s has more than %d values; the others are not shown", self._prop_id, MOST_KEYS)
        if news:
            self._on_news()
        if changed:
            self._on_change()

    def state(self, word: str) -> None:
        """Take the state."""
        self._state = _text(word)
        if self.seen.state(self._state):
            self._on_news()
        self._on_change()

    def message(self, text: str) -> None:
        """Take a status message."""
        self._message = _text(text)
        self._on_change()

    def problem(self, text: str) -> None:
        """Take why the prop does not work; "" when it does."""
        text = _text(text)
        if text != self._problem:
            self._problem = text
            self._on_change()

    def snapshot(self, problems: tuple[str, ...]) -> Snapshot:
        """How it is.

        Args:
            problems: What its host knows.
        """
        own = (self._problem,) if self._problem else ()
        return Snapshot(dict(self._values), self._state, self._message, (*problems, *own))


def shown(value: object) -> object:
    """A value as it can be shown: what is no number and no flag is a text."""
    if kind_of(value) == "text":
        return _text(value)
    return None if isinstance(value, int) and abs(value) > MOST else value


def _text(value: object) -> str:
    """A text as UTF-8 holds it; half of a character is none."""
    return str(value)[:LONGEST].encode(errors="replace").decode()
