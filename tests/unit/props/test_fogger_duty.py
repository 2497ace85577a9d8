"""The fogger's duty: what is allowed after the wait fits into every window."""

from hypothesis import given, strategies as st
from tests.unit.props.played_props import PROPS

from lab2mqtt.props.finding import Found
from lab2mqtt.props.loading import load

MOST, WINDOW, REST = 20.0, 120.0, 3.0
SOON = 1e-3  # s
FOUND = Found("fogger", PROPS / "fogger" / "backend" / "worker.py", "prop")
Duty = load(FOUND).worker.start.__globals__["Duty"]


@given(st.lists(st.tuples(st.floats(0.1, 15), st.floats(0, 90)), max_size=8), st.floats(0.5, 10))
def test_after_the_wait_the_fog_fits_and_not_before(fogs: list[tuple[float, float]], seconds: float) -> None:
    """Whatever fog there was, more than the duty too."""
    duty = Duty(MOST, WINDOW, REST)
    now = last = 1000.0
    for fog, pause in fogs:
        duty.note(now, fogs=True)
        now = last = now + fog
        duty.note(now, fogs=False)
        now += pause
    wait = duty.wait(now, seconds)
    assert duty.left(now + wait) >= seconds - SOON
    assert not fogs or now + wait >= last + REST - SOON
    if wait > SOON:
        too_soon = now + wait - SOON
        assert duty.left(too_soon) < seconds or too_soon < last + REST


def test_a_fog_that_runs_counts() -> None:
    """Before it has ended."""
    duty = Duty(MOST, WINDOW, REST)
    duty.note(0.0, fogs=True)
    duty.note(5.0, fogs=True)
    assert duty.left(5.0) == MOST - 5.0


def test_what_has_left_the_window_is_forgotten() -> None:
    """A season is long."""
    duty = Duty(MOST, WINDOW, REST)
    duty.note(0.0, fogs=True)
    duty.note(10.0, fogs=False)
    duty.note(WINDOW + 10.0 + REST + 1.0, fogs=False)
    assert duty.left(WINDOW + 20.0) == MOST
    assert not duty._fogs
