"""What is wrong in a lab just now, and how long it may be so before anybody hears of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
import time

from . import wire
from .device import Device
from .lab import Lab

GONE_AFTER = 120.0  # s; a bridge that is updated is back before that
CLOCK_TOLERANCE = 60.0  # s
STOPPED_FOR = 12 * 3600.0  # s
_AFTER = 30.0  # s; a device or bridge may say two things that fit only together
_CLOCK_AFTER = 60.0  # s
_ROUND = 10  # s; a difference of clocks is not told anew each time


@dataclass(frozen=True)
class Fault:
    """Something that is wrong, and that a person can put right.

    Attributes:
        key: What it is; by this it is translated.
        who: Whom it concerns: the id of a bridge or device, or empty for the lab.
        after: How long it is wrong before it is told, in s.
        said: What the text is filled with.
        since: Since when, in seconds since 1970; None where only he who watches knows.
        fix: What a fix must know; None where no click can help.
    """

    key: str
    who: str
    after: float = _AFTER
    said: dict[str, str] = field(default_factory=dict)
    since: float | None = None
    fix: dict[str, str | int | float | None] | None = None


def faults(lab: Lab) -> Iterator[Fault]:
    """All that is wrong now, however short."""
    yield from _of_bridges(lab)
    yield from _of_descriptions(lab)
    yield from _of_clocks(lab)
    yield from _of_two_speakers(lab)
    yield from _of_stops(lab)


def _of_bridges(lab: Lab) -> Iterator[Fault]:
    for bridge in lab.bridges.values():
        ledger = bridge.health.get("ledger")
        if not bridge.online:
            names = [device.name for device in lab.devices.values() if device.bridge == bridge.bridge_id]
            if names:
                said = {"bridge": bridge.bridge_id, "devices": ", ".join(sorted(names))}
                yield Fault("bridge_gone", bridge.bridge_id, GONE_AFTER, said)
        elif isinstance(ledger, str) and ledger != "ok":
            yield Fault("disk_full", bridge.bridge_id, said={"bridge": bridge.bridge_id, "error": ledger})


def _of_descriptions(lab: Lab) -> Iterator[Fault]:
    for device in lab.devices.values():
        protocol = device.description.get("protocol")
        if device.description and protocol != wire.PROTOCOL:
            key = "protocol_too_new" if _is_newer(protocol) else "protocol_too_old"
            said = {
                "device": device.name,
                "bridge": device.bridge or device.name,
                "protocol": str(protocol),
                "ours": str(wire.PROTOCOL),
            }
            yield Fault(key, device.device_id, said=said)
    refused = dict(lab.unreadable)
    for bridge in lab.bridges.values():
        if bridge.online:
            refused |= _texts(bridge.health.get("refused"))
    for device_id, why in refused.items():
        yield Fault("description_invalid", device_id, said={"device": device_id, "error": why})


def _of_clocks(lab: Lab) -> Iterator[Fault]:
    wrong = set()
    for bridge in lab.bridges.values():
        if bridge.online and _is_off(bridge.clock):
            wrong.add(bridge.bridge_id)
            yield _clock_fault(f"bridge {bridge.bridge_id}", bridge.bridge_id, bridge.clock)
    for device in lab.devices.values():
        # The devices of a bridge go by its clock.
        if device.reachable and device.bridge not in wrong and _is_off(device.clock):
            yield _clock_fault(device.device_id, device.name, device.clock)


def _of_two_speakers(lab: Lab) -> Iterator[Fault]:
    pairs = {}
    for bridge in lab.bridges.values():
        if bridge.online:
            for key in ("rivals", "silent"):
                for device_id, other in _texts(bridge.health.get(key)).items():
                    pairs[device_id] = sorted((bridge.bridge_id, other))
    for device_id, (one, other) in pairs.items():
        device = lab.devices.get(device_id)
        said = {"device": device.name if device else device_id, "one": one, "other": other}
        yield Fault("announced_by_two", device_id, said=said)


def _of_stops(lab: Lab) -> Iterator[Fault]:
    if stop := lab.stop:
        said = {"by": stop.by or "?", "reason": stop.reason or "-"}
        since = stop.timestamp if 0 < stop.timestamp <= time.time() else None
        yield Fault("lab_stop_latched", "", STOPPED_FOR, said, since, {"stop_id": stop.stop_id})
        return  # a device's own comes to light when the lab's is released
    for device in lab.devices.values():
        if device.reachable and device.state.get("emergency_stop") is True:
            said = {"device": device.name, "reason": _reasons(device)}
            fix: dict[str, str | int | float | None] = {"device_id": device.device_id}
            yield Fault("device_stop_latched", device.device_id, STOPPED_FOR, said, fix=fix)


def _clock_fault(who: str, name: str, difference: float | None) -> Fault:
    seconds = round(abs(difference or 0) / _ROUND) * _ROUND
    key = "clock_ahead" if (difference or 0) > 0 else "clock_behind"
    return Fault(key, who, _CLOCK_AFTER, {"name": name, "seconds": str(seconds)})


def _is_off(difference: float | None) -> bool:
    return difference is not None and abs(difference) > CLOCK_TOLERANCE


def _is_newer(protocol: object) -> bool:
    return isinstance(protocol, int | float) and protocol > wire.PROTOCOL


def _texts(told: object) -> dict[str, str]:
    return {str(key): str(value) for key, value in told.items()} if isinstance(told, dict) else {}


def _reasons(device: Device) -> str:
    return "; ".join(device.reasons) or "-"
