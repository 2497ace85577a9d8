"""The latches of the emergency stop: the lab's and each device's own. Both survive restarts."""

from collections.abc import Mapping
import logging
from pathlib import Path
from typing import Any

from lab2mqtt import wire
from lab2mqtt.runtime.kept import Kept

_LOGGER = logging.getLogger(__name__)


class Latches:
    """Which stops are engaged, kept in a file beside the bridge.

    A file that cannot be written never stands in the way of a stop: it is stopped first, and kept after.
    """

    def __init__(self, file: Path | None, topic: str) -> None:
        """Read what was engaged when the bridge ended.

        A file that cannot be read counts as an engaged stop: whoever resets it has looked at the lab.

        Args:
            file: Where they are kept; None keeps nothing.
            topic: The lab's stop topic, on which such a stop is said.
        """
        self._kept = Kept(file)
        self._lab: dict[str, dict[str, Any]] = {}
        self._devices: dict[str, dict[str, Any]] = {}
        try:
            kept = self._kept.read()
            self._lab, self._devices = _stops(kept.get("lab", {})), _stops(kept.get("devices", {}))
        except (OSError, ValueError, TypeError, AttributeError, wire.WireError) as error:
            _LOGGER.error(
                "%s cannot be read (%s): the lab counts as stopped until it is released", file, error
            )
            self._lab[topic] = wire.stop_message(
                engaged=True,
                stop_id="unreadable",
                by="bridge",
                reason="its record cannot be read",
                timestamp=0,
            )

    @property
    def lab(self) -> Mapping[str, dict[str, Any]]:
        """The lab-wide stops that are engaged, by the topic on which each came."""
        return self._lab

    def of(self, device_id: str) -> Mapping[str, Any] | None:
        """The stop that forbids motion of a device; the lab's counts first."""
        return next(iter(self._lab.values()), None) or self._devices.get(device_id)

    def own(self, device_id: str) -> Mapping[str, Any] | None:
        """The stop of this one device, whatever the lab's says."""
        return self._devices.get(device_id)

    def hear(self, topic: str, message: dict[str, Any]) -> bool:
        """Take a lab-wide stop or release; True when something changed."""
        before = self._lab.get(topic)
        now = wire.latch(before, message)
        if now == before:
            return False
        if now is None:
            del self._lab[topic]
        else:
            self._lab[topic] = now
        self._keep()
        return True

    def engage(self, device_id: str, stop: dict[str, Any]) -> None:
        """Latch one device's own stop."""
        self._devices[device_id] = stop
        self._keep()

    def release(self, device_id: str) -> None:
        """Release one device's own stop."""
        if self._devices.pop(device_id, None):
            self._keep()

    async def kept(self) -> bool:
        """Wait until the latches would survive a restart, or the disk does not take them; gives which."""
        return await self._kept.written()

    def _keep(self) -> None:
        self._kept.write_soon({"lab": self._lab, "devices": self._devices})


def _stops(kept: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    """Stops as they were kept, each read as strictly as from the wire."""
    return {name: wire.read_stop(wire.encode(stop).encode()) for name, stop in kept.items()}


def told(stop: Mapping[str, Any]) -> str:
    """A stop in words."""
    by = f" by {stop['by']}" if stop["by"] else ""
    reason = f" ({stop['reason']})" if stop["reason"] else ""
    return f"emergency stop engaged{by}{reason}"
