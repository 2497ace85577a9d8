"""What keeps others away from a board: its reservation, and its maintenance. Both outlive a reset."""

import os
import time
from time import ticks_add, ticks_diff, ticks_ms

from labboard import clock, whole_file
from micropython import const
import wire

_FILE = "/holds.json"
_LONGEST = const(86400)  # s; who needs a board for longer renews
_DAY = 24 * 3600
_FROM_2000 = 946684800 if time.gmtime(0)[0] == 2000 else 0  # s; an ESP32 counts from there


class Holds:
    """Who has this board, and who works on it.

    Args:
        event: Tells that something happened.
        changed: Called when something has changed.

    Attributes:
        problem: Why it cannot be kept; "" where it is.
    """

    def __init__(self, event, changed, file=_FILE):
        self._event = event
        self._changed = changed
        self._file = file
        self._holder = None
        self._reason = ""
        self._ends = 0  # ticks_ms
        self._until = None  # s since 1970, as kept before the reset, until the clock is set
        self._maintenance = None  # {"by", "reason", "since"}
        self.problem = ""
        self._load()

    def reserve(self, command, holder, seconds, reason=""):
        """Take, renew, or with a reason take over.

        Raises:
            wire.WireError: Somebody else has it.
        """
        before = self._now()
        mine = before == holder
        if before and not mine and not reason:
            raise wire.WireError(wire.RESERVED, self._reserved() + "; a reason takes it over")
        self._holder, self._until = holder, None
        self._reason = reason or (self._reason if mine else "")
        self._ends = ticks_add(ticks_ms(), int(seconds * 1000))
        self._keep()
        told = {"holder": holder, "until": self._end()}
        if mine:
            told["renewed"] = True
        elif before:
            told["taken_from"] = before
            by = command["issued_by"] or "unknown"
            self._event("reservation_taken_over", holder=holder, taken_from=before, reason=reason, by=by)
        self._changed()
        return told

    def release(self, holder):
        """Give back.

        Raises:
            wire.WireError: It is somebody else's.
        """
        before = self._now()
        if before and before != holder:
            raise wire.WireError(wire.RESERVED, self._reserved())
        if before:
            self._holder = None
            self._keep()
            self._changed()
        return {"released": before}

    def maintain(self, command, on, reason=""):
        """Begin or end maintenance."""
        by = command["issued_by"] or "unknown"
        self._maintenance = {"by": by, "reason": reason, "since": clock.now()} if on else None
        self._keep()
        self._changed()
        return {"maintenance": on, "by": by}

    def check(self, reservation):
        """Let somebody use the board who shows this reservation.

        Raises:
            wire.WireError: Nobody may, or somebody else has it.
        """
        if self._maintenance:
            raise wire.WireError(wire.MAINTENANCE, self._maintained())
        holder = self._now()
        if holder and holder != reservation:
            raise wire.WireError(wire.RESERVED, self._reserved())

    def reasons(self, found):
        """Add what stands in the way, by the word of the readiness."""
        if self._maintenance:
            found["maintenance"] = [self._maintained()]
        if self._now():
            found["reserved"] = [self._reserved()]

    def state(self, told):
        """Add the keys of the state."""
        holder = self._now()
        told["reserved_by"] = holder
        told["reserved_until"] = self._end() if holder else None
        told["reservation_reason"] = self._reason if holder else None
        told["maintenance"] = self._maintenance is not None
        told["maintenance_by"] = self._maintenance and self._maintenance["by"]

    def tick(self, now):
        """Tell when the reservation has ended by itself."""
        if self._until is not None and clock.now() is not None:  # kept before a reset of unknown length
            left = min(self._until - clock.now(), _LONGEST)
            self._until = None
            self._ends = ticks_add(now, max(left, 0) * 1000)
        if self._holder and ticks_diff(self._ends, now) <= 0:
            holder, self._holder = self._holder, None
            self._keep()
            self._event("reservation_ended", holder=holder)
            self._changed()

    def _now(self):
        return self._holder if self._holder and ticks_diff(self._ends, ticks_ms()) > 0 else None

    def _end(self):
        """When the reservation ends, in seconds since 1970; None while the clock is not set."""
        now = clock.now()
        if now is None:
            return None
        # In steps of a second, or two clocks would give another moment each time.
        until = now + (ticks_diff(self._ends, ticks_ms()) + 500) // 1000
        if self._told_end is None or abs(self._told_end - until) > 1:
            self._told_end = until
        return self._told_end

    _told_end = None

    def _reserved(self):
        reason = " (%s)" % self._reason if self._reason else ""
        end = self._end()
        return "reserved by %r%s%s" % (self._holder, " until " + words(end) if end else "", reason)

    def _maintained(self):
        told = self._maintenance
        since = " since " + words(told["since"]) if told["since"] else ""
        return "in maintenance by %s%s%s" % (told["by"], since, " (%s)" % told["reason"] if told["reason"] else "")

    def _keep(self):
        told = {"maintenance": self._maintenance}
        if self._holder:
            left = max(ticks_diff(self._ends, ticks_ms()) // 1000, 1)
            now = clock.now()
            told["reservation"] = {
                "holder": self._holder,
                "reason": self._reason,
                "left": left,
                "until": self._until if now is None else now + left,
            }
        self.problem = ""
        try:
            whole_file.write(self._file, told)
        except OSError as error:
            self.problem = "%s cannot be written: %s" % (self._file, error)

    def _load(self):
        try:
            os.stat(self._file)
        except OSError:
            return
        try:
            kept = whole_file.read(self._file, {})
            maintenance = kept["maintenance"]  # there is none in what is no record
            if maintenance:
                self._maintenance = {key: maintenance[key] for key in ("by", "reason", "since")}
            reservation = kept.get("reservation")
            if reservation:
                self._holder, self._reason = str(reservation["holder"]), str(reservation["reason"])
                self._until = reservation["until"]
                self._ends = ticks_add(ticks_ms(), min(int(reservation["left"]), _LONGEST) * 1000)
        except (KeyError, TypeError, ValueError):
            self._maintenance = {"by": "board", "reason": self._file + " cannot be read", "since": None}


def words(at):
    """A moment as a person reads it: ``2026-11-21 14:30:00 +0000``.

    Args:
        at: In seconds since 1970.
    """
    return "%04d-%02d-%02d %02d:%02d:%02d +0000" % time.gmtime(int(at) - _FROM_2000)[:6]
