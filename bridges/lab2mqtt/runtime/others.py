"""What is known of other devices, as the broker tells it: their state, and whether they are online."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
import time

from lab2mqtt import wire
from lab2mqtt.core.interlock import Seen


@dataclass
class _Other:
    """What one device said last; None is nothing, or what cannot be read."""

    state: dict[str, object] | None = None
    updated_at: float | None = None
    heard_at: float = 0.0
    status: str | None = None
    bridge: str | None = None


class Others:
    """The devices that the rules of one bridge look at, whichever bridge they are on.

    Attributes:
        topics: What to subscribe to, with the QoS; empty where no rule looks at anything.
        on_change: Called with a device's id when something was heard of it.
    """

    def __init__(
        self, base: str, clock: Callable[[], float], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Know nothing yet.

        Args:
            base: The base topic.
            clock: Seconds since the epoch.
            monotonic: Seconds on a clock that nobody can set.
        """
        self._base = base
        self._clock = clock
        self._monotonic = monotonic
        self._others: dict[str, _Other] = {}
        self._bridges: dict[str, str] = {}
        self.topics: list[tuple[str, int]] = []
        self.on_change: Callable[[str], None] = lambda _: None

    def look_at(self, device_ids: Iterable[str]) -> None:
        """Look at more devices."""
        for device_id in device_ids:
            if device_id in self._others:
                continue
            if not self._others:
                self.topics.append((wire.bridge_topic(self._base, "+", "status"), 1))
            self._others[device_id] = _Other()
            self.topics += [
                (wire.device_topic(self._base, device_id, kind), 1) for kind in ("state", "status")
            ]

    def hear(self, topic: str, payload: bytes) -> bool:
        """Take a message; gives whether it was about something that is looked at."""
        match wire.split_topic(self._base, topic):
            case "device", device_id, "state" if device_id in self._others:
                self._hear_state(self._others[device_id], payload)
                self.on_change(device_id)
            case "device", device_id, "status" if device_id in self._others:
                self._hear_status(self._others[device_id], payload)
                self.on_change(device_id)
            case "bridge", bridge, "status" if self._others:
                self._hear_bridge(bridge, payload)
            case _:
                return False
        return True

    def seen(self, device_id: str) -> Seen:
        """What is known of a device now."""
        other = self._others[device_id]
        age = None if other.updated_at is None else self._clock() - other.updated_at
        return Seen(self._absent(device_id), other.state, age, self._monotonic() - other.heard_at)

    def _hear_state(self, other: _Other, payload: bytes) -> None:
        try:
            state = wire.decode(payload, wire.MAX_MESSAGE)
        except wire.WireError:
            state = None
        other.state = state if isinstance(state, dict) else None
        at = (other.state or {}).get("updated_at")
        updated_at = at if isinstance(at, int | float) and not isinstance(at, bool) else None
        if updated_at != other.updated_at:  # the broker tells an old one again on every new link
            other.updated_at, other.heard_at = updated_at, self._monotonic()

    def _hear_status(self, other: _Other, payload: bytes) -> None:
        try:
            told = wire.read_status(payload)
        except wire.WireError:
            told = {}
        bridge = told.get("bridge")
        readable = bridge is None or wire.is_bridge_id(bridge)
        other.status, other.bridge = (told.get("status"), bridge) if readable else (None, None)

    def _hear_bridge(self, bridge: str, payload: bytes) -> None:
        try:
            self._bridges[bridge] = wire.read_bridge_status(payload)["status"]
        except wire.WireError:
            self._bridges.pop(bridge, None)
        for device_id, other in self._others.items():
            if other.bridge == bridge:
                self.on_change(device_id)

    def _absent(self, device_id: str) -> str:
        """Why a device cannot be reached; empty when it can."""
        other = self._others[device_id]
        if other.status is None:
            return f"{device_id} has not said whether it is online"
        if other.status != wire.ONLINE:
            return f"{device_id} is offline"
        if other.bridge is None or self._bridges.get(other.bridge) == wire.ONLINE:
            return ""
        how = "is offline" if other.bridge in self._bridges else "has not said whether it is online"
        return f"{other.bridge}, the bridge of {device_id}, {how}"
