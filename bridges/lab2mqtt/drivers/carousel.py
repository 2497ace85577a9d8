"""Where the hotels stand on the carousel. Angles in degrees, 0 up to but not including 360."""

from collections.abc import Mapping, Sequence

from lab2mqtt.drivers.dynamixel_registers import DEGREES_PER_PULSE, PULSES_PER_TURN


def to_pulses(angle: float) -> int:
    """The servo position for an angle, 0 to 4095, whatever turn the angle is in."""
    # 4096 pulses to the turn, not 4095: that would be 0.1° wrong at 289°.
    return round(angle % 360 / DEGREES_PER_PULSE) % PULSES_PER_TURN


def to_degrees(pulses: int) -> float:
    """The angle of a servo position; present positions may be negative or past one turn."""
    return pulses % PULSES_PER_TURN * DEGREES_PER_PULSE


def difference(angle: float, target: float) -> float:
    """How far an angle is past a target, -180 to 180: 359.9° is 0.2° short of 0.1°."""
    return (angle - target + 180) % 360 - 180


def hotel_angles(hotels: Sequence[str], offset: float, direction: int) -> dict[str, float]:
    """The angle at which each hotel faces the opening.

    Args:
        hotels: In the order in which they stand.
        offset: Angle of the first.
        direction: 1 or -1, which way the next ones follow.
    """
    pitch = 360 / len(hotels)
    return {hotel: round((offset + i * pitch * direction) % 360, 3) % 360 for i, hotel in enumerate(hotels)}


def hotel_at(angle: float, angles: Mapping[str, float], tolerance: float) -> str | None:
    """The hotel that faces the opening, None where none does."""
    nearest = min(angles, key=lambda hotel: abs(difference(angle, angles[hotel])))
    return nearest if abs(difference(angle, angles[nearest])) <= tolerance else None
