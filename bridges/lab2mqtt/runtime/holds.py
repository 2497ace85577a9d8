"""What keeps others away from a device: its reservation, and its maintenance. Both survive restarts."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
import logging
from pathlib import Path
import time
from typing import Any

from lab2mqtt.core import lease
from lab2mqtt.core.lease import Lease
from lab2mqtt.runtime.kept import Kept

_LOGGER = logging.getLogger(__name__)

_LAST = 253_402_300_799  # s since the epoch: the year 9999; what lies behind it was never written by us


@dataclass(frozen=True)
class Maintenance:
    """Somebody works on a device.

    Attributes:
        by: Who said so.
        reason: Why.
        since: When, in seconds since the epoch.
    """

    by: str
    reason: str
    since: float


class Holds:
    """The reservations and maintenances of a bridge's devices."""

    def __init__(
        self,
        file: Path | None,
        device_ids: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read what held when the bridge ended.

        A file that cannot be read counts as maintenance of every device: whoever ends it has looked at it.

        Args:
            file: Where they are kept; None keeps nothing.
            device_ids: The devices of the bridge.
            clock: Seconds since the epoch.
            monotonic: Seconds on a clock that nobody sets, by which a reservation ends.
        """
        self._kept = Kept(file)
        self._clock = clock
        self._monotonic = monotonic
        self._leases: dict[str, Lease] = {}
        self._maintenance: dict[str, Maintenance] = {}
        try:
            self._load(self._kept.read())
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            _LOGGER.error("%s cannot be read (%s): its devices count as in maintenance", file, error)
            unknown = Maintenance("bridge", "the record of reservations cannot be read", clock())
            self._leases = {}
            self._maintenance = dict.fromkeys(device_ids, unknown)

    # Reservations

    def reserved(self, device_id: str) -> Lease | None:
        """Who has a device now; ``until`` is on the monotonic clock."""
        held = self._leases.get(device_id)
        return held if held and self._monotonic() < held.until else None

    def until(self, held: Lease) -> float:
        """When a reservation ends, in seconds since the epoch."""
        return self._clock() + held.until - self._monotonic()

    def left(self, held: Lease) -> float:
        """Seconds until it ends."""
        return held.until - self._monotonic()

    def reserve(self, device_id: str, holder: str, seconds: float, reason: str) -> Lease:
        """Take, renew, or with a reason take over.

        Raises:
            Held: Somebody else has it.
        """
        taken = lease.take(self._leases.get(device_id), holder, seconds, reason, self._monotonic())
        self._leases[device_id] = taken
        self._keep()
        return taken

    def release(self, device_id: str, holder: str) -> Lease | None:
        """Give back; gives the reservation that ended.

        Raises:
            Held: It is somebody else's.
        """
        ended = lease.release(self._leases.get(device_id), holder, self._monotonic())
        self._leases.pop(device_id, None)
        self._keep()
        return ended

    # Maintenance

    def maintained(self, device_id: str) -> Maintenance | None:
        """Who works on a device now."""
        return self._maintenance.get(device_id)

    def maintain(self, device_id: str, maintenance: Maintenance | None) -> None:
        """Begin or end maintenance."""
        if maintenance:
            self._maintenance[device_id] = maintenance
        else:
            self._maintenance.pop(device_id, None)
        self._keep()

    async def kept(self) -> bool:
        """Wait until all of it would survive a restart, or the disk does not take it; gives which."""
        return await self._kept.written()

    def _load(self, kept: Mapping[str, Any]) -> None:
        now, clock = self._monotonic(), self._clock()
        for device_id, told in kept.get("reservations", {}).items():
            left = min(_moment(told["until"]) - clock, lease.LONGEST)  # a clock may have been set meanwhile
            held = Lease(_text(told["holder"]), now + left, _text(told["reason"]))
            if left > 0:
                self._leases[device_id] = held
        for device_id, told in kept.get("maintenance", {}).items():
            self._maintenance[device_id] = Maintenance(
                _text(told["by"]), _text(told["reason"]), _moment(told["since"])
            )

    def _keep(self) -> None:
        now = self._monotonic()
        self._kept.write_soon(
            {
                "reservations": {
                    device_id: {"holder": held.holder, "until": self.until(held), "reason": held.reason}
                    for device_id, held in self._leases.items()
                    if held.until > now
                },
                "maintenance": {
                    device_id: {"by": one.by, "reason": one.reason, "since": one.since}
                    for device_id, one in self._maintenance.items()
                },
            }
        )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _moment(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST:
        raise ValueError(f"{value!r} is no moment")
    return float(value)
