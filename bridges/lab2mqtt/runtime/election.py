"""Which of the bridges that adopt boards announces them: all come to the same answer, without a vote."""

from dataclasses import dataclass

from lab2mqtt import wire
from lab2mqtt.runtime.mqtt import Message

GONE_AFTER = 90.0  # s without a live word; a bridge says its health three times in that


@dataclass
class _Other:
    """Another bridge that adopts."""

    adopts: int
    heard_at: float
    gone: bool = False


class Election:
    """The bridge that has adopted for longest announces; of two that began in one second the smaller id.

    Each tells in its status since when it ``adopts``. A status that a dead bridge left as ``online`` counts
    for ``GONE_AFTER``, and not at all once it was found to be left.

    Attributes:
        topics: What to listen to.
        adopts: When this process began, in seconds since the epoch.
    """

    def __init__(self, base: str, bridge: str, adopts: int) -> None:
        """Know of no others yet.

        Args:
            base: The base topic.
            bridge: Our own id.
            adopts: When this process began, in seconds since the epoch.
        """
        self.topics = [wire.bridge_topic(base, "+", kind) for kind in ("status", "health")]
        self._bridge = bridge
        self.adopts = adopts
        self._others: dict[str, _Other] = {}

    def renew(self, now: float) -> None:
        """A new link: nobody could be heard meanwhile.

        Args:
            now: Seconds on a clock that nobody can set, as everywhere here.
        """
        for other in self._others.values():
            other.heard_at = now

    def hear(self, bridge: str, kind: str, message: Message, now: float) -> None:
        """Take what a bridge said: its ``status`` or its ``health``."""
        if bridge == self._bridge:
            return
        if kind == "status":
            self._hear_status(bridge, message, now)
        elif kind == "health" and not message.retained and (other := self._others.get(bridge)):
            other.heard_at, other.gone = now, False

    def _hear_status(self, bridge: str, message: Message, now: float) -> None:
        try:
            told = wire.read_bridge_status(message.payload)
        except wire.WireError:
            told = {}
        adopts = told.get("adopts")
        if told.get("status") != wire.ONLINE or not isinstance(adopts, int) or isinstance(adopts, bool):
            self._others.pop(bridge, None)
            return
        known = self._others.get(bridge)
        if known is None or known.adopts != adopts or not message.retained:
            self._others[bridge] = _Other(adopts, now)

    def elsewhere(self, now: float) -> str:
        """The id of the other bridge that announces; empty where it is this one."""
        first = (self.adopts, self._bridge)
        for bridge, other in self._others.items():
            other.gone = other.gone or now - other.heard_at > GONE_AFTER
            if not other.gone:
                first = min(first, (other.adopts, bridge))
        return "" if first[1] == self._bridge else first[1]
