"""What keeps others away from a board: its reservation, and its maintenance. Both outlive a reset."""

import time
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const
import wire

from labboard import clock, whole_file

_FILE = "/holds.json"
_LONGEST = const(86400)  # s
_FROM_2000 = 946684800 if time.gmtime(0)[0] == 2000 else 0  # s; an ESP32 counts from there


class Holds:
    """Who has this board, and who works on it.

    Args:
        event: Tells that something happened.
        changed: Called when something has changed.

    Attributes:
        file: Where it is kept.
        holder: Who has it, or had it; None without a reservation.
        reason: Why, for people.
        ends: When, in ticks_ms.
        until: The same in seconds since 1970, as it was kept before a reset, until the clock is set.
        maintenance: ``{"by", "reason", "since"}``, or None.
        problem: Why it cannot be kept; "" where it is.
    """

    def __init__(self, event, changed, file=_FILE):
        self.event = event
        self.changed = changed
        self.file = file
        self.holder = None
        self.reason = ""
        self.ends = 0  # ticks_ms
        self.until = None  # s since 1970, as kept before the reset, until the clock is set
        self.maintenance = None  # {"by", "reason", "since"}
        self.problem = ""

    def check(self, reservation):
        """Let somebody use the board who shows this reservation.

        Raises:
            wire.WireError: Nobody may, or somebody else has it.
        """
        if self.maintenance:
            raise wire.WireError(wire.MAINTENANCE, self._maintained())
        holder = self.who()
        if holder and holder != reservation:
            raise wire.WireError(wire.RESERVED, self.reserved())

    def reasons(self, found):
        """Add what stands in the way, by the word of the readiness."""
        if self.maintenance:
            found["maintenance"] = [self._maintained()]
        if self.who():
            found["reserved"] = [self.reserved()]

    def state(self, told):
        """Add the keys of the state."""
        holder = self.who()
        told["reserved_by"] = holder
        told["reserved_until"] = self.end() if holder else None
        told["reservation_reason"] = self.reason if holder else None
        told["maintenance"] = self.maintenance is not None
        told["maintenance_by"] = self.maintenance and self.maintenance["by"]

    def tick(self, now):
        """Tell when the reservation has ended by itself."""
        if self.until is not None and clock.now() is not None:  # kept before a reset of unknown length
            left = min(self.until - clock.now(), _LONGEST)
            self.until = None
            self.ends = ticks_add(now, max(left, 0) * 1000)
        if self.holder and ticks_diff(self.ends, now) <= 0:
            holder, self.holder = self.holder, None
            self.keep()
            self.event("reservation_ended", holder=holder)
            self.changed()

    def who(self):
        """The holder of a reservation that has not ended, or None."""
        return self.holder if self.holder and ticks_diff(self.ends, ticks_ms()) > 0 else None

    def end(self):
        """When the reservation ends, in seconds since 1970; None while the clock is not set."""
        now = clock.now()
        if now is None:
            return None
        # In steps of a second, or two clocks would give another moment each time.
        until = now + (ticks_diff(self.ends, ticks_ms()) + 500) // 1000
        if self._told_end is None or abs(self._told_end - until) > 1:
            self._told_end = until
        return self._told_end

    _told_end = None

    def reserved(self):
        """The reservation in words."""
        reason = " (%s)" % self.reason if self.reason else ""
        end = self.end()
        return "reserved by %r%s%s" % (self.holder, " until " + words(end) if end else "", reason)

    def _maintained(self):
        told = self.maintenance
        since = " since " + words(told["since"]) if told["since"] else ""
        return "in maintenance by %s%s%s" % (
            told["by"],
            since,
            " (%s)" % told["reason"] if told["reason"] else "",
        )

    def keep(self):
        """Write it down."""
        told = {"maintenance": self.maintenance}
        if self.holder:
            left = max(ticks_diff(self.ends, ticks_ms()) // 1000, 1)
            now = clock.now()
            told["reservation"] = {
                "holder": self.holder,
                "reason": self.reason,
                "left": left,
                "until": self.until if now is None else now + left,
            }
        self.problem = ""
        try:
            whole_file.write(self.file, told)
        except OSError as error:
            self.problem = "%s cannot be written: %s" % (self.file, error)


def words(at):
    """A moment as a person reads it: ``2026-11-21 14:30:00 +0000``.

    Args:
        at: In seconds since 1970.
    """
    return "%04d-%02d-%02d %02d:%02d:%02d +0000" % time.gmtime(int(at) - _FROM_2000)[:6]
