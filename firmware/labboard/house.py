"""The tasks of the house but the emergency stop, which every device has: they never wait."""

from time import ticks_add, ticks_ms

import wire

from labboard import clock
from labboard.tasks import Task

_REASON = {"type": "string", "maxLength": 255}
_HOLDER = {"type": "string", "minLength": 1, "maxLength": wire.MAX_NAME}


def do(name, command, stop, holds, execution, state):
    """Do one; gives its result.

    Raises:
        wire.WireError: It is refused.
    """
    if name == "cancel":
        given = _given(
            name, command, {"request_id": {"type": "string", "maxLength": wire.MAX_REQUEST_ID}}, []
        )
        return execution.cancel(given.get("request_id"))
    if name == "reset_emergency_stop":
        _given(name, command, {}, [])
        return _reset(stop, state)
    if name == "reserve":
        seconds = {"type": "number", "minimum": 1, "maximum": 86400, "unit": "s"}
        parameters = {"holder": _HOLDER, "seconds": seconds, "reason": _REASON}
        return _reserve(holds, command, **_given(name, command, parameters, ["holder", "seconds"]))
    if name == "release":
        return _release(holds, **_given(name, command, {"holder": _HOLDER}, ["holder"]))
    parameters = {"on": {"type": "boolean"}, "reason": _REASON}
    return _maintain(holds, command, **_given(name, command, parameters, ["on"]))


def _given(name, command, parameters, required):
    return Task(name, None, parameters, required=required).arguments(command["parameters"])


def _reset(stop, state):
    released = stop.reset()
    told = {"released": released, "readiness": state.readiness()[0]}
    if released:
        told["needs_homing"], told["look_at"] = [], ""
    return told


def _reserve(holds, command, holder, seconds, reason=""):
    """Take, renew, or with a reason take over."""
    before = holds.who()
    mine = before == holder
    if before and not mine and not reason:
        raise wire.WireError(wire.RESERVED, holds.reserved() + "; a reason takes it over")
    holds.holder, holds.until = holder, None
    holds.reason = reason or (holds.reason if mine else "")
    holds.ends = ticks_add(ticks_ms(), int(seconds * 1000))
    holds.keep()
    told = {"holder": holder, "until": holds.end()}
    if mine:
        told["renewed"] = True
    elif before:
        told["taken_from"] = before
        by = command["issued_by"] or "unknown"
        holds.event("reservation_taken_over", holder=holder, taken_from=before, reason=reason, by=by)
    holds.changed()
    return told


def _release(holds, holder):
    """Give back."""
    before = holds.who()
    if before and before != holder:
        raise wire.WireError(wire.RESERVED, holds.reserved())
    if before:
        holds.holder = None
        holds.keep()
        holds.changed()
    return {"released": before}


def _maintain(holds, command, on, reason=""):
    """Begin or end maintenance."""
    by = command["issued_by"] or "unknown"
    holds.maintenance = {"by": by, "reason": reason, "since": clock.now()} if on else None
    holds.keep()
    holds.changed()
    return {"maintenance": on, "by": by}
