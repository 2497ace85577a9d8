"""Who may do what: a token, and for each device whether it may be read or used."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lab2mqtt.adopt.known_tasks import STOPS

Right = Literal["read", "use"]
RIGHTS: tuple[Right, ...] = ("read", "use")
ALL = "*"


@dataclass(frozen=True)
class Person:
    """Who a token stands for, and what that one may do.

    Attributes:
        name: Who commands, for the record of the devices.
        devices: Device id or ``*`` → the right; a device's own line goes before ``*``.
        digest: The SHA-256 of the token, in hexadecimal digits; empty where no token is asked for.
    """

    name: str
    devices: Mapping[str, Right] = field(default_factory=dict)
    digest: str = ""

    def right_to(self, device_id: str) -> Right | None:
        """What this one may do with a device; ``*`` asks for all of them."""
        return self.devices.get(device_id, self.devices.get(ALL))

    def may(self, right: Right, device_id: str) -> bool:
        """Whether this one has a right to a device."""
        has = self.right_to(device_id)
        return has is not None and RIGHTS.index(has) >= RIGHTS.index(right)

    def seen_of(self, devices: Iterable[str]) -> list[str]:
        """Those of some devices that this one may read, in order."""
        return sorted(one for one in devices if self.may("read", one))


def anybody(host: str) -> Person:
    """Where no token is asked for, who can reach the port may do everything."""
    return Person(f"{host} over HTTP", {ALL: "use"})


def needed_for(name: str, task: Mapping[str, Any]) -> Right | None:
    """The right that calling a task needs; None for a stop, in whose way nothing stands.

    Args:
        name: The task's name.
        task: What the description says of it; empty for one that the device does not have.
    """
    if name in STOPS and task.get("effect") == "stop":
        return None
    return "read" if task.get("effect") == "read" else "use"
