"""What props have said so far, by kind: remembered, so that no sensor goes when the host starts again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
import logging
import re
from typing import Any, Literal

from lab2mqtt.core.house import STATE_KEYS
from lab2mqtt.runtime.kept import Kept

_LOGGER = logging.getLogger(__name__)

Kind = Literal["number", "flag", "text"]
MOST_KEYS = 100  # values of one prop
MOST_STATES = 60  # words; Home Assistant takes more, and people do not
# Keys that every prop has, or every device; those that begin with on_ are of device triggers.
_TAKEN = {
    *STATE_KEYS,
    *("state", "message", "status_message", "restart_worker"),
    *("happening", "stop", "reset_stop", "cancel", "pause", "resume"),
}


@dataclass
class Seen:
    """What one prop has said.

    Attributes:
        values: Key of a value → its kind; a number that was a text once stays a text.
        states: The words of its state, as they came.
        is_firmware: Whether it is a board that has no worker.
    """

    values: dict[str, Kind] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)
    is_firmware: bool = False
    is_full: bool = False

    def value(self, key: str, value: object) -> tuple[str, bool]:
        """Note a value; gives the key under which it is shown, "" for none, and whether that is news."""
        kind = kind_of(value)
        known = self.values.get(key)
        if kind is None or known == kind:
            return (key if known else ""), False
        if "flag" in (kind, known) and known is not None:
            return self.value(f"{key}_value", value)  # Home Assistant keeps the platform of a key for ever
        if known == "text":
            return key, False
        if known is None and len(self.values) >= MOST_KEYS:
            self.is_full = True
            return "", False
        self.values[key] = kind
        return key, True

    def state(self, word: str) -> bool:
        """Note a word of the state; gives whether that is news."""
        if word in self.states or len(self.states) >= MOST_STATES:
            return False
        self.states.append(word)
        return True


class Record:
    """What all props have said, kept in one file."""

    def __init__(self, kept: Kept) -> None:
        """Read what was kept; what cannot be read is forgotten, and said."""
        self._kept = kept
        self._props: dict[str, Seen] = {}
        try:
            for prop_id, told in kept.read().items():
                self._props[prop_id] = _seen(told)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            _LOGGER.warning("What props said before is not known: %s", error)

    def of(self, prop_id: str) -> Seen:
        """What one prop has said."""
        return self._props.setdefault(prop_id, Seen())

    def keep(self) -> None:
        """Keep it."""
        self._kept.write_soon({prop_id: _told(seen) for prop_id, seen in self._props.items()})

    @property
    def firmware(self) -> list[str]:
        """The boards without a worker that were heard of once."""
        return [prop_id for prop_id, seen in self._props.items() if seen.is_firmware]

    def forget(self, prop_id: str) -> None:
        """Know nothing of a prop any more."""
        if self._props.pop(prop_id, None):
            self.keep()


def kind_of(value: object) -> Kind | None:
    """What a value is; None tells nothing."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "flag"
    return "number" if isinstance(value, (int, float)) else "text"


def members(key: str, value: object) -> Iterator[tuple[str, object]]:
    """A value by its key in Home Assistant; an object has one for each member, a list is a text."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from members(f"{key}_{name}", one)
    else:
        yield as_key(key), value


def as_key(words: str) -> str:
    """A key of ours for what a worker calls otherwise: ``tesla/Trunk Open`` → ``tesla_trunk_open``."""
    key = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:50]
    if not key or not key[0].isalpha() or key in _TAKEN or key.startswith("on_"):
        return f"telemetry_{key}".rstrip("_")
    return key


def _seen(told: Mapping[str, Any]) -> Seen:
    values = {str(key): kind for key, kind in told["values"].items() if kind in ("number", "flag", "text")}
    return Seen(values, [str(word) for word in told["states"]], told.get("firmware") is True)


def _told(seen: Seen) -> dict[str, Any]:
    firmware = {"firmware": True} if seen.is_firmware else {}
    return {"values": seen.values, "states": seen.states, **firmware}
