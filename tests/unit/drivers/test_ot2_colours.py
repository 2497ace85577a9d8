"""Paint for a colour: red, yellow and blue, and nothing that does not fit."""

from hypothesis import given, strategies as st
import pytest

from lab2mqtt.core.errors import Refused
from lab2mqtt.drivers.ot2.colours import paints


@pytest.mark.parametrize(
    ("colour", "volumes"),
    [
        ((255, 0, 0), (300, 0, 0)),
        ((255, 255, 0), (0, 300, 0)),
        ((0, 0, 255), (0, 0, 300)),
        ((0, 255, 0), (0, 150, 150)),
        ((255, 128, 0), (149, 150, 0)),  # orange
        ((255, 0, 255), (200, 0, 100)),  # magenta is a red
        ((0, 255, 255), (0, 100, 200)),  # cyan is a blue
        ((255, 200, 200), (300, 0, 0)),  # pink: there is no white
        ((90, 0, 0), (300, 0, 0)),  # dark red: there is no black
        ((0, 0, 0), (100, 100, 100)),  # the darkest
    ],
)
def test_known_colours(colour: tuple[int, int, int], volumes: tuple[float, ...]) -> None:
    """By their hue."""
    mix = paints(*colour)
    assert mix.volumes == dict(zip("RYB", volumes, strict=True))
    assert mix.notes == ()


@pytest.mark.parametrize("grey", [1, 128, 255])
def test_greys_are_refused(grey: int) -> None:
    """White is one of them."""
    with pytest.raises(Refused, match=f"^{grey}, {grey}, {grey} is a grey: without white paint"):
        paints(grey, grey, grey)


def test_little_is_raised_and_very_little_is_left_out() -> None:
    """To and below what the pipette takes; it is told."""
    raised = paints(255, 14, 0)
    assert raised.volumes == {"R": 280, "Y": 20, "B": 0}
    assert raised.notes == ("Y raised from 16 to 20 µL",)
    left_out = paints(255, 6, 0)
    assert left_out.volumes == {"R": 300, "Y": 0, "B": 0}
    assert left_out.notes == ("Y left out: 7 µL is less than the pipette takes",)


def test_small_wells_and_other_pipettes() -> None:
    """As the settings have them."""
    assert paints(0, 255, 0, most=40).volumes == {"R": 0, "Y": 20, "B": 20}
    assert paints(255, 40, 0, most=39).volumes == {"R": 39, "Y": 0, "B": 0}
    assert paints(255, 14, 0, least=1).volumes == {"R": 283, "Y": 16, "B": 0}
    for colour, most in (((255, 0, 0), 19), ((0, 255, 0), 30), ((0, 0, 0), 50)):
        with pytest.raises(Refused, match=f"^{most} µL are too little for a mix: .* at least 20 µL"):
            paints(*colour, most=most)


@given(
    st.tuples(*[st.integers(0, 255)] * 3).filter(lambda colour: len(set(colour)) > 1 or not any(colour)),
    st.integers(60, 1000),
)
def test_whatever_is_asked_for_fits(colour: tuple[int, int, int], most: int) -> None:
    """Each paint is none or enough for the pipette; together they fill the well and never overfill it."""
    volumes = paints(*colour, most=most).volumes.values()
    assert all(volume == 0 or volume >= 20 for volume in volumes)
    assert most - 3 < sum(volumes) <= most
    assert all(volume == int(volume) for volume in volumes)
