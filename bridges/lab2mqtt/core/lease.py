"""The rule of reservations: who has a device, until when. No clock: whoever asks says what time it is."""

from dataclasses import dataclass

LONGEST = 86_400.0  # s; who needs a device for longer renews


class Held(Exception):
    """Somebody else has it.

    Attributes:
        lease: Whose.
    """

    def __init__(self, lease: "Lease") -> None:
        super().__init__(f"reserved by {lease.holder}")
        self.lease = lease


@dataclass(frozen=True)
class Lease:
    """One holder's time.

    Attributes:
        holder: Who has the device; what a command must show as its ``reservation``.
        until: When it ends, in seconds on the clock of whoever asks.
        reason: Why, for people.
    """

    holder: str
    until: float
    reason: str = ""

    def admits(self, reservation: str | None, now: float) -> bool:
        """Whether a command that shows this reservation may use the device."""
        return now >= self.until or reservation == self.holder


def take(held: Lease | None, holder: str, seconds: float, reason: str, now: float) -> Lease:
    """Take a free device, renew one's own time, or, with a reason, take it over from somebody else.

    Args:
        held: The lease that there is, over or not.
        holder: Who wants it.
        seconds: For how long from now.
        reason: Why; needed to take it from somebody else.
        now: The time.

    Raises:
        Held: Somebody else has it, and no reason was given.
    """
    if held and not held.admits(holder, now) and not reason:
        raise Held(held)
    kept = held.reason if held and held.holder == holder and now < held.until else ""
    return Lease(holder, now + seconds, reason or kept)


def release(held: Lease | None, holder: str, now: float) -> Lease | None:
    """Give a device back; gives the lease that ended, None when there was none.

    Raises:
        Held: It is somebody else's.
    """
    if held is None or now >= held.until:
        return None
    if held.holder != holder:
        raise Held(held)
    return held
