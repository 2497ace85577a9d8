"""Angles, hotels and servo positions."""

import pytest

from lab2mqtt.drivers.carousel import difference, hotel_angles, hotel_at, to_degrees, to_pulses

ABCD = ("A", "B", "C", "D")


@pytest.mark.parametrize(
    ("angle", "pulses"),
    [
        (0, 0),
        (19, 216),
        (109, 1240),
        (199, 2264),
        (289, 3288),
        (360, 0),
        (359.97, 0),
        (-90, 3072),
        (450, 1024),
    ],
)
def test_pulses(angle: float, pulses: int) -> None:
    """4096 to the turn, and always one that the servo takes."""
    assert to_pulses(angle) == pulses
    assert abs(difference(to_degrees(pulses), angle)) < 0.05


@pytest.mark.parametrize(("pulses", "degrees"), [(-1, 359.912), (4097, 0.088), (-4096, 0), (2048, 180)])
def test_degrees_of_any_turn(pulses: int, degrees: float) -> None:
    """A present position is signed and counts turns."""
    assert to_degrees(pulses) == pytest.approx(degrees, abs=0.001)


def test_difference_goes_the_short_way() -> None:
    """Across the seam as well."""
    assert difference(0.1, 359.9) == pytest.approx(0.2)
    assert difference(359.9, 0.1) == pytest.approx(-0.2)
    assert abs(difference(0, 180)) == 180


@pytest.mark.parametrize(
    ("offset", "direction", "angles"),
    [
        (19, 1, [19, 109, 199, 289]),
        (19, -1, [19, 289, 199, 109]),
        (100, 1, [100, 190, 280, 10]),
        (-19, -1, [341, 251, 161, 71]),
        (0, 1, [0, 90, 180, 270]),
    ],
)
def test_hotels_stand_within_one_turn(offset: float, direction: int, angles: list[float]) -> None:
    """A negative direction and a large offset give what the servo takes."""
    assert list(hotel_angles(ABCD, offset, direction).values()) == angles


def test_three_hotels() -> None:
    """Thirds of a turn."""
    assert hotel_angles("ABC", 0, 1) == {"A": 0, "B": 120, "C": 240}


def test_active_hotel() -> None:
    """The nearest within tolerance, also across the seam."""
    angles = hotel_angles(ABCD, 0, 1)
    assert hotel_at(359.7, angles, 0.5) == "A"
    assert hotel_at(90.4, angles, 0.5) == "B"
    assert hotel_at(91, angles, 0.5) is None
