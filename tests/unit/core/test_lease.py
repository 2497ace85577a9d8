"""Who has a device, until when."""

from contextlib import nullcontext
import math

from hypothesis import given, strategies as st
import pytest

from lab2mqtt.core.lease import Held, Lease, release, take

NOW = 1000.0


def test_a_free_device_is_anybodys() -> None:
    """From now on, for as long as was asked."""
    assert take(None, "Ada", 60, "", NOW) == Lease("Ada", NOW + 60)
    assert take(Lease("Bob", NOW), "Ada", 60, "", NOW) == Lease("Ada", NOW + 60)  # that one has just ended


def test_somebody_elses_device_is_not_taken_without_a_reason() -> None:
    """And whoever tries learns whose it is."""
    held = Lease("Bob", NOW + 1, "a run")
    with pytest.raises(Held, match="reserved by Bob") as refused:
        take(held, "Ada", 60, "", NOW)
    assert refused.value.lease == held


def test_with_a_reason_it_is_taken_over() -> None:
    """The reason of the new holder stands there."""
    assert take(Lease("Bob", NOW + 1, "a run"), "Ada", 60, "it burns", NOW) == Lease(
        "Ada", NOW + 60, "it burns"
    )


def test_ones_own_is_renewed_and_keeps_its_reason_unless_a_new_one_is_given() -> None:
    """A client that renews every few seconds need not say again why; it may also give time back."""
    held = Lease("Ada", NOW + 5, "a run")
    assert take(held, "Ada", 60, "", NOW) == Lease("Ada", NOW + 60, "a run")
    assert take(held, "Ada", 60, "another", NOW) == Lease("Ada", NOW + 60, "another")
    assert take(held, "Ada", 1, "", NOW) == Lease("Ada", NOW + 1, "a run")


def test_the_reason_of_a_reservation_that_ended_is_gone() -> None:
    """The new one has its own."""
    assert take(Lease("Ada", NOW, "a run"), "Ada", 60, "", NOW) == Lease("Ada", NOW + 60)


@pytest.mark.parametrize(
    ("reservation", "now", "admitted"),
    [
        ("Ada", NOW, True),
        ("Ada", NOW + 60, True),
        (None, NOW, False),
        ("", NOW, False),
        ("ada", NOW, False),
        ("Bob", math.nextafter(NOW + 60, 0), False),
        ("Bob", NOW + 60, True),
        (None, NOW + 61, True),
    ],
)
def test_only_its_holder_may_use_a_device_until_the_time_is_over(
    reservation: str | None,
    now: float,
    admitted: bool,  # noqa: FBT001
) -> None:
    """The last moment is no longer part of it."""
    assert Lease("Ada", NOW + 60).admits(reservation, now) is admitted


def test_only_its_holder_gives_it_back() -> None:
    """Nobody else ends it but by taking over, which needs a reason."""
    held = Lease("Ada", NOW + 60)
    assert release(held, "Ada", NOW) == held
    with pytest.raises(Held, match="reserved by Ada") as refused:
        release(held, "Bob", NOW)
    assert refused.value.lease == held


def test_what_there_is_not_can_be_given_back_by_anybody() -> None:
    """A client that ends late is told that nothing ended."""
    assert release(None, "Ada", NOW) is None
    assert release(Lease("Bob", NOW), "Ada", NOW) is None


_names = st.sampled_from(["Ada", "Bob", "Cyd"])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["take", "release", "wait"]),
            _names,
            st.floats(1, 100),
            st.sampled_from(["", "why"]),
        )
    )
)
def test_whatever_happens_one_has_it_and_nobody_loses_it_without_a_reason(
    steps: list[tuple[str, str, float, str]],
) -> None:
    """The rule as a property: a lease changes hands by its end, by its holder, or with a reason."""
    held: Lease | None = None
    now = NOW
    for what, who, seconds, reason in steps:
        others = held is not None and now < held.until and held.holder != who
        if what == "wait":
            now += seconds
        elif what == "take":
            with pytest.raises(Held) if others and not reason else nullcontext():
                held = take(held, who, seconds, reason, now)
                assert (held.holder, held.until) == (who, now + seconds)
        else:
            with pytest.raises(Held) if others else nullcontext():
                release(held, who, now)
                held = None
        if held and now < held.until:
            assert [name for name in ("Ada", "Bob", "Cyd") if held.admits(name, now)] == [held.holder]
