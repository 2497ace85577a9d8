"""What a board wrote down before its reset: latches and holds. What cannot be read holds it back."""

import os
from time import ticks_add, ticks_ms

import wire

from labboard import whole_file

_DAY = 86400  # s


def latches(stop):
    """Engage the stops that were engaged."""
    if not _is_there(stop.file):
        return
    try:
        kept = whole_file.read(stop.file, {})
        own = kept["own"]  # there is none in what is no record
        for topic, each in kept["lab"].items():
            if topic in stop.topics:
                stop.lab[topic] = wire.read_stop(wire.encode(each).encode())
        stop.own = own and wire.read_stop(wire.encode(own).encode())
    except (KeyError, TypeError, AttributeError, ValueError, wire.WireError):
        # Whoever resets it has looked at the board.
        stop.own = wire.stop_message(True, "unreadable", "board", stop.file + " cannot be read", 0)
    if stop.engaged:
        stop.confirmed = True  # a board begins with its outputs at rest


def holds(holds):
    """Go on with the reservation and the maintenance that there were."""
    if not _is_there(holds.file):
        return
    try:
        kept = whole_file.read(holds.file, {})
        maintenance = kept["maintenance"]
        if maintenance:
            holds.maintenance = {key: maintenance[key] for key in ("by", "reason", "since")}
        reservation = kept.get("reservation")
        if reservation:
            holds.holder, holds.reason = str(reservation["holder"]), str(reservation["reason"])
            holds.until = reservation["until"]
            holds.ends = ticks_add(ticks_ms(), min(int(reservation["left"]), _DAY) * 1000)
    except (KeyError, TypeError, ValueError):
        holds.maintenance = {"by": "board", "reason": holds.file + " cannot be read", "since": None}


def _is_there(file):
    try:
        os.stat(file)
    except OSError:
        return False
    return True
