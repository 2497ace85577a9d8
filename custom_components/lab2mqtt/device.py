"""One device, one bridge, one stop, as their messages tell."""

from dataclasses import dataclass, field
import time
from typing import Any

from homeassistant.core import HomeAssistant

from . import wire
from .compat import mqtt_device_id

# Tasks that every device has; the actions of the integration call them, and they have none of their own.
HOUSE_TASKS = frozenset(
    {
        "cancel",
        "pause",
        "resume",
        "emergency_stop",
        "reset_emergency_stop",
        "reserve",
        "release",
        "set_maintenance",
        "get_history",
    }
)


@dataclass
class Device:
    """What a device said of itself.

    Attributes:
        base: The base topic.
        device_id: Its id.
        bridge_online: Whether its bridge is there; true where it has a link of its own.
        description: What it is and can do; see docs/protocol.md.
        status: ``online`` or ``offline``, as it says itself; ``reachable`` also asks its bridge.
        state: Its values by key.
        progress: What was said last of the command that runs or waits; None while there is none.
        clock: How far its clock is ahead of ours, in s; None until it has said something.
    """

    base: str
    device_id: str
    description: dict[str, Any] = field(default_factory=dict)
    status: str = wire.OFFLINE
    state: dict[str, Any] = field(default_factory=dict)
    progress: dict[str, Any] | None = None
    bridge_online: bool = True
    clock: float | None = None

    @property
    def name(self) -> str:
        """For people."""
        return str(self.description.get("name") or self.device_id)

    @property
    def kind(self) -> str:
        """The kind of device: ``plate_resort``."""
        return str(self.description.get("kind", ""))

    @property
    def bridge(self) -> str | None:
        """The bridge that speaks for it; None where it has a link of its own."""
        bridge = self.description.get("bridge")
        return bridge if isinstance(bridge, str) else None

    @property
    def tasks(self) -> dict[str, dict[str, Any]]:
        """Its tasks and their schemas, by name."""
        tasks = self.description.get("tasks")
        return tasks if isinstance(tasks, dict) else {}

    @property
    def own_tasks(self) -> dict[str, dict[str, Any]]:
        """Its tasks without those that every device has."""
        return {name: task for name, task in self.tasks.items() if name not in HOUSE_TASKS}

    @property
    def moves(self) -> bool:
        """Whether a task of it moves something."""
        return any(task.get("effect") == "move" for task in self.tasks.values())

    @property
    def reachable(self) -> bool:
        """Whether the device and its bridge are online."""
        return self.status == wire.ONLINE and self.bridge_online

    @property
    def readiness(self) -> str:
        """One of ``wire.READINESS``; ``unreachable`` where nobody speaks for it."""
        said = self.state.get("readiness")
        return said if self.reachable and said in wire.READINESS else "unreachable"

    @property
    def reasons(self) -> list[str]:
        """Why it is not ready."""
        reasons = self.state.get("readiness_reasons")
        return [str(each) for each in reasons] if self.reachable and isinstance(reasons, list) else []

    @property
    def reserved_by(self) -> str | None:
        """Who has it."""
        holder = self.state.get("reserved_by")
        until = self.reserved_until
        return str(holder) if holder and (until is None or until > time.time()) else None

    @property
    def reserved_until(self) -> float | None:
        """Until when, in seconds since 1970."""
        until = self.state.get("reserved_until")
        return until if isinstance(until, int | float) else None

    @property
    def stop_confirmed(self) -> bool:
        """Whether a stop holds it and the instrument has confirmed that."""
        return bool(self.state.get("emergency_stop")) and self.state.get("stop_confirmed") is True

    @property
    def identifier(self) -> str:
        """Its identifier among the devices of MQTT."""
        return f"{self.base}_{self.device_id}".replace("/", "_")

    def registry_id(self, hass: HomeAssistant) -> str | None:
        """Its id in the device registry; None until it was announced."""
        return mqtt_device_id(hass, self.identifier)


@dataclass
class Bridge:
    """What a bridge said of itself.

    Attributes:
        bridge_id: Its id.
        online: Whether it lives.
        instance: Which process it is.
        status: Its last status, whole.
        health: Its last heartbeat.
        heard: When it was heard last, in seconds since 1970; 0 if only the broker remembered it.
        clock: How far its clock is ahead of ours, in s; None until it has said something.
    """

    bridge_id: str
    online: bool = False
    instance: str = ""
    status: dict[str, Any] = field(default_factory=dict)
    health: dict[str, Any] = field(default_factory=dict)
    heard: float = 0.0
    clock: float | None = None


@dataclass(frozen=True)
class Stop:
    """The stop of the lab that is engaged."""

    stop_id: str
    by: str
    reason: str
    timestamp: float


def clock_difference(timestamp: object) -> float | None:
    """How far the clock of who says this just now is ahead of ours, in s; None where it has none."""
    return timestamp - time.time() if isinstance(timestamp, int | float) and timestamp > 0 else None


def read_description(description: dict[str, Any]) -> dict[str, Any]:
    """A description whose parts can be relied on to be of their kind.

    Raises:
        wire.WireError: One is not.
    """
    for key in ("tasks", "entities", "parts"):
        members = description.get(key, {})
        if not isinstance(members, dict):
            raise wire.WireError(wire.MALFORMED, f"{key} is not an object")
        for name, member in members.items():
            if not isinstance(member, dict):
                raise wire.WireError(wire.MALFORMED, f"{key}.{name} is not an object")
    return description
