"""The state of one device on the wire: what was measured, and whether the device may be used."""

from collections.abc import Sequence
import math
from typing import Any

from lab2mqtt.core.entities import Entity, Picture, Readable, Sensor

# Where several hold, the first is told; all give their reasons.
RANK = (
    "unreachable",
    "starting",
    "emergency_stopped",
    "fault",
    "maintenance",
    "needs_homing",
    "interlocked",
    "paused",
    "busy",
    "reserved",
)


def measured(entities: Sequence[Entity[Any]], snapshot: object) -> dict[str, object]:
    """Entity key → value, taken out of a snapshot; without one every value is unknown."""
    values: dict[str, object] = {}
    for entity in entities:
        if not isinstance(entity, Readable) or entity.read is None:
            continue
        value = None if snapshot is None else entity.read(snapshot)
        if isinstance(value, float):
            value = _number(entity, value)
        elif isinstance(value, Picture):
            value = round(value.taken_at, 3)
        values[entity.key] = value
    return values


def _number(entity: Entity[Any], value: float) -> float | None:
    if not math.isfinite(value):
        return None  # not a number is not known
    if isinstance(entity, Sensor) and entity.precision is not None:
        return round(value, entity.precision)  # or the noise below it would be published as change
    return value


def readiness(reasons: dict[str, list[str]]) -> tuple[str, list[str]]:
    """The word for all that stands in the way, and every reason; ``ready`` when nothing does."""
    found = [word for word in RANK if word in reasons]
    return (found[0] if found else "ready"), [text for word in found for text in reasons[word]]
